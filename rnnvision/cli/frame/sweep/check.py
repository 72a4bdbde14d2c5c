"""What refuses a sweep before anything is written: each value of each key is checked once, as a plain run checks it."""

import re
import sys
from collections.abc import Callable, Mapping, Sequence

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.errors import ConfigCompositionException
from omegaconf import DictConfig

from rnnvision.cli.frame.command_line.files import config_dir
from rnnvision.cli.frame.command_line.groups import default_options
from rnnvision.cli.frame.command_line.words import command, parsed
from rnnvision.cli.frame.early.values import check_values
from rnnvision.cli.frame.start import as_hydra_has_it, check_job
from rnnvision.cli.frame.sweep.expand import Values
from rnnvision.errors import UsageError

Compose = Callable[[Sequence[str]], DictConfig]
MOST_VALUES = 200  # of one key that are checked: of more the first and the last ones


def check_sweep(compose: Compose, values: Sequence[Values], verb: str) -> DictConfig:
    """Check every value, each with the first ones of the other keys; returns the configuration of the first job.

    A configuration is composed for each option of a group, and not for each job. What only some combination of
    values makes wrong, its job finds.

    Raises:
        UsageError: as a plain run would tell it, or for a key that only some of the options have.
    """
    groups = default_options(config_dir(), verb)
    first = _checked(compose, values, {}, verb)
    _check_each(first, [one for one in values if one.key not in groups])
    for group in values:
        for word in group.words[1:] if group.key in groups else ():
            config = _checked(compose, values, {group.key: word}, verb)
            _check_each(config, [one for one in values if one.key.startswith(f"{group.key}.")])
    return first


def _checked(compose: Compose, values: Sequence[Values], chosen: Mapping[str, str], verb: str) -> DictConfig:
    """The configuration of the first words, but for those that are chosen."""
    try:
        config = compose(_words(values, chosen))
    except ConfigCompositionException as error:
        if (found := re.search(r"Could not override '([^']+)'", str(error))) is not None:
            _refuse_foreign_key(found[1], compose, values)
        raise
    with as_hydra_has_it(config):
        check_job(config, verb)
    return config


def _words(values: Sequence[Values], chosen: Mapping[str, str]) -> list[str]:
    return [chosen.get(one.key, one.words[0]) for one in values]


def _check_each(config: DictConfig, values: Sequence[Values]) -> None:
    """Check the other values of keys, one after the other in the same configuration, which then has the last one."""
    for one in values:
        words = one.words[1:]
        half = MOST_VALUES // 2
        for word in words if len(words) <= MOST_VALUES else [*words[:half], *words[-half:]]:
            if (read := parsed(word)) is not None:
                ConfigLoaderImpl._apply_overrides_to_config([read], config)
                with as_hydra_has_it(config):
                    check_values(config, [read.key_or_group])


def _refuse_foreign_key(key: str, compose: Compose, values: Sequence[Values]) -> None:
    """Refuse a key that some of a group's options have, and others do not: which, and what to type instead."""
    group = key.partition(".")[0]
    options = next((one.words for one in values if one.key == group), ())
    having = [word for word in options if _has(key, compose, _words(values, {group: word}))]
    lacking = [word for word in options if word not in having]
    if not having:
        return  # a misspelt key, which is explained as such
    several = f"{group}={','.join(word.partition('=')[2] for word in having)}"
    typed = [word for word in sys.argv[1:] if not word.startswith("resume_sweep=")]
    words = [several if word.startswith(f"{group}=") else word for word in typed]
    how = "sweep them apart" if typed == sys.argv[1:] else "a sweep that is resumed cannot take that, a new one can"
    apart = f"; {how}: {command(words)}" if words != typed else ""
    raise UsageError(
        f"{key}: {', '.join(lacking)} {'has' if len(lacking) == 1 else 'have'} no such key, "
        f"{', '.join(having)} {'has' if len(having) == 1 else 'have'}{apart}"
    )


def _has(key: str, compose: Compose, words: Sequence[str]) -> bool:
    try:
        compose(words)
    except ConfigCompositionException as error:
        return f"Could not override '{key}'" not in str(error)
    return True
