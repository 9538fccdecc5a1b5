"""Models compared on a day, and the gate that decides."""
