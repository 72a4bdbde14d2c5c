"""experiment=FOLDER, where the folder is that of a study: the settings of its best trial, as words."""

from collections.abc import Sequence
from pathlib import Path

from rnnvision.cli.frame.command_line.words import key_of, parsed
from rnnvision.cli.frame.paths import expanded
from rnnvision.errors import UsageError
from rnnvision.runs.study import FILE, read_study


def with_best_trials(words: Sequence[str]) -> tuple[list[str], str | None]:
    """The words, with the best trial of a study in place of its folder, and a line that says so.

    What else is typed wins over the words of the trial.

    Raises:
        UsageError: for a study without a completed trial.
    """
    for at, word in enumerate(words):
        folder = _folder(word)
        if folder is None:
            continue
        best, line = _best(word, folder)
        others = [*words[:at], *words[at + 1 :]]
        typed = {key_of(other) for other in others}
        return [*(one for one in best if key_of(one) not in typed), *others], line
    return list(words), None


def _folder(word: str) -> Path | None:
    key, _, text = word.lstrip("+").partition("=")
    if key != "experiment" or not text:
        return None
    found = parsed(word)
    value = found.value() if found is not None else text
    folder = Path(expanded(value)) if isinstance(value, str) else None
    return folder if folder is not None and (folder / FILE).is_file() else None


def _best(word: str, folder: Path) -> tuple[list[str], str]:
    try:
        record = read_study(folder)
    except ValueError as error:
        raise UsageError(f"{word}: {error}") from error
    best = next(iter(record.best()), None)
    if best is None:
        raise UsageError(f"{word}: the study has no completed trial yet; go on with it: rnnvision tune resume={folder}")
    scores = ", ".join(f"{name} {value:g}" for name, value in zip(record.metrics, best.values, strict=True))
    first = f", the best in {record.metrics[0]}" if len(record.metrics) > 1 else ""
    line = f"study     trial {best.number} of {folder}{first}: {scores}"
    own = {key_of(one) for one in best.overrides}
    return [*(one for one in record.words if key_of(one) not in own), *best.overrides], line
