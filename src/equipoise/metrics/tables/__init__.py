"""What a table report measures: columns, pairs, whole rows, usefulness and privacy; each a file of pure functions."""
