"""rnnvision compare: trainings that are ordinary runs, a table that follows from their folders, and how it goes on."""

import csv
import json
import math
import shutil
import statistics
from pathlib import Path
from typing import Any

import pytest
import torch

from rnnvision.cli.compare import run as compare_run
from rnnvision.cli.compare.run import read_trial, steps_within
from rnnvision.data import ImageData
from rnnvision.insight import multiply_adds
from rnnvision.search import Job
from rnnvision.search.job import OUTPUT
from rnnvision.training import Learner, load_network, read_checkpoint
from tests.cli.running import Copy, Here, Result, Verb, exit_code_of, in_folder, run_here

QUICK = ("trainer=smoke", "device=cpu", "model.hidden_size=8", "rounds=1", "latency_rounds=2")


@pytest.fixture(autouse=True)
def _without_start_up(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Children run in this process, and nothing is drawn but where the test is about it."""
    monkeypatch.setattr("rnnvision.cli.compare.make_place", Here())
    if "draws" not in request.fixturenames:
        monkeypatch.setattr("rnnvision.cli.compare.plot_comparison", lambda *_: None)


@pytest.fixture
def draws() -> None:
    """For a test that asks for the plot."""


@pytest.fixture(scope="module")
def _done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compared") / "here"
    with in_folder(folder), pytest.MonkeyPatch.context() as patch:
        patch.setattr("rnnvision.cli.compare.make_place", Here())
        patch.setattr("rnnvision.cli.compare.plot_comparison", lambda *_: None)
        assert exit_code_of("compare", "models=[rnn]", "budget=epochs:1", "seeds=1", "hydra.run.dir=all", *QUICK) == 0
    return folder / "all"


@pytest.fixture
def done(_done: Path) -> Path:
    """A comparison of one network that is done, in the folder all: models=[rnn] budget=epochs:1 seeds=1."""
    return Path(shutil.copytree(_done, "all"))


@pytest.fixture
def compare(verb: Verb) -> Verb:
    def run(*words: str) -> Result:
        return verb("compare", *words, *(() if any(w.startswith("resume") for w in words) else QUICK))

    return run


def _json(path: str) -> dict[str, Any]:
    return json.loads(Path(path).read_text())


def _epochs(run: str) -> list[dict[str, str]]:
    with (Path(run) / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def _rows(folder: str) -> dict[str, dict[str, str]]:
    with (Path(folder) / "comparison.csv").open(newline="") as file:
        return {row["label"]: row for row in csv.DictReader(file)}


def _weights(folder: str) -> dict[str, torch.Tensor]:
    return torch.load(f"{folder}/checkpoints/last.ckpt", weights_only=True)["state_dict"]


@pytest.mark.usefixtures("draws")
def test_each_figure_of_the_table_follows_from_the_run_folders(compare: Verb) -> None:
    result = compare("models=[lstm,gru]", "budget=epochs:2", "seeds=2", "hydra.run.dir=all")
    assert result.code == 0, result.err
    rows = _rows("all")
    assert list(rows) == ["lstm", "gru"]
    for name, row in rows.items():
        metrics = [_json(f"all/{name}_{seed}/metrics.json") for seed in (0, 1)]
        costs = [_json(f"all/{name}_{seed}/costs.json") for seed in (0, 1)]
        accuracy = [run["test/accuracy"] for run in metrics]
        assert float(row["accuracy"]) == pytest.approx(statistics.mean(accuracy))
        assert float(row["accuracy_std"]) == pytest.approx(statistics.stdev(accuracy))
        assert (float(row["accuracy_min"]), float(row["accuracy_max"])) == (min(accuracy), max(accuracy))
        assert float(row["f1"]) == pytest.approx(statistics.mean(run["test/f1"] for run in metrics))
        speeds = [run["train/samples_per_second"] for run in metrics]
        assert float(row["samples_per_second"]) == pytest.approx(statistics.median(speeds))
        assert row["samples_from"] == "run"
        assert float(row["latency"]) == pytest.approx(statistics.median(run["latency/p50"] for run in costs))
        assert float(row["memory"]) >= 0
        seconds = [sum(float(epoch["seconds"]) for epoch in _epochs(f"all/{name}_{seed}")) for seed in (0, 1)]
        assert float(row["train_seconds"]) == pytest.approx(statistics.mean(seconds))
        network = load_network(read_checkpoint(f"all/{name}_0/checkpoints/best.ckpt"))
        assert int(row["parameters"]) == sum(p.numel() for p in network.parameters())
        assert int(row["multiply_adds"]) == sum(multiply_adds(network, (1, 8, 8)).values())
        assert float(row["anytime"]) == pytest.approx(statistics.mean(_area(f"all/{name}_{s}") for s in (0, 1)))
        score = f"{100 * float(row['accuracy']):.2f} +- {100 * float(row['accuracy_std']):.2f}"
        assert f" {score} " in next(line for line in result.out.splitlines() if line.startswith(f"{name} "))
        assert f"| `{name}` | 2 | {score} | {100 * float(row['f1']):.2f} |" in Path("all/comparison.md").read_text()
    assert _json("all/lstm_1/status.json")["status"] == "completed"
    assert "seed: 1" in Path("all/lstm_1/.hydra/config.yaml").read_text()
    assert Path("all/comparison.png").read_bytes()[:4] == b"\x89PNG"
    words = "seeds=2 trainer=smoke device=cpu model.hidden_size=8"
    assert f"`rnnvision compare 'models=[lstm,gru]' budget=epochs:2 {words}`" in Path("all/comparison.md").read_text()
    assert _json("all/metrics.json")["gru/test/accuracy"] == float(rows["gru"]["accuracy"])


def _area(run: str) -> float:
    """The anytime area of all 360 test images, image by image and token by token."""
    checkpoint = read_checkpoint(f"{run}/checkpoints/best.ckpt")
    network: Any = load_network(checkpoint)
    correct = []
    for images, labels in ImageData(**checkpoint["rnnvision"]["data"]).test_dataloader():
        states, _ = network.recurrence(network.scan(images))
        for t in range(states.shape[1]):
            correct += (network.head(states[:, t]).argmax(dim=-1) == labels).tolist()
    return statistics.mean(correct)


def test_the_other_values_of_a_training_hold_for_all_and_those_of_a_model_for_it(compare: Verb) -> None:
    words = ("optimizer.lr=0.002", "augmentation.shift=1", "budget=epochs:1", "seeds=1", "hydra.run.dir=all")
    labels = 'models=[lstm,"lstm hidden_size=5 optimizer.lr=0.01"]'
    result = compare(labels, *words)
    assert result.code == 0, result.err
    names = ("lstm_0", "lstm-hidden_size-5-optimizer.lr-0.01_0")
    plain, other = (Path(f"all/{name}/.hydra/config.yaml").read_text() for name in names)
    assert "lr: 0.002" in plain
    assert "hidden_size: 8" in plain
    assert "lr: 0.01" in other
    assert "hidden_size: 5" in other
    assert all("shift: 1" in config and "max_epochs: 1" in config for config in (plain, other))
    small = int(_rows("all")["lstm hidden_size=5 optimizer.lr=0.01"]["parameters"])
    assert small == 4 * 5 * (8 + 5 + 2) + 5 * 10 + 10
    assert _rows("all")["lstm"]["accuracy_std"] == ""


def test_it_goes_on_where_it_was_stopped(compare: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("models=[lstm,gru]", "budget=epochs:3", "seeds=1", "trainer.limit_train_batches=4")
    assert compare(*words, "hydra.run.dir=whole").code == 0

    start = Learner.on_train_epoch_start

    def die(self: Learner) -> None:
        if self.current_epoch == 2:
            raise KeyboardInterrupt
        start(self)

    def interrupted(job: Job) -> int:
        if job.folder.name != "gru_0":
            return run_here(job)
        monkeypatch.setattr(Learner, "on_train_epoch_start", die)
        assert run_here(job) == 130
        raise KeyboardInterrupt

    monkeypatch.setattr("rnnvision.cli.compare.make_place", Here(interrupted))
    result = compare(*words, "hydra.run.dir=parts")
    assert result.code == 130
    assert "next      rnnvision compare resume=parts" in result.out
    assert _json("parts/status.json")["status"] == "interrupted"
    assert _json("parts/gru_0/status.json")["status"] == "interrupted"

    monkeypatch.setattr(Learner, "on_train_epoch_start", start)
    monkeypatch.setattr("rnnvision.cli.compare.make_place", Here())
    files = [Path(f"parts/lstm_0/{name}") for name in ("status.json", "checkpoints/last.ckpt")]
    before = [path.stat().st_mtime_ns for path in files]
    result = compare("resume=parts", *words)
    assert result.code == 0, result.err
    assert [path.stat().st_mtime_ns for path in files] == before
    rows = _epochs("parts/gru_0")
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    whole, parts = _weights("whole/gru_0"), _weights("parts/gru_0")
    assert all(torch.equal(whole[key], parts[key]) for key in whole)
    assert {name: row["accuracy"] for name, row in _rows("parts").items()} == {
        name: row["accuracy"] for name, row in _rows("whole").items()
    }
    assert _json("parts/status.json")["status"] == "completed"


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["models=[lstm]"], ["models=[lstm]: cannot change", "has rnn)"]),
        (["budget=epochs:2"], ["budget=epochs:2: cannot change on resume", "epochs:1"]),
        (["optimizer.lr=0.1"], ["optimizer.lr=0.1: cannot change on resume", "has nothing"]),
        (["model.hidden_size=9"], ["model.hidden_size=9: cannot change", "model.hidden_size=8"]),
    ],
    ids=lambda value: value[0],
)
def test_other_settings_are_refused_on_resume(compare: Verb, done: Path, words: list[str], parts: list[str]) -> None:
    before = {path: path.read_bytes() for path in done.iterdir() if path.is_file()}
    result = compare("resume=all", *words)
    assert result.code == 2
    assert len(result.message.splitlines()) == 1
    assert all(part in result.message for part in parts), result.message
    assert all(path.read_bytes() == content for path, content in before.items() if path.name != "environment.json")


def test_a_model_that_fails_is_a_row_and_the_others_finish(compare: Verb) -> None:
    diverges = "gru optimizer.lr=1000 optimizer.weight_decay=1000"
    result = compare(f'models=["{diverges}",lstm]', "budget=epochs:1", "seeds=1", "hydra.run.dir=all")
    assert result.code == 1
    assert "Traceback" not in result.err
    at_once, last = result.message.splitlines()
    assert f"1 of 2: {diverges}, seed 0 failed: the training loss became" in at_once
    assert Path("all", at_once.partition("(see ")[2].partition(")")[0]).is_file()
    assert "the training loss became" in last
    assert "try again: rnnvision compare resume=all" in last
    row = next(line for line in result.out.splitlines() if line.startswith(diverges))
    assert "<- failed: seed 0: the training loss became" in row
    assert _rows("all")["lstm"]["accuracy"] != ""
    assert _rows("all")[diverges]["accuracy"] == ""
    assert f"- `{diverges}`: failed: seed 0" in Path("all/comparison.md").read_text()
    again = compare("resume=all")
    assert again.code == 1
    assert f"1 of 2: {diverges}, seed 0" in again.out
    assert "lstm, seed 0" not in again.out  # it is done


def test_a_training_that_is_killed_is_a_row_and_can_be_tried_again(
    compare: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(job: Job) -> int:
        return -9 if job.folder.name == "rnn_0" else run_here(job)

    monkeypatch.setattr("rnnvision.cli.compare.make_place", Here(killed))
    result = compare("models=[rnn,gru]", "budget=epochs:1", "seeds=1", "hydra.run.dir=all")
    assert result.code == 1
    assert "rnn: seed 0: ended by signal 9" in result.message
    monkeypatch.setattr("rnnvision.cli.compare.make_place", Here())
    assert compare("resume=all").code == 0
    assert _rows("all")["rnn"]["failures"] == ""
    assert _json("all/rnn_0/status.json")["error"] is None


def test_figures_that_could_not_be_measured_are_told_and_measured_later(
    compare: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_costs(job: Job) -> int:
        if job.module.endswith("costs"):
            (job.folder / OUTPUT).write_text("RuntimeError: out of memory\n")
            return 1
        return run_here(job)

    monkeypatch.setattr("rnnvision.cli.compare.make_place", Here(without_costs))
    result = compare("models=[rnn]", "budget=epochs:1", "seeds=1", "hydra.run.dir=all")
    assert result.code == 1
    assert "rnn: seed 0: costs: RuntimeError: out of memory" in result.message
    assert _rows("all")["rnn"]["accuracy"] != ""
    assert _rows("all")["rnn"]["latency"] == ""
    monkeypatch.setattr("rnnvision.cli.compare.make_place", Here())
    assert compare("resume=all").code == 0
    assert _rows("all")["rnn"]["latency"] != ""


@pytest.mark.xdist_group("measures")
def test_a_budget_in_minutes_becomes_steps_by_a_trial(compare: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare_run, "SHORTEST_TRIAL", 0.3)
    result = compare(
        "models=[rnn]", "budget=minutes:0.01", "seeds=2", "data=fake", "data.num_train=400", "hydra.run.dir=all"
    )
    assert result.code == 0, result.err
    trial = _json("all/trials/rnn.json")
    assert trial["epoch_steps"] == 3  # 360 of 400 in batches of 128
    assert trial["seconds"] >= 0.3
    epochs, batches = steps_within(0.6, trial)
    assert f"{epochs * batches:,} steps fit into 0.01 min, {epochs:,} x {batches} with" in result.out
    for seed in (0, 1):
        rows = _epochs(f"all/rnn_{seed}")
        assert len(rows) == epochs
        assert int(rows[-1]["step"]) == epochs * batches - 1
        assert float(rows[-1]["lr"]) < 1e-2 * max(float(row["lr"]) for row in rows)  # the schedule knew its end
    assert result.out.count("a trial of") == 1
    assert len(list(Path("all/trials").glob("*.json"))) == 1


CONTROLS = ["lstm hidden_size=8", "cnn channels=4 num_stages=2", "linear_svm", "rbf_svm"]
SVM_WORDS = ("data=digits", "device=cpu", "seeds=1", "rounds=1", "latency_rounds=2", "hydra.run.dir=all")


def test_controls_are_rows_and_those_that_are_fitted_at_once_have_no_steps(verb: Verb) -> None:
    labels = ",".join(f'"{label}"' for label in CONTROLS)
    result = verb("compare", f"models=[{labels}]", "budget=epochs:1", *SVM_WORDS[:2], "seeds=2", *SVM_WORDS[3:])
    assert result.code == 0, result.err
    rows = _rows("all")
    assert list(rows) == CONTROLS
    for label, row in rows.items():
        is_svm = label.endswith("svm")
        shown = next(line for line in result.out.splitlines() if line.startswith(f"{label} "))
        assert row["fitted"] == str(is_svm)
        assert shown.endswith("+") == is_svm
        assert float(row["latency"]) > 0
        assert int(row["multiply_adds"]) > 0
        assert (row["anytime"] == "") == (not label.startswith("lstm"))
        assert (row["samples_per_second"] == row["memory"] == "") == is_svm
        assert row["seeds"] == "2"
    assert float(rows["linear_svm"]["accuracy"]) > 0.9
    assert float(rows["linear_svm"]["train_seconds"]) == pytest.approx(
        statistics.mean(_json(f"all/linear_svm_{seed}/metrics.json")["train/seconds"] for seed in (0, 1))
    )
    assert result.out.count("fitted in one go, to its end: the budget does not limit it") == 2
    assert not Path("all/trials").exists()
    assert "train s: the whole training; with +, a fit in one go" in Path("all/comparison.md").read_text()


@pytest.mark.xdist_group("measures")
def test_a_budget_in_minutes_times_no_step_of_what_has_none(verb: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare_run, "SHORTEST_TRIAL", 0.1)
    result = verb("compare", "models=[lstm,linear_svm]", "budget=minutes:0.01", *SVM_WORDS, *QUICK[:1])
    assert result.code == 0, result.err
    assert [path.name for path in Path("all").glob("trials/*.json")] == ["lstm.json"]
    assert result.out.count("fitted in one go, to its end: the budget does not limit it") == 1
    assert [row["fitted"] for row in _rows("all").values()] == ["False", "True"]


def test_a_fit_that_was_killed_is_made_anew(verb: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(job: Job) -> int:
        if job.folder.name == "rbf_svm_0":
            return -9
        return run_here(job)

    words = ("models=[linear_svm,rbf_svm]", "budget=epochs:1", *SVM_WORDS)
    monkeypatch.setattr("rnnvision.cli.compare.make_place", Here(killed))
    result = verb("compare", *words)
    assert "rbf_svm: seed 0: ended by signal 9" in result.message
    monkeypatch.setattr("rnnvision.cli.compare.make_place", Here())
    before = Path("all/linear_svm_0/metrics.json").stat().st_mtime_ns
    assert verb("compare", "resume=all").code == 0
    assert Path("all/linear_svm_0/metrics.json").stat().st_mtime_ns == before
    assert float(_rows("all")["rbf_svm"]["accuracy"]) > 0.95


def test_an_augmentation_is_kept_from_what_is_fitted_at_once(verb: Verb) -> None:
    words = ("augmentation=digits", "budget=epochs:1", *SVM_WORDS)
    result = verb("compare", "models=[lstm,linear_svm]", *words)
    assert result.code == 2
    assert len(result.message.splitlines()) == 1
    assert result.message.endswith('choose augmentation=none, for it alone: models=["linear_svm augmentation=none"]')
    assert not Path("all/linear_svm_0").exists()
    result = verb("compare", 'models=["linear_svm augmentation=none"]', *words)
    assert result.code == 0, result.err


@pytest.mark.parametrize(
    "wrong",
    [{"epoch_steps": None}, {"epoch_steps": 0}, {"step_seconds": 0.0}, {"step_seconds": 1e-300}, {"seconds": math.nan}],
    ids=str,
)
def test_a_trial_that_does_not_say_how_long_a_step_takes_is_made_again(tmp_path: Path, wrong: dict[str, Any]) -> None:
    right = {"steps": 9, "seconds": 8.1, "step_seconds": 0.9}
    right |= {"validation_seconds": 1.0, "epoch_steps": 10, "validate_every": 1}
    file = tmp_path / "lstm.json"
    assert read_trial(file) is None
    for found, expected in ((right, right), (right | wrong, None)):
        file.write_text(json.dumps(found))
        assert read_trial(file) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"seeds": 100_000_000},
        {"rounds": 10**9},
        {"latency_rounds": True},
        {"anytime_samples": "all"},
        {"budget": "epochs:99999999999"},
        {"budget": 3},
        {"models": ["rnn"] * 1001},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_comparison_without_an_end_is_none(compare: Verb, done: Path, wrong: dict[str, Any]) -> None:
    file = done / "comparison.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | wrong))
    result = compare("resume=all")
    assert (result.code, len(result.message.splitlines())) == (2, 1)
    assert result.message.endswith("its comparison.json is damaged, or of another version")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(100.0, (10, 10)), (45.0, (5, 9)), (3.0, (1, 3)), (0.1, (1, 1))],
)
def test_steps_are_dealt_out_in_epochs_of_equal_length(seconds: float, expected: tuple[int, int]) -> None:
    trial = {"step_seconds": 0.9, "validation_seconds": 1.0, "epoch_steps": 10, "validate_every": 1}
    assert steps_within(seconds, trial) == expected


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (
            ["models=[lsmt]"],
            ["models=lsmt: there is no such option", "did you mean models=lstm? Try:"],
        ),
        (["models=[]"], ["models=[]", "name at least one"]),
        (["models=[lstm,lstm]"], ["lstm and lstm are the same"]),
        (['models=["lstm hidden_size"]'], ["hidden_size is not KEY=VALUE"]),
        (
            ['models=["lstm hiden_size=4"]'],
            ["model.hiden_size: lstm has no such key", "did you mean"],
        ),
        (['models=["lstm seed=4"]'], ["model.seed: lstm has no such key"]),
        (['models=["lstm trainer.max_epochs=4"]'], ["give budget=epochs:N"]),
        (["models=lstm,gru"], ["models=lstm,gru: several values", "'models=[lstm,gru]'"]),
        (["budget=5"], ["budget=5: must be epochs:N or minutes:X"]),
        (["budget=epochs:0"], ["budget=epochs:0", "above 0"]),
        (["budget=minutes:-1"], ["budget=minutes:-1"]),
        (["budget=epochs:1.5"], ["budget=epochs:1.5"]),
        (["seeds=0"], ["seeds=0: must be a whole number of at least 1"]),
        (["seeds=20000"], ["seeds=20000: must be a whole number from 1 to 10000"]),
        (["seeds=two"], ["seeds=two: must be a whole number"]),
        (["model=gru"], ["model=gru: cannot be set in compare", "models=[NAME,...]"]),
        (['models=[gru,"lstm freeze=heed"]'], ["models=lstm freeze=heed: freeze=heed: this network has no such part"]),
        (['models=["lstm name=foo"]'], ["models=lstm name=foo: model.name=foo: choose one of "]),
        (["seed=3"], ["seed=3", "give seeds=N"]),
        (["trainer.max_epochs=3"], ["give budget=epochs:N"]),
        (["sead=3"], ["there is no such key in compare; give seeds=N"]),
        (["seedss=3"], ["did you mean seeds?"]),
        (["optimizer.lrr=3"], ["did you mean optimizer.lr?", "Try: rnnvision compare"]),
        (["data=mnits"], ["did you mean data=mnist?"]),
        (["model.hidden_size=0"], ["models=rnn: model.hidden_size=0: must be a whole number of at least 1"]),
        (
            ["+model.layer.gate_bias=forget"],
            ["models=rnn: model.layer.gate_bias=forget: the layer rnn", "has no such option; it has weight_init"],
        ),
        (["resume=nowhere"], ["resume=nowhere", "is no run folder"]),
    ],
    ids=lambda value: value[0],
)
def test_a_mistake_gets_one_line_before_anything_is_trained(verb: Verb, words: list[str], parts: list[str]) -> None:
    result = verb("compare", "device=cpu", *words)
    assert result.code == 2
    assert "Traceback" not in result.err
    assert len(result.message.splitlines()) == 1, result.message
    assert all(part in result.message for part in parts), result.message
    assert not list(Path().rglob("metrics.csv"))


def test_a_training_is_no_comparison_to_resume(verb: Verb, trained: Copy) -> None:
    trained("run")
    before = Path("run/status.json").read_text()
    result = verb("compare", "resume=run")
    assert result.code == 2
    assert "resume=run: holds no comparison" in result.message
    assert Path("run/status.json").read_text() == before


def test_a_folder_that_holds_a_comparison_is_not_overwritten(compare: Verb, done: Path) -> None:
    result = compare("models=[rnn]", "budget=epochs:1", "seeds=1", f"hydra.run.dir={done}")
    assert result.code == 2
    assert "all: already holds a run; choose another folder, or resume=all" in result.message
