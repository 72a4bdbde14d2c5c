"""Links and pipes in a stranger's run folder: nothing is written through them, and nothing waits for them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rnnvision.cli.frame.log import logged
from rnnvision.cli.frame.results import list_skipped
from rnnvision.cli.frame.strangers.links import refuse_links
from rnnvision.errors import FailureError, UsageError
from rnnvision.runs import RunFolder
from rnnvision.runs.lock import Lock
from rnnvision.search import Job
from rnnvision.search.places.command import Command
from rnnvision.search.places.local import Local
from tests.cli.running import Copy, Verb

SECRET = "precious"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file that no run folder holds."""
    file = tmp_path / "outside" / "victim"
    file.parent.mkdir()
    file.write_text(SECRET)
    return file


def forge(path: Path, kind: str, outside: Path) -> None:
    """Put a link or a pipe in the place of a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path) if kind == "pipe" else path.symlink_to(outside)


def assert_whole(outside: Path) -> None:
    assert outside.read_text() == SECRET
    assert [file.name for file in outside.parent.iterdir()] == [outside.name]


KINDS = pytest.mark.parametrize("kind", ["link", "pipe"])


# What is added to, or written where it lies ---------------------------------------------------------------------------


def _log(folder: Path) -> None:
    with logged(folder / "file"):
        print("hello")


def _lock(folder: Path) -> None:
    Lock(folder / "file").acquire()


def _output(folder: Path) -> None:
    (folder / "file").rename(folder / "output.log")
    # It goes on, so that its folder is not cleared.
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "last.ckpt").touch()
    Command(Job("seed=1", folder, "json.tool", (), ("--help",)), cpus=1)()


def _output_here(folder: Path) -> None:
    (folder / "file").rename(folder / "output.log")
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "last.ckpt").touch()
    Local(1, prepare="json:dumps").start(Job("seed=1", folder, "json.tool", (), ("--help",)))


@KINDS
@pytest.mark.parametrize("write", [_log, _lock, _output, _output_here])
def test_what_is_written_where_it_lies_is_refused_in_a_line(
    write: Callable[[Path], None], kind: str, tmp_path: Path, outside: Path
) -> None:
    forge(tmp_path / "run" / "file", kind, outside)
    with pytest.raises(FailureError) as found:
        write(tmp_path / "run")
    said = {"link": "is a link, and what it leads to would be written; remove it", "pipe": "is no file; remove it"}
    assert str(found.value).endswith(f": {said[kind]}")
    assert str(found.value).startswith(str(tmp_path / "run"))
    assert_whole(outside)


def test_a_status_is_not_written_over_through_a_link_where_the_disk_is_full(tmp_path: Path, outside: Path) -> None:
    forge(tmp_path / "run" / "status.json", "link", outside)
    RunFolder(tmp_path / "run", tmp_path, "train")._write_over("status.json", "{}")
    assert_whole(outside)


# What is replaced -----------------------------------------------------------------------------------------------------


@KINDS
def test_the_list_of_skipped_files_takes_the_place_of_a_link(kind: str, tmp_path: Path, outside: Path) -> None:
    forge(tmp_path / "run" / "skipped_files.txt", kind, outside)
    list_skipped(["a.png: is no image", "\udcff.png: is empty"], RunFolder(tmp_path / "run", tmp_path, "evaluate"))
    assert (tmp_path / "run" / "skipped_files.txt").read_bytes() == b"a.png: is no image\n\xff.png: is empty\n"
    assert_whole(outside)


@KINDS
def test_a_resumed_run_replaces_its_files(kind: str, verb: Verb, trained: Copy, tmp_path: Path, outside: Path) -> None:
    run = trained("run")
    forge(run / "classes.csv", kind, outside)
    if kind == "link":  # a pipe is refused, as it cannot be read
        victim = outside.with_name("config.yaml")
        (run / ".hydra" / "config.yaml").rename(victim)
        (run / ".hydra" / "config.yaml").symlink_to(victim)
        before = victim.read_text()
    result = verb("train", "resume=run", "trainer.max_steps=22")
    assert result.code == 0, result.err
    assert (run / "classes.csv").read_text().startswith("class,precision")
    if kind == "link":
        assert victim.read_text() == before
        victim.unlink()
        assert "max_steps: 22" in (run / ".hydra" / "config.yaml").read_text()
    assert_whole(outside)


@KINDS
def test_a_plot_replaces_what_is_there(kind: str, tmp_path: Path, outside: Path) -> None:
    pytest.importorskip("matplotlib")
    from rnnvision.report.style import figure

    forge(tmp_path / "run" / "results.png", kind, outside)
    with figure(tmp_path / "run" / "results.png", 1, 1) as made:
        made.subplots()
    assert (tmp_path / "run" / "results.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["results.png"]
    assert_whole(outside)


# What would be a folder elsewhere -------------------------------------------------------------------------------------

HYDRA = ".hydra/resume"


@pytest.mark.parametrize(
    "name", ["checkpoints", "pretrain", "trials", ".hydra", ".hydra/resume", ".hydra/resume/config.yaml", "nowhere"]
)
def test_a_folder_that_leads_elsewhere_is_refused(name: str, tmp_path: Path, outside: Path) -> None:
    path = tmp_path / "run" / name
    path.parent.mkdir(parents=True)
    path.symlink_to({"config.yaml": outside, "nowhere": Path("missing")}.get(path.name, outside.parent))
    with pytest.raises(UsageError) as found:
        refuse_links(tmp_path / "run", HYDRA)
    assert str(found.value).startswith(f"{path}: is a link, and the run would write elsewhere; ")


def test_a_pipe_that_hydra_would_wait_for_is_refused(tmp_path: Path, outside: Path) -> None:
    forge(tmp_path / "run" / HYDRA / "config.yaml", "pipe", outside)
    with pytest.raises(UsageError, match=r"config\.yaml: is no file; remove it"):
        refuse_links(tmp_path / "run", HYDRA)


def test_links_within_a_run_folder_and_to_it_are_fine(tmp_path: Path, outside: Path) -> None:
    (tmp_path / "run" / "wandb" / "run-1").mkdir(parents=True)
    (tmp_path / "run" / "latest").symlink_to("wandb/run-1")
    (tmp_path / "run" / "metrics.csv").symlink_to(outside)  # is replaced
    (tmp_path / "link").symlink_to("run")
    for hydra in (HYDRA, ""):
        refuse_links(tmp_path / "link", hydra)
    refuse_links(tmp_path / "missing", HYDRA)


@pytest.mark.parametrize("name", ["checkpoints", ".hydra", ".lock", "train.log"])
def test_a_resume_is_refused_before_it_writes(name: str, verb: Verb, trained: Copy, outside: Path) -> None:
    run = trained("run")
    elsewhere = Path("elsewhere")
    if name in (".lock", "train.log"):
        forge(run / name, "link", outside)
    else:
        (run / name).rename(elsewhere)
        (run / name).symlink_to(elsewhere.absolute())
    before = {path: path.read_bytes() for path in elsewhere.rglob("*") if path.is_file()}
    result = verb("train", "resume=run", "trainer.max_steps=22")
    assert result.code in (1, 2)
    assert len(result.message.splitlines()) == 1
    assert f"run/{name}: is a link, and " in result.message
    assert {path: path.read_bytes() for path in elsewhere.rglob("*") if path.is_file()} == before
    assert_whole(outside)


@pytest.mark.parametrize("name", ["metrics.csv", "metrics.json", "status.json"])
def test_a_folder_in_the_place_of_a_file_that_is_written_is_refused_at_the_start(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(UsageError, match=f"{name}: is a folder, and the run writes a file of that name; remove it"):
        refuse_links(tmp_path, ".hydra")


def test_a_run_goes_on_over_a_link_to_its_folder(verb: Verb, trained: Copy) -> None:
    trained("run")
    Path("link").symlink_to("run")
    assert verb("train", "resume=link", "trainer.max_steps=22").code == 0


@pytest.mark.parametrize("name", ["study.db", "study.journal"])
def test_a_study_is_not_kept_elsewhere(name: str, tmp_path: Path, outside: Path) -> None:
    pytest.importorskip("optuna")
    from rnnvision.search.storage import _storage

    forge(tmp_path / "run" / name, "link", outside)
    with pytest.raises(FailureError, match="is a link or no file"):
        _storage(tmp_path / "run", "journal" if name.endswith("journal") else None)
    assert_whole(outside)
