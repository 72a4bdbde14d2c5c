"""Hydra, taught to read files that are not ours as `rules` says, wherever it finds them, and to write no secrets."""

from functools import cache, wraps
from pathlib import Path
from typing import Any, cast

from hydra._internal.config_repository import ConfigRepository
from hydra._internal.hydra import Hydra
from hydra.core import utils as core
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult, ConfigSource
from omegaconf import DictConfig, OmegaConf

from rnnvision.cli.frame.command_line.files import config_dir
from rnnvision.cli.frame.strangers.interpolations import check_growth
from rnnvision.cli.frame.strangers.reading import read_yaml
from rnnvision.cli.frame.strangers.rules import check_option
from rnnvision.errors import UsageError
from rnnvision.masking import hide_in, masked_values, masked_word


@cache
def guard_hydra() -> None:
    """From here on Hydra reads files that are not in our conf/ under these rules, and what it composes is checked.

    What it writes into .hydra/ shows no secret; a run that is resumed is told them again.
    """
    own = config_dir().resolve()
    load, compose, save = ConfigRepository.load_config, Hydra.compose_config, core._save_config
    others: list[str] = []  # folders that are not ours, of which something was read for what is composed now

    @wraps(load)
    def load_config(self: ConfigRepository, config_path: str) -> ConfigResult | None:
        source = self._find_object_source(config_path=config_path, object_type=ObjectType.CONFIG)
        if source is not None and source.scheme() == "file":
            name = source._normalize_file_name(config_path)
            file = Path(source.path) / name
            if not file.resolve().is_relative_to(own):
                content: Any = read_yaml(file)
                header = ConfigSource._get_header_dict(file.read_text(encoding="utf-8")[:512])
                check_option(content, file, name.removesuffix(".yaml"), header.get("package"))
                others.append(source.path)
        return load(self, config_path)

    @wraps(compose)
    def compose_config(self: Hydra, config_name: str | None, *arguments: Any, **options: Any) -> DictConfig:
        others.clear()
        try:
            found = compose(self, config_name, *arguments, **options)
        except RecursionError as error:
            raise UsageError(
                f"{others[-1] if others else own}: the defaults of a file there choose themselves"
            ) from error
        if config_name and OmegaConf.select(found, "hydra.callbacks.start") is None:  # which checks what begins
            raise UsageError(
                "--config-name: the file there is none of this verb; let it begin with defaults: [train, _self_]"
            )
        content = OmegaConf.to_container(found, resolve=False)
        if others:
            check_growth(content, others[-1])
        hide_in(content)
        return found

    def save_config(cfg: Any, filename: str, output_dir: Path) -> None:
        content = OmegaConf.to_container(cfg, resolve=False)
        kept = list(map(masked_word, content)) if isinstance(content, list) else masked_values(content)
        save(cfg if kept == content else cast(DictConfig, OmegaConf.create(kept)), filename, output_dir)

    core._save_config = save_config
    ConfigRepository.load_config = load_config  # type: ignore[method-assign]  # Hydra has no hook there
    Hydra.compose_config = compose_config  # type: ignore[method-assign]  # nor there
