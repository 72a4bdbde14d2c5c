"""rnnvision evaluate ckpt=FILE_OR_RUN_FOLDER: measure a trained checkpoint. It needs nothing but the checkpoint."""

from typing import TYPE_CHECKING

from omegaconf import DictConfig

from rnnvision.checks import choose_one
from rnnvision.cli.frame.app import run_verb
from rnnvision.cli.frame.arguments import annotations_of, arguments_of, check_arguments, plain
from rnnvision.cli.frame.results import (
    class_lines,
    confused_line,
    keep_answers,
    list_skipped,
    results_line,
    score_line,
)
from rnnvision.cli.frame.trainer.environment import interruption_told
from rnnvision.errors import FailureError, UsageError
from rnnvision.runs import RunFolder

if TYPE_CHECKING:
    from rnnvision.data import Dataset, ImageData
    from rnnvision.inference import Classifier

SPLITS = ("train", "val", "test")
# What a training writes of its data, `ImageData.describe`, beside the options of the reader.
DESCRIBED = (
    "name",
    "root",
    "eval_batch_size",
    "val_fraction",
    "split_seed",
    "on_bad_file",
    "mean",
    "std",
    "format",
    "max_train_samples",
)
OF_TRAINING = ("name", "batch_size", "val_fraction", "split_seed", "seed", "sampler", "augmentation")  # keys of data


def main() -> None:
    run_verb("evaluate", evaluate)


def evaluate(cfg: DictConfig, run: RunFolder) -> float:
    """Measure `cfg.ckpt` on `cfg.split` and write metrics.json; returns the accuracy."""
    if cfg.split not in SPLITS:
        raise UsageError(f"split={cfg.split}: {choose_one(cfg.split, SPLITS, 'split=')}")
    from rnnvision.cli.frame.device import make_trainer
    from rnnvision.inference import load
    from rnnvision.training import Learner
    from rnnvision.training.failures import require_finite

    trainer = make_trainer(plain(cfg.trainer), run)
    classifier = load(cfg.ckpt)
    data = _data_of(classifier, cfg)
    learner = Learner(classifier.network, num_classes=len(classifier.class_names))
    learner.scores.temperature = classifier.description.get("temperature")
    lines = [
        f"checkpoint  {classifier.path}",
        f"data        {data.summary()}",
        *(f"classes     {line}" for line in data.class_lines()),
        *(f"note        {note}" for note in data.known.notes),
    ]
    print("\n".join(lines), flush=True)
    with interruption_told():
        found = trainer.test(learner, datamodule=data, verbose=False)[0]  # reads files where they are streamed
    metrics = {name.replace("test/", f"{cfg.split}/"): float(value) for name, value in found.items()}
    metrics |= {"data/skipped_files": len(data.bad_files)} if data.bad_files else {}
    require_finite(metrics)
    run.write("metrics.json", metrics)
    answers = keep_answers(learner, data, run)
    print(score_line(metrics, cfg.split))
    for line in class_lines(answers, data.class_names):
        print(f"class       {line}")
    if confused := confused_line(answers):
        print(f"confused    {confused}")
    print(f"results     {results_line(run)}")
    list_skipped(data.bad_files, run)
    return metrics[f"{cfg.split}/accuracy"]


def _data_of(classifier: "Classifier", cfg: DictConfig) -> "ImageData":
    """The data that a checkpoint was trained on, made anew; what `cfg.data` gives takes the place of its own.

    That may be an option of the reader too, such as another table of labels.
    """
    from rnnvision.data import ImageData

    given = {k: v for k, v in plain(cfg.data).items() if v is not None}
    if kept := [key for key in OF_TRAINING if key in given]:
        raise UsageError(f"data.{kept[0]}: is that of the training, which the checkpoint says; leave it out")
    known = _described(classifier)
    legal = {*annotations_of(ImageData), *annotations_of(known.read)}
    unknown = dict.fromkeys({*map(str, cfg.data)} - legal)  # null is no reason to pass over one
    check_arguments("data", given | unknown, ImageData, known.read)
    with arguments_of("data"):
        data = ImageData.of_checkpoint(classifier.description, parts=(cfg.split,), **given)
        data.tested_split = cfg.split
        data.setup()
    if data.class_names != classifier.class_names:
        raise FailureError(f"{data.known.origin}: its classes are not those that {classifier.path} was trained on")
    if data.input_shape != classifier.input_shape:
        found, read = (" x ".join(map(str, shape)) for shape in (data.input_shape, classifier.input_shape))
        raise UsageError(f"data: gives images of {found}, and the network reads {read}")
    return data


def _described(classifier: "Classifier") -> "Dataset":
    """The data set that a checkpoint was trained on, whose description of it is checked as a configuration is.

    Raises:
        UsageError: for data that is not known here, or options that it does not have.
    """
    from rnnvision.data import CATALOG, ImageData

    told = classifier.description.get("data", {})
    if told.get("name") not in CATALOG:
        raise UsageError(f"{classifier.path}: was trained on data called {told.get('name')}, which is not known here")
    known = CATALOG[told["name"]]
    for key in told:
        if key not in DESCRIBED and key not in annotations_of(known.read):
            raise UsageError(f"{classifier.path}: its description of the data has {key}, which no training writes")
    check_arguments("data", told, ImageData, known.read)
    return known


if __name__ == "__main__":
    main()
