"""rnnvision export ckpt=RUN format=onnx: write a trained network as a file that other programs read."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from rnnvision.checks import choose_one
from rnnvision.cli.frame.app import run_verb
from rnnvision.cli.frame.arguments import arguments_of, plain
from rnnvision.cli.frame.command_line.words import command, override
from rnnvision.cli.frame.paths import expanded
from rnnvision.errors import FailureError, UsageError
from rnnvision.runs import RunFolder

if TYPE_CHECKING:
    from rnnvision.inference import Classifier
    from rnnvision.inference.export import Format

SPLITS = ("train", "val", "test")
TOLERANCE = 1e-4  # largest difference of logits, as a share of the largest logit


def main() -> None:
    run_verb("export", export, libraries=("rnnvision.inference",))


def export(cfg: DictConfig, run: RunFolder) -> None:
    """Write `cfg.ckpt` in `cfg.format`, read the file back, and compare what the two answer."""
    from rnnvision.inference import load
    from rnnvision.inference.export import FORMATS
    from rnnvision.inference.export.measure import largest_difference
    from rnnvision.inference.exported import is_exported

    if cfg.format not in FORMATS:
        raise UsageError(f"format={cfg.format}: {choose_one(cfg.format, FORMATS, 'format=')}")
    if cfg.split not in SPLITS:
        raise UsageError(f"split={cfg.split}: {choose_one(cfg.split, SPLITS, 'split=')}")
    source = Path(expanded(str(cfg.ckpt)))
    if is_exported(source):
        raise UsageError(f"ckpt={cfg.ckpt}: was exported already; give the checkpoint or the run folder")
    form = FORMATS[cfg.format]
    quantizes = _quantizes(cfg, form)
    classifier = load(source)
    target = _target(cfg, form, source, classifier, quantizes)
    largest_difference(classifier, classifier)  # raises where logits are not finite
    print(f"checkpoint  {classifier.path}\nformat      {cfg.format}, {form.says}", flush=True)
    try:
        form.write(classifier, target, **({"quantize": True} if quantizes else {}))
    except OSError as error:
        raise FailureError(f"output={target}: cannot be written ({error.strerror})") from error
    print(f"written     {target}, {_size(target) / 1e6:.2f} MB", flush=True)
    if not form.loads:
        print(f"next        {form.usage.format(path=shlex.quote(str(target)))}")
        return
    found = {"export/bytes": float(_size(target))}
    exported = load(target)
    difference, largest = largest_difference(classifier, exported)
    found["export/largest_difference"] = difference
    print(f"checked     logits differ by at most {difference:.1e}, the largest is {largest:.1f}; batches of 1, 2, 17")
    if quantizes:
        found |= _cost(cfg, classifier, exported)
    elif not difference <= TOLERANCE * max(largest, 1.0):
        raise FailureError(f"{target}: gives other logits than the checkpoint; do not use it")
    run.write("metrics.json", found)
    print(f"python      import rnnvision; print(rnnvision.load({str(target)!r})('image.png'))")
    root = (classifier.description.get("data", {}).get("root"), exported.description.get("data", {}).get("root"))
    data = [override("data.root", root[0])] if root[0] and not root[1] else []  # a folder to give away says no path
    print(f"next        {command([override('ckpt', target), *data], 'rnnvision evaluate')}")


def _quantizes(cfg: DictConfig, form: "Format") -> bool:
    if cfg.quantize in (None, "none"):
        if cfg.data.root is not None:
            raise UsageError(f"data.root={cfg.data.root}: is for quantize=dynamic, which is measured; leave it out")
        return False
    if cfg.quantize != "dynamic":
        raise UsageError(f"quantize={cfg.quantize}: must be dynamic or null")
    if not form.quantizes:
        raise UsageError(f"quantize=dynamic: is for format=onnx and format=step, not for format={cfg.format}")
    return True


def _target(cfg: DictConfig, form: "Format", source: Path, classifier: "Classifier", quantizes: bool) -> Path:
    """Where to write: `cfg.output`, or the folder export of the run, or for a file elsewhere beside it."""
    if cfg.output is not None:
        target = Path(expanded(str(cfg.output)))
        suffix = Path(form.file).suffix  # a folder has none
        if (target.suffix != suffix or target.is_dir()) if suffix else target.is_file():
            wanted = f"a file that ends in {suffix}" if suffix else "a folder"
            raise UsageError(f"output={cfg.output}: format={cfg.format} writes {wanted}")
        return target
    if source.is_dir():
        folder = source / "export"
    else:
        inside = classifier.path.parent.name == "checkpoints"
        folder = classifier.path.parent.parent / "export" if inside else classifier.path.parent
    name = Path(form.file)
    return folder / (f"{name.stem}_int8{name.suffix}" if quantizes else form.file)


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.iterdir()) if path.is_dir() else path.stat().st_size


def _cost(cfg: DictConfig, classifier: "Classifier", exported: "Classifier") -> dict[str, float]:
    """Measure both on a split of the checkpoint's data; what quantisation cost is said in one line."""
    from rnnvision.data import ImageData
    from rnnvision.inference.export.measure import accuracy

    given = {k: v for k, v in plain(cfg.data).items() if v is not None}
    with arguments_of("data"):
        data = ImageData.of_checkpoint(classifier.description, parts=(cfg.split,), **given)
        data.tested_split = cfg.split
        data.setup()
    before, images = accuracy(classifier.network, data.test_dataloader())
    after, _ = accuracy(exported.network, data.test_dataloader())
    data.teardown()
    print(
        f"quantised   {cfg.split} accuracy {after:.4f} on {images:,} images, {before:.4f} before: "
        f"{100 * (after - before):+.2f} points"
    )
    return {f"{cfg.split}/accuracy": after, f"{cfg.split}/accuracy_before": before, f"{cfg.split}/images": images}


if __name__ == "__main__":
    main()
