"""A world that answers: what it is shown from published feeds, and what it does, as a log."""
