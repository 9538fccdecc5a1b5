"""A first look at a log: its files and columns, and the configuration that they suggest."""
