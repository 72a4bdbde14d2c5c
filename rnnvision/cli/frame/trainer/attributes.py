"""Attributes of a Trainer that Lightning sets from elsewhere, so that no type checker sees them."""

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import lightning as L
    from lightning.pytorch.callbacks import Callback


def callbacks_of(trainer: "L.Trainer") -> "list[Callback]":
    """The callbacks of a Trainer; what is added to the list is called too."""
    return cast("list[Callback]", trainer.callbacks)  # type: ignore[attr-defined]  # set by its callback connector


def is_trial(trainer: "L.Trainer") -> bool:
    """Whether it runs a few batches to try the code (trainer.fast_dev_run), and writes nothing."""
    return bool(trainer.fast_dev_run)  # type: ignore[attr-defined]  # set in a function that it calls
