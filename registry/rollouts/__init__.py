"""Rollouts: their rows, what stands in the way of the next step, and the one place that moves an alias (`registry.ladder`)."""
