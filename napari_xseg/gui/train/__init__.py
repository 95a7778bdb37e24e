"""The Train dock: classes, slices, recipe, curves and runs."""
