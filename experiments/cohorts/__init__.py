"""Who counts and what they did: fates in their one order, per-unit values, exact sums per arm."""
