"""Pages for people: the day, its panels, Data Docs."""
