"""Tables: what each column holds, and how rows are encoded for the players."""
