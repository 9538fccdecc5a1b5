"""Training as a step does it: plan, settings, run."""
