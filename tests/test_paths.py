"""The two paths of docs/architecture.md, read off the stack of a real run."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROBE = """
import runpy, sys, traceback
from pathlib import Path
from torch import nn
import rnnvision
from rnnvision.training import Learner

package = Path(rnnvision.__file__).parent
seen = {}

def own_files():
    frames = [Path(frame.filename) for frame in traceback.extract_stack()]
    return list(dict.fromkeys(str(f.relative_to(package)) for f in frames if f.is_relative_to(package)))

made, stepped = nn.LSTM.__init__, Learner.training_step
def make(self, *args, **kwargs):
    seen.setdefault("nn.LSTM", own_files())
    made(self, *args, **kwargs)
def step(self, *args, **kwargs):
    seen.setdefault("first step", own_files())
    return stepped(self, *args, **kwargs)
nn.LSTM.__init__, Learner.training_step = make, step

from rnnvision.cli.train import main
sys.argv = ["train.py", "model.hidden_size=64", "data=fake", "trainer=smoke", "device=cpu"]
main()
for what, files in seen.items():
    print("PATH", what, *files, sep="|")
"""


def test_the_paths_from_the_command_line_are_those_of_the_page(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PROBE]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    found = {line.split("|")[1]: line.split("|")[2:] for line in done.stdout.splitlines() if line.startswith("PATH|")}
    page = (ROOT / "docs" / "architecture.md").read_text().partition("## Two paths")[2].partition("\n## ")[0]
    network, step = page.split("**From argv")
    numbered = re.findall(r"^\d\. `([\w/]+\.py)`", network, flags=re.MULTILINE)
    assert found["nn.LSTM"]
    assert set(found["nn.LSTM"]) == set(numbered)
    assert len(numbered) <= 6
    assert set(found["first step"]) <= set(re.findall(r"`([\w/]+\.py)`", step))
    assert len(found["first step"]) <= 6
