"""The trial downloads, in short: a round of each kind, without a training."""

from pathlib import Path
from typing import Any

import pytest
from torchvision.datasets import KMNIST
from torture.trials import downloads

from rnnvision.data.downloads import fetch, lock
from rnnvision.data.sets import mnist_family

CHANGED: list[tuple[Any, str]] = [  # by the trial, for its process
    *((fetch, name) for name in ("TIMEOUT", "PAUSE")),
    (lock, "WAIT"),
    (mnist_family, "COUNTS"),
    *((KMNIST, name) for name in ("mirrors", "resources")),
]


def test_eight_first_downloads_from_a_bad_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, name in CHANGED:
        monkeypatch.setattr(owner, name, getattr(owner, name))  # which other tests find as it was
    monkeypatch.setattr(downloads, "_train", downloads._read)
    outcome = downloads.run(3, 1, tmp_path)
    assert outcome.failures == []
    assert outcome.count == 3
