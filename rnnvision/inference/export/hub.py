"""hub: the folder that model hubs and timm expect: config.json, model.safetensors, README.md.

It is made to be given away: it says nothing of where the data lay, nor which files were in it.
"""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from rnnvision.atomic import replaced
from rnnvision.checks import LARGEST
from rnnvision.inference.export.card import ExportError, card_of
from rnnvision.inference.export.safetensors_file import read_safetensors, weights_of, write
from rnnvision.regular import JSON, read_bounded
from rnnvision.training import CheckpointError
from rnnvision.training.saving.content import digest

if TYPE_CHECKING:
    from rnnvision.inference.classifier import Classifier

CONFIG, WEIGHTS, README = "config.json", "model.safetensors", "README.md"
PLAIN = re.compile(r"[\w/@.-]+")  # names that are no markup


def write_hub(classifier: "Classifier", path: Path) -> None:
    """Write the folder of a classifier; scores come from the metrics.json of its run.

    Raises:
        ExportError: for a folder that holds something else.
    """
    if path.is_dir() and any(path.iterdir()) and not is_hub(path):
        raise ExportError(f"{path}: holds other files; give a new folder with output=")
    weights = weights_of(classifier)
    card = public(card_of(classifier, "hub", digest(weights)))
    write(weights, card, path / WEIGHTS)
    for name, text in (
        (CONFIG, json.dumps(config_of(card), indent=2)),
        (README, readme_of(card, scores_of(classifier))),
    ):
        with replaced(path / name) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


def read_hub(path: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The network of such a folder, and its card."""
    if not (path / WEIGHTS).is_file():
        raise CheckpointError(f"{path}: has a {CONFIG} and no {WEIGHTS}")
    return read_safetensors(path / WEIGHTS)


def is_hub(path: Path) -> bool:
    """Whether a folder is one that `write_hub` writes."""
    return (path / CONFIG).is_file() and (path / WEIGHTS).is_file()


def public(card: dict[str, Any]) -> dict[str, Any]:
    """A card without paths of the machine that trained."""
    shown = {key: value for key, value in card.items() if key != "files"}
    if "data" in card:
        shown["data"] = {k: None if _is_path(v) else v for k, v in card["data"].items()} | {"root": None}
    return shown


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and Path(value).is_absolute()


def config_of(card: dict[str, Any]) -> dict[str, Any]:
    """config.json, with the keys of timm's."""
    network, norm = dict(card["network"]), card["normalisation"]
    architecture, shape = network.pop("name"), network.pop("input_shape")
    return {
        "architecture": architecture,
        "num_classes": network.pop("num_classes", len(card["class_names"])),
        "label_names": card["class_names"],
        "model_args": {key: value for key, value in network.items() if value is not None},
        "pretrained_cfg": {
            "input_size": shape,
            "fixed_input_size": True,
            "mean": norm["mean"],
            "std": norm["std"],
            "crop_pct": card.get("data", {}).get("crop_ratio", 1.0),
            "num_classes": len(card["class_names"]),
            "label_names": card["class_names"],
            "temperature": card.get("temperature", 1.0),
        },
        "library": "rnnvision",
        "weights_sha256": card["exported"]["weights"],
    }


def scores_of(classifier: "Classifier") -> dict[str, float]:
    """What the metrics.json of the checkpoint's run says of the test split, or of validation."""
    file = classifier.path.parent.parent / "metrics.json"
    try:
        figures = dict(json.loads(read_bounded(file, JSON)))
    except (OSError, ValueError, TypeError, RecursionError):  # somebody else may have written it
        return {}
    for split in ("test/", "val/"):
        named = {k: v for k, v in figures.items() if k.startswith(split) and PLAIN.fullmatch(k)}
        if found := {k: v for k, v in named.items() if isinstance(v, (int, float)) and abs(v) <= LARGEST}:
            return found
    return {}


def readme_of(card: dict[str, Any], scores: dict[str, float]) -> str:
    """README.md: front matter, usage, scores, classes. Names are plain, or quoted as JSON, so that none is markup."""
    data = card.get("data", {}).get("name")
    data = data if isinstance(data, str) and PLAIN.fullmatch(data) else "images"
    front = {
        "library_name": "rnnvision",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "rnnvision", card["network"]["name"]],
        "datasets": [data],
        **({"metrics": ["accuracy"]} if scores else {}),
    }
    shape = " x ".join(map(str, card["network"]["input_shape"]))
    options = {k: v for k, v in card["network"].items() if v is not None and k not in ("name", "input_shape")}
    rows = "\n".join(f"| {name} | {value:.4f} |" for name, value in sorted(scores.items()) if "images" not in name)
    names = "\n".join(json.dumps(name, ensure_ascii=False) for name in card["class_names"])
    fence = "`" * 3
    parts = [
        "---\n" + "\n".join(f"{key}: {json.dumps(value)}" for key, value in front.items()) + "\n---",
        f"# {card['network']['name']} for {data}",
        f"Classifies images of {shape} (channels x height x width) into {len(card['class_names'])} classes. "
        "Trained with rnnvision.",
        f'## Use\n\n{fence}bash\npip install "rnnvision[export]"\n{fence}',
        f'{fence}python\nimport rnnvision\n\nclassifier = rnnvision.load(".")  # this folder\n'
        f'print(classifier("image.png"))\n{fence}',
        f"## Scores\n\n| figure | value |\n|---|---|\n{rows}" if rows else "",
        f"## Network\n\n{fence}json\n{json.dumps(options, indent=2)}\n{fence}",
        f"## Classes\n\n{fence}json\n{names}\n{fence}",
    ]
    return "\n\n".join(part for part in parts if part)
