"""What was declared, looked at and decided; append-only."""
