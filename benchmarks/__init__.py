"""Measurements of what is slow: ours against a limit or a peer, on the same input, side by side."""
