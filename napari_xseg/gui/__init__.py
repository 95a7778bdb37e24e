"""The docks and what else napari finds: the one room that imports napari and Qt."""
