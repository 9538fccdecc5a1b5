"""The rows of a day, of some of its users at a time."""
