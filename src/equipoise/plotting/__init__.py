"""Figures of samples and curves, in one style."""
