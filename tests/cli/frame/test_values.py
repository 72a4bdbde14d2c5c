"""Values that are refused before PyTorch is imported: their types and checks, read from the source of constructors."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from lightning import Trainer

from rnnvision.cli.frame.arguments import _describe, annotations_of
from rnnvision.cli.frame.command_line.files import config_dir
from rnnvision.cli.frame.early.calls import annotations
from rnnvision.cli.frame.early.source import find
from rnnvision.cli.frame.early.values import check_values
from rnnvision.data import Augmentation, ImageData
from rnnvision.nn import MODELS, RECURRENCES
from rnnvision.training import OPTIMIZERS, SCHEDULES, Learner, make_optimizer
from tests.cli.running import Verb

ROOT = Path(__file__).parents[3]
GROUPS = ("model", "data", "optimizer", "scheduler", "augmentation", "trainer", "device", "experiment")
WRONG = [  # of each kind: a type, a range, a name
    *("model.hidden_size=abc", "model.hidden_size=0", "model.dropout=1.5", "model.scan=rosw", "model.recurrence=lstn"),
    *("model=renet model.head_size=-1", "model=cnn model.channels=0", "model=sequencer model.variant=z"),
    *("model=vil model.drop_path=2", "model=linear_svm model.cost=0", "model.readout=lats"),
    *("model.layer.gate_bias=forgte", "model=lru model.layer.r_min=abc", "model=s5 model.layer.state_size=0"),
    *("data.batch_size=0", "data.batch_size=x", "data.val_fraction=2", "data.sampler=balance", "data.mean=[7]"),
    *("data=image_folder data.image_size=0", "data=image_folder data.fit=corp", "data=fake data.noise=x"),
    *("optimizer.lr=-1", "optimizer.lr=x", "optimizer.weight_decay=-1", "optimizer.betas=[2,0.9]"),
    *("optimizer=sgd optimizer.momentum=x", "scheduler.warmup=2", "scheduler.warmup=x"),
    *("scheduler=plateau scheduler.patience=x", "trainer.max_epochs=0", "trainer.max_epochs=x"),
    *("trainer.limit_train_batches=-1", "trainer.precision=33", "trainer.accelerator=gup", "trainer.devices=1.5"),
    *("+trainer.val_check_interval=7.5", "device=gpu trainer.strategy=dp"),
    *("augmentation.mixup=-1", "augmentation.padding=zero", "augmentation.shift=x"),
    *("seed=x", "loss.anytime=2", "loss.anytime=x", "loss.class_weight=balance", "label_smoothing=1"),
]
SEVERAL = """
import sys
from tests.cli.running import exit_code_of
for words in sys.argv[1:]:
    code = exit_code_of("train", *words.split(), "hydra.run.dir=run")
    print(words, code, *(name for name in ("torch", "lightning") if name in sys.modules))
"""


def entries(place: str, table: dict[str, Any]) -> list[tuple[Any, Any]]:
    return [(find(place)[name], made) for name, made in table.items() if made.__module__.startswith(("rnn", "torch"))]


@pytest.mark.parametrize(
    ("read", "made"),
    [
        *entries("rnnvision.nn:MODELS", MODELS),
        *entries("rnnvision.nn.layers.layer:RECURRENCES", RECURRENCES),
        *entries("rnnvision.training.optim:OPTIMIZERS", OPTIMIZERS),
        *entries("rnnvision.training.optim:SCHEDULES", SCHEDULES),
        (find("rnnvision.training.optim:make_optimizer"), make_optimizer),
        (find("rnnvision.training.learner:Learner"), Learner),
        (find("rnnvision.data.datamodule:ImageData"), ImageData),
        (find("rnnvision.data.augment:Augmentation"), Augmentation),
        (find("lightning.pytorch.trainer.trainer:Trainer"), Trainer),
    ],
    ids=lambda made: getattr(made, "__name__", ""),
)
def test_the_types_in_the_source_are_those_of_what_is_imported(read: Any, made: Callable[..., Any]) -> None:
    real = {key: _describe(kind) for key, kind in annotations_of(made).items()}
    found = {key: _describe(kind) for key, kind in annotations(read).items() if key in real}
    unknown = {key for key, kind in found.items() if kind == "Any"}
    assert set(found) == set(real)
    assert {key: kind for key, kind in found.items() if key not in unknown} == {
        key: kind for key, kind in real.items() if key not in unknown
    }
    assert len(unknown) <= 4  # objects of torch and Lightning, that no configuration holds


@pytest.mark.parametrize("group", GROUPS)
def test_every_option_of_this_project_is_accepted(group: str, tmp_path: Path) -> None:
    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        for file in sorted((config_dir() / group).glob("[!_]*.yaml")):
            config = compose("train", overrides=[f"{group}={file.stem}"])
            config.data.root = str(tmp_path)
            check_values(config, map(str, config))


def test_a_wrong_value_of_any_kind_is_refused_before_pytorch_is_imported() -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", SEVERAL, *WRONG], capture_output=True, text=True, env=environment)
    assert done.stdout.splitlines() == [f"{words} 2" for words in WRONG]
    assert len(done.stderr.splitlines()) == len(WRONG), done.stderr
    assert not list(Path.cwd().iterdir())


@pytest.mark.parametrize("words", WRONG)
def test_it_is_refused_as_the_constructor_does(words: str, verb: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    early = verb("train", *words.split())
    monkeypatch.setattr("rnnvision.cli.frame.start.check_values", lambda *_: None)
    later = verb("train", *words.split())
    assert (early.code, later.code) == (2, 2)
    assert early.message == later.message


def test_a_value_that_others_take_is_told_by_its_own_key(verb: Verb) -> None:
    Path("own/experiment").mkdir(parents=True)
    Path("own/experiment/mine.yaml").write_text("# @package _global_\nseed: ${now:%Y}\n")
    result = verb("train", "--config-dir", "own", "experiment=mine")
    assert (result.code, ": seed=20" in result.message) == (2, True), result.message
