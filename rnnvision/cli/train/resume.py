"""The configuration of a resumed run: the one it began with, and what may change of it."""

from collections.abc import Iterator
from contextlib import contextmanager

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from rnnvision.cli.frame.arguments import plain
from rnnvision.cli.frame.paths import locate_paths
from rnnvision.cli.frame.plugins import load_plugins_of
from rnnvision.errors import UsageError
from rnnvision.runs import RunFolder, is_first_process

MAY_CHANGE = ("trainer.", "callbacks.", "logger.", "data.root", "data.num_workers", "data.timeout")


def resumed(cfg: DictConfig, run: RunFolder) -> DictConfig:
    """The configuration the run began with, and what this command line may change of it.

    Raises:
        UsageError: for a change that would make it another run.
    """
    from rnnvision.nn.legacy import current_arguments

    saved = OmegaConf.load(run.path / ".hydra" / "config.yaml")
    assert isinstance(saved, DictConfig)
    for override in HydraConfig.get().overrides.task:
        key = override.lstrip("+~").partition("=")[0]
        if key == "resume" or (key == "plugins" and cfg.plugins == saved.get("plugins")):
            continue
        if not key.startswith(MAY_CHANGE):
            if any(allowed.startswith(f"{key}.") for allowed in MAY_CHANGE):
                one = f"single values can: {key}.KEY=VALUE"
                raise UsageError(f"{override}: an option cannot be chosen anew on resume; {one}")
            if key == "device":
                raise UsageError(
                    f"{override}: cannot be chosen anew on resume; give trainer.accelerator=cpu, gpu or mps"
                )
            allowed = ", ".join(f"{k}*" if k.endswith(".") else k for k in MAY_CHANGE)
            raise UsageError(f"{key}: cannot change on resume, it would be another run; what can: {allowed}")
        OmegaConf.update(saved, key, OmegaConf.select(cfg, key), force_add=True)
    locate_paths(saved, HydraConfig.get().runtime.cwd)
    load_plugins_of(saved, HydraConfig.get().runtime.cwd)
    saved.model = current_arguments(plain(saved.model))
    saved.resume = cfg.resume
    return saved


@contextmanager
def kept_if_refused(cfg: DictConfig, run: RunFolder) -> Iterator[None]:
    """Write down what a resumed run changes of its configuration, unless Lightning refuses to go on with it."""
    path = run.path / ".hydra" / "config.yaml"
    if cfg.resume is None or not is_first_process():
        yield
        return
    before = path.read_text()
    OmegaConf.save(OmegaConf.merge(cfg, {"resume": None}), path)
    try:
        yield
    except UsageError:
        path.write_text(before)
        raise
