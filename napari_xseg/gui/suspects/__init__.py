"""The Suspects page of the Review dock: places of a mask that are probably wrong."""
