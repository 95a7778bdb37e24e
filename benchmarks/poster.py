"""Write the poster's network, untrained, as a model file: python -m benchmarks.poster RUN FILE.

Classes and grey values come from the run folder or model file RUN.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from napari_xseg.model.checkpoint import load_model, save_model
from napari_xseg.model.unet import UNet
from napari_xseg.training.recipes import load_recipe


def write_poster(run: Path, out: Path) -> None:
    known = load_model(run)
    config = load_recipe("poster").model.replace(classes=len(known.classes))
    torch.manual_seed(0)
    save_model(out, UNet(config).state_dict(), config, known.classes, known.intensity)


if __name__ == "__main__":
    write_poster(Path(sys.argv[1]), Path(sys.argv[2]))
