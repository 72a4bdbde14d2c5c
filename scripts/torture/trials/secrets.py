"""A secret on the command line, in a configuration and in the environment: where it is found afterwards.

Found and mended while it was built:
- a value typed for a secret key stood in .hydra/config.yaml, overrides.yaml, hydra.yaml and environment.json;
- the same value stood in summary.csv, in what trackers are told, and in the description of every checkpoint;
- ${oc.env:NAME} of a configuration of others was filled in: in the name of the folder, the log and the screen;
- a distributed job of a sweep was started with ${oc.env:NAME} filled in, for `ps` to see;
- a resume wrote what a typed ${oc.env:NAME} stands for into config.yaml;
- a message about a value, and a traceback, showed it, on the screen and in status.json and the log;
- sweep.json, study.json and comparison.json kept secrets that were typed;
- a resume refused a secret that was typed again where the run had it from the environment.
"""

import gzip
import random
import string
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from torture.trial import Outcome
from torture.verbs import forked, prepared

TITLE = "a secret in the environment, a configuration and the command line"
BAR = "0 hits in all that is written and printed"
COUNT = 48
FOUND = 8

SMALL = ("trainer=smoke", "device=cpu", "model=gru", "model.hidden_size=8", "data=locked", "plugins=[locked]")
OWN = ("--config-dir", "own")
PLUGIN = """
from rnnvision.data import CATALOG, Dataset
digits = CATALOG["digits"]
def read(class_names, root, *, api_token: str | None = None, fails: bool = False):
    if fails:
        raise RuntimeError(f"the server does not know {api_token}")
    return digits.read(class_names, root)
CATALOG.register("locked")(Dataset(read, digits.mean, digits.std, "made up", digits.class_names))
"""
REFUSED = (2,)


@dataclass(frozen=True)
class Step:
    """A command, and the exit codes that it may have; SECRET in it is the canary."""

    verb: str
    words: tuple[str, ...]
    codes: tuple[int, ...] = (0,)


def _train(*words: str, codes: tuple[int, ...] = (0,)) -> Step:
    return Step("train", (*OWN, *SMALL, *words), codes)


TYPED = "data.api_token=SECRET"
NAMED = "data.api_token=${oc.env:LOCKED_API_TOKEN}"
RUN = "hydra.run.dir=run"
AFTER = (
    Step("evaluate", (*OWN, "ckpt=run", "plugins=[locked]")),
    Step("report", ("run=run",)),
    Step("diff", ("run", "other")),
    Step("results", ("logs=.",), (0, 2)),
)
CASES: dict[str, tuple[Step, ...]] = {
    "typed": (_train(TYPED, RUN), _train(TYPED, "hydra.run.dir=other", "seed=1"), *AFTER),
    "named": (_train(NAMED, RUN), _train(NAMED, "hydra.run.dir=other"), *AFTER),
    "in a file": (_train("experiment=secret", RUN), _train("experiment=secret", "hydra.run.dir=other"), *AFTER),
    "resumed": (
        _train(TYPED, RUN),
        Step("train", (*OWN, "resume=run", "trainer.max_epochs=2"), REFUSED),
        Step("train", (*OWN, "resume=run", "trainer.max_epochs=2", "trainer.max_steps=-1", f"++{NAMED}")),
        Step("train", (*OWN, "resume=run", "trainer.max_epochs=3", f"++{TYPED}")),
    ),
    "in an error": (
        _train(TYPED, "data.fails=true", RUN, codes=(1,)),
        _train("optimizer.lr=SECRET", codes=REFUSED),
        _train("optimizer.token=SECRET", codes=REFUSED),
        _train("+callbacks.x={_target_:os.system,token:SECRET}", codes=REFUSED),
        _train(TYPED, "modle=gru", codes=REFUSED),
        _train(TYPED, "data.api_token=[", codes=REFUSED),
    ),
    "in a name": (
        _train("name=${oc.env:LOCKED_API_TOKEN}", codes=REFUSED),
        _train("log_dir=${oc.env:LOCKED_API_TOKEN}", codes=REFUSED),
        _train("hydra.run.dir=x/${oc.env:LOCKED_API_TOKEN}", codes=REFUSED),
        _train("tags=['${oc.env:LOCKED_API_TOKEN}']", codes=REFUSED),
    ),
    "told to a tracker": (
        _train(TYPED, "logger=tensorboard", RUN),
        _train("logger=mlflow", "logger.mlflow.tracking_uri=http://me:SECRET@localhost:1", codes=(1, 2)),
    ),
    "in a sweep": (
        Step("train", ("-m", *OWN, *SMALL, TYPED, "seed=0,1"), REFUSED),
        Step("train", ("-m", *OWN, *SMALL, NAMED, "seed=0,1", "hydra.sweep.dir=sweep")),
        Step("train", ("-m", *OWN, "resume_sweep=sweep"), REFUSED),
        Step("results", ("logs=.",), (0, 2)),
    ),
    "in a study": (
        Step("tune", (*OWN, *SMALL, TYPED, "model.hidden_size=4,8", "n_trials=1"), REFUSED),
        Step("tune", (*OWN, *SMALL, "storage=mysql://me:SECRET@localhost:1/x", "seed=0,1"), REFUSED),
        Step("tune", (*OWN, *SMALL, NAMED, "model.hidden_size=4,8", "n_trials=1", RUN)),
        Step("report", ("run=run",)),
    ),
    "in a comparison": (
        Step("compare", (*OWN, *SMALL[:2], *SMALL[4:], "models=[gru]", "budget=epochs:1", TYPED), REFUSED),
        Step(
            "compare",
            (
                *OWN,
                *SMALL[:2],
                *SMALL[4:],
                "models=[gru]",
                "budget=epochs:1",
                "seeds=1",
                "rounds=1",
                "latency_rounds=1",
                NAMED,
                RUN,
            ),
        ),
    ),
    "in a stranger's run": (
        _train(RUN),
        Step("plant", ("run/.hydra/config.yaml", "stolen: ${oc.env:LOCKED_API_TOKEN}")),
        Step("train", (*OWN, "resume=run"), REFUSED),
        Step("report", ("run=run",)),
    ),
    "in a stranger's folder": (
        _train("experiment=stolen", codes=REFUSED),
        _train("experiment=decoded", codes=REFUSED),
        _train("experiment=tagged", codes=REFUSED),
    ),
}


def run(count: int, seed: int, folder: Path) -> Outcome:
    """Each try is a case with a secret of its own."""
    prepared("train", "evaluate", "report", "diff", "results", "tune", "compare")
    outcome, chance, hits = Outcome(), random.Random(seed), 0
    for number in range(count):
        name = list(CASES)[number % len(CASES)]
        secret = _secret(chance)
        place = folder / str(number)
        _furnish(place, secret)
        wrong = list(_tried(CASES[name], place, secret))
        hits += len(wrong)
        outcome.add(f"{name}: {'; '.join(wrong)}" if wrong else None)
    outcome.note = f"{len(CASES)} cases"
    return outcome


def _tried(steps: tuple[Step, ...], place: Path, secret: str) -> Iterator[str]:
    for step in steps:
        if step.verb == "plant":
            file, line = step.words
            with (place / file).open("a") as opened:
                opened.write(f"{line}\n")
            continue
        words = [word.replace("SECRET", secret) for word in step.words]
        ended = forked(step.verb, words, place, timeout=300, LOCKED_API_TOKEN=secret)
        shown = " ".join([step.verb, *step.words[-2:]])
        if ended is None:
            yield f"{shown}: did not end"
            continue
        if ended.code not in step.codes:
            yield f"{shown}: ended with {ended.code}: {(ended.err or ended.out)[-300:]!r}"
        if _holds(ended.out.encode() + ended.err.encode(), secret):
            yield f"{shown}: printed it"
    yield from (f"{path.relative_to(place)} holds it" for path in _with(place, secret))


def _with(place: Path, secret: str) -> Iterator[Path]:
    """The files that hold a secret, or are called by it, but for those that held it from the beginning."""
    for path in sorted(place.rglob("*")):
        if path.is_relative_to(place / "own"):
            continue
        if secret in path.name or (path.is_file() and any(_holds(content, secret) for content in _contents(path))):
            yield path


def _contents(path: Path) -> Iterator[bytes]:
    content = path.read_bytes()
    yield content
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from map(archive.read, archive.namelist())
    elif content[:2] == b"\x1f\x8b":
        yield gzip.decompress(content)


def _holds(content: bytes, secret: str) -> bool:
    return any(form in content for form in (secret.encode(), secret.encode("utf-16-le"), secret[::-1].encode()))


def _secret(chance: random.Random) -> str:
    """One that its look does not betray: only where it stands."""
    letters = string.ascii_letters + string.digits
    return "c4nary" + "".join(chance.choices(letters, k=chance.randrange(4, 40)))


def _furnish(place: Path, secret: str) -> None:
    (place / "own" / "data").mkdir(parents=True)
    (place / "own" / "experiment").mkdir()
    (place / "locked.py").write_text(PLUGIN)
    (place / "own" / "data" / "locked.yaml").write_text(
        "defaults:\n  - _common\n\nname: locked\napi_token: null\nfails: false\n"
    )
    for name, content in {
        "secret": f"data:\n  api_token: {secret}\n",
        "stolen": "name: ${oc.env:LOCKED_API_TOKEN}\n",
        "decoded": "name: ${oc.decode:'${oc.env:LOCKED_API_TOKEN}'}\n",
        "tagged": "a: $\ntags: ['${a}{oc.env:LOCKED_API_TOKEN}', '${oc.env:LOCKED_API_TOKEN}']\n",
    }.items():
        (place / "own" / "experiment" / f"{name}.yaml").write_text(f"# @package _global_\n{content}")
