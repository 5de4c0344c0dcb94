"""Configurations: their schema, presets, files and settings."""
