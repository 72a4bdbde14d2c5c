"""A report with every part in it, made by hand, of classes that are named as none should be."""

from pathlib import Path

from rnnvision.report.page.blocks import Picture
from rnnvision.report.page.found import (
    Curve,
    Flow,
    Found,
    Reading,
    Seen,
    Suspicion,
    Trajectories,
)
from rnnvision.report.page.found import (
    Path as ScanPath,
)
from rnnvision.runs import Prediction, Run

HOSTILE = "<script>alert(1)</script>"
NAMES = (HOSTILE, "$x_1$ & \"'>", "ünï\x07\n\udcff 号", "plain")
GREY = Picture(8, 8, 1, bytes(range(64)))
COLOUR = Picture(8, 4, 3, bytes(range(96)))


def answers(names: tuple[str, ...] = NAMES, count: int = 40) -> list[Prediction]:
    """Three of four right; the others answered with the next class."""
    made = []
    for i in range(count):
        truth = names[i % len(names)]
        answer = names[(i + (i % 4 == 3)) % len(names)]
        made.append(Prediction(f"{truth}/{i}.png", truth, answer, 0.5 + i / (2 * count), 0.1 * i, i % 5 + 1))
    return made


def run_with_epochs(folder: Path) -> Run:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.csv").write_text(
        "epoch,val/accuracy,val/loss,train/loss,train/accuracy,lr\n0,0.5,1.2,1.5,0.4,0.01\n1,0.6,1.0,nan,0.5,0.02\n"
    )
    (folder / "metrics.json").write_text('{"test/accuracy": 0.75, "test/nll": 0.4, "test/nll_calibrated": 0.3}')
    (folder / "status.json").write_text('{"status": "completed"}')
    (folder / "environment.json").write_text(
        '{"command": ["/usr/bin/python", "train.py", "name=<b>"], "overrides": ["name=<b>"], "cores": 2}'
    )
    return Run(folder)


def everything(folder: Path) -> Found:
    said = answers()
    steps = [(0.0, 0.0), (1.0, 0.5), (2.0, -1.0)]
    return Found(
        run_with_epochs(folder),
        network=f"lstm {HOSTILE}",
        data="fake",
        size=123,
        class_names=NAMES,
        temperature=0.8,
        answers=said,
        progress=Reading(HOSTILE, tuple((GREY, t, NAMES[t % 2], 0.2 * t) for t in (1, 2, 3, 4)), 4),
        reading=Curve(
            [0.25, 0.5, 0.75, 1.0], [0.2, 0.4, 0.7, 0.75], [2.0, 1.0, 0.5, 0.4], [0.3, 0.2, 0.1, 0.1], 0.5, 40
        ),
        gradient=Flow(
            {"tokens": [1e-4, 1e-2, 0.0], "layer 1": [1e-9, 1e-3, 1.0]}, {"layer 1": ("vanishing", 1e-9)}, 8, 1.5
        ),
        scan=ScanPath(COLOUR, [(x + 0.5, y + 0.5) for y in range(2) for x in range(4)], (1.0, 1.0), (1, 1)),
        mistakes=[Seen(GREY, a) for a in said if not a.right],
        labels=[Suspicion(COLOUR, HOSTILE, HOSTILE, "plain", 0.01, 0.9)],
        states=Trajectories([(name, steps) for name in NAMES], 0.6),
        notes=[HOSTILE],
    )
