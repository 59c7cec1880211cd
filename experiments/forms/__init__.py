"""How a document is read: its problems all at once, its durations, the nearest right name."""
