"""The Predict dock: model, slices or volumes, masks and their files."""
