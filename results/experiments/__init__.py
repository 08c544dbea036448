"""Experiments: a declared grid, one process a run, one line a run on file."""
