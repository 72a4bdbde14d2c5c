"""Learner: training and evaluation of a network."""

import math
from collections.abc import Callable, Sequence
from typing import Any, cast

import lightning as L
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torchmetrics import MeanMetric, Metric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from rnnvision.checks import one_of, probability, seed_number
from rnnvision.nn.anytime import forward_with_settled
from rnnvision.nn.parts import hold_frozen
from rnnvision.seeding import derive_seed
from rnnvision.training.checkpoint import FORMAT, require_same_network, require_same_training, require_same_weights
from rnnvision.training.failures import TrainingError, diverged, ran_out, require_finite_state
from rnnvision.training.guard import Guard
from rnnvision.training.losses import check_anytime, num_correct, training_loss
from rnnvision.training.optim import clip_gradients, constraining, learning_rate, regrouped
from rnnvision.training.saving.paths import stay_in_own_folders
from rnnvision.training.scores import EpochSums, Scores
from rnnvision.training.temperature import Calibration

Batch = tuple[Tensor, Tensor]  # images (B, C, H, W), labels (B,), or (B, K) probabilities where images are mixed

OBJECTIVES = ("classify", "reconstruct")


class Learner(L.LightningModule):
    """Train a classifier with cross-entropy; evaluate it on validation after each epoch and on test in detail.

    Or train a network to reconstruct its input images (`objective="reconstruct"`): its loss is the mean squared error
    over the normalised pixels, as they are served. Labels are ignored then, and nothing but the loss is measured.

    Logs train/loss, train/accuracy, val/loss, val/accuracy and lr once an epoch, and on test what `Scores` measures as
    test/accuracy and so on. Rates lie in [0, 1].

    Attributes:
        sums: of the epoch of training that runs, in this process.
        scores: of the last test; its `temperature` is to be set before a test, its `answers` remain after it.
        calibration: where there is one, validation adds each batch to it.

    Args:
        network: (B, C, H, W) -> (B, num_classes) logits, or -> (B, C, H, W) where images are reconstructed.
        num_classes: number of classes.
        optimizer: makes the optimiser of a network; None where nothing is trained.
        scheduler: makes Lightning's scheduler dictionary of an optimiser.
        label_smoothing: of the training loss (arXiv 1512.00567).
        class_weight: num_classes numbers, with which the training loss of each image is multiplied by its class; the
            loss is the mean of these products, whatever classes a batch holds. train/loss is this weighted one; what
            is measured on validation and test is not weighted.
        anytime: share of the training loss that is of the answers after each token, see `check_anytime`.
        seed: dropout of an epoch is a function of (seed, epoch, rank), so that a resumed run repeats it.
        objective: classify or reconstruct.
        description: plain values that go into each checkpoint, see `rnnvision.training.checkpoint`.
    """

    class_weight: Tensor | None

    def __init__(
        self,
        network: nn.Module,
        *,
        num_classes: int,
        optimizer: Callable[[nn.Module], Optimizer] | None = None,
        scheduler: Callable[[Optimizer], dict[str, Any]] | None = None,
        label_smoothing: float = 0.0,
        class_weight: Sequence[float] | None = None,
        anytime: float = 0.0,
        seed: int = 0,
        objective: str = "classify",
        description: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        probability("label_smoothing", label_smoothing)
        seed_number("seed", seed)
        one_of("objective", objective, OBJECTIVES)
        check_anytime(network, anytime=anytime)
        self.network = network
        self.classifies = objective == "classify"
        self.label_smoothing = label_smoothing
        self.anytime = anytime
        weight = None if class_weight is None else torch.tensor(class_weight, dtype=torch.float32)
        if weight is not None and weight.shape != (num_classes,):
            raise ValueError(f"class_weight={class_weight}: must be {num_classes} numbers, one a class")
        self.register_buffer("class_weight", weight, persistent=False)  # a checkpoint needs none
        self.seed = seed
        self.description = description or {}
        self.samples_seen = 0  # in training, by all processes, since this object was made
        self.sums = EpochSums()  # of this process in the epoch that runs
        self.calibration: Calibration | None = None
        self._settled: list[Tensor | None] = []  # of the batch that is tested, by parts
        self._part: int | None = None  # images at a time in validation and test, where a whole batch did not fit
        # The optimiser step of the last validation, and its figures.
        self._validated: tuple[int, dict[str, float]] = (-1, {})
        self._validated_this_epoch = False
        self._guard = Guard()
        self._infinite: frozenset[str] = frozenset()  # buffers that are so from the start, such as masks
        self._make_optimizer = optimizer
        self._make_scheduler = scheduler

        seen: dict[str, Metric | MetricCollection] = {}
        if self.classifies:
            seen["accuracy"] = MulticlassAccuracy(num_classes, average="micro")
        seen["loss"] = MeanMetric(nan_strategy=math.nan)  # as in Scores
        self.val_metrics = MetricCollection(seen, prefix="val/", compute_groups=False)
        self.scores = Scores(num_classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images)

    # One step for every stage, what each stage accumulates, and the metrics of an epoch.

    def _step(
        self, batch: Batch, *, learns: bool = False, read: Callable[[Tensor], Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """The loss of a batch and the output; of validation and test the plain cross-entropy.

        `read` gives the output in place of the network.
        """
        images, labels = batch
        every: Tensor | None = None  # (B, T, K), the logits after each token
        if learns and self.anytime:
            output, every = cast(Any, self.network).forward_with_anytime(images)
        else:
            output = (read or self.network)(images)
        output = output.float()  # a loss in half precision loses digits
        if not self.classifies:
            return mse_loss(output, images.float()), output
        if not learns:
            return cross_entropy(output, labels), output
        options = self.class_weight, self.label_smoothing
        loss = training_loss(output, labels, *options)
        if every is not None:
            each = labels.repeat_interleave(every.shape[1], 0)
            after_each = training_loss(every.flatten(0, 1).float(), each, *options)
            loss = (1 - self.anytime) * loss + self.anytime * after_each
        return loss, output

    def on_fit_start(self) -> None:
        self._infinite = frozenset(name for name, held in self.named_buffers() if not bool(held.isfinite().all()))

    def on_train_epoch_start(self) -> None:
        torch.manual_seed(derive_seed("epoch", self.seed, self.current_epoch, self.global_rank))
        self.sums = EpochSums(self.device)
        hold_frozen(self.network)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss, output = self._step(batch, learns=True)
        with torch.no_grad():
            correct = num_correct(output, batch[1]) if self.classifies else torch.zeros_like(loss)
            self.sums.add(loss.detach(), correct, len(output))
        self._guard.add(batch_idx, loss.detach())
        return loss

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: int | float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        alone, counts = self.trainer.world_size == 1, lambda: (self.trainer.global_step, self.current_epoch)
        self._guard.look(self.network, optimizer, counts, alone=alone, scaler=scaler)
        if gradient_clip_val and scaler is None:
            # Lightning would not clip for a fused optimiser in bf16, as if a loss scaler were at work there too.
            clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
        else:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def on_train_epoch_end(self) -> None:
        self._guard.settle()
        loss, correct, count = self.trainer.strategy.reduce(self.sums.all(), reduce_op="sum").tolist()
        self.samples_seen += int(count)
        if count and not math.isfinite(loss):
            raise diverged("training loss", loss / count, self.trainer)
        scheduler = self.lr_schedulers()
        if isinstance(scheduler, ReduceLROnPlateau) and self._validated_this_epoch:  # one without is no bad epoch
            scheduler.step(self._validated[1]["val/loss"])
        self._validated_this_epoch = False
        if count:
            accuracy = {"train/accuracy": correct / count} if self.classifies else {}
            lr = learning_rate(cast(Optimizer, self.optimizers(use_pl_optimizer=False)))
            self.log_dict({"train/loss": loss / count, **accuracy, "lr": lr}, sync_dist=True)

    def _step_in_parts(self, batch: Batch, read: Callable[[Tensor], Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """A step of validation or test, in parts of half the size each time that memory runs out.

        Raises:
            TrainingError: if it runs out with a single image.
        """
        images, labels = batch
        while True:
            size = min(self._part or len(images), len(images))
            self._settled.clear()
            try:
                found = [
                    self._step(part, read=read) for part in zip(images.split(size), labels.split(size), strict=True)
                ]
                break
            except (MemoryError, RuntimeError) as error:
                if not ran_out(error):
                    raise
            if size == 1:
                raise TrainingError("the memory of the device is too small for a single image")
            self._part = size // 2
            if self.trainer.is_global_zero:
                print(f"memory    {size} images at a time are too many; validation and test go on with {self._part}")
        if len(found) == 1:
            return found[0]
        losses = torch.stack([loss for loss, _ in found])
        shares = losses.new_tensor([len(output) / len(images) for _, output in found])
        return (losses * shares).sum(), torch.cat([output for _, output in found])

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        loss, output = self._step_in_parts(batch)
        if self.classifies:
            self.val_metrics["accuracy"].update(output, batch[1])
            if self.calibration is not None:
                size = self._part or len(output)  # more did not fit
                for part in zip(batch[0].split(size), output.split(size), batch[1].split(size), strict=True):
                    self.calibration.add(self.network, *part)
        self.val_metrics["loss"].update(loss, len(output))

    def on_validation_epoch_end(self) -> None:
        self._guard.settle()
        figures = self.val_metrics.compute()
        self.log_dict(figures, sync_dist=True)
        self.val_metrics.reset()
        if not self.trainer.sanity_checking:
            found = {name: float(value) for name, value in figures.items()}
            # Before a checkpoint of such weights takes the place of a good one.
            if not math.isfinite(found["val/loss"]):
                trained, _ = self.sums.means()
                if self.sums.count and not math.isfinite(trained):
                    raise diverged("training loss", trained, self.trainer)
                raise diverged("val/loss", found["val/loss"], self.trainer)
            self._validated = (self.trainer.global_step, found)
            self._validated_this_epoch = True

    def on_test_epoch_start(self) -> None:
        self.scores.reset()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        loss, logits = self._step_in_parts(batch, self._read)
        settled = [part for part in self._settled if part is not None]
        self.scores.update(loss, logits, batch[1], torch.cat(settled) if settled else None)

    def _read(self, images: Tensor) -> Tensor:
        logits, settled = forward_with_settled(self.network, images)
        self._settled.append(settled)
        return logits

    def on_test_epoch_end(self) -> None:
        self.log_dict({f"test/{name}": value for name, value in self.scores.compute().items()})

    def configure_optimizers(self) -> Any:
        assert self._make_optimizer is not None, "a Learner that trains needs an optimizer"
        optimizer = constraining(self._make_optimizer(self.network), self.network)
        if self._make_scheduler is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": self._make_scheduler(optimizer)}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._guard.settle()
        require_finite_state(checkpoint, self._infinite, self.trainer)
        figures = {"validation": self.validation} if self.validation else {}
        checkpoint["rnnvision"] = {"format": FORMAT, **self.description, **figures}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse to resume from the checkpoint of another network, and bring one of an earlier version up to date."""
        require_same_network(checkpoint, self.description)
        require_same_weights(checkpoint, self.state_dict())
        if self._trainer is not None:
            stay_in_own_folders(checkpoint, self._trainer)
        for i, state in enumerate(checkpoint.get("optimizer_states", [])):
            checkpoint["optimizer_states"][i] = regrouped(state, self.network)
        if self._make_optimizer is not None:
            require_same_training(checkpoint, self.configure_optimizers())

    @property
    def validation(self) -> dict[str, float]:
        """val/loss and val/accuracy of the weights as they are now; empty where they have not been validated."""
        step, figures = self._validated
        return figures if step == self.trainer.global_step else {}

    @property
    def has_trained(self) -> bool:
        """Whether a training step was taken since this object was made."""
        return self.samples_seen + self.sums.count > 0
