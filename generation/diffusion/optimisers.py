"""Optimisers: AdamW for everything, or Muon for the weights inside the blocks and AdamW for the rest.

Muon (Jordan et al., 2024) makes the steps of a weight matrix orthogonal. torch's own takes matrices only, so a
convolution's weight [C', C, 3, 3] is handed to it as a view [C', 9 C] of the same memory.
"""

from typing import Any

import torch
from torch import Tensor, nn

from generation.diffusion.plans import Optimiser as Optimiser

BLOCKS = ("input_blocks.", "middle_block.", "output_blocks.")
FIRST_LAYER = "input_blocks.0."


class Optimisers:
    """The optimisers of one network, used as one."""

    def __init__(self, network: nn.Module, *, kind: Optimiser, weight_decay: float) -> None:
        named = list(network.named_parameters())
        inner = [kind is Optimiser.MUON and _is_inner(name, parameter) for name, parameter in named]
        self._matrices = [
            (parameter, parameter.detach().flatten(1))
            for (_, parameter), chosen in zip(named, inner, strict=True)
            if chosen
        ]
        rest = [parameter for (_, parameter), chosen in zip(named, inner, strict=True) if not chosen]
        self._all: list[torch.optim.Optimizer] = [torch.optim.AdamW(rest, weight_decay=weight_decay, fused=True)]
        if self._matrices:
            views = [view for _, view in self._matrices]
            # Steps as long as AdamW's, so that one learning rate serves both.
            muon = torch.optim.Muon(views, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")
            self._all.append(muon)

    def step(self, *, rate: float) -> None:
        """Change the weights by their gradients, at a learning rate."""
        for parameter, view in self._matrices:
            view.grad = None if parameter.grad is None else parameter.grad.flatten(1)
        for optimiser in self._all:
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()

    def state(self) -> list[dict[str, Any]]:  # Any: torch's own state
        """What `restore` needs."""
        return [optimiser.state_dict() for optimiser in self._all]

    def restore(self, state: list[dict[str, Any]]) -> None:  # Any: as in state
        """Continue from a `state`."""
        for optimiser, part in zip(self._all, state, strict=True):
            optimiser.load_state_dict(part)


def _is_inner(name: str, parameter: Tensor) -> bool:
    """Whether a parameter is a weight inside a block: neither the first nor the last layer, nor an embedding."""
    return parameter.ndim > 1 and name.startswith(BLOCKS) and not name.startswith(FIRST_LAYER)
