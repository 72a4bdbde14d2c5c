"""A secret that is typed: in nothing that a run writes or prints, and asked for again where it goes on."""

from pathlib import Path

import pytest
from torture.trials import secrets

from tests.cli.running import TINY, Verb, one_line

CANARY = "c4nary0123"


@pytest.mark.parametrize("verb_name", ["train", "tune", "compare"])
def test_several_runs_are_told_a_secret_by_its_variable(verb: Verb, verb_name: str) -> None:
    several = ("-m", "seed=0,1") if verb_name == "train" else ()
    message = one_line(verb, verb_name, *several, f"+data.api_token={CANARY}", "data=digits")
    assert CANARY not in message
    assert "export it as NAME" in message
    assert "+data.api_token=${oc.env:NAME}" in message.replace("'", "")


@pytest.mark.parametrize("key", ["name", "log_dir", "hydra.run.dir", "tags"])
def test_a_secret_is_no_name(verb: Verb, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", CANARY)
    value = f"[{CANARY}]" if key == "tags" else f"x{CANARY}"
    message = one_line(verb, "train", f"{key}={value}", *TINY)
    assert message.startswith(f"{key}=***: ")
    assert CANARY not in message


def test_a_run_that_is_told_one_keeps_it_nowhere(tmp_path: Path) -> None:
    """The trial's own case, a resume among it."""
    secrets.prepared("train")
    place = tmp_path / "place"
    secrets._furnish(place, CANARY)
    assert list(secrets._tried(secrets.CASES["resumed"][:2], place, CANARY)) == []
    assert (place / "run" / "checkpoints" / "last.ckpt").is_file()
    assert "api_token: '***'" in (place / "run" / ".hydra" / "config.yaml").read_text()


def test_the_trial_finds_what_is_written(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "log").write_text(f"a {CANARY}")
    assert [path.name for path in secrets._with(tmp_path, CANARY)] == ["log"]
