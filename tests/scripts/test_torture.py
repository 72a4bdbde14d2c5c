"""make torture: which trials there are, and the table that it writes."""

from pathlib import Path

import run_torture
from torture.trial import Outcome


def test_every_trial_has_what_its_row_needs() -> None:
    for name in run_torture.names():
        trial = run_torture.load(name)
        assert all((trial.TITLE, trial.BAR, trial.COUNT)), name
        assert trial.FOUND >= 0, name
        assert callable(trial.run), name


def test_a_row_replaces_that_of_its_trial_and_no_other(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n\n{run_torture.BEGIN}\n{run_torture.END}\n\nThe rest.\n")
    for name, count in (("kills", 1), ("names", 2), ("kills", 3)):
        run_torture.write(page, [f"`{name}`: what is done", str(count)])
    text = page.read_text()
    assert text.startswith("# Title\n")
    assert text.endswith("\n\nThe rest.\n")
    assert [line for line in text.splitlines() if line.startswith("| `")] == [
        "| `kills`: what is done | 3 |",
        "| `names`: what is done | 2 |",
    ]


def test_an_outcome_counts_tries_and_keeps_failures() -> None:
    outcome = Outcome()
    for failure in (None, "a file was left", None):
        outcome.add(failure)
    assert (outcome.count, outcome.failures) == (3, ["a file was left"])
