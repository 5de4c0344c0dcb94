"""What holds between the columns of a table in every row, found or stated, and how samples obey it."""
