"""One run of a step: its context, signals, provenance, and what surrounds the computation."""
