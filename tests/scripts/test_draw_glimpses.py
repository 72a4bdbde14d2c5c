"""The picture of where an encoder-decoder looks."""

import sys
from pathlib import Path

import draw_glimpses
import matplotlib.image
import pytest

from tests.training.cases import checkpoint_of, train

# Lightning's own check of nested batches uses a function that torch has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:`isinstance\\(treespec, LeafSpec\\)` is deprecated:FutureWarning")


def draw(folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> Path:
    picture = folder / "new" / "glimpses.png"
    monkeypatch.setattr(sys, "argv", ["draw_glimpses.py", str(checkpoint_of(folder)), str(picture), *words])
    draw_glimpses.main()
    return picture


def test_each_picture_has_a_row_and_each_glimpse_a_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(tmp_path, network={"name": "encoder_decoder", "num_glimpses": 3})
    sizes = []
    for words in (["0"], ["0", "5"]):
        height, width, _ = matplotlib.image.imread(draw(tmp_path, monkeypatch, "--images", *words)).shape
        sizes.append((height, width))
    assert sizes[0][1] == sizes[1][1] == pytest.approx(4 * 1.7 * 110, abs=2)
    assert sizes[1][0] == pytest.approx(2 * sizes[0][0], abs=2)


def test_a_network_without_glimpses_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train(tmp_path)
    with pytest.raises(SystemExit) as end:
        draw(tmp_path, monkeypatch)
    assert end.value.code == 2
    assert "takes no glimpses; draw a run of model=encoder_decoder" in capsys.readouterr().err
