"""format=web: a folder that holds all that a page needs, and a package from npm that is the one that is known."""

import json
import os
import tarfile
from pathlib import Path

import pytest
import torch

from rnnvision.errors import FailureError, UsageError
from rnnvision.inference.demo import onnxruntime_web
from rnnvision.inference.export import FORMATS, ExportError, web
from tests.inference.demo.cases import digit, image


@pytest.fixture
def _runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runtime").mkdir()
    for name in onnxruntime_web.FILES:
        (tmp_path / "runtime" / name).write_text("")
    monkeypatch.setattr(web, "runtime", lambda: tmp_path / "runtime")


@pytest.mark.usefixtures("_runtime")
@pytest.mark.parametrize(("bidirectional", "times"), [(False, 28), (True, 1)])
def test_the_graph_gives_the_beliefs_of_the_network(tmp_path: Path, bidirectional: bool, times: int) -> None:
    """Of one that reads in two directions at the end: each of 28 passes would be written out."""
    import onnxruntime

    classifier, folder = digit(bidirectional=bidirectional), tmp_path / "page"
    FORMATS["web"].write(classifier, folder)
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    pixels = image(1, 28, 28)
    found = session.run(["probabilities"], {"pixels": (pixels[None] / 255).numpy()})[0]
    torch.testing.assert_close(torch.from_numpy(found), classifier.anytime(pixels)[:, -times:], rtol=0, atol=1e-5)
    facts = json.loads((folder / "facts.json").read_text())
    assert (facts["classes"], facts["mode"] == "end") == (list(classifier.class_names), bidirectional)
    assert 'http-equiv="content-security-policy"' in (folder / "index.html").read_text()
    assert "onnxruntime" in (folder / "reader.js").read_text()
    assert {"opening.js", "page.js", "ort.js", "ort.wasm"} <= {file.name for file in folder.iterdir()}
    assert not (folder / "reader_in_browser.js").exists()


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ExportError, match=f"^{tmp_path}: holds other files; give a new folder with output=$"):
        web.write_web(digit(), tmp_path)


def npm(folder: Path, script: str) -> None:
    """A program of that name in a folder, the only one that is searched for it."""
    (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "npm").chmod(0o755)


def test_what_npm_gives_has_to_be_what_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with tarfile.open(tmp_path / "other.tgz", "w:gz") as archive:
        archive.add(__file__, "package/dist/ort.wasm.bundle.min.mjs")
    npm(tmp_path, f'cp {tmp_path}/other.tgz "$5/{onnxruntime_web.NAME}-{onnxruntime_web.VERSION}.tgz"')
    with pytest.raises(FailureError, match=r"gives another onnxruntime-web .* its content is not used"):
        onnxruntime_web.runtime()
    npm(tmp_path, "echo 'npm error code E404' >&2; exit 1")
    with pytest.raises(FailureError, match=r"npm cannot get onnxruntime-web .* \(npm error code E404\)$"):
        onnxruntime_web.runtime()
    assert not (tmp_path / "cache").exists()
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match=r"^format=web: takes onnxruntime-web from npm, which is not installed"):
        onnxruntime_web.runtime()
