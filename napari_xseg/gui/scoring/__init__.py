"""Masks scored by eye, in the Review dock."""
