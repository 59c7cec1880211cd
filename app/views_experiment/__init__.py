"""What the page of one experiment shows, as plain values; of outcomes they know only what has been released."""
