"""The trainer: batches, losses, steps, states, one run."""
