"""Pipelined schedules: steady state, least period (MODEL.md §2)."""
