"""What rows are asked for: a small language of conditions, the sets of values that it names, and which rows obey."""
