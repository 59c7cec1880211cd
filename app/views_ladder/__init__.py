"""What the ladder shows, as plain values."""
