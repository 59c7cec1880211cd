"""What an experiment is, and what the logs say about it."""
