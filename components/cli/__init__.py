"""The command line `phoenix` and its demonstrations."""
