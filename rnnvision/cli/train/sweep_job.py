"""A distributed job of a sweep, as a command of its own: its processes would otherwise repeat the whole sweep."""

import subprocess

from hydra.core.hydra_config import HydraConfig

from rnnvision.cli.frame.arguments import own_config_dir, typed_words
from rnnvision.cli.frame.command_line.words import override
from rnnvision.errors import FailureError
from rnnvision.launch import module_command
from rnnvision.runs import RunFolder, read_json


def run_as_command(run: RunFolder) -> float:
    """Train in this run folder by a process of `train`; returns the best val/accuracy.

    Raises:
        FailureError: with the error that the command left in the folder.
    """
    words = [*own_config_dir(), *typed_words(), override("hydra.run.dir", run.path)]
    folder = HydraConfig.get().runtime.cwd  # relative paths are meant from there
    run.lock.release()  # the command takes it
    code = subprocess.run(module_command("rnnvision.cli.train", *words), check=False, cwd=folder).returncode
    if code:
        error = read_json(run.path / "status.json").get("error")
        raise FailureError(error or f"ended with exit code {code}")
    return float(read_json(run.path / "metrics.json").get("val/accuracy", "nan"))
