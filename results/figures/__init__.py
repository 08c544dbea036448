"""Figures: one file of pure functions each. They need matplotlib."""
