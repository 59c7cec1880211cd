"""The command line: `main` runs it, `output` prints, every other module offers commands."""
