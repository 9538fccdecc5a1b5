"""Windows, histories and the state that a day hands to the next."""
