"""Images: read, brought to one size, and encoded for the players."""
