"""Rows that are lists of posts: each entry of a list becomes a row of its own."""
