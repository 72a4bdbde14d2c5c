"""A standard output that cannot be written, where it is all that a command is for."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.running import Copy

FULL = Path("/dev/full")
pytestmark = pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")


@pytest.mark.parametrize(
    "words",
    [
        "predict ckpt=run source=digits device=cpu",
        "watch ckpt=run source=digits/000.png device=cpu",
        "train --cfg job",
        "train --help",
        "results .",
        "results --help",
        "results --version",
    ],
)
def test_what_cannot_be_written_is_no_success(trained: Copy, words: str) -> None:
    trained("run")
    Path("digits").mkdir()
    Image.new("L", (8, 8)).save("digits/000.png")
    verb, *rest = words.split()
    with FULL.open("w") as full:
        command = [sys.executable, "-m", f"rnnvision.cli.{verb}", *rest]
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert result.stderr == f"rnnvision {verb}: standard output cannot be written (No space left on device)\n"
    assert result.returncode == 1


def test_a_stream_of_rows_ends_where_nothing_can_be_written(trained: Copy) -> None:
    trained("run")
    command = [sys.executable, "-m", "rnnvision.cli.watch", "ckpt=run", "source=-", "device=cpu"]
    with FULL.open("w") as full:
        result = subprocess.run(command, input=bytes(64), stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert result.stderr == b"rnnvision watch: standard output cannot be written (No space left on device)\n"
    assert result.returncode == 1
