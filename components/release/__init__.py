"""Models, corpus and decision, bound into releases."""
