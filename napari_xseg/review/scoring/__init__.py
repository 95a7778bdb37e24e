"""Masks scored by eye: sessions, kept scores, and what they say together."""
