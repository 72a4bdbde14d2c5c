"""rnnvision predict ckpt=RUN source=FILES: classify images, one line each, or as a table in a file."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from rnnvision.checks import choose_one, counted, one_line
from rnnvision.cli.frame.app import run_verb
from rnnvision.cli.frame.arguments import arguments_of, plain
from rnnvision.cli.frame.command_line.words import yaml_text
from rnnvision.cli.frame.paths import expanded
from rnnvision.cli.frame.results import require_written
from rnnvision.cli.predict.sources import pictures_of
from rnnvision.errors import FailureError, UsageError
from rnnvision.progress import work
from rnnvision.runs import RunFolder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rnnvision.inference import Answer, Classifier, How
    from rnnvision.inference.predictions import Table

FORMATS = ("text", "csv", "jsonl", "parquet")
SCORES = ("probabilities", "logits")
SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".json": "jsonl", ".parquet": "parquet", ".txt": "text"}


def main() -> None:
    run_verb("predict", predict, libraries=("rnnvision.inference",))


def predict(cfg: DictConfig, run: RunFolder) -> None:
    """Answer to each picture of `cfg.source`; those that cannot be read are listed at the end, with exit code 1."""
    if plain(cfg.source) in (None, []):
        raise UsageError(
            f"source={yaml_text(plain(cfg.source))}: give an image, a folder, a pattern such as 'photos/*.jpg', "
            "or - for paths on stdin"
        )
    from rnnvision.inference import predicted
    from rnnvision.inference.predictions import Table

    to, kind = _output(cfg)
    how = _how(cfg)
    members = _members(cfg)
    values = members[0].value_names(how.values)
    table = Table(min(how.top_k, len(members[0].class_names)), values, tokens=how.stop_at is not None)
    tally = _Tally()
    paths = pictures_of(plain(cfg.source), tally.empty)
    with _as_typed():
        answers = tally.counted(_giving_way(members, predicted(members, paths, how, keeps_errors=True)))
    scrolls = to is None and sys.stdout.isatty()  # the answers themselves
    try:
        with nullcontext() if scrolls else work("classifying images"):
            _write(answers, table, kind, to)
    except OSError as error:
        raise FailureError(f"output={cfg.output}: cannot be written ({error.strerror})") from error
    listed = kind == "text" and to is None  # what is not read stands among the answers
    for line in tally.lines(members[0], how, None if to is None else cfg.output, with_errors=not listed):
        print(line, file=sys.stderr)
    if tally.errors:
        raise FailureError(f"{counted(len(tally.errors), 'image')} of {tally.pictures:,} could not be read")
    if tally.empty:
        raise FailureError(f"{tally.empty[0]}; the other images were classified")


def _output(cfg: DictConfig) -> tuple[Path | None, str]:
    """Where the answers go, None for standard output, and in which format."""
    to = None if cfg.output in (None, "-") else Path(expanded(str(cfg.output)))
    kind = cfg.format
    if kind is None:
        if to is not None and to.suffix.lower() not in SUFFIXES:
            raise UsageError(f"output={cfg.output}: its format is not clear; add format=csv, jsonl, parquet or text")
        kind = "text" if to is None else SUFFIXES[to.suffix.lower()]
    if kind not in FORMATS:
        raise UsageError(f"format={kind}: {choose_one(kind, FORMATS, 'format=')}")
    if kind == "parquet" and to is None:
        raise UsageError("format=parquet: needs a file; add output=answers.parquet")
    if to is not None and not to.parent.is_dir():
        raise UsageError(f"output={cfg.output}: there is no folder {to.parent}")
    return to, kind


def _how(cfg: DictConfig) -> "How":
    from rnnvision.inference import How

    average = {"true": "both", "false": None, "null": None}.get(yaml_text(cfg.average), cfg.average)
    if cfg.embed and cfg.scores is not None:
        raise UsageError(f"embed=true: writes features in place of scores={cfg.scores}; leave out one of the two")
    if cfg.scores not in (None, *SCORES):
        raise UsageError(f"scores={cfg.scores}: {choose_one(str(cfg.scores), SCORES, 'scores=')}")
    with _as_typed(), arguments_of(""):
        return How(
            top_k=cfg.top_k,
            average=average,
            stop_at=cfg.stop_at,
            patience=cfg.patience,
            invert=cfg.invert,
            values="features" if cfg.embed else cfg.scores,
        )


@contextmanager
def _as_typed() -> Iterator[None]:
    """Messages name `scores` and `embed` as they were typed, where Python has `values` for both."""
    try:
        yield
    except UsageError as error:
        message = str(error).replace("values=features", "embed=true").replace("values=", "scores=")
        raise UsageError(message) from error


def _members(cfg: DictConfig) -> "tuple[Any, ...]":
    from rnnvision.cli.frame.trainer.device_type import device_of
    from rnnvision.inference import Ensemble, load

    named = plain(cfg.ckpt)
    device = device_of(cfg.trainer)
    members = [load(expanded(str(path)), device=device) for path in (named if isinstance(named, list) else [named])]
    return Ensemble(members).members


def _write(answers: "Iterator[Answer]", table: "Table", kind: str, to: Path | None) -> None:
    """Write each answer as it comes; a file is there at the end, whole, or not at all."""
    from rnnvision.inference.predictions import write_parquet

    if to is None:
        _write_lines(sys.stdout, answers, table, kind)
        require_written()
        return
    # What is no file, such as /dev/null or a named pipe, is not to be replaced by one.
    part = to.with_name(f".{to.name}.part") if to.is_file() or not to.exists() else to
    try:
        if kind == "parquet":
            write_parquet(part, table, answers)
        else:
            with part.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
                _write_lines(file, answers, table, kind)
        if part != to:
            part.replace(to)
    finally:
        if part != to:
            part.unlink(missing_ok=True)


def _write_lines(file: Any, answers: "Iterator[Answer]", table: "Table", kind: str) -> None:
    """Write until the answers end, or nobody reads them any more."""
    from rnnvision.inference.predictions import json_line, write_csv

    read = takewhile(lambda _: not getattr(file, "is_closed", False), answers)
    if kind == "csv":
        write_csv(file, table, read)
    else:
        for answer in read:
            file.write(f"{json_line(answer) if kind == 'jsonl' else answer.as_line()}\n")


def _giving_way(members: "Sequence[Classifier]", answers: "Iterator[Answer]") -> "Iterator[Answer]":
    """The answers, computed in as many threads as an evaluation would take."""
    from rnnvision.nn import is_exact_in_threads
    from rnnvision.nn.kernels.threads import Threads

    threads = Threads(all(is_exact_in_threads(member.network) for member in members))
    try:
        for answer in answers:
            threads.look()
            yield answer
    finally:
        threads.restore()


class _Tally:
    """What the answers are, all in all."""

    def __init__(self) -> None:
        self.pictures, self.inverted, self.looks_inverted, self.tokens = 0, 0, 0, 0
        self.errors: list[str] = []
        self.empty: list[str] = []  # folders and patterns without a picture

    def counted(self, answers: "Iterable[Answer]") -> "Iterator[Answer]":
        for answer in answers:
            self.pictures += 1
            self.inverted += answer.inverted
            self.looks_inverted += answer.looks_inverted
            self.tokens += answer.tokens or 0
            if answer.error is not None:
                self.errors.append(f"{one_line(answer.image)}: {answer.error}")
            yield answer
        if not self.pictures:
            raise UsageError(self.empty[0] if self.empty else "source=-: there is no path on standard input")

    def lines(self, classifier: Any, how: "How", output: str | None, *, with_errors: bool) -> Iterator[str]:
        """For standard error, so that standard output holds answers alone."""
        read = self.pictures - len(self.errors)
        if how.stop_at is not None and read:
            total = classifier.network.scan.num_tokens
            mean = self.tokens / read
            yield f"read      {mean:.1f} of {total} tokens on average; {1 - mean / total:.0%} of the work was saved"
        if self.inverted:
            yield f"inverted  {counted(self.inverted, 'image')}: dark on light, and the network knows light on dark"
        if self.looks_inverted:
            are = f"{counted(self.looks_inverted, 'image')} {'is' if self.looks_inverted == 1 else 'are'}"
            yield f"inverted? {are} dark on light, and the network knows light on dark; try invert=auto"
        yield from (f"not read  {error}" for error in self.errors if with_errors)
        yield from (f"not read  {error}" for error in self.empty)
        if output is not None:
            yield f"results   {counted(read, 'answer')} in {output}"


if __name__ == "__main__":
    main()
