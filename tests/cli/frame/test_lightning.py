"""Every argument of Lightning's Trainer, and of each callback and logger on the list: it works, or is refused at once.

The cases below are run, each in a tiny training that shows an effect, or for the message that refuses it. What they
show is the table of docs/lightning.md, which is recorded with

    RNNVISION_RECORD_LIGHTNING=1 python -m pytest -n 0 tests/cli/frame/test_lightning.py
"""

import importlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, EMAWeightAveraging
from omegaconf import DictConfig

from rnnvision.cli.frame import setup
from rnnvision.cli.frame.arguments import ALLOWED_TARGETS, check_target
from rnnvision.cli.frame.setup import make_data
from rnnvision.data import ImageData
from rnnvision.errors import UsageError
from rnnvision.runs import Run
from rnnvision.signature import parameters
from rnnvision.training import Learner, RunLog
from tests.cli.running import Result, Verb

INTRODUCTION = """# Lightning's arguments

Every argument of Lightning's `Trainer`, and of each callback and logger that a configuration can make, works here or is
refused in one line before anything is read. This table is written by `tests/cli/frame/test_lightning.py`, which runs
each of them. `trainer.KEY=VALUE` changes an argument that `conf/trainer` lists, `+trainer.KEY=VALUE` adds one."""
DOCUMENT = Path(__file__).parents[3] / "docs" / "lightning.md"
RECORD = "RNNVISION_RECORD_LIGHTNING"
SMALL = ("data=fake", "data.image_shape=[1,8,8]", "data.num_train=72", "data.num_test=24", "data.val_fraction=0.25")
TINY = (*SMALL, "data.batch_size=16", "data.eval_batch_size=8", "model.hidden_size=4", "device=cpu")
TRAIN, VAL, TEST, EPOCHS = 4, 3, 3, 2  # batches of an epoch; epochs
TEMPERATURE = 1  # validation of the best weights at the end, on which the temperature is fitted


@dataclass
class Seen:
    """What happened in a run."""

    result: Result
    folder: Path
    steps: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {"train": [], "val": [], "test": []})
    trainers: list[L.Trainer] = field(default_factory=list)
    hparams: int = 0
    reads: int = 0  # of data

    @property
    def trainer(self) -> L.Trainer:
        return next(trainer for trainer in self.trainers if trainer.train_dataloader is not None)

    def count(self, stage: str) -> int:
        return len(self.steps[stage])

    def files(self, below: str = "checkpoints") -> set[str]:
        found = {p.name for p in (self.folder / below).rglob("*") if p.is_file()}
        return found - {"previous.ckpt"}  # which stays of each last.ckpt

    def checkpoint(self, name: str = "last") -> dict[str, Any]:
        return torch.load(self.folder / "checkpoints" / f"{name}.ckpt", weights_only=True)


Run_ = Callable[..., Seen]


@pytest.fixture
def ran(verb: Verb, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run_]:
    """Train a tiny network for two epochs and note what the steps see."""
    number = iter(range(9))
    flags = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark

    def run(*words: str) -> Seen:
        seen = Seen(Result(0, "", ""), Path(f"run{next(number)}"))

        def watched(stage: str, step: Callable[..., Any]) -> Callable[..., Any]:
            def call(self: Learner, batch: Any, batch_idx: int) -> Any:
                noted = {
                    "sanity": self.trainer.sanity_checking,
                    "step": self.trainer.global_step,
                    "anomaly": torch.is_anomaly_enabled(),
                    "inference": torch.is_inference_mode_enabled(),
                    "deterministic": torch.are_deterministic_algorithms_enabled(),
                    "benchmark": torch.backends.cudnn.benchmark,
                    "labels": batch[1].tolist(),
                }
                seen.steps[stage].append(noted)
                if self.trainer not in seen.trainers:
                    seen.trainers.append(self.trainer)
                return step(self, batch, batch_idx)

            return call

        def counted(self: RunLog, params: Any, *args: Any, **kwargs: Any) -> None:
            seen.hparams += len([name for name in params if not name.startswith("run.")])

        def reading(cfg: DictConfig, begun_with: dict[str, Any] | None = None) -> ImageData:
            seen.reads += 1
            return make_data(cfg, begun_with)

        with monkeypatch.context() as patch:
            for stage, name in (("train", "training_step"), ("val", "validation_step"), ("test", "test_step")):
                patch.setattr(Learner, name, watched(stage, getattr(Learner, name)))
            patch.setattr(RunLog, "log_hyperparams", counted)
            patch.setattr(setup, "make_data", reading)
            given = (
                [] if any(word.startswith("trainer.max_epochs") for word in words) else [f"trainer.max_epochs={EPOCHS}"]
            )
            seen.result = verb("train", *TINY, *given, f"hydra.run.dir={seen.folder}", *words)
        return seen

    yield run
    torch.use_deterministic_algorithms(flags[0])
    torch.backends.cudnn.benchmark = flags[1]


@dataclass
class Works:
    """Words that give the argument a value, and what is then true and by default is not."""

    words: tuple[str, ...]
    effect: Callable[[Seen], bool]
    note: str = ""


@dataclass
class Differs:
    """Words with which the last weights are others than with `but`."""

    words: tuple[str, ...]
    but: tuple[str, ...] = ()
    note: str = ""


@dataclass
class Refused:
    """A word that is refused before anything is read."""

    words: tuple[str, ...]
    note: str = ""


Case = Works | Differs | Refused


def works(word: str, effect: Callable[[Seen], bool], *more: str, note: str = "") -> Works:
    return Works((*more, word), effect, note)


def refused(word: str, *more: str) -> Refused:
    return Refused((*more, word))


def checkpoint(*arguments: str) -> str:
    """A ModelCheckpoint of one's own: its files lie beside the others."""
    given = ",".join(("dirpath:'${hydra:runtime.output_dir}/checkpoints'", *arguments))
    return f"+callbacks.mine={{_target_:lightning.pytorch.callbacks.ModelCheckpoint,{given}}}"


def rows(seen: Seen) -> list[dict[str, str]]:
    return Run(seen.folder).epochs


def scalars(seen: Seen, folder: str = "tensorboard") -> dict[str, list[float]]:
    """What TensorBoard would draw."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(seen.folder / folder)).Reload()
    return {tag: [event.value for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


STILL = ("optimizer.lr=0", "trainer.max_epochs=6", "callbacks=early_stopping")  # nothing improves after the first epoch
STOP = "callbacks.early_stopping"
MONITOR = "+callbacks.lr={_target_:lightning.pytorch.callbacks.LearningRateMonitor"
BOARD = "logger=tensorboard"

TRAINER: dict[str, Case] = {
    "accelerator": works(
        "trainer.accelerator=cpu", lambda s: s.trainer.strategy.root_device.type == "cpu", "device=auto"
    ),
    "strategy": works("trainer.strategy=ddp", lambda s: type(s.trainer.strategy).__name__ == "DDPStrategy"),
    "devices": works("trainer.devices='1'", lambda s: s.trainer.num_devices == 1, note="several are processes"),
    "num_nodes": refused("+trainer.num_nodes=2"),
    "precision": Differs(("trainer.precision=64-true",)),
    "logger": refused("+trainer.logger=true"),
    "callbacks": refused("+trainer.callbacks=[1]"),
    "fast_dev_run": works(
        "trainer.fast_dev_run=1", lambda s: [s.count(k) for k in s.steps] == [1, 1, 1] and not s.files()
    ),
    "max_epochs": works("trainer.max_epochs=1", lambda s: s.count("train") == TRAIN),
    "min_epochs": works("+trainer.min_epochs=5", lambda s: len(rows(s)) == 5, *STILL, f"{STOP}.patience=1"),
    "max_steps": works("trainer.max_steps=5", lambda s: s.count("train") == 5),
    "min_steps": works("+trainer.min_steps=17", lambda s: len(rows(s)) == 5, *STILL, f"{STOP}.patience=1"),
    "max_time": works("+trainer.max_time={microseconds:1}", lambda s: s.count("train") < 2 * TRAIN),
    "limit_train_batches": works("trainer.limit_train_batches=2", lambda s: s.count("train") == EPOCHS * 2),
    "limit_val_batches": works("trainer.limit_val_batches=2", lambda s: s.count("val") == (EPOCHS + TEMPERATURE) * 2),
    "limit_test_batches": works("trainer.limit_test_batches=2", lambda s: s.count("test") == 2),
    "limit_predict_batches": refused("+trainer.limit_predict_batches=1"),
    "overfit_batches": refused("+trainer.overfit_batches=1"),
    "val_check_interval": works(
        "+trainer.val_check_interval=2", lambda s: s.count("val") == (2 * EPOCHS + TEMPERATURE) * VAL
    ),
    "check_val_every_n_epoch": works(
        "trainer.check_val_every_n_epoch=2", lambda s: s.count("val") == (1 + TEMPERATURE) * VAL
    ),
    "num_sanity_val_steps": works(
        "trainer.num_sanity_val_steps=2", lambda s: sum(v["sanity"] for v in s.steps["val"]) == 2
    ),
    "log_every_n_steps": works(
        "trainer.log_every_n_steps=2",
        lambda s: len(scalars(s)["lr-AdamW/pg1"]) == TRAIN,
        BOARD,
        MONITOR + ",logging_interval:step}",
        note="for a LearningRateMonitor: nothing else is logged within an epoch",
    ),
    "enable_checkpointing": refused("+trainer.enable_checkpointing=false"),
    "enable_progress_bar": works("+trainer.enable_progress_bar=true", lambda s: "Epoch 1/" in s.result.out),
    "enable_model_summary": refused("+trainer.enable_model_summary=true"),
    "accumulate_grad_batches": works(
        "trainer.accumulate_grad_batches=2", lambda s: s.trainer.global_step == EPOCHS * TRAIN // 2
    ),
    "gradient_clip_val": Differs(("trainer.gradient_clip_val=0.01", "optimizer=sgd")),
    "gradient_clip_algorithm": Differs(("+trainer.gradient_clip_algorithm=value", "trainer.gradient_clip_val=0.01")),
    "deterministic": works("trainer.deterministic=true", lambda s: s.steps["train"][0]["deterministic"]),
    "benchmark": works("+trainer.benchmark=true", lambda s: s.steps["train"][0]["benchmark"]),
    "inference_mode": works("+trainer.inference_mode=false", lambda s: not s.steps["test"][0]["inference"]),
    "use_distributed_sampler": refused("+trainer.use_distributed_sampler=false"),
    "profiler": works("trainer.profiler=simple", lambda s: "fit-profile.txt" in s.files("")),
    "detect_anomaly": works("+trainer.detect_anomaly=true", lambda s: s.steps["train"][0]["anomaly"]),
    "barebones": refused("+trainer.barebones=true"),
    "plugins": refused("+trainer.plugins=[1]"),
    "sync_batchnorm": refused("+trainer.sync_batchnorm=true"),
    "reload_dataloaders_every_n_epochs": refused("+trainer.reload_dataloaders_every_n_epochs=1"),
    "default_root_dir": refused("+trainer.default_root_dir=here"),
    "enable_autolog_hparams": works("+trainer.enable_autolog_hparams=false", lambda s: s.hparams == 0),
    "model_registry": refused("+trainer.model_registry=name"),
}
BEST: dict[str, Case] = {
    "dirpath": refused("callbacks.best.dirpath=elsewhere"),
    "filename": refused("+callbacks.best.filename=other"),
    "monitor": works("callbacks.best.monitor=train/loss", lambda s: "best train/loss" in s.result.out),
    "mode": works(
        "callbacks.best.mode=min",
        lambda s: s.checkpoint("best")["epoch"] == 1,
        "callbacks.best.monitor=lr",
        note="refused against the figure: a loss is better when lower, an accuracy when higher",
    ),
    "save_top_k": works("callbacks.best.save_top_k=0", lambda s: s.files() == {"last.ckpt"}),
    "every_n_epochs": works("+callbacks.best.every_n_epochs=3", lambda s: s.files() == {"last.ckpt"}),
    "save_weights_only": works(
        "+callbacks.best.save_weights_only=true", lambda s: "optimizer_states" not in s.checkpoint("best")
    ),
}
CHECKPOINT: dict[str, Case] = {
    "dirpath": works(
        "+callbacks.mine={_target_:lightning.pytorch.callbacks.ModelCheckpoint,dirpath:elsewhere,filename:mine,"
        "every_n_epochs:2}",
        lambda s: Path("elsewhere/mine.ckpt").is_file(),
    ),
    "filename": works(
        checkpoint("filename:mine", "every_n_epochs:2"), lambda s: s.files() == {"best.ckpt", "last.ckpt", "mine.ckpt"}
    ),
    "monitor": works(
        checkpoint("filename:mine", "monitor:val/loss"),
        lambda s: s.checkpoint("mine")["global_step"] == TRAIN * (1 + _lowest(s)),
    ),
    "verbose": refused(checkpoint("verbose:true")),
    "save_last": refused(checkpoint("save_last:true")),
    "save_top_k": works(
        checkpoint("filename:'{epoch}'", "monitor:val/loss", "save_top_k:-1"),
        lambda s: s.files() >= {"epoch=0.ckpt", "epoch=1.ckpt"},
    ),
    "save_on_exception": works(
        checkpoint("filename:mine", "save_on_exception:true", "every_n_epochs:9"),
        lambda s: "became" in s.result.err and "mine.ckpt" in s.files(),
        *("model=mlp", "optimizer.lr=1000", "optimizer.weight_decay=1000", "scheduler=constant"),
    ),
    "save_weights_only": works(
        checkpoint("filename:mine", "every_n_epochs:2", "save_weights_only:true"),
        lambda s: "optimizer_states" not in s.checkpoint("mine"),
    ),
    "mode": works(
        checkpoint("monitor:lr", "mode:min", "filename:mine"),
        lambda s: s.checkpoint("mine")["epoch"] == 1,
        note="refused against the figure: a loss is better when lower, an accuracy when higher",
    ),
    "auto_insert_metric_name": works(
        checkpoint("filename:'{epoch}'", "auto_insert_metric_name:false", "every_n_epochs:2"),
        lambda s: "1.ckpt" in s.files(),
    ),
    "every_n_train_steps": works(
        checkpoint("filename:mine", "every_n_train_steps:3"), lambda s: s.checkpoint("mine")["global_step"] == 6
    ),
    "train_time_interval": refused(checkpoint("train_time_interval:3")),
    "every_n_epochs": works(
        checkpoint("filename:mine", "every_n_epochs:2"), lambda s: s.checkpoint("mine")["epoch"] == 1
    ),
    "save_on_train_epoch_end": works(
        checkpoint("filename:mine", "save_on_train_epoch_end:true", "every_n_epochs:2"),
        lambda s: "mine.ckpt" in s.files(),
        "trainer.limit_val_batches=0",
        "callbacks.best=null",
        note="chosen by the figure where it is null; refused where a figure of validation would be an old one",
    ),
    "enable_version_counter": works(
        checkpoint("filename:mine", "monitor:val/loss", "save_top_k:-1", "enable_version_counter:true"),
        lambda s: s.files() >= {"mine.ckpt", "mine-v1.ckpt"},
    ),
}
EARLY: dict[str, Case] = {
    "monitor": works(
        f"{STOP}.monitor=train/loss",
        lambda s: callback(s, EarlyStopping).monitor == "train/loss",
        "callbacks=early_stopping",
    ),
    "min_delta": works(
        f"+{STOP}.min_delta=9", lambda s: len(rows(s)) == 2, "trainer.max_epochs=4", *STILL[2:], f"{STOP}.patience=1"
    ),
    "patience": works(f"{STOP}.patience=2", lambda s: len(rows(s)) == 3, *STILL),
    "verbose": refused(f"+{STOP}.verbose=true", *STILL),
    "mode": works(
        f"{STOP}.mode=max",
        lambda s: len(rows(s)) == 2,
        f"{STOP}.monitor=lr",
        f"{STOP}.patience=1",
        *STILL,
        note="refused against the figure: a loss is better when lower, an accuracy when higher",
    ),
    "strict": works(
        f"+{STOP}.strict=false", lambda s: not callback(s, EarlyStopping).strict, *STILL, note="every figure is there"
    ),
    "check_finite": works(f"+{STOP}.check_finite=false", lambda s: not callback(s, EarlyStopping).check_finite, *STILL),
    "stopping_threshold": works(f"+{STOP}.stopping_threshold=9", lambda s: len(rows(s)) == 1, *STILL),
    "divergence_threshold": works(f"+{STOP}.divergence_threshold=1", lambda s: len(rows(s)) == 1, *STILL),
    "check_on_train_epoch_end": works(
        f"+{STOP}.check_on_train_epoch_end=true",
        lambda s: callback(s, EarlyStopping)._check_on_train_epoch_end,
        *STILL,
        note="chosen by the figure where it is null; refused where a figure of validation would be an old one",
    ),
    "log_rank_zero_only": refused(f"+{STOP}.log_rank_zero_only=true", *STILL),
}
EMA = "callbacks=ema"
AVERAGE: dict[str, Case] = {
    "device": works(
        "+callbacks.ema.device=cpu",
        lambda s: callback(s, EMAWeightAveraging)._device == torch.device("cpu"),
        EMA,
        note="or null: where the network is",
    ),
    "use_buffers": works(
        "+callbacks.ema.use_buffers=false", lambda s: not callback(s, EMAWeightAveraging)._use_buffers, EMA
    ),
    "decay": Differs((EMA, "callbacks.ema.decay=0.5"), (EMA,)),
    "update_every_n_steps": Differs((EMA, "+callbacks.ema.update_every_n_steps=2"), (EMA,)),
    "update_starting_at_step": Differs((EMA, "+callbacks.ema.update_starting_at_step=5"), (EMA,)),
    "update_starting_at_epoch": Differs((EMA, "+callbacks.ema.update_starting_at_epoch=1"), (EMA,)),
}
RATES: dict[str, Case] = {
    "logging_interval": works(
        MONITOR + ",logging_interval:epoch}", lambda s: len(scalars(s)["lr-AdamW/pg1"]) == EPOCHS, BOARD
    ),
    "log_momentum": works(MONITOR + ",log_momentum:true}", lambda s: "lr-AdamW/pg1-momentum" in scalars(s), BOARD),
    "log_weight_decay": works(
        MONITOR + ",log_weight_decay:true}", lambda s: "lr-AdamW/pg1-weight_decay" in scalars(s), BOARD
    ),
}
CSV: dict[str, Case] = {
    "save_dir": works("logger.csv.save_dir=elsewhere", lambda s: Path("elsewhere/metrics.csv").is_file()),
    "echo": works("+logger.csv.echo=false", lambda s: "epoch   1" not in s.result.out),
}
BOARD_ARGUMENT = "logger.tensorboard"
TENSORBOARD: dict[str, Case] = {
    "save_dir": works(f"{BOARD_ARGUMENT}.save_dir=elsewhere", lambda s: Path("elsewhere/tensorboard").is_dir(), BOARD),
    "name": works(f"{BOARD_ARGUMENT}.name=mine", lambda s: (s.folder / "mine").is_dir(), BOARD),
    "version": works(f"{BOARD_ARGUMENT}.version=two", lambda s: (s.folder / "tensorboard/two").is_dir(), BOARD),
    "log_graph": refused(f"+{BOARD_ARGUMENT}.log_graph=true", BOARD),
    "default_hp_metric": refused(f"+{BOARD_ARGUMENT}.default_hp_metric=true", BOARD),
    "prefix": works(f"+{BOARD_ARGUMENT}.prefix=mine", lambda s: "mine-val/loss" in scalars(s), BOARD),
    "sub_dir": works(f"+{BOARD_ARGUMENT}.sub_dir=two", lambda s: (s.folder / "tensorboard/two").is_dir(), BOARD),
    "root_dir": refused(f"+{BOARD_ARGUMENT}.root_dir=here", BOARD),
}


def callback(seen: Seen, kind: type) -> Any:
    return next(found for found in seen.trainer.callbacks if isinstance(found, kind))


def _lowest(seen: Seen) -> int:
    losses = [float(row["val/loss"]) for row in rows(seen)]
    return losses.index(min(losses))


CASES: dict[str, dict[str, Case]] = {
    "lightning.Trainer": TRAINER,
    "rnnvision.training.BestCheckpoint": BEST,
    "lightning.pytorch.callbacks.ModelCheckpoint": CHECKPOINT,
    "lightning.pytorch.callbacks.EarlyStopping": EARLY,
    "lightning.pytorch.callbacks.EMAWeightAveraging": AVERAGE,
    "lightning.pytorch.callbacks.LearningRateMonitor": RATES,
    "rnnvision.training.RunLog": CSV,
    "lightning.pytorch.loggers.TensorBoardLogger": TENSORBOARD,
}
PASSED_ON = {  # to packages that these tests do not have: where each argument arrives is looked at, not what it does
    "lightning.pytorch.loggers.WandbLogger",
    "lightning.pytorch.loggers.MLFlowLogger",
}
ALL = [(target, argument) for target, cases in CASES.items() for argument in cases]


def class_of(target: str) -> type:
    module, _, name = target.rpartition(".")
    return getattr(importlib.import_module(module), name)


# Tests ----------------------------------------------------------------------------------------------------------------


def test_no_class_and_no_argument_is_left_out() -> None:
    assert {*CASES, *PASSED_ON} == {"lightning.Trainer", *ALLOWED_TARGETS}
    for target, cases in CASES.items():
        assert set(cases) == set(parameters(class_of(target))), target


@pytest.mark.parametrize(("target", "argument"), ALL, ids=[f"{t.rpartition('.')[2]}.{a}" for t, a in ALL])
def test_it_works_or_is_refused(ran: Run_, target: str, argument: str) -> None:
    case = CASES[target][argument]
    seen = ran(*case.words)
    if isinstance(case, Refused):
        assert seen.result.code == 2, seen.result.err
        assert message(case, seen.result)
        assert not seen.reads
        assert not seen.count("train")
        assert not (seen.folder / "checkpoints").exists() or not seen.files()
        return
    if argument != "save_on_exception":
        assert seen.result.code == 0, seen.result.err
        assert "test accuracy" in seen.result.out
    if isinstance(case, Works):
        assert case.effect(seen)
    else:
        other = ran(*case.but)
        mine, plain = seen.checkpoint()["state_dict"], other.checkpoint()["state_dict"]
        assert any(not torch.equal(mine[name].float(), plain[name].float()) for name in plain)


def message(case: Refused, result: Result) -> str:
    """Why it is refused: what follows the key in the one line that is printed."""
    line = result.message
    assert len(line.splitlines()) == 1, line
    key = case.words[-1].lstrip("+").partition("=")[0]
    assert line.startswith(f"rnnvision train: {key}"), line
    return line.partition(": ")[2].partition(": ")[2]


VALUES = {int: 1, float: 0.5, bool: True, str: "text", dict: {"a": "b"}}


@pytest.mark.parametrize("target", sorted(PASSED_ON))
def test_what_is_passed_on_to_a_package_is_held_to_its_signature(verb: Verb, target: str) -> None:
    key = target.rpartition(".")[2].removesuffix("Logger").lower()
    for argument in parameters(class_of(target)):
        refusals = []
        for value in VALUES.values():
            try:
                check_target("logger.it", {"_target_": target, argument: value})
            except UsageError as error:
                refusals.append(str(error))
        assert (len(refusals) == len(VALUES)) is (argument == "experiment"), argument
        assert all(refusal.startswith(f"logger.it.{argument}=") for refusal in refusals)
    result = verb("train", *TINY, f"logger={key}", f"+logger.{key}.colour=red")
    assert result.code == 2
    assert f"logger.{key}.colour: there is no such key" in result.message


def test_the_table_is_that_of_these_tests(verb: Verb) -> None:
    table = "\n".join(lines(verb))
    if os.environ.get(RECORD) == "1":
        DOCUMENT.write_text(table)
    assert DOCUMENT.read_text() == table, f"if this is meant, record: {RECORD}=1"


def lines(verb: Verb) -> Iterator[str]:
    yield INTRODUCTION
    for target, cases in CASES.items():
        yield from ("", f"## {target}", "", "| argument | | for example | |", "|---|---|---|---|")
        for argument, case in cases.items():
            word = "" if "{" in case.words[-1] and target != "lightning.Trainer" else f"`{case.words[-1]}`"
            status, about = "works", case.note
            if isinstance(case, Refused):
                status, about = "refused", message(case, verb("train", *TINY, *case.words))
            yield f"| `{argument}` | {status} | {word} | {about} |"
    yield ""
    yield "`WandbLogger` and `MLFlowLogger` are of packages that the tests do not have: their arguments are checked"
    yield "against the signatures and passed on. `experiment` is refused: a configuration cannot hold an object."
    yield ""
