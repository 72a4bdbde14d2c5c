"""Lines about a score: its figures, and the files it leaves out."""

from rnnvision.checks import counted
from rnnvision.runs import RunFolder


def score_line(metrics: dict[str, float], split: str = "test") -> str:
    """The figures of a split on one line, accuracy first."""
    figures = {k.removeprefix(f"{split}/"): v for k, v in metrics.items() if k.startswith(f"{split}/")}
    first = f"{split} accuracy {figures.pop('accuracy'):.4f}"
    return "   ".join([first, *(f"{name} {value:.4f}" for name, value in sorted(figures.items()))])


def list_skipped(skipped: list[str], run: RunFolder) -> None:
    """Beside a score: which files it leaves out."""
    if skipped:
        (run.path / "skipped_files.txt").write_text("".join(f"{reason}\n" for reason in skipped))
        lines = "".join(f"\n            {reason}" for reason in skipped)
        print(f"skipped     {counted(len(skipped), 'file')}, also in skipped_files.txt:{lines}")
