"""python -m torture.hooked MOMENT SIGNAL VERB WORDS: a verb that is sent a signal at an exact moment of its life.

A moment is a function of the package and the number of the call in which the signal comes, before it or after it.
"""

import atexit
import functools
import importlib
import os
import runpy
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple


class Moment(NamedTuple):
    """When: at the start of the `call`-th call of a function, at its end where `after` is set; or see `how`.

    `how`: "" the signal comes in that moment, and the call goes on; "swallowed": in code that swallows every error;
    "del": while an object is deleted, where no error is heard; "twice": Ctrl-C, then something that takes for ever
    while an error is handled, then Ctrl-C again; "trains": once a job of the command has a checkpoint.
    """

    target: str
    call: int = 1
    after: bool = False
    how: str = ""
    argument: str = ""  # only calls that have it count


FRAME, RUNS, LEARNER = "rnnvision.cli.frame", "rnnvision.runs.folder:RunFolder", "rnnvision.training.learner:Learner"
SAVE = "rnnvision.training.saving.io:VerifiedCheckpointIO.save_checkpoint"
TRAIN = {
    "words": Moment(f"{FRAME}.app:read_command"),
    "lock": Moment(f"{FRAME}.start:take", after=True),
    "configuration": Moment("hydra.core.utils:_save_config"),
    "import": Moment(f"{FRAME}.app:import_libraries"),
    "opening": Moment(f"{RUNS}.open"),
    "status": Moment(f"{RUNS}.write_status", after=True),
    "opened": Moment(f"{RUNS}.open", after=True),
    "reading": Moment("rnnvision.data.datamodule:ImageData.setup"),
    "swallowed": Moment("rnnvision.data.datamodule:ImageData.setup", how="swallowed"),
    "deleted": Moment("rnnvision.data.datamodule:ImageData.setup", how="del"),
    "first batch": Moment(f"{LEARNER}.training_step"),
    "batch": Moment(f"{LEARNER}.training_step", 5),
    "step": Moment("torch.optim:Optimizer.zero_grad", 4),
    "backward": Moment("torch:Tensor.backward", 3, after=True),
    "deleted in a step": Moment(f"{LEARNER}.training_step", 3, how="del"),
    "validation": Moment(f"{LEARNER}.validation_step", 2),
    "save": Moment(SAVE),
    "saving": Moment("os:fsync", 2),
    "saved": Moment(SAVE, after=True),
    "second epoch": Moment(f"{LEARNER}.training_step", 12),
    "test": Moment(f"{LEARNER}.test_step"),
    "answers": Moment("rnnvision.cli.train.score:keep_answers"),
    "end": Moment(f"{RUNS}.write_status", argument="completed"),
    "ended": Moment(f"{RUNS}.write_status", argument="completed", after=True),
    "exit": Moment("atexit"),
    "twice": Moment(f"{LEARNER}.training_step", 5, how="twice"),
    "twice in the test": Moment(f"{LEARNER}.test_step", how="twice"),
}
PLACE = "rnnvision.search.places.local:Local"
PARENTS = {  # of what has jobs: a sweep, compare, tune
    "begun": Moment(f"{PLACE}.start", after=True),
    "jobs import": Moment(f"{PLACE}.ended", 3),
    "jobs train": Moment(f"{PLACE}.ended", how="trains"),
    "jobs end": Moment(f"{PLACE}.close"),
}
OTHERS = {  # verb -> its moments, besides those that all verbs have
    "evaluate": {"test": Moment(f"{LEARNER}.test_step")},
    "predict": {"answer": Moment("rnnvision.inference.predict:open_many")},
    "watch": {"answer": Moment("rnnvision.inference.classifier:Classifier.anytime")},
    "benchmark": {"rate": Moment("rnnvision.insight:matrix_rate", after=True)},
    "export": {"load": Moment("rnnvision.inference:load", after=True)},
    "report": {"page": Moment("rnnvision.cli.frame.reporting.write:write_report")},
    "shards": {"made": Moment("rnnvision.data.shard_writer:make_shards")},
}
ALL = ("words", "lock", "configuration", "import", "opening", "opened", "end", "ended", "exit")


def moment(verb: str, name: str) -> Moment:
    if name in PARENTS:
        return PARENTS[name]
    return TRAIN[name] if verb == "train" or name in ALL else OTHERS[verb][name]


def hook(at: Moment, send: Callable[[], None]) -> None:
    """Have `send` called in that moment."""
    if at.target == "atexit":
        atexit.register(send)
        return
    module, _, path = at.target.partition(":")
    owner: Any = importlib.import_module(module)
    *parts, name = path.split(".")
    for part in parts:
        owner = getattr(owner, part)
    before, calls, sent = getattr(owner, name), 0, list[bool]()

    @functools.wraps(before)
    def hooked(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += not at.argument or at.argument in args
        is_now = calls == at.call and (not at.argument or at.argument in args)
        if at.how == "trains":
            is_now = not sent and trains()
        if is_now and not at.after:
            sent.append(True)
            come(at.how, send)
        found = before(*args, **kwargs)
        if is_now and at.after:
            calls += 1
            come(at.how, send)
        return found

    setattr(owner, name, hooked)


def come(how: str, send: Callable[[], None]) -> None:
    if how == "swallowed":
        try:
            send()
            time.sleep(0.01)
        except BaseException:
            pass
    elif how == "del":
        Deleted(send)
    elif how == "twice":
        threading.Timer(0.5, send).start()
        try:
            send()
        finally:
            time.sleep(60)
    else:
        send()


def trains() -> bool:
    """Whether a job of this command has come to the end of an epoch."""
    folder = next(word.partition("=")[2] for word in reversed(sys.argv) if ".dir=" in word)
    return any(Path(folder).rglob("last.ckpt"))


class Deleted:
    def __init__(self, send: Callable[[], None]) -> None:
        self.send = send

    def __del__(self) -> None:
        self.send()
        time.sleep(0.01)


def main() -> None:
    name, number, verb, *words = sys.argv[1:]
    os.setsid()
    group = name.endswith(" to all")
    send = functools.partial(os.killpg if group else os.kill, os.getpid(), int(number))
    if name != "none":
        hook(moment(verb, name.removesuffix(" to all")), send)
    sys.argv[1:] = words
    runpy.run_module(f"rnnvision.cli.{verb}", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
