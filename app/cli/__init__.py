"""The command `fairtrial`: thin, over the library."""
