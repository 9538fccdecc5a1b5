"""Drawings as SVG, from numbers alone."""
