"""Posts from which negatives are drawn, of logs that have none."""
