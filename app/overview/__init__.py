"""What the pages around the experiments show, as plain values: none of it is an outcome before its release."""
