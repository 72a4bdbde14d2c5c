"""Records of a stranger: sweep.json, study.json and its database, comparison.json, and the words in them."""

import contextlib
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torture.forgeries.configurations import ESCAPES, RUNS, TINY
from torture.forgeries.forgery import OUTSIDE, RUN, WAYS, Forgery

WAYS |= {
    "sweep": ("train", "-m", "resume_sweep=sweep"),
    "study": ("tune", "resume=study"),
    "comparison": ("compare", "resume=comparison"),
}
SWEEP: dict[str, Any] = {
    "verb": "train",
    "cwd": ".",
    "flags": [],
    "commands": [[*TINY, "seed=0"]],
    "jobs": [{"name": "seed=0", "words": [*TINY, "seed=0"]}],
}
STUDY: dict[str, Any] = {
    "name": "x",
    "metrics": ["val/accuracy"],
    "directions": ["maximize"],
    "space": {"model.hidden_size": {"kind": "choice", "choices": [4, 8]}},
    "words": list(TINY[:3]),
    "n_trials": 1,
}
COMPARISON: dict[str, Any] = {
    "models": ["gru"],
    "budget": "epochs:1",
    "seeds": 1,
    "rounds": 1,
    "latency_rounds": 1,
    "anytime_samples": 10,
    "overrides": ["device=cpu", "data=digits"],
}
ELSEWHERE = f"../{OUTSIDE}/made"
WORDS = {
    "lines of shell": 'where.setup=["touch ran"]',
    "a machine": "where.address=there:6379",
    "a log outside": f"log_dir=../{OUTSIDE}",
    "a cache outside": f"data.cache={ELSEWHERE}",
    "another run": f"resume={RUN}",
    "hydra's callbacks": f"+hydra.callbacks.z={RUNS}",
    "hydra's folder": f"hydra.run.dir={ESCAPES}",
    "hydra's launcher": "hydra/launcher=joblib",
    "an option of hydra's": "+model@hydra.callbacks.z=gru",
    "a secret variable": "name=${oc.env:PATH}",
    "a decoded variable": "name=${oc.decode:'${oc.env:PATH}'}",
    "no word": "((",
}
DEEP = "[" * 100_000 + "]" * 100_000


def _record(folder: str, name: str, content: Any) -> Callable[[Path], object]:
    def forge(box: Path) -> None:
        if folder == "comparison":
            shutil.copytree(box / RUN / ".hydra", box / folder / ".hydra")
        (box / folder).mkdir(exist_ok=True)
        if folder == "study":
            (box / folder / ".hydra").mkdir()
            (box / folder / ".hydra" / "config.yaml").write_text("name: x\n")
        (box / folder / name).write_text(content if isinstance(content, str) else json.dumps(content))

    return forge


def _of_sweep(**values: Any) -> Callable[[Path], object]:
    return _record("sweep", "sweep.json", {**SWEEP, **values})


def _elsewhere(box: Path) -> None:
    """A folder to work in whose modules would be imported."""
    (box / "there").mkdir()
    _module(box, "there/http.py")
    _of_sweep(cwd=str(box / "there"))(box)


def _beside(box: Path) -> None:
    _of_sweep()(box)
    _module(box, "http.py")


def _module(box: Path, name: str) -> None:
    (box / name).write_text(f"from pathlib import Path\nPath({str(box / 'ran')!r}).touch()\n")


class _Ran:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch ran",)


def _choice(key: str, *values: Any) -> dict[str, Any]:
    return {"space": {key: {"kind": "choice", "choices": list(values)}}}


def _number(**values: Any) -> dict[str, Any]:
    return {"space": {"optimizer.lr": {"kind": "float", "low": 0.1, "high": 1.0, "choices": [], **values}}}


STUDIES: dict[str, dict[str, Any]] = {
    "an object of hydra's to search": _choice("+hydra.callbacks.e._target_", "logging.FileHandler", "x"),
    "a launcher to search": _choice("hydra/launcher", "joblib", "basic"),
    "plugins to search": _choice("plugins", ["theirs"], ["x"]),
    "a cache outside to search": _choice("data.cache", ELSEWHERE, "x"),
    "two words to search": _choice("seed=1 b", 1, 2),
    "a database outside": {"storage": f"sqlite:///{ELSEWHERE}.db"},
    "a server": {"storage": "mysql://there/x"},
    "another sampler": {"sampler": "evil"},
    "a list of pruners": {"pruner": ["x"]},
    "startup_trials of text": {"startup_trials": "x"},
    "min_epochs of text": {"min_epochs": "x"},
    "max_epochs of text": {"max_epochs": "x"},
    "no metrics": {"metrics": []},
    "another direction": {"directions": ["up"]},
    "a storage that is a number": {"storage": 5},
    "nothing to search": {"space": {}},
    "a range without a low end": _number(low=None),
    "a range turned round": _number(low=2.0),
    "a logarithm of nothing": _number(low=0.0, log=True),
    "a step of nothing": _number(step=0.0),
}
DATABASES = {  # statements on an honest one
    "no distribution": "UPDATE trial_params SET distribution_json='{'",
    "another state": "UPDATE trials SET state='NOPE'",
    "another direction": "UPDATE study_directions SET direction='UP'",
    "a pickle": "INSERT INTO trial_system_attributes (trial_id, key, value_json) "
    f"VALUES (1, 'cma:optimizer:0', '\"{pickle.dumps(_Ran()).hex()}\"')",
}
SEARCHED = ("label_smoothing", "loss.anytime")
OF_TWO = {
    "space": {key: {"kind": "float", "low": 0.001, "high": 0.1, "choices": []} for key in SEARCHED},
    **{"sampler": "cmaes", "startup_trials": 1, "n_trials": 2},
}


def _database(statement: str) -> Callable[[Path], object]:
    """A study of CMA-ES with one trial, changed by a statement."""

    def forge(box: Path) -> None:
        import sqlite3

        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        _record("study", "study.json", {**STUDY, **OF_TWO})(box)
        made = optuna.create_study(storage=f"sqlite:///{box}/study/study.db", study_name="x", direction="maximize")
        trial = made.ask()
        for key in SEARCHED:
            trial.suggest_float(key, 0.001, 0.1)
        made.tell(trial, 0.5)
        with contextlib.closing(sqlite3.connect(box / "study" / "study.db")) as database, database:
            database.execute(statement)

    return forge


def _linked_job(box: Path) -> None:
    _of_sweep()(box)
    (box / "sweep" / "seed=0").symlink_to(f"../../{OUTSIDE}")


def _records() -> list[Forgery]:
    found: list[Forgery] = []
    for name, word in WORDS.items():
        jobs = [{"name": "seed=0", "words": [*TINY, word]}]
        found += [
            Forgery(f"sweep.json: {name}", _of_sweep(commands=[[*TINY, word]], jobs=jobs), ("sweep",)),
            Forgery(f"sweep.json: {name}, in a job alone", _of_sweep(jobs=jobs), ("sweep",)),
            Forgery(
                f"study.json: {name}", _record("study", "study.json", {**STUDY, "words": [*TINY, word]}), ("study",)
            ),
            Forgery(
                f"comparison.json: {name}",
                _record("comparison", "comparison.json", {**COMPARISON, "overrides": [word]}),
                ("comparison",),
            ),
        ]
    names: tuple[Any, ...] = (f"../{OUTSIDE}", "..", ".", "", f"/tmp/../{OUTSIDE}", "a/b", "a\0b", 5, None)
    for called in names:
        jobs = [{"name": called, "words": [*TINY, "seed=0"]}]
        found.append(Forgery(f"sweep.json: a job called {called!r}", _of_sweep(jobs=jobs), ("sweep",)))
    for flags in (["--config-path", "/etc"], ["--package", "hydra"], ["--config-name", "x"]):
        found.append(Forgery(f"sweep.json: {flags[0]}", _of_sweep(flags=flags), ("sweep",)))
    for file, folder in (("sweep.json", "sweep"), ("study.json", "study"), ("comparison.json", "comparison")):
        for name, content in {"deep": DEEP, "a list": "[1]", "numbers": '{"a": 1}', "empty": ""}.items():
            found.append(Forgery(f"{file}: {name}", _record(folder, file, content), (folder,)))
    compared: dict[str, dict[str, Any]] = {
        "0 seeds": {"seeds": 0},
        "no budget": {"budget": "x"},
        "keys of its own": {"x": 1},
    }
    for name, values in compared.items():
        forge = _record("comparison", "comparison.json", {**COMPARISON, **values})
        found.append(Forgery(f"comparison.json: {name}", forge, ("comparison",)))
    for name, values in STUDIES.items():
        found.append(Forgery(f"study.json: {name}", _record("study", "study.json", {**STUDY, **values}), ("study",)))
    for name, statement in DATABASES.items():
        found.append(Forgery(f"study.db: {name}", _database(statement), ("study",), may_pass=name == "a pickle"))
    stored = _record("study", "study.json", {**STUDY, "storage": "${oc.env:PATH}"})
    found += [
        Forgery("sweep.json: another folder to work in", _elsewhere, ("sweep",)),
        Forgery("a module where a sweep is gone on with", _beside, ("sweep",), may_pass=True),
        Forgery("sweep.json: no jobs", _of_sweep(jobs=[]), ("sweep",)),
        Forgery("sweep.json: jobs of text", _of_sweep(jobs="abc"), ("sweep",)),
        Forgery("study.json: a storage of a secret", stored, ("study",)),
        Forgery("a job of a sweep that is a link", _linked_job, ("sweep",), may_pass=True),
    ]
    return found


FORGERIES = _records()
