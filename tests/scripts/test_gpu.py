"""scripts/measure_gpu.py: what it does with parts that fail, and each part on the CPU with small numbers."""

import base64
import hashlib
import json
import math
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import measure_gpu
import pytest
import torch
from gpu import packages
from gpu.measuring import Rows, Told
from gpu.parts import LIMITS, kernels, module_of, parity
from gpu.record import OtherMachineError, Record
from peers.table import put_between

STUB = Path(__file__).with_name("stub_gpu.py")
IN_THIS_PROCESS = ("parity", "kernels", "epochs", "scans", "sequences", "claims", "data")
# Of a part that takes long the table of cases, and those that are measured here; the whole is `slow`.
SUBSETS = {"epochs": ("NETWORKS", ("gru", "vil")), "sequences": ("EXPERIMENTS", ("scifar_lru", "cifar10_sequencer"))}


def stub(folder: Path, *words: str) -> dict[str, dict[str, Any]]:
    """Run the stub's parts and read the record."""
    command = [sys.executable, str(STUB), "--device", "cpu", "--small", "--out", str(folder), *words]
    done = subprocess.run(command, cwd=STUB.parents[2], env=environment(), capture_output=True, text=True, timeout=200)
    assert done.returncode == 1, done.stdout + done.stderr
    return json.loads((folder / "results.json").read_text())["parts"]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{STUB.parents[2] / 'scripts'}{os.pathsep}{STUB.parents[2]}"}


def test_what_fails_leaves_its_reason_and_the_others_go_on_and_a_rerun_measures_what_is_missing(tmp_path: Path) -> None:
    first = stub(tmp_path)
    assert {name: (part["status"], list(part["rows"])) for name, part in first.items()} == {
        "whole": ("done", ["one"]),
        "breaks": ("failed", ["good", "after"]),
        "dies": ("failed", ["before"]),
        "hangs": ("over time", ["before"]),
        "late": ("done", ["one"]),
    }
    assert first["whole"]["left_out"] == {"impossible": "has no such unit", "lacks": "No module named 'fla'"}
    errors = {"bad": "RuntimeError: illegal memory access", "renamed": "ImportError: cannot import name"}
    assert first["breaks"]["failed"] == errors
    assert (first["dies"]["why"], first["hangs"]["why"]) == ("the driver is gone", "stopped after 6 s")
    summary = (tmp_path / "summary.md").read_text()
    for line in ("whole: ['one']", "- not measured: impossible: has no such unit", "- over time: stopped after 6 s"):
        assert line in summary

    stub(tmp_path, "--parts", "whole", "breaks", "dies")
    measured = {name: (tmp_path / name / "measured.txt").read_text().split() for name in ("whole", "breaks", "dies")}
    assert measured == {"whole": ["one"], "breaks": ["good", "after"], "dies": ["before"]}

    assert stub(tmp_path, "--again", "--parts", "breaks", "--budget", "1")["breaks"]["status"] == "not begun"


@pytest.mark.parametrize("part", IN_THIS_PROCESS)
def test_a_part_measures_on_a_cpu(part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = Rows(tmp_path / "rows.json")
    module = module_of(part)
    if part in SUBSETS:
        name, cases = SUBSETS[part]
        table = getattr(module, name)
        monkeypatch.setattr(module, name, {case: table[case] for case in cases})
    module.measure(Told("cpu", True, tmp_path), rows)
    lacks = () if torch.ops.mkldnn._is_mkldnn_bf16_supported() else ("lstm bf16", "gru bf16")  # this processor
    assert {row: why for row, why in rows.failed.items() if not row.startswith(lacks)} == {}
    assert rows.rows
    shown = module.markdown(json.loads((tmp_path / "rows.json").read_text())["rows"])
    assert "| " in shown


@pytest.mark.slow
def test_the_whole_command_on_a_cpu(tmp_path: Path) -> None:
    command = [sys.executable, "scripts/measure_gpu.py", "--device", "cpu", "--small", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=STUB.parents[2], capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads((tmp_path / "results.json").read_text())
    assert {name: part["status"] for name, part in record["parts"].items()} == dict.fromkeys(LIMITS, "done")
    summary = (tmp_path / "summary.md").read_text()
    assert all(module_of(part).TITLE in summary for part in LIMITS)
    assert "the figures mean nothing" in summary


@pytest.mark.gpu
def test_the_gpu_computes_what_the_cpu_computes(tmp_path: Path) -> None:
    rows = Rows(tmp_path / "rows.json")
    parity.measure(Told("cuda", True, tmp_path), rows)
    assert rows.failed == {}
    assert "**" not in parity.markdown(rows.rows)


def test_a_gpu_that_computes_something_else_is_seen() -> None:
    layer = torch.nn.Linear(3, 2).double()
    x = torch.randn(4, 3, dtype=torch.float64)

    def output(module: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
        if module is not layer:  # the copy, on the device
            x = x * (1 + 1e-5)
        return module(x).tanh()

    found = parity.compare(layer, x, output, torch.device("cpu"))
    assert 1e-7 < found["output"] < 1e-3
    assert 1e-7 < found["gradient"] < 1e-3
    assert "**" in parity.markdown({"layer linear float64": found})
    one = torch.ones(2)
    assert parity.difference(one * math.nan, one) == math.inf
    assert parity.difference(one * 1e-9, one * 0, floor=1.0) == pytest.approx(1e-9)


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (
            ["void RNN_blockPersist_fp_LSTM_HMMA<__half, __half, float, 1, 128>(x)", "elementwise_kernel"],
            "small persistent",
        ),
        (["void persistRNN_LSTM<__half>(x)"], "persistent"),
        (["void elemWiseRNNcell<float, float, float, (cudnnRNNMode_t)2>(x)", "sm80_xmma_gemm"], "standard"),
        (["void LSTM_elementWise_bp1<float>(x)"], "standard"),
        (["vectorized_elementwise_kernel"], "other"),
    ],
)
def test_kernels_are_told_apart_by_their_names(names: list[str], kind: str) -> None:
    assert kernels.kind_of([[name, 1, 2.0] for name in names]) == kind


def test_figures_of_two_machines_are_not_joined(tmp_path: Path) -> None:
    here = {"device": "cuda", "card": "A", "torch": "2"}
    Record(tmp_path, here).keep("parity", status="done")
    assert Record(tmp_path, dict(here)).is_done("parity")
    with pytest.raises(OtherMachineError, match="measured with card A, here it is B; choose another --out"):
        Record(tmp_path, here | {"card": "B"})


def test_only_figures_of_a_gpu_reach_the_page(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (STUB.parents[2] / "docs" / "benchmarks.md").read_text()
    assert "\nnew\n" in put_between(page, "new", measure_gpu.BEGIN, measure_gpu.END)
    monkeypatch.setattr(sys, "argv", ["measure_gpu.py", "--device", "cpu", "--docs", "docs/benchmarks.md"])
    with pytest.raises(SystemExit):
        measure_gpu.main()
    assert "--docs: is for the figures of a GPU" in capsys.readouterr().err


def test_what_is_missing_is_installed_from_a_folder_and_python_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = tmp_path / "wheels" / "no_such_parser-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    about = "no_such_parser-1.0.dist-info"
    files = {
        "no_such_parser.py": "VALUE = 7\n",
        f"{about}/METADATA": "Metadata-Version: 2.1\nName: no-such-parser\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = [f"{name},sha256={_digest(text)},{len(text)}" for name, text in files.items()]
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(f"{about}/RECORD", "\n".join([*lines, f"{about}/RECORD,,\n"]))
    monkeypatch.setattr(packages, "PACKAGES", {"no_such_parser": "no-such-parser", "nor_this": "nor-this"})
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PYTHONPATH", "")
    site = tmp_path / "site"
    assert packages.add_wheels(tmp_path / "wheels", site) == ["nor-this"]
    assert (site / "no_such_parser.py").is_file()
    child = subprocess.run(
        [sys.executable, "-c", "import no_such_parser as p; print(p.VALUE)"], capture_output=True, text=True
    )
    assert child.stdout == "7\n"


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
