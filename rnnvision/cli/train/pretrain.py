"""pretrain=reconstruct: before a network learns the classes, it learns to draw the training images, without labels.

Its head is another then; all other weights are where the training proper starts. The stage lies in the run folder under
pretrain/: last.ckpt, from which it is resumed, and metrics.csv.
"""

from typing import Any

from rnnvision.checks import at_least, choose_one, counted
from rnnvision.cli.frame.arguments import arguments_of, plain
from rnnvision.cli.frame.setup import Training, make_optimisation
from rnnvision.cli.train.stages import fit
from rnnvision.errors import UsageError
from rnnvision.runs import read_epochs

WAYS = ("reconstruct",)
FIGURES = {"train/loss": "pretrain/loss", "val/loss": "pretrain/val_loss"}  # in metrics.csv -> in metrics.json


class Reconstruction:
    """Train for `pretrain_epochs` on the images alone, and give the weights to the network of the training."""

    def __init__(self, training: Training) -> None:
        from rnnvision.cli.train.resume.progress import resume_line
        from rnnvision.nn import MODELS

        cfg = training.cfg
        if cfg.pretrain not in WAYS:
            raise UsageError(f"pretrain={cfg.pretrain}: {choose_one(cfg.pretrain, ('null', *WAYS), 'pretrain=')}")
        with arguments_of(""):
            at_least("pretrain_epochs", cfg.pretrain_epochs, 1)
        able = [name for name, network in MODELS.items() if hasattr(network, "use_reconstruction_head")]
        if cfg.model.name not in able:
            raise UsageError(
                f"pretrain={cfg.pretrain}: {cfg.model.name} cannot draw an image; "
                f"choose model.name={' or '.join(able)}, or pretrain=null"
            )
        if training.trainer.world_size > 1:
            raise UsageError(
                f"pretrain={cfg.pretrain}: runs in one process; choose trainer.devices=1, or pretrain=null"
            )
        self.training = training
        self.folder = training.run.path / "pretrain"
        self.last = self.folder / "last.ckpt"
        training_proper = training.run.path / "checkpoints" / "last.ckpt"
        self._is_behind = cfg.resume is not None and training_proper.is_file()
        says = f"pretrain  {cfg.pretrain} for {counted(cfg.pretrain_epochs, 'epoch')}, without labels"
        goes_on = not self._is_behind and self.last.is_file()
        resumes = resume_line(self.last, " of the pre-training") if goes_on else ""
        self.line = "\n".join(filter(None, (says, resumes)))

    def run(self) -> dict[str, float]:
        if not self._is_behind:
            self._train()
        rows = read_epochs(self.folder / "metrics.csv")
        figures = {new: float(rows[-1][old]) for old, new in FIGURES.items() if rows and rows[-1].get(old)}
        return {**figures, "pretrain/seconds": round(sum(float(row["seconds"]) for row in rows), 3)}

    def _train(self) -> None:
        from lightning.pytorch.callbacks import ModelCheckpoint

        from rnnvision.cli.frame.device import make_trainer
        from rnnvision.nn import build
        from rnnvision.training import Learner, RunLog, load_body

        cfg, data, learner = self.training.cfg, self.training.data, self.training.learner
        self.folder.mkdir(exist_ok=True)
        network: Any = build(**learner.description["network"])
        network.use_reconstruction_head()
        last = ModelCheckpoint(self.folder, "last", save_on_train_epoch_end=True, enable_version_counter=False)
        stage = {**plain(cfg.trainer), "max_epochs": cfg.pretrain_epochs, "profiler": None}
        logger = RunLog(str(self.folder))
        saving = {"save_every": cfg.get("save_every")}
        trainer = make_trainer(stage, self.training.run, callbacks=[last], loggers=[logger], **saving)
        artist = Learner(
            network,
            num_classes=len(data.class_names),
            **make_optimisation(cfg, network, data, trainer),
            seed=cfg.seed,
            objective=cfg.pretrain,
            description={**learner.description, "objective": cfg.pretrain},
        )
        fit(trainer, artist, data, self.last if self.last.is_file() else None)
        load_body(learner.network, network.state_dict())
        print("train     from the weights of the pre-training, with a new head", flush=True)
