"""A NaN or an infinity in a pixel, a loss, a gradient, a weight, a state of the optimiser, or a score.

Found and mended: a gradient that was not finite changed the weights, and in the last step of an epoch got into
last.ckpt; so did a state of the optimiser; predict, watch and a session answered with classes and probabilities of a
network that gives none; an export of such a network passed its check (Python's max leaves a NaN out); a report of it
ended in a traceback.
"""

import json
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

from rnnvision.data.augment import BatchTransform
from rnnvision.training import Learner, read_checkpoint
from rnnvision.training.scores import Scores
from torture.failing import fault
from torture.trainings import forked
from torture.trial import Outcome, ended

TITLE = "a NaN or an infinity somewhere in a training"
BAR = "exit 1, one message, no step changes a weight with it, each checkpoint finite"
COUNT = 300
FOUND = 5

VALUES = (math.nan, math.inf, -math.inf)
EPOCHS, BATCHES = 3, 6  # of 240 images, the last of 93
WORDS = (
    "data=digits",
    "data.batch_size=240",
    "model.hidden_size=8",
    "trainer=default",
    "device=cpu",
    "hydra.run.dir=run",
)
OPTIONS = (
    (),
    ("trainer.gradient_clip_val=1",),
    ("+trainer.gradient_clip_algorithm=value", "trainer.gradient_clip_val=0.1"),
    ("optimizer=sgd",),
    ("optimizer=rmsprop",),
    ("callbacks=ema",),
    ("trainer.accumulate_grad_batches=2",),
    ("loss.anytime=0.5",),
    ("trainer.limit_val_batches=0", "callbacks.best=null"),
    ("trainer.precision=bf16-mixed",),
    ("pretrain=reconstruct", "pretrain_epochs=2"),
    ("model=mlp",),
    ("save_every=2",),
)
Breaks = Callable[["Case"], None]


def run(count: int, seed: int, folder: Path) -> Outcome:
    outcome = Outcome()
    for number in range(count):
        case = drawn(seed, number)
        here = folder / str(number)
        here.mkdir()
        process = forked((*WORDS, f"trainer.max_epochs={EPOCHS}", *case.options), here, partial(_prepare, case, here))
        outcome.add(_fault(case, here, process))
    return outcome


@dataclass(frozen=True)
class Case:
    """Where a value appears that is no finite number, and when.

    Attributes:
        where: a name in `PLACES`.
        value: NaN, or an infinity.
        step: of the training (or of the pre-training), from 0.
        options: of the command.
    """

    where: str
    value: float
    step: int
    options: tuple[str, ...]


def drawn(seed: int, number: int) -> Case:
    """The n-th try: each place in turn, the rest at random."""
    chance = random.Random(f"{seed} {number}")
    where = list(PLACES)[number % len(PLACES)]
    options = chance.choice([o for o in OPTIONS if where not in NOT_WITH.get(o, ())])
    batches = BATCHES // 2 if "trainer.accumulate_grad_batches=2" in options else BATCHES
    step = chance.choice([0, batches - 1, batches, 2 * batches - 1, chance.randrange(EPOCHS * batches)])
    return Case(where, chance.choice(VALUES), step, options)


def _fault(case: Case, folder: Path, process: int) -> str | None:
    code = ended(process)
    wrong = fault(folder, process, code, "became" if case.where not in ("test", "answers") else "no finite numbers")
    files = [*folder.glob("run/checkpoints/*.ckpt"), *folder.glob("run/pretrain/*.ckpt")]
    spoilt = [file.name for file in files if not _is_finite(read_checkpoint(file))]
    used = "" if not (folder / "used").exists() else "a step was taken with it; "
    failure = folder / "run" / "failure.json"
    if not wrong and case.where in ("pixel", "loss", "gradient") and not failure.is_file():
        wrong = "no failure.json"
    elif not wrong and failure.is_file() and not json.loads(failure.read_text())["images"]:
        wrong = "failure.json names no image"
    if not (wrong or spoilt or used):
        return None
    return f"{case}: {used}{f'{spoilt} not finite; ' if spoilt else ''}{wrong or ''}"


def _is_finite(checkpoint: dict[str, Any]) -> bool:
    def all_of(value: Any) -> bool:
        if isinstance(value, dict):
            return all(map(all_of, value.values()))
        if isinstance(value, list | tuple):
            return all(map(all_of, value))
        return not isinstance(value, Tensor) or not value.is_floating_point() or bool(value.isfinite().all())

    return all(all_of(checkpoint.get(key, {})) for key in ("state_dict", "optimizer_states", "current_model_state"))


# What breaks; each within the process that trains.


class Once:
    """Whether this is the call in which a value appears: the one of a case's step, and no other."""

    def __init__(self, case: Case) -> None:
        self.case, self.calls, self.is_done = case, 0, False

    def __call__(self) -> bool:
        self.calls += 1
        now = self.calls > self.case.step and not self.is_done
        self.is_done |= now
        return now


def _prepare(case: Case, folder: Path) -> None:
    PLACES[case.where](case)

    def look(optimizer: Optimizer, *_: Any) -> None:
        """Before the update: what of it is not finite must have ended the training."""
        grads = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        if not all(bool(gradient.isfinite().all()) for gradient in grads):
            (folder / "used").touch()

    if case.where in ("pixel", "loss", "gradient"):
        register_optimizer_step_post_hook(look)


def _pixel(case: Case) -> None:
    now, call = Once(case), BatchTransform.__call__

    def transform(self: BatchTransform, *arguments: Any) -> Any:
        images, labels = call(self, *arguments)
        if self.training_of_trial and now():  # type: ignore[attr-defined]
            images.view(-1)[len(images) // 2] = case.value
        return images, labels

    BatchTransform.training_of_trial = property(lambda self: torch.is_grad_enabled())  # type: ignore[attr-defined]
    BatchTransform.__call__ = transform  # type: ignore[assignment,method-assign]


def _loss(case: Case) -> None:
    now, step = Once(case), Learner.training_step

    def training_step(self: Learner, *arguments: Any) -> Tensor:
        loss = step(self, *arguments)
        if now():
            loss = loss * case.value
            self._guard._loss = loss.detach()
        return loss

    Learner.training_step = training_step  # type: ignore[assignment,method-assign]


def _gradient(case: Case) -> None:
    now, clip = Once(case), Learner.configure_gradient_clipping

    def configure(self: Learner, optimizer: Optimizer, *arguments: Any, **options: Any) -> None:
        if now():
            parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
            gradient = parameters[case.step % len(parameters)].grad
            assert gradient is not None
            gradient.view(-1)[-1] = case.value
        clip(self, optimizer, *arguments, **options)

    Learner.configure_gradient_clipping = configure  # type: ignore[method-assign]


def _after_step(case: Case, change: Callable[[Optimizer], None]) -> None:
    """After a step has been taken, as an overflow in it would do."""
    now = Once(case)

    @torch.no_grad()
    def hook(optimizer: Optimizer, *_: Any) -> None:
        if now():
            change(optimizer)

    register_optimizer_step_post_hook(hook)


def _weight(case: Case) -> None:
    def change(optimizer: Optimizer) -> None:
        optimizer.param_groups[0]["params"][0].view(-1)[0] = case.value

    _after_step(case, change)


def _state(case: Case) -> None:
    def change(optimizer: Optimizer) -> None:
        held = [v for state in optimizer.state.values() for v in state.values() if isinstance(v, Tensor) and v.ndim]
        if held:
            held[case.step % len(held)].view(-1)[0] = case.value
        else:  # plain descent has none
            optimizer.param_groups[0]["params"][0].view(-1)[0] = case.value

    _after_step(case, change)


def _validation(case: Case) -> None:
    now, step = Once(Case(case.where, case.value, case.step // BATCHES, ())), Learner.validation_step

    def validation_step(self: Learner, batch: Any, index: int) -> None:
        if not self.trainer.sanity_checking and now():
            batch = (batch[0] * case.value, batch[1])
        step(self, batch, index)

    Learner.validation_step = validation_step  # type: ignore[assignment,method-assign]


def _test(case: Case) -> None:
    update = Scores.update

    def spoilt(self: Scores, loss: Tensor, logits: Tensor, *rest: Any) -> None:
        update(self, loss * case.value, logits, *rest)

    Scores.update = spoilt  # type: ignore[assignment,method-assign]


PLACES: dict[str, Breaks] = {
    "pixel": _pixel,
    "loss": _loss,
    "gradient": _gradient,
    "weight": _weight,
    "state": _state,
    "validation": _validation,
    "test": _test,
}
NOT_WITH: dict[tuple[str, ...], tuple[str, ...]] = {
    ("trainer.limit_val_batches=0", "callbacks.best=null"): ("validation",),
}
