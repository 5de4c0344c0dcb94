"""One file for each kind of column; each declares `KINDS = {"name": Class}` with subclasses of `ColumnType`."""
