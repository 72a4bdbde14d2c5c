"""The images that scripts draw of a trained network: where it looks, and how soon it knows."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import draw_anytime
import draw_glimpses
import matplotlib.image
import pytest

import rnnvision
from rnnvision.report.style import SETTINGS
from tests.training.cases import checkpoint_of, make_data, train

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


def test_each_network_has_a_curve_and_a_row(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    picture, run = tmp_path / "anytime.png", checkpoint_of(runs["once"])
    monkeypatch.setattr(sys, "argv", ["draw_anytime.py", str(picture), f"first={run}", f"a=b={run}"])
    draw_anytime.main()
    assert matplotlib.image.imread(picture).shape[2] == 4
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[0] for row in rows] == ["| first", "| a=b"]
    assert rows[0][1:] == rows[1][1:]
    area, accuracy, stopped = map(float, rows[0][1:4])
    assert 0 < area < 1
    assert 0 < stopped <= 1
    data = make_data()
    learner_answers = rnnvision.load(run).logits(data.splits.test.images).argmax(dim=1)  # type: ignore[attr-defined]
    assert accuracy == pytest.approx(float((learner_answers == data.splits.test.labels).float().mean()), abs=1e-4)


def test_a_run_without_a_checkpoint_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["draw_anytime.py", str(tmp_path / "a.png"), f"x={tmp_path}/nowhere"])
    with pytest.raises(SystemExit) as end:
        draw_anytime.main()
    assert end.value.code == 2
    assert "there is no such file or run folder" in capsys.readouterr().err


def test_a_checkpoint_that_is_none_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        size(draw_glimpses, tmp_path, tmp_path / "a.png", monkeypatch, "0")
    assert end.value.code == 2
    assert "there is no such file or run folder" in capsys.readouterr().err


def test_a_network_without_glimpses_is_told(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        size(draw_glimpses, runs["once"], tmp_path / "a.png", monkeypatch, "0")
    assert end.value.code == 2
    assert "takes no glimpses; draw a run of model=encoder_decoder" in capsys.readouterr().err
