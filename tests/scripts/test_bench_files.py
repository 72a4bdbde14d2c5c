"""The benchmark of files: it runs, on few and small ones, and its rows hold what they say."""

import re
from pathlib import Path

import bench_files
import numpy as np
import pytest
from PIL import Image


def test_both_tables_have_their_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"ROUNDS": 1, "CLASSES": 3, "FILES": 60, "SIZE": (800, 600)}.items():
        monkeypatch.setattr(bench_files, name, value)
    photos = tmp_path / "photos"
    photos.mkdir()
    coarse = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(coarse).save(photos / "a.jpg")
    bench_files.scan(tmp_path)
    bench_files.reduced(tmp_path, photos)
    rows = capsys.readouterr().out.splitlines()
    assert sum(" s (" in row for row in rows) == 3
    differences = [float(found[1]) for row in rows if (found := re.search(r"([0-9.]+) of 255", row))]
    assert len(differences) == len(bench_files.KINDS) * len(bench_files.VIEWS)
    assert 0 < max(differences) < 1.5
