"""The demo: live-like traffic with a known truth, and declared experiments run to their verdicts on it."""
