"""The cost model against published figures of two accelerators."""
