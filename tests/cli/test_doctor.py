"""rnnvision doctor: what it says of this machine, and of machines on which something is wrong."""

import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
import torch

from rnnvision.cli.doctor.data import WITHOUT_FILES
from rnnvision.cli.doctor.device import check_devices, computes
from rnnvision.cli.doctor.finding import Finding
from rnnvision.cli.doctor.machine import GIB, clock, memory, shared_memory, space
from rnnvision.cli.doctor.packages import DEVELOPMENT, GIVES, malware, needed, optional, python
from rnnvision.cli.doctor.threads import shared
from rnnvision.cli.frame.signals import STOP
from rnnvision.data import CATALOG
from rnnvision.data.cache.pool import Pool
from rnnvision.data.sets import locate
from rnnvision.data.sets.mnist_family import FILES
from tests.cli.running import Verb

SECTIONS = ["packages", "optional", "devices", "threads", "machine", "data"]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What others use is not watched for long."""
    monkeypatch.setattr("rnnvision.cli.doctor.threads.WATCHED_S", 0.02)


def test_this_machine_is_fit_and_each_line_has_its_state(verb: Verb) -> None:
    result = verb("doctor")
    assert result.code == 0, result.out
    lines = result.out.splitlines()
    assert [line for line in lines if line in SECTIONS] == SECTIONS
    checked = [line for line in lines[: lines.index("data")] if line.startswith("  ")]
    assert len(checked) > 15
    assert [line for line in checked if not re.match(r"  (ok|warn|-)  +\S", line)] == []
    assert lines[-1] == "Next: rnnvision train experiment=digits_lstm"
    assert list(Path().iterdir()) == []  # it leaves nothing behind


def test_a_machine_without_torch_is_told_what_to_install(verb: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr("rnnvision.cli.doctor.check_data", lambda root: iter(()))  # which this process has imported
    result = verb("doctor")
    assert result.code == 1
    assert "  fail  torch cannot be imported: ModuleNotFoundError" in result.out
    assert "\nWhat to do:\n  - torch cannot be imported" in result.out
    assert re.fullmatch(r"rnnvision doctor: \d checks failed", result.message)


def test_no_signal_waits_for_the_import_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    stages = []
    monkeypatch.setattr("importlib.import_module", lambda name: stages.append((name, STOP._stage)))
    with STOP.at_work():
        next(check_devices())
    assert stages == [("torch", "before"), ("torchvision", "before")]


def test_a_torch_that_is_broken_does_not_end_the_other_checks(verb: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Iterator[Finding]:
        raise OSError("libcudart.so: cannot open shared object file")
        yield

    monkeypatch.setattr("rnnvision.cli.doctor.check_threads", broken)
    result = verb("doctor")
    assert result.code == 1
    assert "  fail  cannot be checked: OSError: libcudart.so: cannot open" in result.out
    assert "\nmachine\n  ok" in result.out


def test_files_that_were_read_do_not_count_as_used_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (
        ("max", f"{4 * GIB}"),
        ("current", f"{3 * GIB + 2**29}"),
        ("stat", f"anon 5\ninactive_file {GIB}"),
    ):
        (tmp_path / f"memory.{name}").write_text(text)
    monkeypatch.setattr("rnnvision.others.CGROUP", str(tmp_path))
    assert next(memory()) == Finding("ok", "1.5 GiB of memory available")


def test_a_folder_that_cannot_be_written_is_a_failure(verb: Verb) -> None:
    Path("file").touch()
    result = verb("doctor", "log_dir=file/logs")
    assert result.code == 1
    assert "  fail  log_dir=file/logs: " in result.out
    assert "cannot be written (Not a directory)" in result.out


def test_data_sets_are_found_and_not_read(verb: Verb) -> None:
    raw = Path("mine/MNIST/raw")
    raw.mkdir(parents=True)
    for file in FILES:
        (raw / file).touch()  # empty: to read one would raise
    for part in ("train", "val"):
        Path("mine", "imagenet", part).mkdir(parents=True)
    out = verb("doctor", "data.root=mine").out
    assert f"  ok    {Path('mine').resolve()}: mnist\n" in out
    assert f"  ok    {Path('mine/imagenet').resolve()}: imagenet\n" in out
    assert "data.root=none: there is no such folder" in verb("doctor", "data.root=none").out


def test_decoded_images_are_weighed(verb: Verb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RNNVISION_CACHE", str(tmp_path / "mine"))
    assert "of decoded images" not in verb("doctor").out
    Pool(tmp_path / "mine" / "images" / "a", (1 << 20,), {}, None).add(
        [bytes(16)] * 3, torch.zeros(3, 1 << 20, dtype=torch.uint8), {}
    )
    assert f"{tmp_path}/mine/images: 3 MB of decoded images" in verb("doctor").out


@pytest.mark.parametrize("name", [n for n, d in CATALOG.items() if not d.needs_root and n not in WITHOUT_FILES])
def test_every_reader_says_where_it_would_read(name: str, tmp_path: Path) -> None:
    token = locate._ONLY_LOCATE.set(True)
    try:
        with pytest.raises(locate._Located) as said:
            CATALOG[name].read(CATALOG[name].class_names, str(tmp_path))
    finally:
        locate._ONLY_LOCATE.reset(token)
    assert said.value.args == (None,)


@pytest.fixture
def _other_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"torch": "2.10.0", "lightning": "2.6.3", "omegaconf": "2.4.0", "onnx": "1.20.0"}

    def version(name: str) -> str:
        if name not in there:
            raise metadata.PackageNotFoundError(name)
        return there[name]

    monkeypatch.setattr(metadata, "version", version)


@pytest.mark.usefixtures("_other_versions")
@pytest.mark.parametrize(
    ("finding", "expected"),
    [
        (lambda: needed("torch>=2.11"), Finding("fail", "torch 2.10.0 is not in >=2.11", 'pip install "torch>=2.11"')),
        (lambda: needed("numpy>=1.26"), Finding("fail", "numpy is not installed", 'pip install "numpy>=1.26"')),
        (
            lambda: needed("omegaconf<2.4,>=2.3"),
            Finding("fail", "omegaconf 2.4.0 is not in <2.4,>=2.3", 'pip install "omegaconf<2.4,>=2.3"'),
        ),
        (
            lambda: optional("plots", ["matplotlib>=3.9"]),
            Finding("-", f'plots ({GIVES["plots"]}): without matplotlib; pip install "rnnvision[plots]"'),
        ),
        (
            lambda: optional("export", ["onnx>=1.30"]),
            Finding(
                "warn", f"export ({GIVES['export']}): onnx 1.20.0 is not in >=1.30", 'pip install "rnnvision[export]"'
            ),
        ),
        (lambda: optional("other", ["onnx>=1.18"]), Finding("ok", "other: onnx 1.20.0")),
    ],
    ids=["old", "missing", "too new", "extra missing", "extra old", "extra here"],
)
def test_versions_are_held_to_their_ranges(finding: "type[Finding]", expected: Finding) -> None:
    assert finding() == expected  # type: ignore[call-arg]


@pytest.mark.usefixtures("_other_versions")
def test_a_release_that_was_malware_is_named() -> None:
    (found,) = malware()
    assert found.state == "fail"
    assert found.text.startswith("lightning 2.6.3 was malware")


def test_every_extra_says_what_it_gives() -> None:
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    section = project.partition("[project.optional-dependencies]\n")[2].partition("\n[")[0]
    assert set(re.findall(r"^(\w+) = \[", section, flags=re.MULTILINE)) == {*GIVES, DEVELOPMENT}


def findings() -> Iterator[tuple[str, Finding]]:
    """A finding of each check for a machine that is made up, and the state that it should have."""
    yield "fail", python(">=3.10,<3.14", "3.14.0")
    yield "ok", python(">=3.10,<3.14", "3.12.1")
    yield "fail", space(Path(), GIB // 20)
    yield "warn", space(Path(), GIB // 2)
    yield "ok", space(Path(), 2 * GIB)
    yield "warn", shared_memory(GIB // 16)
    yield "ok", shared_memory(GIB)
    yield "warn", next(clock(60.0))
    yield "warn", next(clock(-60.0))
    yield "ok", next(clock(0.01))
    yield "ok", shared(0.1, 2, [])
    yield "warn", shared(1.0, 1, [])
    yield "fail", computes("cuda:99", "a GPU that is not here")


def test_what_counts_as_too_little() -> None:
    assert [(state, finding) for state, finding in findings() if finding.state != state] == []


def test_spinning_threads_beside_others_are_told_how_to_wait() -> None:
    assert "OMP_NUM_THREADS=1" in shared(1.0, 2, ["OMP_NUM_THREADS"]).todo
    assert shared(1.0, 2, ["OMP_NUM_THREADS", "OMP_WAIT_POLICY"]).todo == ""
    assert shared(1.0, 2, []).todo == ""  # nothing to do: a training gives way


def test_wrong_use_is_one_line(verb: Verb) -> None:
    result = verb("doctor", "log_dri=x")
    assert (result.code, result.out) == (2, "")
    assert result.message == (
        "rnnvision doctor: log_dri: there is no such key; choose one of log_dir, data.root; did you mean log_dir?"
    )
