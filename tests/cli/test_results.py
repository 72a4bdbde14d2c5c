"""rnnvision results: runs as one table by condition and setting, and their removal."""

import errno
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rnnvision.masking import MaskedStream
from rnnvision.runs.lock import Lock
from tests.cli.running import Copy, Verb
from tests.runs.making import make_run


@pytest.fixture
def logs() -> Path:
    """Three runs of two networks, a failed one, a comparison with a training, and an evaluation."""
    root = Path("logs")
    for day, (model, seed) in enumerate([("lstm", 0), ("lstm", 1), ("gru", 0)], 1):
        score = 0.9 - day / 10
        started = f"2026-11-0{day}T00:00:00+00:00"
        make_run(
            root / f"train/runs/{model}_{seed}",
            model=model,
            seed=seed,
            started=started,
            val_accuracy=score,
            test_accuracy=1 - score,
        )
    make_run(root / "train/runs/broken", model="rnn", status="failed", started="2026-11-04T00:00:00+00:00")
    (make_run(root / "compare/runs/both", verb="compare") / "comparison.json").write_text("{}")
    make_run(root / "compare/runs/both/s5_0", model="s5", val_accuracy=0.3)
    make_run(root / "evaluate/runs/of_one", verb="evaluate", test_accuracy=0.5)
    (root / "train/latest").symlink_to("runs/broken")
    return root


def first_words(text: str) -> list[str]:
    """The first column, down to an empty line."""
    return [line.split()[0] for line in text.partition("\n\n")[0].splitlines()]


def test_a_training_is_shown_with_its_score_and_no_torch_is_needed(trained: Copy) -> None:
    run = trained("logs/train/runs/real")
    program = (
        "import sys; sys.argv = ['results', 'format=csv', 'columns=test/accuracy,model.hidden_size']\n"
        "from rnnvision.cli.results import main\nmain()\n"
        "assert not {'torch', 'yaml', 'omegaconf', 'hydra'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    header, row = done.stdout.splitlines()
    assert header == (
        "model,data,runs,val/accuracy,val/accuracy std,best,test/accuracy,test/accuracy std,"
        "model.hidden_size,model.hidden_size std,best run"
    )
    assert row.startswith("lstm,digits,1,0.")
    assert row.endswith(f",8,,{run}")


def test_alone_it_shows_every_training_the_newest_last(verb: Verb, logs: Path) -> None:
    out = verb("results").out
    assert first_words(out) == ["model", "s5", "lstm", "gru", "rnn"]
    lines = out.splitlines()
    assert lines[2].split()[:2] == ["lstm", "2"]  # runs
    assert "0.7500 +- 0.0707  0.8000" in lines[2]
    assert lines[4].split()[:4] == ["rnn", "0", "1", "failed"]
    assert lines[-3:] == [
        "best      val/accuracy 0.8000   logs/train/runs/lstm_0",
        "next      rnnvision report run=logs/train/runs/lstm_0",
        "others    compare 1, evaluate 1; where=verb=compare shows those",
    ]


def test_condition_setting_metric_and_order(verb: Verb, logs: Path) -> None:
    assert first_words(verb("results", "by=model", "metric=test/accuracy").out) == ["model", "gru", "lstm", "s5", "rnn"]
    found = verb("results", "where=data=digits and model=lstm,gru", "by=seed", "sort=val/accuracy", "last=2").out
    assert first_words(found) == ["seed", "1", "0"]  # of the newest two
    assert first_words(verb("results", "logs/compare/runs/both").out) == ["model", "s5"]
    named = "where=folder=logs/train/runs/gru_0,logs/train/runs/broken"  # as the table names them
    assert first_words(verb("results", named).out) == ["model", "gru", "rnn"]
    assert first_words(verb("results", "where=folder~logs/train and not folder=train/runs/gru_0 and seed=0").out) == [
        *("model", "lstm", "rnn")
    ]
    assert first_words(verb("results", "where=verb=evaluate", "by=verb").out) == ["verb", "evaluate"]
    assert first_words(verb("results", "by=folder", "where=model=lstm").out) == [
        *("folder", "logs/train/runs/lstm_0", "logs/train/runs/lstm_1")
    ]


def test_a_mean_over_other_settings_says_so(verb: Verb, logs: Path) -> None:
    assert "\nnote      runs of one row differ in model too; add it to by=" in verb("results", "by=seed").out
    assert "note" not in verb("results", "by=model,data").out


def test_a_folder_may_be_named_by_settings(verb: Verb, logs: Path) -> None:
    """As jobs of a sweep are."""
    (logs / "train/runs/gru_0").rename(logs / "train/runs/model=gru,seed=0")
    assert first_words(verb("results", "logs/train/runs/model=gru,seed=0").out) == ["model", "gru"]
    assert verb("diff", "logs/train/runs/model=gru,seed=0", "logs/train/runs/lstm_0").code == 0


def test_a_file_has_the_format_of_its_name(verb: Verb, logs: Path) -> None:
    assert verb("results", "output=table.tex").out == "4 rows of 5 runs: table.tex\n"
    assert Path("table.tex").read_text() == verb("results", "format=latex").out
    assert Path("table.tex").read_text().startswith("\\begin{tabular}")


def test_a_table_that_cannot_be_written_whole_leaves_what_was_there(
    verb: Verb, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    Path("table.csv").write_text("old")
    monkeypatch.setattr(MaskedStream, "write", full)
    result = verb("results", "output=table.csv")
    assert (result.code, "output=table.csv: cannot be written: No space left" in result.message) == (2, True)
    assert Path("table.csv").read_text() == "old"
    assert sorted(path.name for path in Path().iterdir()) == ["logs", "table.csv"]
    verb("results", "output=/dev/null", "format=csv")
    assert Path("/dev/null").is_char_device()


def test_logs_elsewhere_are_read_there(verb: Verb, logs: Path) -> None:
    logs.rename("old")
    assert "old/train/runs/lstm_0" in verb("results", "old").out
    assert "old/train/runs/lstm_0" in verb("results", "log_dir=old", "old/train/runs").out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (
            ["model=lstm", "seed=0", "by=model"],
            2,
            "model=lstm: conditions stand in where=; try: rnnvision results by=m",
        ),
        (["wher=a"], 2, "wher: there is no such key; choose one of folder, where"),
        (["where=modle=lstm"], 2, "where=modle=lstm: no run has the key modle; did you mean model?"),
        (
            ["metric=test/acuracy"],
            2,
            "metric=test/acuracy: no run has the key test/acuracy; did you mean test/accuracy?",
        ),
        (["by=modl"], 2, "by: no run has the key modl; did you mean model?"),
        (["columns=sed"], 2, "columns: no run has the key sed; did you mean seed?"),
        (["sort=zzz"], 2, "sort=zzz: no run has the key zzz; figures are "),
        (["last=0"], 2, "last=0: must be a whole number of at least 1"),
        (["last=many"], 2, "last=many: must be a whole number of at least 1"),
        (["format=html"], 2, "format=html: choose one of table, csv, markdown, latex"),
        (["output=a.html"], 2, "output=a.html: ends in none of .csv, .md, .tex, .txt; say which format="),
        (["output=no/a.csv"], 2, "output=no/a.csv: cannot be written: No such file or directory"),
        (["nowhere"], 2, "folder=nowhere: there is no such folder"),
        (["log_dir=nowhere"], 2, "log_dir=nowhere: there is no such folder"),
        (["yes=true"], 2, "yes=true: is of rm alone: "),
        (["where=model=vit"], 1, "where=model=vit: holds for none of 7 runs in logs"),
        (["where=status=killed"], 1, "where=status=killed: holds for none of 7 runs in logs$"),
        (["where=status=killed,running"], 1, "where=status=killed,running: holds for none of 7 runs in logs$"),
        (["where=model=ur_gru"], 1, "where=model=ur_gru: holds for none of 7 runs in logs$"),
        (
            ["where=status=kiled"],
            1,
            "where=status=kiled: holds for none of 7 runs in logs; did you mean status=killed?",
        ),
        (
            ["root=logs", "by=model"],
            2,
            "root=logs: a folder stands alone; try: rnnvision results by=model logs; conditions stand in where=; try: ",
        ),
        (
            ["model=rnn", "dir=logs/train"],
            2,
            "dir=logs/train: a folder stands alone; try: rnnvision results logs/train where=model=rnn; conditions ",
        ),
        (["logs/evaluate"], 1, "logs/evaluate: no training is among 1 run; where=verb=... shows them: evaluate"),
        (["rm"], 2, "rm: say which runs, by a folder or by where=: "),
        (["rm", "where=model=rnn", "by=model"], 2, "by: is not of rm, which takes a folder, where, log_dir and yes"),
        (["rm", "where=model=rnn", "yes=y"], 2, "yes=y: must be true or false"),
        (["rm", "where=model=rnn"], 2, "yes=false: nobody can be asked here, and nothing was removed; "),
        (["rm", "model=rnn"], 2, "model=rnn: conditions stand in where=; try: rnnvision results rm where=model=rnn"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_one_line(verb: Verb, logs: Path, words: list[str], code: int, message: str) -> None:
    result = verb("results", *words)
    assert (result.code, len(result.message.splitlines())) == (code, 1)
    expected = f"rnnvision results: {message.removesuffix('$')}"  # as far as it is given, or the whole of it
    assert result.message == expected if message.endswith("$") else result.message.startswith(expected)
    assert (logs / "train/runs/broken").is_dir()


def test_no_runs_yet(verb: Verb) -> None:
    assert verb("results").message == (
        "rnnvision results: log_dir=logs: there is no such folder; "
        "rnnvision train experiment=digits_lstm makes a run in it"
    )
    Path("logs").mkdir()
    assert verb("results").message.startswith("rnnvision results: logs: there is no run in it yet; ")


# Removal --------------------------------------------------------------------------------------------------------------


def left() -> set[str]:
    return {str(path.parent.relative_to("logs")) for path in Path("logs").rglob("status.json")}


def test_rm_shows_then_removes_what_was_asked_for_and_nothing_else(verb: Verb, logs: Path) -> None:
    before = left()
    result = verb("results", "rm", "where=status=failed or model=gru", "yes=true")
    assert result.code == 0
    assert first_words(result.out) == ["folder", "train/runs/gru_0", "train/runs/broken"]
    assert result.out.endswith("removed 2 run folders\n")
    assert before - left() == {"train/runs/gru_0", "train/runs/broken"}
    assert [path.name for path in (logs / "train/runs").iterdir() if path.name.startswith(".")] == []
    assert (logs / "train/latest").resolve().name == "lstm_1"  # the newest that is left


def test_rm_leaves_a_link_in_a_folder_that_is_elsewhere(verb: Verb, logs: Path) -> None:
    Path("other").mkdir()
    Path("other/latest").symlink_to("gone")
    (logs / "x").symlink_to("../other")
    assert verb("results", "rm", "where=status=failed", "yes=true").code == 0
    assert Path("other/latest").is_symlink()


@pytest.mark.parametrize(("answer", "removed"), [("y", True), ("yes", True), ("", False), ("n", False), ("x", False)])
def test_rm_asks(verb: Verb, logs: Path, monkeypatch: pytest.MonkeyPatch, answer: str, removed: bool) -> None:
    asked: list[str] = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: (asked.append(question), answer)[1])
    result = verb("results", "rm", "where=model=rnn")
    assert asked == ["remove 1 run folder in logs? [y/N] "]
    assert ("train/runs/broken" not in left()) is removed
    assert result.out.endswith("removed 1 run folder\n" if removed else "nothing was removed\n")


@pytest.mark.parametrize("held", ["train/runs/broken", "train/runs", "train"])
def test_rm_leaves_what_a_process_writes_to(verb: Verb, logs: Path, held: str) -> None:
    """Also where the lock is that of a sweep or a comparison, which the run is a part of."""
    lock = Lock(logs / held / ".lock")
    lock.acquire()
    try:
        result = verb("results", "rm", "where=status=failed", "yes=true")
    finally:
        lock.release()
    assert (result.code, result.message) == (1, "rnnvision results: nothing is left to remove")
    assert "writes there" in result.out
    assert "train/runs/broken" in left()


@pytest.mark.parametrize(("record", "status"), [('{"status": "running"}', "killed"), ("", "unknown")])
def test_rm_leaves_a_run_without_a_lock_that_may_be_alive(verb: Verb, logs: Path, record: str, status: str) -> None:
    """Earlier versions had none."""
    (logs / "train/runs/broken/status.json").write_text(record)
    result = verb("results", "rm", f"where=status={status}", "yes=true")
    assert "it may be running" in result.out
    assert "train/runs/broken" in left()


def test_rm_leaves_what_a_living_part_lies_in(verb: Verb, logs: Path) -> None:
    """Both are meant, and whoever made the part has died."""
    lock = Lock(logs / "compare/runs/both/s5_0/.lock")
    lock.acquire()
    try:
        result = verb("results", "rm", "where=verb=compare or model=s5,gru", "yes=true")
    finally:
        lock.release()
    assert "it holds compare/runs/both/s5_0, which stays" in result.out
    assert result.out.endswith("removed 1 run folder\n")
    assert {"compare/runs/both", "compare/runs/both/s5_0"} < left()


def test_rm_of_a_folder_says_which_runs_in_it_are_not_meant(verb: Verb, logs: Path) -> None:
    out = verb("results", "rm", "logs/compare/runs/both", "yes=true").out
    assert "\nothers    compare 1; where=verb=compare shows those" in out


def test_rm_says_what_it_could_not_remove(verb: Verb, logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (logs / "train/runs/gru_0").rename(logs / "train/runs/a: gru")
    (logs / "train/latest").unlink()
    (logs / "train/latest").symlink_to("runs/a: gru")

    def refuses(path: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("rnnvision.cli.results.remove.shutil.rmtree", refuses)
    result = verb("results", "rm", "where=model=gru", "yes=true")
    assert result.out.endswith("removed 0 run folders\n")
    why = "train/runs/a: gru: Permission denied; what is left of it lies in "
    assert result.message.startswith(f"rnnvision results: 1 run folder could not be removed: {why}")
    assert (logs / "train/latest").resolve().name == "broken"


def test_rm_leaves_runs_within_others_and_outside(verb: Verb, logs: Path) -> None:
    result = verb("results", "rm", "where=model=s5", "yes=true")  # a comparison with a hole would be none
    assert "it is a part of compare/runs/both, which can be removed as a whole" in result.out
    assert result.code == 1
    make_run(logs / "train/runs/gru_0/again", verb="evaluate")  # in a folder that is not of several runs
    assert verb("results", "rm", "where=model=gru", "yes=true").code == 1
    outside = make_run(Path("mine/run"), model="vit")
    (logs / "train/runs/link").symlink_to(outside.resolve())
    assert verb("results", "rm", "where=model=vit", "yes=true").code == 1  # no run is it: links are not followed
    assert verb("results", "rm", "mine", "yes=true").message == (
        "rnnvision results: folder=mine: is not in log_dir=logs; to mean it: "
        "rnnvision results rm mine yes=true log_dir=mine"
    )
    assert (outside / "status.json").is_file()
    assert verb("results", "rm", "mine/run", "log_dir=mine/run", "yes=true").code == 1  # nothing lies in itself
    assert (outside / "status.json").is_file()
    assert verb("results", "rm", "where=verb=compare", "yes=true").code == 0
    assert not (logs / "compare/runs/both").exists()


def test_rm_in_logs_elsewhere_is_told_by_a_command_that_does_it(verb: Verb, logs: Path) -> None:
    logs.rename("old logs")
    make_run(Path("logs/train/runs/here"), status="failed")
    message = verb("results", "rm", "old logs", "where=status=failed", "yes=true").message
    *_, typed = message.partition("to mean it: rnnvision results ")
    assert typed == "rm 'old logs' where=status=failed yes=true 'log_dir=old logs'"
    assert verb("results", *shlex.split(typed)).code == 0
    assert not Path("old logs/train/runs/broken").exists()
    assert Path("old logs/train/runs/gru_0").is_dir()
    assert Path("logs/train/runs/here").is_dir()


def test_rm_removes_nothing_twice(verb: Verb, logs: Path) -> None:
    assert verb("results", "rm", "where=model=rnn", "yes=true").code == 0
    assert verb("results", "rm", "where=model=rnn", "yes=true").code == 1
    shutil.rmtree(logs / "train/runs")
    assert verb("results").code == 0
