"""Layers that are removed one after the other, without a picture in between."""

from __future__ import annotations

import subprocess
import sys

# In a process of its own: what is tested ends it otherwise.
SCRIPT = """
import napari, numpy as np
from qtpy.QtTest import QTest
from napari_xseg.gui.session import session_of

viewer = napari.Viewer()
session = session_of(viewer)
values = np.zeros((8, 300, 300), np.uint8)
viewer.add_image(values)
QTest.qWait(500)
for round in range(4):
    corners = np.array([(4, 10, 10), (4, 10, 90), (4, 90, 90), (4, 90, 10)], float)
    layers = [viewer.add_labels(values + 1), viewer.add_labels(values + 2)]
    layers.insert(round % 2, viewer.add_shapes([corners], shape_type="rectangle"))
    viewer.dims.set_point(0, round)
    QTest.qWait(300)
    for layer in layers:
        viewer.layers.remove(layer)
    QTest.qWait(300)
session.close()
viewer.layers.clear()
QTest.qWait(300)
viewer.close()
print("alive")
"""


def test_layers_may_go_in_one_turn() -> None:
    words = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "alive"), done.stderr[-2000:]
