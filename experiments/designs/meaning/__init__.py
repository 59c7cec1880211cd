"""What a written metric or design must mean, beyond having the right types."""
