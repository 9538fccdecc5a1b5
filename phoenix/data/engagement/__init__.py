"""What was shown and what followed before a day, as counts and as rates."""
