"""The images that scripts draw of a trained network: where it looks, and what it answers while it reads."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import draw_glimpses
import draw_reading
import matplotlib.image
import pytest

from rnnvision.report.style import SETTINGS
from tests.training.cases import checkpoint_of, train

# Lightning's own check of nested batches uses a function that torch has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:`isinstance\\(treespec, LeafSpec\\)` is deprecated:FutureWarning")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Run folders, of a network that takes glimpses and of one that reads once."""
    networks: dict[str, dict[str, Any]] = {
        "glimpses": {"name": "encoder_decoder", "num_glimpses": 3},
        "once": {"scan": "snake"},
    }
    folders = {name: tmp_path_factory.mktemp(name) for name in networks}
    for name, network in networks.items():
        train(folders[name], network=network)
    return folders


def size(script: ModuleType, run: Path, picture: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, int]:
    """Height and width in pixels of what the script draws."""
    name = f"{script.__name__}.py"
    monkeypatch.setattr(sys, "argv", [name, str(checkpoint_of(run)), str(picture), "--images", *words])
    script.main()
    height, width, _ = matplotlib.image.imread(picture).shape
    return height, width


def test_each_image_has_a_row_and_each_glimpse_a_column(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = tmp_path / "new" / "glimpses.png"
    one = size(draw_glimpses, runs["glimpses"], picture, monkeypatch, "0")
    two = size(draw_glimpses, runs["glimpses"], picture, monkeypatch, "0", "5")
    assert one[1] == two[1] == pytest.approx(4 * 1.7 * SETTINGS["savefig.dpi"], abs=2)
    assert two[0] == pytest.approx(2 * one[0], abs=2)


def test_each_image_has_its_answers_beside_it(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = size(draw_reading, runs["once"], tmp_path / "reading.png", monkeypatch, "0")
    two = size(draw_reading, runs["once"], tmp_path / "reading.png", monkeypatch, "0", "5")
    assert one[0] == two[0]
    assert two[1] == pytest.approx(2 * one[1], abs=2)


@pytest.mark.parametrize("script", [draw_glimpses, draw_reading], ids=lambda script: script.__name__)
def test_a_checkpoint_that_is_none_is_told(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        size(script, tmp_path, tmp_path / "a.png", monkeypatch, "0")
    assert end.value.code == 2
    assert "there is no such file or run folder" in capsys.readouterr().err


def test_a_network_without_glimpses_is_told(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        size(draw_glimpses, runs["once"], tmp_path / "a.png", monkeypatch, "0")
    assert end.value.code == 2
    assert "takes no glimpses; draw a run of model=encoder_decoder" in capsys.readouterr().err
