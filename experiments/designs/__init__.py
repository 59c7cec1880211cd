"""What is declared: a design written, checked for its meaning, resolved, frozen and hashed."""
