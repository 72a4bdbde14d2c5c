"""Every test starts from the same random numbers, and leaves torch's generator as it was."""

from collections.abc import Iterator

import pytest
import torch

from tests.training.cases import checkpoint_of, train


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a checkpoint of a training."""
    folder = tmp_path_factory.mktemp("trained")
    train(folder, scheduler={"name": "cosine"})
    return checkpoint_of(folder).read_bytes()
