"""Readers of lists and models that other tools write."""
