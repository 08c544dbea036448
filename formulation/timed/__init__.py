"""Timed schedules (MODEL.md §6): start times, one shot."""
