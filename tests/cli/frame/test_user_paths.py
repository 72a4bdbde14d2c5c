"""`~` and relative paths mean the same in every key, wherever a job runs."""

from pathlib import Path

import pytest
from PIL import Image

from rnnvision.cli.dispatch import VERBS
from rnnvision.cli.frame.arguments import config_dir
from rnnvision.cli.frame.command_line.known import keys_of
from rnnvision.cli.frame.paths import PATH_KEYS
from rnnvision.data.sets import locate
from rnnvision.search import Job
from tests.cli.running import TINY, Here, Verb

CHDIR = "hydra.job.chdir=true"
IMAGES = ("data=image_folder", "data.image_size=8", "data.batch_size=4", "trainer.max_epochs=1", "device=cpu")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def images(folder: Path) -> None:
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for number in range(12):
            Image.new("RGB", (9, 9), (number * 20, 0, 0)).save(folder / name / f"{number}.png")


def test_a_home_folder_is_one_in_every_key(verb: Verb, home: Path) -> None:
    images(home / "pics")
    result = verb("train", *IMAGES, "data.root=~/pics", "hydra.run.dir=~/run", "log_dir=~/logs")
    assert result.code == 0, result.err
    assert (home / "logs" / "train" / "latest").resolve() == home / "run"
    assert verb("evaluate", "ckpt=~/run", "data.root=~/pics", "device=cpu", "log_dir=~/logs").code == 0
    assert verb("train", "resume=~/run", "trainer.max_epochs=2").code == 0
    assert verb("shards", "data.root=~/pics", "to=~/shards", "log_dir=~/logs").code == 0
    assert verb("shards", "check=~/shards", "log_dir=~/logs").code == 0
    swept = verb("train", "-m", *IMAGES, "data.root=~/pics,~/pics/.", "hydra.sweep.dir=~/sweep", "log_dir=~/logs")
    assert swept.code == 0, swept.err
    assert len(list((home / "sweep").glob("*/metrics.json"))) == 2
    assert [path.name for path in Path().iterdir()] == ["logs"]  # of the resumed run, and no folder named ~


@pytest.mark.parametrize("place", ["experiment", "command line"])
def test_a_home_folder_is_one_in_a_file_too(verb: Verb, home: Path, place: str) -> None:
    images(home / "pics")
    file = home / "mine" / "experiment" / "one.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("# @package _global_\ndata:\n  root: ~/pics\nlog_dir: ~/logs\n")
    words = ("data.root=~/pics", "log_dir=~/logs")
    given = ("--config-dir=~/mine", "experiment=one") if place == "experiment" else words
    result = verb("train", *IMAGES, *given)
    assert result.code == 0, result.err
    assert (home / "logs" / "train" / "latest" / "metrics.json").is_file()
    assert list(Path().iterdir()) == []


def test_relative_paths_are_meant_from_the_folder_of_the_command(verb: Verb) -> None:
    images(Path("pics"))
    for words in (
        ("train", *IMAGES, "data.root=pics", "log_dir=here"),
        ("evaluate", "ckpt=here/train/latest", "data.root=pics", "device=cpu", "log_dir=here"),
        ("train", "resume=here/train/latest", "trainer.max_epochs=2"),
        ("shards", "data.root=pics", "to=shards", "log_dir=here"),
        ("shards", "check=shards", "log_dir=here"),
    ):
        result = verb(*words, CHDIR)
        assert result.code == 0, (words, result.err)
    assert {path.name for path in Path().iterdir()} == {"here", "pics", "shards", "logs"}  # logs/train/latest
    assert {path.name for path in Path("here").iterdir()} == {"train", "evaluate", "shards"}


def test_the_data_folder_beside_the_command_is_found(verb: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Path] = []

    def search(root: str | None) -> list[Path]:
        found.extend(roots := real(root))
        return roots

    real = locate.search_roots
    monkeypatch.setattr(locate, "search_roots", search)
    monkeypatch.setattr("rnnvision.data.downloads.fetch.fetch", None)  # nothing is downloaded
    verb("train", "data=mnist", "device=cpu", CHDIR)
    assert found[0] == Path("data").resolve()


def test_what_a_run_says_of_its_folder_can_be_typed_where_the_command_was(verb: Verb) -> None:
    result = verb("train", *TINY, "hydra.run.dir=run", CHDIR)
    assert result.out.splitlines()[-2:] == [
        "results   run: predictions.csv, classes.csv",
        "next      rnnvision evaluate ckpt=run",
    ]


def test_a_comparison_runs_where_the_command_was_typed(verb: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    images(Path("pics"))
    started: list[Path] = []

    def child(job: Job) -> int:
        started.append(Path.cwd())
        return 1

    monkeypatch.setattr("rnnvision.cli.compare.make_place", Here(child))
    result = verb("compare", *IMAGES[:3], "device=cpu", "data.root=pics", "models=[lstm]", "seeds=1", CHDIR)
    assert "there is no such folder" not in result.err
    assert started == [Path.cwd()]


def test_every_path_key_is_a_key_of_a_verb() -> None:
    names = [name for name in VERBS if (config_dir() / f"{name}.yaml").is_file()]
    known = {key for name in names for key in keys_of(name, config_dir())}
    assert {key for key in PATH_KEYS if not key.startswith("hydra.")} <= known
