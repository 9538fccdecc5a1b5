"""Data contracts: the columns of every table, and what must hold for their values."""
