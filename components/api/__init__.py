"""Answers over HTTP: `phoenix serve` reads what is live, and writes nothing."""
