"""Tables: one file of pure functions each."""
