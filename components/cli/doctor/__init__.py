"""The examination of `phoenix doctor`: machine, configuration and store, and what is stuck."""
