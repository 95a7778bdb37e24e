"""Places of a mask that are probably wrong, found without labels."""
