"""The steps of the pipeline: one module = one container step, plus what they share."""
