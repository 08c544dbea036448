"""Windowed schedules: the rules of SCAR (MODEL.md §7)."""
