"""What the generation tests share."""

import pytest
from pytest_django import Settings


@pytest.fixture(autouse=True)
def _one_thread(settings: Settings) -> None:
    # Networks this small only wait for each other's threads on a busy machine.
    settings.TORCH_THREADS = 1
