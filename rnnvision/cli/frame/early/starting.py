"""The first seconds of a verb: a line that says what begins, then the imports of PyTorch and Lightning."""

import gc
import importlib
import importlib.metadata
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

from omegaconf import DictConfig, ListConfig

from rnnvision.checks import counted, one_line
from rnnvision.cli.frame.command_line.words import yaml_text
from rnnvision.errors import FailureError
from rnnvision.runs import is_first_process

# The key whose value says best what a verb is about to do; a train or benchmark has none of them.
SUBJECTS = ("resume", "ckpt", "run", "check", "models", "source")
ANSWERS = ("predict", "watch", "models")  # their standard output may be read by a program
NO_MEMORY = ("failed to map", "cannot allocate memory")  # in what the loader of shared objects says then
WIDE = ("evaluate", "export", "demo")  # whose other lines have their text two columns further
METRICS = "rnnvision.training.learner"  # what torchmetrics is imported for
# What it imports of its own accord where it is installed, for plots, audio and pictures: a third of the time that
# Lightning takes to be imported, and nothing that a verb uses.
UNUSED_BY_METRICS = frozenset({"matplotlib", "scipy", "torchvision", "transformers"})


def announce_run(verb: str, config: DictConfig, choices: Mapping[Any, Any]) -> None:
    """Print what begins, in words that need nothing but the configuration."""
    subject = next((key for key in SUBJECTS if config.get(key) is not None), None)
    if subject is None:
        parts = [str(choices[group]) for group in ("model", "data") if choices.get(group) is not None]
        what = " on ".join(parts)
        if experiment := choices.get("experiment"):
            what = f"experiment={experiment}: {what}"
        trainer = config.trainer if verb == "train" else {}
        for unit in ("step", "epoch"):  # steps end a training first, where they are given
            limit = trainer.get(f"max_{unit}s")
            if isinstance(limit, int) and limit > 0:
                what += f", {counted(limit, unit)}"
                break
    else:
        value = config[subject]
        listed = isinstance(value, ListConfig)
        what = f"{subject}={'[' + ','.join(map(str, value)) + ']' if listed else yaml_text(value)}"
    announce(verb, what)


def announce(verb: str, what: str) -> None:
    """Print what begins, unless PyTorch is there already: where people read, and not among answers for a program."""
    stream = stream_of(verb)
    if "torch" not in sys.modules and is_first_process() and (verb not in ANSWERS or stream.isatty()):
        separator = "; " if what else ""
        print(f"{head('start', verb)}{what}{separator}loading PyTorch", file=stream, flush=True)


def stream_of(verb: str) -> TextIO:
    """Where a verb says what is for people: not among answers for a program."""
    return sys.stderr if verb in ANSWERS else sys.stdout


def head(word: str, verb: str) -> str:
    """The begin of a line of a verb, as wide as that of its others."""
    return f"{word:{12 if verb in WIDE else 10}}"


def import_libraries(names: tuple[str, ...], *, whole: bool) -> None:
    """Import what a verb needs, while the garbage collector rests; torchmetrics without its optional parts or `whole`.

    The collector would look through the hundreds of thousands of new objects again and again, a fifth of the time.

    Raises:
        FailureError: where there is too little memory for them.
    """
    if all(name in sys.modules for name in names):
        return
    gc.disable()
    try:
        if METRICS in names and not whole:
            with _as_if_missing(UNUSED_BY_METRICS):
                importlib.import_module("torchmetrics")
        for name in names:
            importlib.import_module(name)
    except (ImportError, OSError, MemoryError) as error:
        if not isinstance(error, MemoryError) and not any(word in str(error).lower() for word in NO_MEMORY):
            raise
        raise FailureError(
            f"too little memory to load PyTorch ({one_line(error)}); raise ulimit -v, or free some"
        ) from error
    finally:
        gc.freeze()  # none of them will ever be garbage
        gc.enable()


@contextmanager
def _as_if_missing(packages: frozenset[str]) -> Iterator[None]:
    """Within, torchmetrics does not find these packages: `lightning_utilities` tells it what is installed."""
    from lightning_utilities.core import imports

    asked: dict[str, Any] = {name: vars(imports)[name] for name in ("find_spec", "_version") if name in vars(imports)}

    def find_spec(name: str, package: str | None = None) -> Any:
        return None if name.partition(".")[0] in packages else asked["find_spec"](name, package)

    def version(name: str) -> Any:
        if name in packages:
            raise importlib.metadata.PackageNotFoundError(name)
        return asked["_version"](name)

    if len(asked) == 2:  # otherwise it is another version of it, and torchmetrics imports what it likes
        vars(imports).update(find_spec=find_spec, _version=version)
    try:
        yield
    finally:
        vars(imports).update(asked)
        imports.package_available.cache_clear()
        imports.module_available.cache_clear()
