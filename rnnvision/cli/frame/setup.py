"""From a configuration to what a training needs: data, network, learner, trainer; what is wrong is found here."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from rnnvision.checks import seed_number
from rnnvision.cli.frame.arguments import (
    arguments_of,
    check_arguments,
    named_arguments,
    plain,
)
from rnnvision.cli.frame.tracking.trackers import Trackers
from rnnvision.cli.frame.trainer.optimisation import check_schedule, optimizer_arguments
from rnnvision.errors import UsageError
from rnnvision.masking import masked_values
from rnnvision.runs import Run, RunFolder, versions

if TYPE_CHECKING:
    import lightning as L
    from torch import nn

    from rnnvision.data import ImageData
    from rnnvision.training import Learner


@dataclass(frozen=True)
class Training:
    """A training that is ready to begin."""

    cfg: DictConfig
    run: RunFolder
    data: "ImageData"
    learner: "Learner"
    trainer: "L.Trainer"
    trackers: Trackers


def make_training(cfg: DictConfig, run: RunFolder) -> Training:
    """Read the data, make the network and its trainer.

    Raises:
        UsageError: for whatever cannot be right in the configuration; it names the key and what is legal.
        FailureError: for data that is missing or damaged.
    """
    import lightning as L

    from rnnvision.cli.frame.device import make_trainer, share_cores
    from rnnvision.cli.frame.trainer.arguments import check_batches
    from rnnvision.cli.frame.trainer.callbacks import make_callbacks
    from rnnvision.cli.frame.trainer.processes import check_is_first, watch_processes
    from rnnvision.nn import fits_in_one_go
    from rnnvision.training import Learner, check_anytime

    trainer_arguments = plain(cfg.trainer)
    trackers = Trackers(cfg, run)
    loggers = trackers.loggers
    callbacks = make_callbacks(cfg.callbacks, trainer_arguments, loggers, run.path)
    if cfg.scheduler.get("name") == "plateau" and trainer_arguments.get("limit_val_batches") == 0:
        raise UsageError(
            "scheduler.name=plateau: looks at val/loss, and trainer.limit_val_batches=0 leaves no validation; "
            "choose another scheduler"
        )
    saving = {"save_every": cfg.get("save_every")}  # which a run of an earlier version does not have
    check_arguments("", saving, make_trainer)
    trainer = make_trainer(trainer_arguments, run, callbacks=callbacks, loggers=loggers, **saving)
    check_is_first(trainer)
    check_arguments("", {"seed": cfg.seed, "label_smoothing": cfg.label_smoothing}, Learner)
    check_loss(cfg)
    begun_with = _begun_with(run) if cfg.resume is not None else None
    with arguments_of(""):
        seed_number("seed", cfg.seed)
        L.seed_everything(cfg.seed, verbose=False)
    data = make_data(cfg, begun_with)
    arguments, network = make_network(cfg, data)
    if not takes_steps(network) and not fits_in_one_go(cfg.model.name):
        raise UsageError(f"model.name={cfg.model.name}: has no parameter that is trained")
    freeze_network(cfg, network)
    fit_data_to(data, network)
    check_batches(trainer_arguments, data, trainer.world_size)
    if trainer.strategy.root_device.type == "cpu":
        share_cores(data.num_workers if data.serving.streams else 0)
    plugins = plain(cfg.get("plugins"))
    weight = make_class_weight(cfg, data)
    anytime = loss_arguments(cfg).get("anytime") or 0.0
    with arguments_of("loss"):
        check_anytime(network, anytime=anytime)
    with arguments_of(""):
        learner = Learner(
            network,
            num_classes=len(data.class_names),
            **(make_optimisation(cfg, network, data, trainer) if takes_steps(network) else {}),
            label_smoothing=cfg.label_smoothing,
            class_weight=weight,
            anytime=anytime,
            seed=cfg.seed,
            description={
                "network": masked_values(arguments),
                "class_names": list(data.class_names),
                "normalisation": data.normalisation,
                "data": masked_values(data.describe()),
                "images": {part: len(samples) for part, samples in data.known.parts().items()},
                **({"files": data.record.plain()} if data.record is not None else {}),
                "versions": versions(),
                **({"plugins": plugins} if plugins else {}),
                **({"frozen": frozen_parts(cfg)} if frozen_parts(cfg) else {}),
                **{key: begun_with[key] for key in ("weights",) if begun_with and key in begun_with},
            },
        )
    watch_processes(trainer, run, data.timeout)
    return Training(cfg, run, data, learner, trainer, trackers)


def make_data(cfg: DictConfig, begun_with: dict[str, Any] | None = None) -> "ImageData":
    """The data that a configuration describes, read and checked for a training.

    `begun_with` is what the last checkpoint of a resumed run says of itself.
    """
    from rnnvision.data import CATALOG, Augmentation, ImageData

    with arguments_of("augmentation"):
        chosen = plain(cfg.get("augmentation")) or {}  # a run of an earlier version has none
        check_arguments("augmentation", chosen, Augmentation)
        augmentation = Augmentation(**chosen)
    with arguments_of("data"):
        arguments = named_arguments("data", cfg.data, {name: (ImageData, d.read) for name, d in CATALOG.items()})
        data = ImageData(**arguments, augmentation=augmentation)
        if begun_with is not None:
            data = data.as_trained(begun_with)
        data.setup("fit")
    return data


def _begun_with(run: RunFolder) -> dict[str, Any] | None:
    """What the last checkpoint of a run that is resumed says of itself."""
    from rnnvision.training import facts_of

    last = Run(run.path).last_checkpoint
    return None if last is None else facts_of(last)["rnnvision"]


def fit_data_to(data: "ImageData", network: "nn.Module") -> None:
    """Choose the sizes of batches that depend on the network, and that the configuration leaves open.

    Raises:
        UsageError: for batches of one image where a network normalises over the batch.
    """
    from rnnvision.insight import eval_batch_size

    data.smallest_batch = least_batch(network)
    for key, size in (("batch_size", data.batch_size), ("max_train_samples", len(data.splits.train))):
        if size < data.smallest_batch:
            raise UsageError(
                f"data.{key}={size}: this network has batch norm, which is taken over the images of a batch; "
                f"choose at least {data.smallest_batch}"
            )
    if data.eval_batch_size_is_free and takes_steps(network):
        data.eval_batch_size = eval_batch_size(network, data.input_shape, data.batch_size)


def least_batch(network: "nn.Module") -> int:
    """Images that a training step needs: batch norm makes statistics of a batch, which one image does not have."""
    from torch.nn import BatchNorm1d, BatchNorm2d, BatchNorm3d, SyncBatchNorm

    kinds = (BatchNorm1d, BatchNorm2d, BatchNorm3d, SyncBatchNorm)
    return 2 if any(isinstance(module, kinds) for module in network.modules()) else 1


def make_network(cfg: DictConfig, data: "ImageData") -> "tuple[dict[str, Any], nn.Module]":
    """The network for this data, and the arguments that it was made with."""
    from rnnvision.cli.frame.trainer.memory import network_fits
    from rnnvision.nn import MODELS

    of_data = {"input_shape": list(data.input_shape), "num_classes": len(data.class_names)}
    if chosen := [key for key in of_data if key in cfg.model]:
        raise UsageError(f"model.{chosen[0]}: cannot be chosen, the data decides it")
    arguments = {**named_arguments("model", cfg.model, MODELS), **of_data}
    _check_layer_types(arguments)
    with arguments_of("model"), network_fits():
        return arguments, MODELS[arguments["name"]](**{k: v for k, v in arguments.items() if k != "name"})


def _check_layer_types(arguments: dict[str, Any]) -> None:
    """Hold the options of a layer to the annotations of its constructor; what it does not have the network refuses."""
    from rnnvision.nn import RECURRENCES

    kind, layer = RECURRENCES.get(str(arguments.get("recurrence"))), arguments.get("layer")
    if kind is not None and layer:
        own = {key: value for key, value in layer.items() if value is not None and key in kind.options()}
        check_arguments("model.layer", own, kind)


def frozen_parts(cfg: DictConfig) -> list[str]:
    """The parts of the network that are not trained; none in a run of an earlier version."""
    found = plain(cfg.get("freeze")) or []
    return [found] if isinstance(found, str) else list(found)


def freeze_network(cfg: DictConfig, network: "nn.Module") -> None:
    """Freeze the parts of a network that a configuration names; what is fitted in one go has none.

    Raises:
        UsageError: for a part that the network does not have, and if nothing is left to train.
    """
    from rnnvision.nn.parts import freeze_parts

    check_arguments("", {"freeze": plain(cfg.get("freeze"))}, freeze_parts)
    if takes_steps(network):
        with arguments_of(""):
            freeze_parts(network, freeze=frozen_parts(cfg))


def loss_arguments(cfg: DictConfig) -> dict[str, Any]:
    """What is set under `loss`; nothing in a run of an earlier version."""
    return plain(cfg.get("loss")) or {}


def check_loss(cfg: DictConfig) -> None:
    """Check `cfg.loss` as far as it can be without the data."""
    from rnnvision.training import check_anytime, check_class_weight, class_weights

    check_arguments("loss", loss_arguments(cfg), class_weights, check_anytime)
    with arguments_of("loss"):
        check_class_weight(loss_arguments(cfg).get("class_weight"))


def make_class_weight(cfg: DictConfig, data: "ImageData") -> list[float] | None:
    """The weight of each class in the training loss, counted over the training images that are served."""
    from rnnvision.training import class_weights

    with arguments_of("loss"):
        given = loss_arguments(cfg).get("class_weight")
        return class_weights(data.class_counts("train"), data.class_names, class_weight=given)


def make_optimisation(cfg: DictConfig, network: "nn.Module", data: "ImageData", trainer: "L.Trainer") -> dict[str, Any]:
    """The arguments `optimizer` and `scheduler` of a Learner, each tried once: what is wrong in them is found here."""
    from rnnvision.training import count_steps, make_optimizer, make_scheduler

    optimizer = optimizer_arguments(cfg)
    scheduler = check_schedule(cfg)
    with arguments_of("trainer"):
        steps = count_steps(
            data.num_train_batches(trainer.world_size, trainer.limit_train_batches),
            max_epochs=trainer.max_epochs,
            max_steps=trainer.max_steps,
            accumulate=trainer.accumulate_grad_batches,
        )
    with arguments_of("optimizer"):
        trial = make_optimizer(network, **optimizer)
    with arguments_of("scheduler"):
        make_scheduler(trial, total_steps=steps, **scheduler)
    return {
        "optimizer": partial(make_optimizer, **optimizer),
        "scheduler": partial(make_scheduler, total_steps=steps, **scheduler),
    }


def takes_steps(network: "nn.Module") -> bool:
    """Whether gradient steps train the network; one that is fitted in one go has no parameter for them."""
    return any(p.requires_grad for p in network.parameters())


def one_go_refusal(cfg: DictConfig, data: "ImageData", world_size: int = 1) -> tuple[str, str] | None:
    """What a network that is fitted in one go cannot do of what a configuration says, and what to choose instead."""
    from rnnvision.data import Augmentation

    why = f"model={cfg.model.name} is fitted in one go, not trained over epochs"
    if cfg.get("resume") is not None and cfg.get("auto_resume") is not True:  # which begins it anew
        return f"resume={cfg.resume}: {why}; there is nothing to go on with", "a run of its own"
    if data.augmentation != Augmentation():
        return f"augmentation: {why}, and sees each image as it is", "augmentation=none"
    if class_weight := loss_arguments(cfg).get("class_weight"):
        return f"loss.class_weight={class_weight}: {why}, and has a loss of its own", "loss.class_weight=null"
    if anytime := loss_arguments(cfg).get("anytime"):
        return f"loss.anytime={anytime}: {why}, and has a loss of its own", "loss.anytime=0"
    if frozen := frozen_parts(cfg):
        return f"freeze={','.join(frozen)}: {why}, as a whole", "freeze=null"
    if data.sampler != "shuffle":
        return f"data.sampler={data.sampler}: {why}, and sees each image once", "data.sampler=shuffle"
    devices: Any = cfg.trainer.get("devices")
    if world_size > 1 or (isinstance(devices, int) and devices > 1):
        return f"trainer.devices={devices}: {why}, by one process", "trainer.devices=1"
    return None
