"""The inputs of the models: batches, their configuration, tokens, slates."""
