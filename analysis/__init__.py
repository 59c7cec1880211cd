"""Pure statistics: numbers in, frozen results out. No I/O, no frames."""
