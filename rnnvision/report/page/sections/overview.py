"""The first screen of a run, what was run, and its scores."""

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from rnnvision.report.page.blocks import Facts, Figure, Section, Table
from rnnvision.report.page.found import Found
from rnnvision.report.page.words import duration, number, percent
from rnnvision.runs import Run

SCORES = {  # figure of metrics.json -> its name
    "accuracy": "accuracy",
    "top5": "top-5 accuracy",
    "f1": "macro-F1",
    "nll": "NLL",
    "ece": "ECE",
    "loss": "loss",
}
SHARES = ("accuracy", "top5", "f1")


def title_of(run: Run) -> str:
    """The name of the folder without its time; of a job of a multirun, which is a number, with the folder above.

    Examples:
        >>> title_of(Run(Path("runs/2026-11-28_09-30-00-123456_lstm_mnist"))), title_of(Run(Path("multiruns/a/3")))
        ('lstm_mnist', 'a, job 3')
    """
    path = run.path.resolve()
    name = re.sub(r"^\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d(-\d+)?_?", "", path.name) or path.name
    return f"{path.parent.name}, job {name}" if name.isdecimal() else name


def score(found: Found) -> Figure | None:
    """The accuracy, and how many images it is of."""
    accuracy = found.metrics.get(f"{found.split}/accuracy")
    if accuracy is None:
        return None
    note = ""
    if found.answers:
        wrong = sum(not a.right for a in found.answers)
        note = f"{wrong:,} of {len(found.answers):,} images wrong."
    return Figure(f"accuracy on the {found.split} split", percent(accuracy), note)


def figures(found: Found) -> tuple[Figure, ...]:
    """The few other numbers of the first screen."""
    metrics, split = found.metrics, found.split
    ece = metrics.get(f"{split}/ece_calibrated", metrics.get(f"{split}/ece"))
    values = (
        ("macro-F1", percent(metrics.get(f"{split}/f1")), ""),
        ("ECE", number(ece), "with temperature" if f"{split}/ece_calibrated" in metrics else ""),
        ("anytime area", percent(found.reading.area) if found.reading else "-", ""),
        ("parameters", f"{found.size:,}" if found.size else "-", ""),
        ("training", duration(found.run.training_seconds), ""),
    )
    return tuple(Figure(*value) for value in values if value[1] != "-")


def run_section(found: Found) -> Section:
    """Command, network, data, code and machine."""
    run, machine = found.run, found.run.environment
    pairs = [
        ("command", command_line(run)),
        ("network", found.network),
        ("data", found.data),
        ("status", status_line(run)),
        ("code", code_line(machine)),
        ("hardware", hardware_line(machine)),
        ("folder", str(run.path)),
        ("evaluation", str(found.evaluation.path) if found.evaluation else ""),
        *(("note", note) for note in found.notes),
    ]
    lead = "The command that made this run, and where."
    shown = tuple((name, value) for name, value in pairs if value)
    return Section("run", "Run", lead, (Facts(shown, frozenset({"command", "folder", "evaluation"})),))


def command_line(run: Run) -> str:
    """As it was typed, the interpreter by its name alone."""
    words = [str(word) for word in run.environment.get("command", [])]
    if not words:
        return ""
    program = Path(words[1]).name if len(words) > 1 else ""
    if program == "__main__.py" or Path(words[1] if len(words) > 1 else "").parent.name == "cli":
        verb = Path(words[1]).parent.name if program == "__main__.py" else Path(words[1]).stem
        return shlex.join(["rnnvision", verb, *words[2:]])
    return shlex.join([Path(words[0]).name, *words[1:]])


def status_line(run: Run) -> str:
    if run.state == "running" and any(name.startswith("test/") for name in run.metrics):
        return "tested"  # by the training that ends with this report
    return run.outcome or "no record"


def code_line(machine: Mapping[str, object]) -> str:
    git, found = machine.get("git"), machine.get("versions")
    commit = ""
    if isinstance(git, dict) and git.get("commit"):
        commit = f"commit {str(git['commit'])[:10]}{' with changes' if git.get('dirty') else ''}"
    versions: Mapping[str, object] = found if isinstance(found, dict) else {}
    named = ", ".join(
        f"{name} {versions[name]}" for name in ("rnnvision", "torch", "lightning", "python") if name in versions
    )
    return "; ".join(part for part in (commit, named) if part)


def hardware_line(machine: Mapping[str, object]) -> str:
    gpus = machine.get("gpus")
    names = [str(gpu) for gpu in gpus] if isinstance(gpus, list) else []
    cores = f"{machine['cores']} cores, threads: {machine.get('threads', '?')}" if "cores" in machine else ""
    return "; ".join(part for part in (", ".join(names) or str(machine.get("cpu", "")), cores) if part)


def score_section(found: Found) -> Iterator[Section]:
    """The figures of each split, with and without the temperature; none where there is no figure."""
    rows = [row for split in ("test", "val", "train") for row in _scores_of(split, found)]
    if not rows:
        return
    used = (
        f"Temperature {found.temperature:.3f}: logits are divided by it. It changes no answer, only how sure it is."
        if found.temperature
        else "No temperature was fitted: probabilities are the softmax of the logits."
    )
    head = ("figure", "as trained", "with temperature")
    terms = ("accuracy", "F1", "NLL", "ECE", "temperature", "split")
    yield Section("scores", "Scores", used, (Table("Scores of each split", head, tuple(rows)),), terms)


def _scores_of(split: str, found: Found) -> Iterator[tuple[str, str, str]]:
    for name, title in SCORES.items():
        plain = found.metrics.get(f"{split}/{name}")
        if plain is None:
            continue
        share = name in SHARES
        same = percent(plain) if share and found.temperature else "-"
        fitted = found.metrics.get(f"{split}/{name}_calibrated")
        shown = percent(plain) if share else number(plain)
        yield f"{split} {title}", shown, same if fitted is None else number(fitted)
