"""The kinds of rules that are held by writing a table anew, one file each."""
