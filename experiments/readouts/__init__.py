"""From sums to a verdict: estimates, validity, the total map, the words, the sealed document."""
