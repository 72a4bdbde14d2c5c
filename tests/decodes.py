"""Counts of the image files that are opened, and of the images whose pixels are decoded."""

import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from rnnvision.data import files
from rnnvision.data.images import decoding


def opened_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files of a split that are decoded, as they are."""
    seen: list[str] = []
    real = files.open_seen

    def count(path: Path, *arguments: Any) -> torch.Tensor:
        seen.append(path.name)
        return real(path, *arguments)

    monkeypatch.setattr(files, "open_seen", count)
    return seen


def decoded_images(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the pixels of each image have been decoded, by its name."""
    counts: Counter[str] = Counter()
    lock, real = threading.Lock(), decoding._decode

    def counting(file: Any, name: str, *view: Any, **seen: Any) -> Any:
        with lock:
            counts[name] += 1
        return real(file, name, *view, **seen)

    monkeypatch.setattr(decoding, "_decode", counting)
    return counts
