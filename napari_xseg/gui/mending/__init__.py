"""Mending labels from a mask: at a suspect, at a mistake, or wherever the mouse points."""
