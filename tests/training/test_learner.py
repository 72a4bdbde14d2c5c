"""The Learner in real trainings: what it measures, against independent figures, and that a resumed run repeats."""

from collections.abc import Callable
from itertools import pairwise, product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging
from sklearn.metrics import accuracy_score, f1_score, log_loss, top_k_accuracy_score
from torch import Tensor, nn

from rnnvision.data import Augmentation, ImageData, Split
from rnnvision.data.augment import BatchTransform
from rnnvision.data.loader import EpochOrder
from rnnvision.data.resident import ResidentLoader
from rnnvision.training import Learner, TrainingError, load_body, load_network, read_checkpoint
from tests.training.cases import (
    OPTIMIZERS,
    checkpoint_of,
    last,
    make_data,
    make_learner,
    make_network,
    make_trainer,
    same,
    sampled,
)

pytestmark = [
    # Lightning's own check of nested batches uses a function that torch has deprecated.
    pytest.mark.filterwarnings("ignore:`isinstance\\(treespec, LeafSpec\\)` is deprecated:FutureWarning"),
    # It says so of every resumed run.
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty:UserWarning"),
]


@torch.no_grad()
def answers(network: nn.Module, split: Split, data: ImageData) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (N, classes) and labels (N,) of a split, in float64, read in one batch."""
    norm = data.normalisation
    transform = BatchTransform(tuple(norm["mean"]), tuple(norm["std"]))
    images, labels = next(iter(ResidentLoader(split, len(split), transform)))
    probabilities = network.eval().double()(images.double()).softmax(dim=-1)
    network.float()
    return probabilities.numpy(), labels.numpy()


def make_artist(data: ImageData, **arguments: Any) -> Learner:
    """A learner that draws, and looks at no label."""
    learner = make_learner(data, objective="reconstruct", **arguments)
    learner.network.use_reconstruction_head()
    return learner


@torch.no_grad()
def drawing_error(network: nn.Module, split: Split, data: ImageData) -> float:
    mean, std = (torch.tensor(data.normalisation[key]).reshape(1, -1, 1, 1) for key in ("mean", "std"))
    pictures = (split.images / 255 - mean) / std
    return float((network.eval()(pictures) - pictures).square().mean())


def fitted(folder: Path, data: ImageData, learner: Learner, **arguments: Any) -> dict[str, float]:
    trainer = make_trainer(folder, **arguments)
    trainer.fit(learner, datamodule=data)
    return {name: float(value) for name, value in trainer.callback_metrics.items()}


# Measures -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_figures_of_an_epoch_that_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, smoothing: float
) -> None:
    monkeypatch.setitem(OPTIMIZERS, "still", {"name": "sgd", "lr": 0.0})
    data = make_data(batch_size=11, eval_batch_size=7)  # of 42 and 18 samples: the last batches are smaller
    learner = make_learner(data, network={"dropout": 0.0}, optimizer="still", label_smoothing=smoothing)
    found = fitted(tmp_path, data, learner)
    for stage, split, share in (("train", data.splits.train, smoothing), ("val", data.val_split, 0.0)):
        probabilities, labels = answers(learner.network, split, data)
        right = log_loss(labels, probabilities, labels=range(4))
        smoothed = (1 - share) * right - share * np.log(probabilities).mean()  # arXiv 1512.00567
        assert found[f"{stage}/loss"] == pytest.approx(smoothed, rel=1e-5)
        assert found[f"{stage}/accuracy"] == pytest.approx(accuracy_score(labels, probabilities.argmax(axis=1)))
    assert found["lr"] == 0.0


def test_the_figures_of_an_epoch_of_drawing_that_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(OPTIMIZERS, "still", {"name": "sgd", "lr": 0.0})
    data = make_data(batch_size=11, eval_batch_size=7)  # of 42 and 18 samples: the last batches are smaller
    learner = make_artist(data, network={"dropout": 0.0}, optimizer="still")
    found = fitted(tmp_path, data, learner)
    for stage, split in (("train", data.splits.train), ("val", data.val_split)):
        assert found[f"{stage}/loss"] == pytest.approx(drawing_error(learner.network, split, data), rel=1e-5)
    assert sorted(found) == ["lr", "train/loss", "val/loss"]


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_figures_of_an_epoch_of_mixed_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, smoothing: float
) -> None:
    monkeypatch.setitem(OPTIMIZERS, "still", {"name": "sgd", "lr": 0.0})
    data = make_data(batch_size=11, augmentation=Augmentation(mixup=0.7, cutmix=0.7))  # the last batch is smaller
    learner = make_learner(data, network={"dropout": 0.0}, optimizer="still", label_smoothing=smoothing)
    found = fitted(tmp_path, data, learner)
    images, labels = (torch.cat(parts).double() for parts in zip(*data.train_dataloader(), strict=True))
    assert labels.shape == (42, 4)
    with torch.no_grad():
        logits = learner.network.eval().double()(images)
    smoothed = (1 - smoothing) * labels + smoothing / 4
    assert found["train/loss"] == pytest.approx(float(-(smoothed * logits.log_softmax(dim=1)).sum(dim=1).mean()), 1e-5)
    right = logits.argmax(dim=1) == labels.argmax(dim=1)
    assert found["train/accuracy"] == pytest.approx(float(right.double().mean()))


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Guo et al. 2017 (arXiv 1706.04599), equation 3, with 15 bins of equal width."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bins = np.clip(np.ceil(confidence * 15).astype(int) - 1, 0, 14)
    gaps = (abs(right[bins == b].mean() - confidence[bins == b].mean()) * (bins == b).sum() for b in set(bins))
    return sum(gaps) / len(labels)


@pytest.mark.parametrize("num_classes", [2, 5, 6, 9])
def test_the_figures_of_the_test(tmp_path: Path, num_classes: int) -> None:
    data = make_data(num_classes, noise=3.0, eval_batch_size=32)  # of 70 samples
    network, _ = make_network(data)
    with torch.no_grad():
        network.head.weight *= 15  # confident of some images, undecided on others
    found = make_trainer(tmp_path).test(Learner(network, num_classes=num_classes), data, verbose=False)[0]
    probabilities, labels = answers(network, data.splits.test, data)
    guesses = probabilities.argmax(axis=1)
    assert len(set(np.ceil(probabilities.max(axis=1) * 15))) > 4  # bins that count
    expected = {
        "test/accuracy": accuracy_score(labels, guesses),
        "test/f1": f1_score(labels, guesses, average="macro"),
        "test/nll": log_loss(labels, probabilities, labels=range(num_classes)),
        "test/ece": expected_calibration_error(probabilities, labels),
        "test/images": len(labels),
    }
    if num_classes > 5:
        expected["test/top5"] = top_k_accuracy_score(labels, probabilities, k=5, labels=range(num_classes))
    assert found == pytest.approx(expected, rel=1e-5)


class Greedy(nn.Module):
    """A network for which memory runs out with more than so many images."""

    def __init__(self, network: nn.Module, most: int) -> None:
        super().__init__()
        self.network, self.most = network, most

    def forward(self, images: Tensor) -> Tensor:
        if len(images) > self.most:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 17500000000 bytes")
        return self.network(images)


@pytest.mark.parametrize("stage", ["test", "validate"])
def test_memory_that_runs_out_halves_the_batch_and_changes_no_figure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], stage: str
) -> None:
    data = make_data(noise=3.0, eval_batch_size=32)
    network, _ = make_network(data)
    whole, greedy = Learner(network, num_classes=4), Learner(Greedy(network, 9), num_classes=4)
    expected = getattr(make_trainer(tmp_path), stage)(whole, datamodule=data, verbose=False)[0]
    found = getattr(make_trainer(tmp_path), stage)(greedy, datamodule=data, verbose=False)[0]
    assert found == pytest.approx(expected, rel=1e-5)
    halved = [line.split()[1] for line in capsys.readouterr().out.splitlines()]
    assert halved == (["32", "16"] if stage == "test" else ["18"])  # of 70 and 18 images; that size is kept


def test_no_more_images_at_a_time_are_calibrated_on_than_fit(tmp_path: Path) -> None:
    data = make_data(eval_batch_size=32)
    learner = Learner(Greedy(make_network(data)[0], 9), num_classes=4)
    sizes: list[int] = []
    learner.calibration = SimpleNamespace(add=lambda network, images, *_: sizes.append(len(images)))  # type: ignore[assignment]
    make_trainer(tmp_path).validate(learner, data, verbose=False)
    assert (sum(sizes), max(sizes)) == (len(data.val_split), 9)


def test_memory_that_is_too_small_for_an_image_is_told(tmp_path: Path) -> None:
    data = make_data(eval_batch_size=4)
    with pytest.raises(TrainingError, match="too small for a single image"):
        make_trainer(tmp_path).test(Learner(Greedy(make_network(data)[0], 0), num_classes=4), data, verbose=False)


def test_a_defect_is_not_taken_for_a_lack_of_memory(tmp_path: Path) -> None:
    data = make_data()
    with pytest.raises(RuntimeError, match="shape"):
        make_trainer(tmp_path).test(Learner(nn.Linear(3, 4), num_classes=4), data, verbose=False)


def test_a_second_test_does_not_remember_the_first(tmp_path: Path) -> None:
    data = make_data()
    learner = Learner(make_network(data)[0], num_classes=4)
    first = make_trainer(tmp_path).test(learner, data, verbose=False)[0]
    data.tested_split = "val"
    other = make_trainer(tmp_path).test(learner, data, verbose=False)[0]
    assert other != first
    data.tested_split = "test"
    assert make_trainer(tmp_path).test(learner, data, verbose=False)[0] == first


def test_the_rate_that_is_logged_is_that_of_the_schedule(tmp_path: Path) -> None:
    data = make_data()
    learner = make_learner(data, scheduler={"name": "cosine", "warmup": 0.0, "final": 0.1}, total_epochs=2)
    found = fitted(tmp_path, data, learner, max_epochs=2)
    assert found["lr"] == pytest.approx(0.1 * OPTIMIZERS["adamw"]["lr"])


def test_plateau_follows_the_validation_loss_of_every_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OPTIMIZERS, "still", {"name": "sgd", "lr": 0.0})  # a loss that never falls
    data = make_data()
    learner = make_learner(data, optimizer="still", scheduler={"name": "plateau", "patience": 1})
    trainer = make_trainer(tmp_path, max_epochs=4)
    trainer.fit(learner, datamodule=data)
    state = trainer.lr_scheduler_configs[0].scheduler.state_dict()
    assert (state["last_epoch"], state["num_bad_epochs"]) == (4, 1)  # best, bad, bad and lowered, bad
    assert state["best"] == pytest.approx(float(trainer.callback_metrics["val/loss"]))


@pytest.mark.parametrize(
    ("options", "looked"),
    [({"check_val_every_n_epoch": 2}, 3), ({"val_check_interval": 0.5}, 6), ({"limit_val_batches": 0}, 0)],
    ids=["every second epoch", "within epochs", "never"],
)
def test_plateau_looks_at_a_validation_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], looked: int
) -> None:
    monkeypatch.setitem(OPTIMIZERS, "still", {"name": "sgd", "lr": 0.0})
    data = make_data()
    learner = make_learner(data, optimizer="still", scheduler={"name": "plateau", "patience": 9})
    trainer = make_trainer(tmp_path, max_epochs=6, **options)
    trainer.fit(learner, datamodule=data)
    state = trainer.lr_scheduler_configs[0].scheduler.state_dict()
    assert (state["last_epoch"], state["num_bad_epochs"]) == (looked, max(0, looked - 1))


def test_drawing_learns_what_can_be_learned(tmp_path: Path) -> None:
    data = make_data(num_train=400, noise=0.1)
    learner = make_artist(data, network={"hidden_size": 32, "dropout": 0.0})
    before = drawing_error(learner.network, data.val_split, data)
    learner.network.train()
    found = fitted(tmp_path, data, learner, max_epochs=12)
    assert found["val/loss"] < 0.3 * before


def test_drawing_looks_at_no_label_and_learns_from_the_training_images_alone(tmp_path: Path) -> None:
    def drawn(name: str, change: Callable[[ImageData], None]) -> dict[str, Tensor]:
        data = make_data()
        change(data)
        learner = make_artist(data)
        fitted(tmp_path / name, data, learner, max_epochs=2)
        return dict(learner.network.state_dict())

    def relabel(data: ImageData) -> None:
        data.splits.train.labels.copy_(data.splits.train.labels.flip(0))

    def repaint(data: ImageData) -> None:
        for split in (data.val_split, data.splits.test):
            split.images.copy_(255 - split.images)

    def darken(data: ImageData) -> None:
        data.splits.train.images.div_(2, rounding_mode="floor")

    as_it_is = drawn("as it is", lambda data: None)
    assert same(drawn("relabelled", relabel), as_it_is)
    assert same(drawn("repainted", repaint), as_it_is)
    assert not same(drawn("darker", darken), as_it_is)


def test_a_checkpoint_of_a_drawing_network_draws_again(tmp_path: Path) -> None:
    data = make_data()
    learner = make_artist(data)
    learner.description["objective"] = "reconstruct"
    fitted(tmp_path, data, learner, callbacks=[last(tmp_path)])
    network = load_network(read_checkpoint(checkpoint_of(tmp_path)))
    pictures = torch.randn(3, 1, 4, 4)
    assert network(pictures).shape == pictures.shape
    assert torch.equal(network(pictures), learner.network.eval()(pictures))


def test_all_but_the_head_goes_over_to_another_network() -> None:
    data = make_data()
    one, other = make_artist(data).network, make_network(data, recurrence="lstm")[0]
    for parameter in one.parameters():
        nn.init.uniform_(parameter)
    head = [p.clone() for p in other.head.parameters()]
    load_body(other, one.state_dict())
    assert same(list(other.head.parameters()), head)
    body = {name: weight for name, weight in other.state_dict().items() if not name.startswith("head.")}
    assert same(body, {name: one.state_dict()[name] for name in body})
    with pytest.raises(RuntimeError, match="size mismatch"):
        load_body(make_network(data, hidden_size=7)[0], one.state_dict())


def test_training_learns_what_can_be_learned(tmp_path: Path) -> None:
    data = make_data(num_train=400, noise=0.25)
    found = fitted(tmp_path, data, make_learner(data, network={"hidden_size": 16}), max_epochs=8)
    assert found["val/accuracy"] > 0.9
    assert found["train/loss"] < 1.0


def test_an_unknown_objective_is_told() -> None:
    with pytest.raises(ValueError, match=r"^objective=reconstuct: .*; did you mean reconstruct\?"):
        Learner(nn.Identity(), num_classes=2, objective="reconstuct")


@pytest.mark.parametrize("value", [-0.1, 1.0, float("nan")])
def test_a_smoothing_out_of_range_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=f"^label_smoothing={value}: must"):
        Learner(nn.Identity(), num_classes=2, label_smoothing=value)


# Divergence -----------------------------------------------------------------------------------------------------------


class PartlyBroken(nn.Module):
    """Gives NaN for images that are bright in the first corner."""

    def forward(self, images: Tensor) -> Tensor:
        logits = images.flatten(1)[:, :4]
        return logits.masked_fill(logits[:, :1] > 0.5, float("nan"))


# torchmetrics says that it leaves NaN out; the test asks that it does not.
@pytest.mark.filterwarnings("ignore:Encountered `nan` values in tensor:UserWarning")
def test_a_network_that_gives_nan_for_some_images_gets_no_score_from_the_others(tmp_path: Path) -> None:
    data = make_data(eval_batch_size=1)
    found = make_trainer(tmp_path).test(Learner(PartlyBroken(), num_classes=4), data, verbose=False)[0]
    assert np.isnan(found["test/nll"])


# Frozen parts ---------------------------------------------------------------------------------------------------------


def test_a_frozen_part_keeps_its_weights_and_statistics_and_all_else_is_trained(tmp_path: Path) -> None:
    """With validations within an epoch, which put the network into evaluation mode and back."""
    data = make_data()
    learner = make_learner(data, network=CNN, freeze=["layer_0"])
    before = {name: value.clone() for name, value in learner.network.state_dict().items()}
    make_trainer(tmp_path, max_epochs=2, val_check_interval=1).fit(learner, datamodule=data)
    frozen = {f"layers.{place}" for place in (0, 1)}  # the first convolution and its normalisation
    for name, value in learner.network.state_dict().items():
        assert torch.equal(value, before[name]) == (name.rpartition(".")[0] in frozen), name
    optimizer = learner.optimizers(use_pl_optimizer=False)
    assert isinstance(optimizer, torch.optim.Optimizer)
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in learner.network.parameters() if p.requires_grad)


# Repetition -----------------------------------------------------------------------------------------------------------


class SeenLabels(Callback):
    """The labels of every training batch, by epoch."""

    def __init__(self) -> None:
        self.epochs: dict[int, list[float]] = {}

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        labels = batch[1] if batch[1].ndim == 1 else batch[1].flatten()
        self.epochs.setdefault(trainer.current_epoch, []).extend(labels.tolist())


def run(folder: Path, max_epochs: int, *, seed: int = 0, **arguments: Any) -> tuple[dict[str, Any], SeenLabels]:
    """Train up to so many epochs of four, from the checkpoint that is there; returns the new one and what was seen."""
    callbacks = [SeenLabels(), last(folder), *([EMAWeightAveraging(decay=0.8)] if arguments.pop("ema", False) else [])]
    accumulate = arguments.pop("accumulate", 1)
    data = make_data(seed=seed, **arguments.pop("data", {}))
    trainer = make_trainer(folder, max_epochs=max_epochs, callbacks=callbacks, accumulate_grad_batches=accumulate)
    found = checkpoint_of(folder)
    torch.manual_seed(max_epochs)  # as if other work had drawn numbers
    make = make_artist if arguments.pop("objective", "classify") == "reconstruct" else make_learner
    learner = make(data, seed=seed, **arguments)
    trainer.fit(learner, datamodule=data, ckpt_path=found if found.is_file() else None)
    return read_checkpoint(found), callbacks[0]


CNN = {"name": "cnn", "channels": 4, "num_stages": 1, "head_dropout": 0.3}  # with batch norm
KINDS: dict[str, dict[str, Any]] = {
    "constant": {},
    "cosine": {"scheduler": {"name": "cosine"}},
    "plateau": {"optimizer": "wild", "scheduler": {"name": "plateau", "patience": 0, "factor": 0.1}},
    "sgd": {"optimizer": "sgd", "scheduler": {"name": "one_cycle"}},
    "ema": {"scheduler": {"name": "cosine"}, "ema": True},
    "accumulated": {"accumulate": 2},
    "drawing": {"objective": "reconstruct", "scheduler": {"name": "one_cycle"}},
    "augmented": {"data": {"augmentation": Augmentation(shift=1, rotate=9.0, flip=0.5, erase=0.3, mixup=0.5)}},
    "streamed": {"data": {"augmentation": Augmentation(crop=0.4, policy="randaugment", cutmix=1.0), "num_workers": 1}},
    "frozen": {"network": CNN, "freeze": ["layer_0"], "optimizer": "by_part", "ema": True},
    "tied": {"network": {"dropout": 0.4, "tied_dropout": True, "head_dropout": 0.2}},
}
COMPARED = ["epoch", "global_step", "state_dict", "optimizer_states", "lr_schedulers"]


STOPS = {"2, 4": (2, 4), "1, 3, 4": (1, 3, 4), "1, 2, 3, 4": (1, 2, 3, 4)}
STOPPED = [*product(KINDS, STOPS)]
CHOSEN = [*((kind, "1, 3, 4") for kind in KINDS), ("cosine", "2, 4"), ("ema", "1, 2, 3, 4")]


@pytest.mark.parametrize("case", sampled(STOPPED, CHOSEN), ids=": ".join)
def test_a_resumed_run_repeats_the_uninterrupted_one_to_the_last_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: tuple[str, str]
) -> None:
    kind, stops = case[0], STOPS[case[1]]
    monkeypatch.setitem(OPTIMIZERS, "wild", {"name": "adamw", "lr": 0.3})  # the loss rises, so that plateau acts
    monkeypatch.setitem(OPTIMIZERS, "by_part", {"name": "adamw", "lr": 3e-3, "lr_factors": {"layer_1": 0.1}})
    whole, seen = run(tmp_path / "whole", 4, **KINDS[kind])
    parts: dict[int, list[float]] = {}
    for begin, end in pairwise((0, *stops)):
        resumed, seen_now = run(tmp_path / "parts", end, **KINDS[kind])
        assert sorted(seen_now.epochs) == list(range(begin, end))
        parts |= seen_now.epochs
    assert parts == seen.epochs
    compared = [*COMPARED, *(["current_model_state", "averaging_state"] if kind == "ema" else [])]
    assert [entry for entry in compared if not same(whole[entry], resumed[entry])] == []


def test_streaming_and_its_workers_change_no_weight(tmp_path: Path) -> None:
    def weights(name: str, **data: Any) -> dict[str, Tensor]:
        return run(tmp_path / name, 2, data={"augmentation": Augmentation(shift=1, mixup=0.5), **data})[0]["state_dict"]

    resident = weights("resident", format="resident")
    for workers in (0, 2):
        assert same(weights(str(workers), format="streaming", num_workers=workers), resident)


def test_a_run_depends_on_its_seed(tmp_path: Path) -> None:
    one, other = (run(tmp_path / str(seed), 1, seed=seed)[0]["state_dict"] for seed in (0, 1))
    again = run(tmp_path / "again", 1)[0]["state_dict"]
    assert same(one, again)
    assert not same(one, other)


def test_dropout_differs_between_seeds_epochs_and_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = set()
    for seed, epoch, rank in product((0, 1), (0, 1, 2), (0, 1)):
        monkeypatch.setattr(Learner, "current_epoch", epoch)
        monkeypatch.setattr(Learner, "global_rank", rank)
        Learner(nn.Identity(), num_classes=2, seed=seed).on_train_epoch_start()
        draws.add(float(torch.rand((), dtype=torch.float64)))
    assert len(draws) == 12


def test_each_epoch_has_the_order_of_its_number(tmp_path: Path) -> None:
    _, seen = run(tmp_path, 3, seed=5)
    train = make_data().splits.train.labels
    order = EpochOrder(len(train), 5)
    for epoch in range(3):
        order.set_epoch(epoch)
        assert seen.epochs[epoch] == train[order.indices()].tolist()
