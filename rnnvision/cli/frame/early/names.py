"""The name of a run and the folders that it chooses: what would lead astray, or show a secret, is refused."""

from omegaconf import DictConfig, OmegaConf

from rnnvision.checks import one_line
from rnnvision.cli.frame.command_line.words import yaml_text
from rnnvision.errors import UsageError
from rnnvision.masking import masked

LONGEST_NAME = 180  # bytes: with its time a name of 255, which is what file systems take


def check_names(config: DictConfig) -> None:
    """Check the name of a run, and its folders.

    Raises:
        UsageError: with what to choose instead.
    """
    if "name" in config:
        _check_name(config.name)
    for key in ("log_dir", "hydra.run.dir"):
        if masked(folder := str(OmegaConf.select(config, key))) != folder:
            raise UsageError(f"{key}=***: holds what looks like a secret; choose another folder")
        if not folder.isprintable():
            raise UsageError(f"{key}={one_line(folder)}: has letters that cannot be printed; choose another folder")


def _check_name(name: object) -> None:
    """Refuse a name that would lead out of the folder for run folders, or that no file system takes."""
    text = str(name)
    if name is None or OmegaConf.is_config(name) or not text.strip():
        raise UsageError(
            f"name={yaml_text(name)}: is the end of the name of the run folder; give a word, or leave it out"
        )
    if masked(text) != text:
        raise UsageError("name=***: holds what looks like a secret, and would be the name of a folder; choose another")
    if "/" in text or "\\" in text or not text.isprintable():
        raise UsageError(
            f"name={one_line(text)}: is the end of the name of the run folder; leave out / and what cannot be printed"
        )
    if len(text.encode(errors="surrogateescape")) > LONGEST_NAME:
        raise UsageError(f"name={text[:40]}...: is too long for the name of a folder; {LONGEST_NAME} bytes at most")
