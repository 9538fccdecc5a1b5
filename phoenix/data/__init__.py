"""Windows, histories, ids, hashes and attributes as arrays: NumPy alone, never JAX."""
