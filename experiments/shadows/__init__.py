"""Shadow designs: two models answer the same requests, no user sees the candidate; what is declared, paired and judged."""
