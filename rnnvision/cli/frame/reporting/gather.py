"""What a report says of one run: its files, and what the network shows on some images. What cannot be had has a reason.

A run folder without a checkpoint, an encoder without anytime answers, an earlier version's folder without
predictions.csv: each leaves out its part of the report and no more.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from rnnvision.cli.frame.reporting.looks import Looks, looks_at
from rnnvision.errors import FailureError, UsageError
from rnnvision.report.page.found import Found
from rnnvision.runs import Run, read_predictions
from rnnvision.runs.read import CONFIG

if TYPE_CHECKING:
    from rnnvision.data import ImageData
    from rnnvision.data.splits import Samples
    from rnnvision.inference import Classifier

CANNOT = (ValueError, UsageError, FailureError, OSError)  # why a part is left out
OF_NETWORK = ("reading", "scan", "gradient", "states", "mistakes", "labels")


def gather(folder: Path, root: str | None = None, tested: "Samples | None" = None) -> Found:
    """Everything about the run in `folder`, a training or an evaluation.

    `root` is where its data is; `tested` are the images of its test, if they are at hand: else they are read again.

    Raises:
        UsageError: for an evaluation of weights that have been replaced.
    """
    run = Run(folder)
    ckpt, split = _evaluated(folder)
    found = Found(run, split=split) if ckpt is None else Found(Run(_training_of(ckpt)), evaluation=run, split=split)
    if found.evaluation and found.run.started > run.started:
        raise UsageError(
            f"run={folder}: measured {ckpt}, where another network is by now; report that training: "
            f"rnnvision report run={found.run.path}"
        )
    _try(found, ("answers",), lambda: _read_answers(found, folder))
    _try(found, OF_NETWORK, lambda: _look(found, ckpt or folder, root, tested))
    return found


def _try(found: Found, names: tuple[str, ...], part: Callable[[], None]) -> None:
    try:
        part()
    except CANNOT as error:
        for name in names:
            found.missing.setdefault(name, str(error))


def _evaluated(folder: Path) -> tuple[Path | None, str]:
    """Of an evaluation its checkpoint and its split."""
    from rnnvision.cli.frame.command_line.own_files import written
    from rnnvision.cli.frame.strangers.reading import read_pairs
    from rnnvision.cli.frame.strangers.rules import read_run_config

    path = folder / CONFIG
    if (folder / "checkpoints").is_dir() or not path.is_file() or not written(read_pairs(path)).get("ckpt"):
        return None, "test"
    config = read_run_config(folder)
    hydra: Any = written(read_pairs(path.with_name("hydra.yaml"))) if path.with_name("hydra.yaml").is_file() else {}
    for key in ("hydra", "runtime", "cwd"):
        hydra = hydra.get(key) if isinstance(hydra, dict) else None
    typed_in = hydra if isinstance(hydra, str) and "${" not in hydra else "."
    return Path(typed_in) / Path(str(config.ckpt)).expanduser(), str(config.get("split", "test"))


def _training_of(ckpt: Path) -> Path:
    """The run folder of a checkpoint: FOLDER, or FOLDER/checkpoints/NAME.ckpt."""
    return ckpt if ckpt.is_dir() else ckpt.parent.parent if ckpt.parent.name == "checkpoints" else ckpt.parent


def _read_answers(found: Found, folder: Path) -> None:
    try:
        found.answers = read_predictions(folder)
    except FileNotFoundError:
        if not (run := Run(folder)).has_weights:
            raise UsageError(f"{folder.name} {run.why_unmeasured}") from None
        raise UsageError(
            f"{folder.name} holds no predictions.csv: an earlier version made it, or it did not get to its test; "
            f"this makes one: rnnvision evaluate ckpt={folder}, then rnnvision report run=logs/evaluate/latest"
        ) from None


def _look(found: Found, source: Path, root: str | None, tested: "Samples | None") -> None:
    """What only the network can show, on some images of the split."""
    from rnnvision.inference import load

    classifier = load(source)
    description = classifier.description
    found.class_names = classifier.class_names
    found.temperature = description.get("temperature")
    found.size = sum(p.numel() for p in classifier.network.parameters())
    found.network = network_line(classifier)
    data = _data(classifier, found.split, root)
    found.data = data.summary()
    with torch.random.fork_rng(devices=[]):
        looks: Looks = looks_at(classifier, data.splits[found.split] if tested is None else tested, found)
    for name, look in looks.items():
        _try(found, (name,), look)


def _data(classifier: "Classifier", split: str, root: str | None) -> "ImageData":
    """The images of a split, as in `evaluate`."""
    from rnnvision.data import ImageData

    changes = {} if root is None else {"root": root}
    data = ImageData.of_checkpoint(classifier.description, parts=(split,), **changes)
    if data.class_names != classifier.class_names:
        raise FailureError(f"{data.known.origin}: its classes are not those that the network was trained on")
    return data


def network_line(classifier: "Classifier") -> str:
    """The network in a sentence: what reads the image, how, and what is kept of it."""
    arguments, network = classifier.description["network"], classifier.network
    shape = " x ".join(map(str, classifier.input_shape[1:]))
    scan = getattr(network, "scan", None)
    if scan is None or "recurrence" not in arguments:
        return f"{arguments['name']} on images of {shape}, {len(classifier.class_names)} classes"
    layers, both = arguments.get("num_layers", 1), "bidirectional " if arguments.get("bidirectional") else ""
    size = f"{layers} layers of {arguments['hidden_size']}" if layers > 1 else f"{arguments['hidden_size']} units"
    read = f"reads images of {shape} pixels as {scan.num_tokens} tokens ({arguments['scan']})"
    name = "" if arguments["name"] == "sequence_classifier" else f"{arguments['name']}: "
    return f"{name}{both}{arguments['recurrence']}, {size}: {read}, {len(classifier.class_names)} classes"
