"""One candidate's way from the first mirrored request to promotion or rollback: the declared plan, and what is routed when."""
