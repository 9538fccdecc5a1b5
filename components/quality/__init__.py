"""Statistics, expectations, drift and skew of a day."""
