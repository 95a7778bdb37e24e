"""How each kind of file becomes slices: one file a family, all giving a `Source`."""
