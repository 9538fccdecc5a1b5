"""Layers of the networks: attention, gates, vectors of attributes."""
