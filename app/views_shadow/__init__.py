"""What the pages of a shadow show, as plain values; before the sealed look nothing in them comes from answers or labels."""
