"""Negatives for logs that have none: posts that were known and might have been shown."""
