"""Points: arrays of real numbers, one row each."""
