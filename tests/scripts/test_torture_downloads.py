"""The trial downloads, in short: a round of each kind, without a training."""

from pathlib import Path

import pytest
from torture.trials import downloads


def test_eight_first_downloads_from_a_bad_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "_train", downloads._read)
    outcome = downloads.run(3, 1, tmp_path)
    assert outcome.failures == []
    assert outcome.count == 3
