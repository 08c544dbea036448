"""Builders of published networks from their hyper-parameters."""
