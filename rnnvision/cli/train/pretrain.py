"""pretrain=reconstruct: before a network learns the classes, it learns to draw the training pictures, without labels.

Its head is another then; all other weights are where the training proper starts. The stage lies in the run folder under
pretrain/: last.ckpt, from which it is resumed, and metrics.csv.
"""

import csv
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from rnnvision.cli.frame.arguments import plain
from rnnvision.cli.frame.fitting import fit, optimisation
from rnnvision.cli.frame.messages import UsageError, nearest
from rnnvision.runs.folder import RunFolder

if TYPE_CHECKING:
    import lightning as L

    from rnnvision.data import ImageData
    from rnnvision.training import Learner

WAYS = ("reconstruct",)
FOLDER = "pretrain"
CHECKPOINT = f"{FOLDER}/last.ckpt"
FIGURES = {"train/loss": "pretrain/loss", "val/loss": "pretrain/val_loss"}  # in metrics.csv -> in metrics.json


def is_asked_for(cfg: DictConfig) -> bool:
    """Whether a run begins with this stage; one of an earlier version has no such key."""
    return cfg.get("pretrain") is not None


def check(cfg: DictConfig, trainer: "L.Trainer") -> None:
    """Check that what is asked for can be done.

    Raises:
        UsageError: that names the key, and what is legal.
    """
    from rnnvision.nn import MODELS

    if not is_asked_for(cfg):
        return
    if cfg.pretrain not in WAYS:
        near = nearest(str(cfg.pretrain), list(WAYS))
        hint = f"; did you mean pretrain={near}?" if near else ""
        raise UsageError(f"pretrain={cfg.pretrain}: choose one of null, {', '.join(WAYS)}{hint}")
    epochs = cfg.pretrain_epochs
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
        raise UsageError(f"pretrain_epochs={epochs}: must be a whole number of at least 1")
    able = [name for name, network in MODELS.items() if hasattr(network, "use_reconstruction_head")]
    if cfg.model.name not in able:
        raise UsageError(
            f"pretrain={cfg.pretrain}: {cfg.model.name} cannot draw a picture; choose model.name={' or '.join(able)}, "
            f"or pretrain=null"
        )
    if trainer.world_size > 1:
        raise UsageError(f"pretrain={cfg.pretrain}: runs in one process; choose trainer.devices=1, or pretrain=null")


def pretrain(cfg: DictConfig, run: RunFolder, data: "ImageData", learner: "Learner") -> None:
    """Train for `cfg.pretrain_epochs` on the pictures alone, and give the weights to the network of `learner`.

    Goes on where it stopped if the run folder says so, and trains no more if it was done.
    """
    from lightning.pytorch.callbacks import ModelCheckpoint

    from rnnvision.cli.frame.device import make_trainer
    from rnnvision.nn import build
    from rnnvision.training import Learner, RunLog, load_body

    folder = run.path / FOLDER
    folder.mkdir(exist_ok=True)
    network: Any = build(**learner.description["network"])
    network.use_reconstruction_head()
    last = ModelCheckpoint(folder, "last", save_on_train_epoch_end=True, enable_version_counter=False)
    stage = {**plain(cfg.trainer), "max_epochs": cfg.pretrain_epochs, "profiler": None}
    trainer = make_trainer(stage, run, callbacks=[last], logger=RunLog(str(folder)))
    artist = Learner(
        network,
        num_classes=len(data.class_names),
        **optimisation(cfg, network, data, trainer),
        seed=cfg.seed,
        objective=cfg.pretrain,
        description={**learner.description, "objective": cfg.pretrain},
    )
    found = run.path / CHECKPOINT
    print(f"pretrain  {cfg.pretrain} for {cfg.pretrain_epochs} epochs, without labels", flush=True)
    fit(trainer, artist, data, found if found.is_file() else None)
    load_body(learner.network, network.state_dict())
    print("train     from the weights of the pre-training, with a new head", flush=True)


def figures(run: RunFolder) -> dict[str, float]:
    """What the stage came to, for metrics.json: its last losses, and the seconds of all its epochs; {} without one."""
    path = run.path / FOLDER / "metrics.csv"
    if not path.is_file():
        return {}
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = {new: float(rows[-1][old]) for old, new in FIGURES.items() if rows[-1].get(old)}
    return {**found, "pretrain/seconds": round(sum(float(row["seconds"]) for row in rows), 3)}
