"""A process of the package imports nothing from the folder it starts in, and begins as `python -m` would."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rnnvision.launch import ROOT, module_command

SAYS = """
import http, json, os, subprocess, sys
inner = [sys.executable, "-c", "import http; print(http.__file__)"]
found = subprocess.run(inner, capture_output=True, text=True, check=True).stdout.strip()
facts = {"argv": sys.argv[1:], "name": sys.modules["__main__"].__spec__.name, "http": http.__file__, "inner": found}
print(json.dumps({**facts, "path": os.environ.get("PYTHONPATH", "")}))
"""
THEIRS = "from pathlib import Path\nPath('ran').touch()\n"


@pytest.mark.parametrize("known", [True, False], ids=["installed", "a checkout"])
def test_a_strangers_module_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool) -> None:
    stranger, own = tmp_path / "stranger", tmp_path / "own"
    for folder in (stranger, own):
        folder.mkdir()
    for name in ("http", "runpy", "rnnvision", "says"):
        (stranger / f"{name}.py").write_text(THEIRS)
    (own / "says.py").write_text(SAYS)
    paths = [str(own), *([ROOT] if known else [])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    done = subprocess.run(
        module_command("says", "two words"), cwd=stranger, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert (facts["argv"], facts["name"]) == (["two words"], "says")
    assert not facts["http"].startswith(str(tmp_path))
    assert str(own) in facts["path"].split(os.pathsep)
    if sys.version_info >= (3, 11):  # what it starts itself, too
        assert not facts["inner"].startswith(str(tmp_path))
        assert not (stranger / "ran").exists()
