"""Losses, recipes and the training loop."""
