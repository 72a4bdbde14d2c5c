"""Configurations of a stranger: of run folders, and folders for --config-dir."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

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
LOGGER = "lightning.pytorch.loggers.TensorBoardLogger"
CHECKPOINT = "lightning.pytorch.callbacks.ModelCheckpoint"
PLACES: dict[str, Any] = {  # of a run folder
    "data.cache": f"../{OUTSIDE}/cache",
    "logger.csv.save_dir": f"../{OUTSIDE}",
    "logger.z": {"_target_": LOGGER, "save_dir": f"../{OUTSIDE}", "name": "z"},
    "logger.y": {"_target_": LOGGER, "save_dir": RUN, "name": f"../../{OUTSIDE}"},
    "callbacks.z": {"_target_": CHECKPOINT, "dirpath": f"../{OUTSIDE}"},
    "callbacks.y": {"_target_": CHECKPOINT, "dirpath": RUN, "filename": f"../../{OUTSIDE}/victim"},
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


def _placed(key: str, value: Any) -> Callable[[Path], object]:
    def forge(box: Path) -> None:
        config = OmegaConf.load(box / CONFIG)
        OmegaConf.update(config, key, value, force_add=True)
        OmegaConf.save(config, box / CONFIG)

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


def _all() -> list[Forgery]:
    found: list[Forgery] = []
    for name, content in CONTENTS.items():
        found.append(Forgery(f"config.yaml: {name}", _in_run(content), OF_RUN, may_pass=True))
        found.append(Forgery(f"own: {name}", _own(content), ("own experiment",)))
        found.append(Forgery(f"own, with --help: {name}", _own(content), ("help",), may_pass=True))
    for key, value in PLACES.items():
        found.append(Forgery(f"config.yaml: a place of {key}", _placed(key, value), ("resume",)))
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
    return found


FORGERIES = _all()
