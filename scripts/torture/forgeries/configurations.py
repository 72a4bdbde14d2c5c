"""Configurations of a stranger: of run folders, folders for --config-dir, and words of sweeps, studies, comparisons."""

import contextlib
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torture.forgeries.forgery import OUTSIDE, RUN, WAYS, Forgery

CONFIG = f"{RUN}/.hydra/config.yaml"
TINY = ("trainer=smoke", "device=cpu", "model=gru", "model.hidden_size=4", "data=digits")
OF_RUN = ("resume", "report", "diff", "results")
WAYS |= {
    "own experiment": ("train", "--config-dir", "own", "experiment=mine", *TINY),
    "own experiment, several": ("train", "--config-dir", "own", "-m", "experiment=mine", "seed=0,1", *TINY),
    "own model": ("train", "--config-dir", "own", "model=mine", *TINY[:2], "data=digits"),
    "own launcher": ("train", "--config-dir", "own", "-m", "hydra/launcher=mine", "seed=0", *TINY),
    "own primary": ("train", "--config-dir", "own", "--config-name", "mine"),
    "own path": ("train", "--config-path", "own", "--config-name", "mine"),
    "help": ("train", "--config-dir", "own", "experiment=mine", "--help"),
    "sweep": ("train", "-m", "resume_sweep=sweep"),
    "study": ("tune", "resume=study"),
    "comparison": ("compare", "resume=comparison"),
}
RUNS = "{_target_: os.system, command: touch ran}"
ESCAPES = f"../{OUTSIDE}/run"
GLOBAL = "# @package _global_\n"


def _doubled(name: str, first: str, times: int, pattern: str) -> str:
    rows = [f"{name}0: &{name}0 {first}"]
    return "\n".join([*rows, *(pattern.format(n=name, i=i, j=i - 1) for i in range(1, times))]) + "\n"


ALIASES = _doubled("z", "[x, x, x, x]", 12, "{n}{i}: &{n}{i} [*{n}{j}, *{n}{j}, *{n}{j}, *{n}{j}]")
MERGES = _doubled("z", "{a: 1}", 20, "{n}{i}: &{n}{i}\n  <<: [*{n}{j}, *{n}{j}, *{n}{j}, *{n}{j}]")
GROWS = _doubled("z", "xxxxxxxx", 40, "{n}{i}: ${{{n}{j}}}${{{n}{j}}}") + "log_dir: ${z39}\n"
CONTENTS: dict[str, str] = {  # of any file; added to an honest one of a run folder
    "aliases of aliases": ALIASES,
    "merged aliases": MERGES,
    "an alias of itself": "z: &z {a: *z}\n",
    "${...} that double": GROWS,
    "${...} of each other": "z: ${y}\ny: ${z}\nlog_dir: ${z}\n",
    "a chain of 5,000 ${...}": "z0: x\n" + "".join(f"z{i}: ${{z{i - 1}}}\n" for i in range(1, 5000)),
    "nested 10,000 deep": f"z: {'[' * 10_000}{']' * 10_000}\n",
    "nested in blocks": "".join(f"{' ' * i}z:\n" for i in range(500)),
    "200,000 values": f"z: [{'1,' * 200_000}]\n",
    "a megabyte": f"z: {'x' * 2**20}\n",
    "a number of 100,000 digits": f"z: {'9' * 100_000}\n",
    "Python's os.system": "z: !!python/object/apply:os.system ['touch ran']\n",
    "Python's name": "z: !!python/name:os.system\n",
    "a path of Python's": "z: !!python/object/apply:pathlib.PosixPath ['/etc/passwd']\n",
    "a tag of its own": "z: !mine x\n",
    "the same key twice": "z: 1\nz: 2\n",
    "a tab": "z:\n\ty: 1\n",
    "a NUL": "z: a\0b\n",
    "two documents": "---\nz: 1\n---\ny: 2\n",
    "a secret variable": "z: ${oc.env:PATH}\nlog_dir: ${z}\n",
    "a secret variable, its name made up": "y: PATH\nlog_dir: ${oc.env:${y}}\n",
    "a secret variable, in another function": "log_dir: \"${now:'${oc.env:PATH}'}\"\n",
    "a decoded secret variable": "log_dir: ${oc.decode:'${oc.env:PATH}'}\n",
    "a made mapping": "log_dir: \"${oc.create:{a:'${oc.env:PATH}'}}\"\n",
    "an escaped ${...}": "log_dir: '\\${oc.env:PATH}'\n",
    "a ${...} put together": "y: $\nz: '${y}{oc.env:PATH}'\nlog_dir: ${z}\n",
    "a ${...} without an end": "log_dir: '${'\n",
    "${...} 400 deep": f"log_dir: '{'${' * 400}a{'}' * 400}'\n",
    "an object": f"callbacks: {{z: {RUNS}}}\n",
    "an object within another": f"logger: {{csv: {{z: {RUNS}}}}}\n",
    "a partial": "logger: {csv: {_partial_: true, _target_: os.system}}\n",
}
HYDRAS: dict[str, str] = {  # of a folder of configurations
    "hydra.run.dir": f"hydra: {{run: {{dir: {ESCAPES}}}}}",
    "hydra.sweep.dir": f"hydra: {{sweep: {{dir: {ESCAPES}}}}}",
    "hydra.output_subdir": f"hydra: {{output_subdir: ../../{ESCAPES}}}",
    "hydra.callbacks": f"hydra: {{callbacks: {{z: {RUNS}}}}}",
    "hydra.job_logging": "hydra: {job_logging: {handlers: {z: {(): ext://os.system, command: touch ran}}}}",
    "hydra.hydra_logging": "hydra: {hydra_logging: {handlers: {z: {(): ext://os.system, command: touch ran}}}}",
    "hydra.launcher": f"hydra: {{launcher: {RUNS}}}",
    "hydra.sweeper": f"hydra: {{sweeper: {RUNS}}}",
    "hydra.sweeper.params": f"hydra: {{sweeper: {{params: {{hydra.run.dir: {ESCAPES}}}}}}}",
    "hydra.sweeper.params, added": "hydra: {sweeper: {params: {'+hydra.callbacks.z._target_': os.system}}}",
    "hydra.searchpath": f"hydra: {{searchpath: ['file://../{OUTSIDE}']}}",
    "hydra.job.env_set": "hydra: {job: {env_set: {PYTHONSTARTUP: x}}}",
    "hydra.job.chdir": "hydra: {job: {chdir: true}}",
    "hydra.mode": "hydra: {mode: MULTIRUN}",
    "hydra, of several": "hydra: ${z}\nz: {run: {dir: ../x}}",
    "a launcher by its name": "defaults: [{override /hydra/launcher: joblib}]",
    "a logging by its name": "defaults: [{override /hydra/job_logging: none}]",
    "callbacks by their name": "defaults: ['/hydra/callbacks: z']",
    "an option put into hydra": "defaults: [{/model@hydra.callbacks.z: gru}]",
    "an option put into hydra by a word": "defaults: ['/model/gru@hydra.callbacks.z']",
    "an option with a ${...}": "defaults: [{/model: '${oc.env:PATH}'}]",
    "a file outside": f"defaults: [../../../{OUTSIDE}/victim]",
    "an absolute file": "defaults: [//etc/hostname]",
    "a file of a package": "defaults: ['pkg://os']",
    "itself": "defaults: [mine]",
    "a name that leads out": f"name: ../../../{OUTSIDE}/x",
}


def _in_run(content: str) -> Callable[[Path], object]:
    def forge(box: Path) -> None:
        with (box / CONFIG).open("a") as file:
            file.write(content)

    return forge


def _own(content: str | bytes, name: str = "experiment/mine", header: str = GLOBAL) -> Callable[[Path], object]:
    def forge(box: Path) -> None:
        path = box / "own" / f"{name}.yaml"
        path.parent.mkdir(parents=True)
        path.write_bytes(content if isinstance(content, bytes) else (header + content).encode())

    return forge


def _special(path: str, kind: str) -> Callable[[Path], object]:
    def forge(box: Path) -> None:
        place = box / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        if kind == "a pipe":
            os.mkfifo(place)
        elif kind == "a folder":
            place.mkdir()
        else:
            place.symlink_to({"without an end": "/dev/zero", "a link to itself": place.name}[kind])

    return forge


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
    there = box.parent / OUTSIDE
    (there / "http.py").write_text("from pathlib import Path\nPath('ran').touch()\n")
    _of_sweep(cwd=str(there))(box)


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
OF_TWO = {
    "space": {
        key: {"kind": "float", "low": 0.001, "high": 0.1, "choices": []} for key in ("label_smoothing", "loss.anytime")
    },
    **{"sampler": "cmaes", "startup_trials": 1, "n_trials": 2},
}


def _database(statement: str) -> Callable[[Path], object]:
    """A study of CMA-ES with one trial, changed by a statement."""

    def forge(box: Path) -> None:
        import sqlite3

        import optuna

        _record("study", "study.json", {**STUDY, **OF_TWO})(box)
        made = optuna.create_study(storage=f"sqlite:///{box}/study/study.db", study_name="x", direction="maximize")
        trial = made.ask()
        for key in OF_TWO["space"]:
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
        Forgery("sweep.json: no jobs", _of_sweep(jobs=[]), ("sweep",)),
        Forgery("sweep.json: jobs of text", _of_sweep(jobs="abc"), ("sweep",)),
        Forgery("study.json: a storage of a secret", stored, ("study",)),
        Forgery("a job of a sweep that is a link", _linked_job, ("sweep",), may_pass=True),
    ]
    return found


def _all() -> list[Forgery]:
    found: list[Forgery] = []
    for name, content in CONTENTS.items():
        found.append(Forgery(f"config.yaml: {name}", _in_run(content), OF_RUN, may_pass=True))
        found.append(Forgery(f"own: {name}", _own(content), ("own experiment",)))
        found.append(Forgery(f"own, with --help: {name}", _own(content), ("help",), may_pass=True))
    for name, content in HYDRAS.items():
        ways = ("own experiment", "own experiment, several")
        found.append(Forgery(f"own: {name}", _own(content), ways))
        found.append(Forgery(f"own, with --help: {name}", _own(content), ("help",), may_pass=True))
        found.append(Forgery(f"own primary: {name}", _own(content, "mine"), ("own primary", "own path")))
    for kind in ("a pipe", "a folder", "without an end", "a link to itself"):
        found.append(Forgery(f"config.yaml: {kind}", _special(CONFIG, kind), OF_RUN, may_pass=True))
        found.append(Forgery(f"own: {kind}", _special("own/experiment/mine.yaml", kind), ("own experiment",)))
    found += [
        Forgery("own: Latin-1", _own(b"name: caf\xe9\n"), ("own experiment",)),
        Forgery("own: UTF-16", _own("name: x\n".encode("utf-16")), ("own experiment",)),
        Forgery(
            "own: a package of hydra's", _own("x: 1\n", "model/mine", "# @package hydra.callbacks\n"), ("own model",)
        ),
        Forgery("own: an object in a model", _own(f"z: {RUNS}\n", "model/mine", ""), ("own model",)),
        Forgery("own: a launcher", _own("_target_: os.system\n", "hydra/launcher/mine", ""), ("own launcher",)),
    ]
    return [*found, *_records()]


FORGERIES = _all()
