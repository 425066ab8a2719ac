"""What the generation tests share."""

import pytest
import torch
from pytest_django import Settings

# Networks this small only wait for each other's threads on a busy machine.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _one_thread(settings: Settings) -> None:
    settings.TORCH_THREADS = 1
