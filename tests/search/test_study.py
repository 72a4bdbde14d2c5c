"""A study: resumed it equals one that was never stopped; pruned trials, failed ones, and several processes."""

import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from rnnvision.errors import FailureError, UsageError
from rnnvision.runs import lock
from rnnvision.runs.lock import Lock
from rnnvision.runs.study import Axis, read_study, write_study
from rnnvision.search import study as study_module
from rnnvision.search.places import Ended
from rnnvision.search.sampling import most_trials
from rnnvision.search.space import distribution
from rnnvision.search.storage import open_study
from tests.search.fake import EPOCHS, SPACE, FakePlace, Quiet, run, settings

pytest.importorskip("optuna")
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_module, "ELSEWHERE", 0.0)


def outcome(record: Any) -> list[Any]:
    """All that must not depend on when a driver was killed."""
    return [(t.number, t.state, t.values, t.params, t.steps) for t in record.trials]


@pytest.mark.parametrize(
    "told",
    [
        {"sampler": "tpe", "startup_trials": 3, "storage": None},
        {"sampler": "tpe", "startup_trials": 3, "pruner": "hyperband"},
        {"sampler": "gp", "startup_trials": 3, "pruner": "successive_halving"},
        {"sampler": "cmaes", "pruner": "none"},
        {"sampler": "nsga2", "startup_trials": 3},
    ],
    ids=lambda told: "-".join(map(str, told.values())),
)
def test_a_study_that_was_killed_often_equals_one_that_was_not(tmp_path: Path, told: dict[str, Any]) -> None:
    study, total = settings(**told), 8
    whole = run(tmp_path / "whole", study, total, FakePlace(speed=7))
    chance = random.Random(0)
    for _ in range(20):  # each goes on from where the one before has died, with trials of another speed
        place = FakePlace(speed=chance.choice([1, 2, 7]), dies_at=chance.randrange(2, 9))
        found = run(tmp_path / "killed", study, total, place)
    assert outcome(found) == outcome(whole)
    assert len(found.trials) == total
    assert all(trial.state != "running" for trial in found.trials)
    assert len({str(t.params) for t in found.trials}) > total / 2  # a stream that begins anew would repeat them


def test_a_study_killed_between_two_values_of_a_trial_equals_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from optuna import Trial

    study, total = settings(sampler="gp", startup_trials=3), 6
    whole = run(tmp_path / "whole", study, total, FakePlace())
    suggest, calls = Trial._suggest, 0

    def dies(self: Trial, name: str, *args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls % 4 == 3:
            raise KeyboardInterrupt
        return suggest(self, name, *args)

    monkeypatch.setattr(Trial, "_suggest", dies)
    for _ in range(2 * total):
        try:
            found = run(tmp_path / "killed", study, total, FakePlace())
        except KeyboardInterrupt:
            for path in list(lock._HELD):  # the locks of a process that has died are free
                Lock(Path(path)).release()
    assert outcome(found) == outcome(whole)


def test_pruning_does_not_depend_on_how_far_a_trial_has_got_meanwhile(tmp_path: Path) -> None:
    slow, fast = FakePlace(speed=1), FakePlace(speed=7)
    records = [run(tmp_path / str(p.speed), settings(), 16, p) for p in (slow, fast)]
    assert outcome(records[0]) == outcome(records[1])
    pruned = [trial for trial in records[0].trials if trial.state == "pruned"]
    assert pruned
    assert all(max(trial.steps) < EPOCHS for trial in pruned)
    assert slow.epochs < fast.epochs


def test_a_median_of_none_stops_nobody_and_min_epochs_lets_each_begin(tmp_path: Path) -> None:
    assert all(len(t.steps) == EPOCHS for t in run(tmp_path / "a", settings(pruner="none"), 12, FakePlace()).trials)
    late = run(tmp_path / "b", settings(min_epochs=3), 16, FakePlace())
    assert min(len(trial.steps) for trial in late.trials) == 3


def test_n_trials_is_the_number_of_all(tmp_path: Path) -> None:
    for total, known in ((3, 3), (3, 3), (5, 5), (2, 5)):
        place = FakePlace()
        assert len(run(tmp_path, settings(), total, place).trials) == known
    assert place.starts == []


def test_a_grid_has_each_combination_once(tmp_path: Path) -> None:
    axes = {"size": Axis("int", 1, 5, step=2), "lr": Axis("float", 0.1, 0.3, step=0.1)}
    study = settings(sampler="grid", space={"model": SPACE["model"], **axes})
    assert study.size == 27
    found = run(tmp_path, study, 27, FakePlace(slots=3))
    assert len({str(trial.params) for trial in found.trials}) == 27
    assert found.trials[1].params == {"model": "lstm", "size": 1, "lr": 0.2}
    assert found.trials[-1].params == {"model": [1, 2], "size": 5, "lr": 0.3}


FINITE = {
    "size": Axis("int", 8, 32, step=8),
    "lr": Axis("float", 0.1, 0.3, step=0.1),
    "model": Axis("choice", choices=("lstm", [1, 2])),
}


@pytest.mark.parametrize(
    "told",
    [
        {"sampler": "tpe", "startup_trials": 3},
        {"sampler": "tpe", "startup_trials": 3, "pruner": "hyperband"},
        {"sampler": "gp", "startup_trials": 3},
        {"sampler": "cmaes", "pruner": "none"},
        {"sampler": "nsga2", "startup_trials": 3},
        {"sampler": "random"},
    ],
    ids=lambda told: "-".join(map(str, told.values())),
)
def test_no_setting_of_a_finite_space_is_trained_twice_also_when_killed(tmp_path: Path, told: dict[str, Any]) -> None:
    study = settings(space=FINITE, **told)
    assert study.size == 24
    whole = run(tmp_path / "whole", study, 24, FakePlace(speed=7))
    assert len({str(trial.params) for trial in whole.trials}) == 24
    chance = random.Random(1)
    for _ in range(5):
        place = FakePlace(speed=7, dies_at=chance.randrange(2, 9))
        run(tmp_path / "killed", study, 24, place)
    assert outcome(run(tmp_path / "killed", study, 24, FakePlace(speed=7))) == outcome(whole)


def test_trials_at_once_have_settings_of_their_own_and_a_seed_is_a_part_of_one(tmp_path: Path) -> None:
    study = settings(space={"lr": Axis("choice", choices=(0.1, 0.2)), "size": FINITE["size"]}, startup_trials=2)
    found = run(tmp_path, study, 8, FakePlace(slots=3))
    assert len({str(trial.params) for trial in found.trials}) == 8


def test_a_study_that_has_tried_a_setting_twice_goes_on_until_it_has_tried_all(tmp_path: Path) -> None:
    """As earlier versions did."""
    from optuna.trial import create_trial

    study = settings(space=FINITE)
    opened = open_study(tmp_path, study)
    values = {"size": 8, "lr": 0.1, "model": "lstm"}
    drawn_from = {key: distribution(axis) for key, axis in FINITE.items()}
    for _ in range(3):
        opened.add_trial(create_trial(value=0.5, params=values, distributions=drawn_from))
    total = most_trials(opened, study)
    assert total == 26
    assert len({str(trial.params) for trial in run(tmp_path, study, total, FakePlace()).trials}) == 24
    assert most_trials(opened, settings()) is None, "any number of an interval"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"val/accuracy": None}, "it has no val/accuracy"),
        ({"val/accuracy": float("nan")}, "its val/accuracy is nan"),
        ({"val/accuracy": float("inf")}, "its val/accuracy is nan"),
    ],
)
def test_a_score_that_is_no_number_is_a_failed_trial(tmp_path: Path, more: dict[str, Any], why: str) -> None:
    with pytest.raises(FailureError, match=f"every trial so far has failed, 3 here, the last one because: {why}"):
        run(tmp_path, settings(), 9, FakePlace(more=more))


def test_a_job_that_fails_is_a_failed_trial_and_one_that_somebody_ends_goes_on(tmp_path: Path) -> None:
    watcher = Quiet()
    place = FakePlace(ends={"0001": 1, "0002": -9, "0003": 143})
    for number in (1, 2):
        folder = tmp_path / "trials" / f"{number:04d}"
        folder.mkdir(parents=True)
        (folder / "status.json").write_text('{"status": "failed", "error": "the loss is nan"}')
    found = run(tmp_path, settings(), 5, place, watcher=watcher)
    assert (watcher.errors[1], watcher.errors[2]) == ("the loss is nan", "ended by signal 9")
    assert [trial.state for trial in found.trials] == ["completed", "failed", "failed", "completed", "completed"]
    assert place.starts.count("0003") == 2


class Elsewhere(Lock):
    """The lock of a trial, which a process that an earlier driver has started holds for a while."""

    until = 0.0

    def holder(self) -> str | None:
        return "process 1" if self.path.parent.name == "0001" and time.monotonic() < self.until else None


def test_a_trial_that_a_job_of_an_earlier_driver_has_is_waited_for_and_not_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that was in the queue of a cluster has begun before ours, which is refused."""

    class Refuses(FakePlace):
        def ended(self, wait: float) -> list[Ended]:
            if "0001" in self.ends and "0001" in self._running:
                Elsewhere.until = time.monotonic() + 0.6
            return super().ended(wait)

    monkeypatch.setattr(study_module, "Lock", Elsewhere)
    place = Refuses(ends={"0001": 2})
    found = run(tmp_path, settings(pruner="none"), 2, place)
    assert [trial.state for trial in found.trials] == ["completed", "completed"]
    assert place.starts == ["0000", "0001", "0001"]
    assert place.looks < 2 * (EPOCHS + 1) + 0.6 / study_module.LOOK + 10  # it does not spin


def test_several_objectives_and_a_limit(tmp_path: Path) -> None:
    two = settings(metrics=["val/accuracy", "model/multiply_adds"])
    found = run(tmp_path / "two", two, 4, FakePlace(more={"model/multiply_adds": 100}))
    assert (two.pruner, two.directions) == ("none", ("maximize", "minimize"))
    assert all(trial.values[1] == 100 for trial in found.trials)
    for limit, feasible in (("model/multiply_adds<=99", False), ("model/multiply_adds>=99", True)):
        limited = settings(constraints=[limit], startup_trials=2)
        found = run(tmp_path / limit[-4:], limited, 5, FakePlace(more={"model/multiply_adds": 100}))
        assert {trial.feasible for trial in found.trials if trial.state == "completed"} == {feasible}


def test_a_limit_is_kept_to_the_last_digit() -> None:
    limit = settings(constraints=["model/parameters<=1234567"]).limits[0]
    assert (limit.limit, limit.violation(1234568) > 0) == (1234567, True)


def test_a_record_has_what_a_command_of_its_trials_needs(tmp_path: Path) -> None:
    study = settings(words=["seed=3"], config_dir=["--config-dir", "/mine"])
    write_study(tmp_path, run(tmp_path, study, 1, FakePlace()))
    record = read_study(tmp_path)
    assert (record.words, record.config_dir) == (("seed=3",), ("--config-dir", "/mine"))


def test_no_trial_begins_after_the_time_is_over(tmp_path: Path) -> None:
    assert len(run(tmp_path, settings(), 5, FakePlace(), deadline=0.0).trials) == 0


SHARES = """
import sys, time
from pathlib import Path
from tests.search.fake import FakePlace, run, settings

class Slow(FakePlace):
    def ended(self, wait):
        time.sleep(0.01)
        return super().ended(wait)

run(Path(sys.argv[1]), settings(storage=sys.argv[2] or None), 12, Slow(slots=2))
"""


@pytest.mark.parametrize("storage", ["", "journal"])
def test_processes_share_a_study_and_lose_no_trial_of_one_that_dies(tmp_path: Path, storage: str) -> None:
    command = [sys.executable, "-c", SHARES, str(tmp_path), storage]
    processes = [subprocess.Popen(command, cwd=ROOT) for _ in range(3)]
    while not list(tmp_path.glob("trials/0003*")):
        assert any(process.poll() is None for process in processes)
    processes[0].kill()
    assert [process.wait() for process in processes][1:] == [0, 0]
    found = run(tmp_path, settings(storage=storage or None), 12, FakePlace())
    assert [trial.number for trial in found.trials] == list(range(12))
    assert {trial.state for trial in found.trials} <= {"completed", "pruned"}


@pytest.mark.parametrize(
    ("storage", "why"),
    [
        ("sqlite:////no/such/folder/study.db", "unable to open database file"),
        ("nothing://me:secret@host/db", "."),
    ],
)
def test_a_storage_that_cannot_be_reached_is_one_line_without_its_password(
    tmp_path: Path, storage: str, why: str
) -> None:
    with pytest.raises(UsageError, match=f"cannot be used: .*{why}.*storage=journal") as error:
        run(tmp_path, settings(storage=storage), 1, FakePlace())
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)
