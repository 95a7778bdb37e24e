"""Volumes, labels, splits, intensities and samples: everything before the network."""
