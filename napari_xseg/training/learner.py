"""The network while it learns: one optimiser step, the averaged weights, their state."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from napari_xseg.errors import XsegError
from napari_xseg.model.device import choose_dtype, dtype_name, place
from napari_xseg.model.unet import UNet
from napari_xseg.training.losses import loss_function

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from napari_xseg.config import Precision, TrainConfig
    from napari_xseg.data.augment import Variation


class Learner:
    """A network, its optimiser and the average of its weights.

    Parameters
    ----------
    config : TrainConfig
        The recipe, with the model as it shall be.
    device : torch.device
        Where it learns.
    seed : int
        Of the first weights and of everything drawn on the device.
    weights : mapping of str to Tensor, optional
        First weights to take instead.
    """

    def __init__(
        self,
        config: TrainConfig,
        device: torch.device,
        seed: int,
        weights: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.config = config
        self.device = device
        self.batch = config.batch
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = UNet(config.model)
        if weights:
            network.load_state_dict(weights)
        self.network = place(network, device)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.loss = loss_function(config.loss)
        self.optimiser = _optimiser(config, self.network)
        self.plateau = ReduceLROnPlateau(self.optimiser, mode="max", patience=config.patience)
        self.generator = torch.Generator(device).manual_seed(seed)
        self.dtype = torch.float32
        self.scaler = torch.amp.GradScaler(device.type, enabled=False)
        self.steps = 0

    def choose_precision(self, precision: Precision, size: tuple[int, int]) -> None:
        """Take the precision asked for, or the one that trains a batch of `size` faster."""
        config = self.config.model

        def probe(dtype: torch.dtype) -> None:
            twin = copy.deepcopy(self.network)
            x = torch.zeros((2, config.input_channels, *size), device=self.device)
            with torch.autocast(self.device.type, dtype, enabled=dtype != torch.float32):
                twin(x.contiguous(memory_format=torch.channels_last)).float().sum().backward()

        self.dtype = choose_dtype(self.device, precision, probe)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)

    @property
    def learning_rate(self) -> float:
        """The one in force."""
        return float(self.optimiser.param_groups[0]["lr"])

    def set_pace(self, factor: float) -> None:
        """Take `factor` times the recipe's learning rate."""
        for group in self.optimiser.param_groups:
            group["lr"] = factor * self.config.learning_rate

    def step(
        self, images: NDArray[np.float32], truth: NDArray[np.int64], variation: Variation
    ) -> float:
        """One optimiser step; gives the loss.

        Parameters
        ----------
        images : ndarray
            (n, channels, Y, X) float32, normalised.
        truth : ndarray
            (n, y, x) int64, 255 where unlabelled.
        variation : Variation
            What is changed at random.

        Raises
        ------
        torch.OutOfMemoryError
            Where the device has no memory for the batch; nothing has changed then
            but random numbers drawn.
        """
        x = torch.from_numpy(images).to(self.device, non_blocking=True)
        y = torch.from_numpy(truth).to(self.device, non_blocking=True)
        x = variation.apply(x, self.generator).contiguous(memory_format=torch.channels_last)
        self.network.train()
        self.optimiser.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            logits = self.network(x)
        loss = self.loss(logits.float(), y)
        torch.autograd.backward(self.scaler.scale(loss))
        if self.config.clip_norm is not None:
            self.scaler.unscale_(self.optimiser)
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip_norm)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.steps += 1
        self._update_average()
        return float(loss.detach())

    @torch.no_grad()
    def _update_average(self) -> None:
        if self.config.ema is None:
            return
        # Rising from 0, so that the first weights are soon forgotten.
        keep = min(self.config.ema, (1 + self.steps) / (10 + self.steps))
        pairs = zip(_values(self.average), _values(self.network), strict=True)
        moving = [(old, new) for old, new in pairs if old.is_floating_point()]
        torch._foreach_lerp_([old for old, _ in moving], [new for _, new in moving], 1 - keep)

    @property
    def best_guess(self) -> UNet:
        """The network to judge and to keep: the averaged one where the recipe averages."""
        chosen: UNet = self.network if self.config.ema is None else self.average
        return chosen

    def shrink(self) -> None:
        """Halve the crops a step; XsegError where one alone is too large for the device."""
        if self.batch == 1:
            raise XsegError(
                f"{self.device}: has not enough memory for one crop; give the recipe a smaller "
                "crop or width, or choose --device cpu."
            )
        self.batch //= 2
        self.optimiser.zero_grad(set_to_none=True)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def state(self) -> dict[str, Any]:
        """Everything to go on from; tensors, numbers and containers of them."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "plateau": self.plateau.state_dict(),
            "scaler": self.scaler.state_dict(),
            "generator": self.generator.get_state(),
            "precision": dtype_name(self.dtype),
            "batch": self.batch,
            "steps": self.steps,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.choose_precision(state["precision"], (1, 1))
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.plateau.load_state_dict(state["plateau"])
        self.scaler.load_state_dict(state["scaler"])
        self.generator.set_state(state["generator"])
        self.batch = int(state["batch"])
        self.steps = int(state["steps"])


def warm_up() -> None:
    """Have torch load what its optimisers want: more than a second, once in a process."""
    torch.optim.AdamW([torch.zeros(1, requires_grad=True)])


def _optimiser(config: TrainConfig, network: UNet) -> torch.optim.Optimizer:
    if config.optimiser == "rmsprop":
        return torch.optim.RMSprop(
            network.parameters(),
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            momentum=config.momentum,
            foreach=True,
        )
    return torch.optim.AdamW(
        network.parameters(),
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        betas=(config.momentum, 0.99),
        foreach=True,
    )


def _values(network: UNet) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]
