"""Prepared data kept on disk and read through a memory map."""
