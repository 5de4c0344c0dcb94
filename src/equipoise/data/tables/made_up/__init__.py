"""Columns that name things and hold nothing to learn, one kind to a file: keys, names and free text, and
columns without any value.

No player sees them, and no referee judges them, but for empty columns where two tables are compared. They are taken out
of the table when it is read, and made up again by their pattern in what is sampled, so that samples have the form of
the data.
"""
