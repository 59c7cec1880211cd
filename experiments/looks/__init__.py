"""When outcomes may be opened, what may be seen before, and how a look is taken again."""
