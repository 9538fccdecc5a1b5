"""Arrays and tables in files that are verified when they are read."""
