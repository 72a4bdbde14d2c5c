"""SIGTERM, SIGINT, SIGHUP and SIGUSR1 at every moment of every verb; two quick Ctrl-C.

Each try is a fork of a process that has imported the libraries, as the jobs of a sweep are, and sends itself the signal
in an exact moment (`torture.hooked`), alone or with all its processes, as a terminal and SLURM do. A sweep, a
comparison and a study start their jobs as always. What was found and mended:

- while the folder opens, in the imports, and between two stages the status stayed "running", or there was none
- a signal while the run is marked as completed, or after that, ended in a traceback or in exit code 0
- SIGHUP and SIGUSR1 ended a run without a word, its status "running"
- Ctrl-C in the test stage had exit code 1; a second Ctrl-C was ignored by Lightning
- SIGTERM in an import or in a `__del__` was swallowed, or printed as a traceback
- workers that read data died of Ctrl-C, SIGHUP and SIGUSR1, so that the last step could not be saved
- a sweep's server of forks died of SIGTERM, SIGHUP and SIGUSR1 to the whole group, and left its jobs behind
- "what is done lies in" was said where nothing was done
- compare did not wait for the trainings that it had told to end
- Ctrl-C within `rnnvision`, before it had become its verb, was a traceback
- a signal before the first step saved a checkpoint from which no run could go on
"""

import json
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from rnnvision.cli.frame.signals import CODES
from rnnvision.launch import module_command
from rnnvision.runs import Run, find_runs
from rnnvision.runs.fork_server import ForkServer
from torture.hooked import ALL, OTHERS, PARENTS, TRAIN
from torture.trial import Outcome, left_running

TITLE = "SIGTERM, SIGINT, SIGHUP, SIGUSR1 at every moment of every verb, alone and to all processes; two Ctrl-C"
BAR = "exit code 143, 130, 129, 143; the status true; a training goes on to its end; no orphan; no traceback"
COUNT = 578  # every moment with every signal once; 96 are whole sweeps, comparisons and studies
FOUND = 11

SCRIPTS = Path(__file__).resolve().parents[2]  # where `torture` is
SMALL = ("device=cpu", "model.hidden_size=8", "trainer.max_epochs=2")
DIGITS = ("data=digits", "data.batch_size=256", *SMALL)
LASTS = 5.0  # seconds for workers to find out that they are alone
LIMIT = 120.0  # seconds for a try, then it hangs
UNSAVED = ("words", "lock", "configuration", "import", "opening", "status", "opened", "reading", "swallowed", "deleted")
DONE = ("end", "ended", "exit")  # moments in which the work is done


class Try(NamedTuple):
    verb: str
    moment: str  # with " to all" where all processes of the command get it
    signum: int
    words: tuple[str, ...]


def run(count: int, seed: int, folder: Path) -> Outcome:
    outcome = Outcome()
    trained = folder / "trained"
    found = os.pathsep.join(filter(None, [str(SCRIPTS), os.environ.get("PYTHONPATH")]))
    server = ForkServer("rnnvision.cli.frame.places:prepare", environment={"PYTHONPATH": found})
    pictures(folder / "pictures")
    call(server, Try("train", "none", 0, DIGITS), trained, folder / "trained.log")
    for number, attempt in zip(range(count), attempts(folder, trained, seed), strict=False):
        outcome.add(fault(server, attempt, folder / str(number)))
    server.close()
    return outcome


def pictures(folder: Path) -> None:
    """Two classes of forty small images, which workers read."""
    noise = random.Random(0)
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for number in range(40):
            Image.frombytes("L", (16, 16), noise.randbytes(256)).save(folder / name / f"{number}.png")


def attempts(folder: Path, trained: Path, seed: int) -> Iterator[Try]:
    """All moments with all signals, in an order that the seed decides, again and again."""
    images = ("data=image_folder", f"data.root={folder / 'pictures'}")
    streamed = (
        *images,
        "data.image_size=16",
        "data.batch_size=4",
        "data.format=streaming",
        "data.num_workers=2",
        *SMALL,
    )
    given = (f"ckpt={trained}", "device=cpu")
    image = str(folder / "pictures" / "a" / "0.png")
    others: dict[str, tuple[str, ...]] = {
        "evaluate": given,
        "predict": (*given, f"source={image}"),
        "watch": (*given, f"source={image}"),
        "benchmark": ("device=cpu", "model.hidden_size=8", "batch_sizes=[1]", "lengths=[4,8]", "rounds=1"),
        "export": (given[0], "format=safetensors", "output=FOLDER/exported.safetensors"),
        "report": (f"run={trained}",),
        "shards": (*images, "to=FOLDER/shards"),
    }
    made = [
        Try("train", name + to, signum, words)
        for name, at in TRAIN.items()
        for signum in ([signal.SIGINT] if at.how == "twice" else CODES)
        for to, words in (("", DIGITS), (" to all", streamed))
        if at.how != "twice" or not to
    ]
    made += [
        Try(verb, name, signum, words)
        for verb, words in others.items()
        for name in (*ALL, *OTHERS[verb])
        for signum in CODES
    ]
    long = ("data=digits", "data.batch_size=64", "device=cpu")
    parents = {
        "train": ("-m", "seed=0,1", *long, "model.hidden_size=8", "trainer.max_epochs=8"),
        "compare": ("models=[rnn,gru]", "seeds=1", "budget=epochs:8", "rounds=1", "latency_rounds=1", *long),
        "tune": ("model.hidden_size=4,8", "n_trials=2", "trainer.max_epochs=8", *long),
    }
    made += [
        Try(verb, name + to, signum, words)
        for verb, words in parents.items()
        for name in PARENTS
        for signum in CODES
        for to in ("", " to all")
    ]
    order = random.Random(seed)
    while True:
        yield from order.sample(made, len(made))


def call(server: ForkServer, attempt: Try, run_folder: Path, log: Path) -> tuple[int | None, int]:
    """(exit code, as a shell has it, or None where it had to be killed; number of the process)."""
    began = time.monotonic()
    words = [attempt.moment, str(int(attempt.signum)), attempt.verb, *attempt.words]
    where = "hydra.sweep.dir" if "-m" in words else "hydra.run.dir"
    with log.open("a") as output:
        child = server(module_command("torture.hooked", *words, f"{where}={run_folder}"), output)
        while (code := child.poll()) is None and time.monotonic() - began < LIMIT:
            time.sleep(0.05)
        child.close()
    assert child.pid is not None
    return code if code is None or code >= 0 else 128 - code, child.pid


def fault(server: ForkServer, attempt: Try, folder: Path) -> str | None:
    """What was wrong with a try."""
    folder.mkdir()
    attempt = attempt._replace(words=tuple(word.replace("FOLDER", str(folder)) for word in attempt.words))
    log, where = folder / "said.log", folder / "run"
    code, number = call(server, attempt, where, log)
    found = _fault(server, attempt, where, log, code, number)
    return found and f"{attempt.verb}, {attempt.moment}, {signal.Signals(attempt.signum).name}: {found}"


def _fault(server: ForkServer, attempt: Try, where: Path, log: Path, code: int | None, number: int) -> str | None:
    wanted = CODES[attempt.signum]
    name = attempt.moment.removesuffix(" to all")
    exits = {wanted, 128 + attempt.signum} if name == "exit" else {wanted}
    if code not in exits:
        return f"exit code {code}, not {wanted}: {log.read_text()[-300:]}"
    if "Traceback" in log.read_text():
        return f"a traceback: {log.read_text()[-300:]}"
    if orphans := still_there(number):
        return f"left running: {orphans}"
    if name in PARENTS:
        return _fault_of_parent(server, attempt, where, log)
    status = Run(where).state
    allowed = ("completed",) if name in DONE else ("",) if name == "words" else ("interrupted",)
    if status not in allowed:
        return f"status {status or 'missing'}"
    if attempt.verb != "train":
        return None
    saved = Run(where).last_checkpoint is not None
    if not saved and not (name in UNSAVED or name == "twice" or lost_workers(attempt)):
        return "nothing was saved"
    again = (f"resume={where}",) if saved else attempt.words
    return goes_on(server, again if saved else (*again, f"hydra.run.dir={where}"), where, log)


def _fault_of_parent(server: ForkServer, attempt: Try, where: Path, log: Path) -> str | None:
    """All that it has begun is interrupted or completed, and it goes on to its end."""
    is_done = attempt.moment.startswith("jobs end")
    for run in find_runs(where):
        if run.state not in ("interrupted", "completed"):
            return f"{run.path.name} is {run.state}"
    if is_done:
        return None
    key = "resume_sweep" if "-m" in attempt.words else "resume"
    with log.open("a") as output:
        code = server(module_command(f"rnnvision.cli.{attempt.verb}", f"{key}={where}"), output).wait()
    states = {run.path.name: run.state for run in find_runs(where)}
    if code or set(states.values()) != {"completed"}:
        return f"going on: {code}, {states}: {log.read_text()[-300:]}"
    return None


def lost_workers(attempt: Try) -> bool:
    """SIGTERM to all processes ends the workers too, so that the step may not come to its end."""
    return attempt.signum == signal.SIGTERM and attempt.moment.endswith(" to all")


def goes_on(server: ForkServer, words: tuple[str, ...], where: Path, log: Path) -> str | None:
    with log.open("a") as output:
        child = server(module_command("rnnvision.cli.train", *words), output)
        code = child.wait()
    status = json.loads((where / "status.json").read_text())["status"]
    return None if (code, status) == (0, "completed") else f"going on: {code}, {status}: {log.read_text()[-300:]}"


def still_there(group: int) -> list[int]:
    began = time.monotonic()
    while (found := left_running(group)) and time.monotonic() - began < LASTS:
        time.sleep(0.05)
    return found
