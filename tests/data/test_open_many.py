"""Many image files at once: in order, each as by itself, and no more of them ahead than a few tasks."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rnnvision.data import DataError
from rnnvision.data.images import View, many, open_image, open_many

VIEW = View(image_size=8)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Images of several sizes; every seventh is none."""
    folder = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(0)
    paths = [folder / f"{i}.{'jpg' if i % 2 else 'png'}" for i in range(100)]
    for i, path in enumerate(paths):
        Image.fromarray(generator.integers(0, 256, (6 + i % 9, 12, 3), dtype=np.uint8)).save(path)
    for path in paths[::7]:
        path.write_text("no picture")
    return paths


@pytest.mark.parametrize("threads", [1, 3, None])
def test_each_comes_in_its_place_as_it_would_by_itself(files: list[Path], threads: int | None) -> None:
    found = list(open_many(map(str, files), VIEW, threads))
    assert len(found) == len(files)
    for i, (path, image) in enumerate(zip(files, found, strict=True)):
        if i % 7 == 0:
            assert isinstance(image, DataError)
            assert str(image).startswith(f"{path}: ")
        else:
            assert isinstance(image, torch.Tensor)
            assert torch.equal(image, VIEW.of(open_image(path, VIEW)))


def test_only_a_few_are_opened_ahead_and_none_once_the_caller_stops(files: list[Path]) -> None:
    taken = 0

    def paths() -> Iterator[Path]:
        nonlocal taken
        while True:  # endless
            taken += 1
            yield files[1]

    opened = open_many(paths(), VIEW, 2)
    for _ in range(10 * many.CHUNK):
        next(opened)
    opened.close()  # type: ignore[attr-defined]  # a generator
    assert taken <= (10 + 2 * 2) * many.CHUNK
