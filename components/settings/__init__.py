"""The configuration of a deployment: sections, defaults, ranges, and errors by path."""
