"""Metrics of orders and probabilities, as sums that add up, and by user."""
