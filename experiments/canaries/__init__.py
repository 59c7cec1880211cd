"""A canary: a candidate served to a growing share of the traffic, its guardrails checked step by step."""
