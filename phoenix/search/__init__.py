"""The rows of a corpus with the highest products."""
