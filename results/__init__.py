"""Everything that makes an Outcome something to look at."""
