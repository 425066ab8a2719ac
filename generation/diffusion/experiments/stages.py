"""Stages: parts of an experiment whose results are kept in a folder, so that an interrupted run goes on where it was.

A stage is known by its name and its settings; with other settings it is done anew.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

Numbers = dict[str, Any]  # Any: what JSON can hold
Pixels = npt.NDArray[np.uint8]


class Report(Protocol):
    """How an experiment tells where it is; raises what must end it."""

    def __call__(self, done: int, total: int, note: str = "") -> None: ...


def device_here() -> torch.device:
    """Where experiments run: on CUDA where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@dataclass(frozen=True)
class Stages:
    """The results of an experiment's parts, as files of a folder."""

    folder: Path

    def numbers(self, name: str, settings: Mapping[str, Any], measure: Callable[[], Numbers]) -> Numbers:  # Any: JSON
        """The numbers of a stage: as measured before with equal settings, or measured now."""
        path = self.folder / f"{name}.json"
        if path.exists():
            kept: Numbers = json.loads(path.read_text(encoding="utf-8"))
            if kept["settings"] == _plain(settings):
                return dict(kept["result"])
        # As it will be read next time: a tuple comes back from a file as a list.
        result: Numbers = _plain(measure())
        _write(path, json.dumps({"settings": settings, "result": result}, indent=1, sort_keys=True).encode())
        return result

    def images(self, name: str, settings: Mapping[str, Any], make: Callable[[], Pixels]) -> Pixels:  # Any: JSON
        """The images of a stage, uint8 [N, H, W, 3]: as made before with equal settings, or made now."""
        path = self.folder / f"{name}.npz"
        wanted = json.dumps(_plain(settings), sort_keys=True)
        if path.exists():
            with np.load(path) as kept:
                if str(kept["settings"]) == wanted:
                    return np.asarray(kept["arr_0"], dtype=np.uint8)
        images = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        with unfinished.open("wb") as file:
            np.savez_compressed(file, arr_0=images, settings=np.array(wanted))
        os.replace(unfinished, path)
        return images


def _plain(settings: Mapping[str, Any]) -> Any:  # Any: what JSON gives back
    return json.loads(json.dumps(settings))


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.write_bytes(data)
    os.replace(unfinished, path)
