"""Recommenders, trained or not, with one interface, and what runs and scores them."""
