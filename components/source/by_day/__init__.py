"""Files of a source by the day in their path: how they are called, and which are not read."""
