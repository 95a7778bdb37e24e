"""`python -m napari_xseg.cli` is `napari-xseg`."""

from __future__ import annotations

import sys

from napari_xseg.cli import main

if __name__ == "__main__":
    sys.exit(main())
