"""Checks of the referee, one to a file."""
