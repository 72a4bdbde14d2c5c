"""Processes of a distributed run: the first one writes, and all of them agree on a folder."""

import pytest

from rnnvision.cli.frame.paths import run_dir
from rnnvision.runs import is_first_process
from rnnvision.runs.ranks import RANKS, name_of_ranks

TORCHRUN = {"TORCHELASTIC_RUN_ID": "ab", "WORLD_SIZE": "4"}
SRUN = {"SLURM_JOB_ID": "47", "SLURM_STEP_ID": "1", "SLURM_NTASKS": "4"}
NEW = "logs/train/runs/2026-11-28_16-24-01-123456_lstm_mnist"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*RANKS, *TORCHRUN, *SRUN):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("ranks", "first"),
    [
        ({}, True),
        ({"LOCAL_RANK": "1"}, False),  # Lightning's own
        ({"RANK": "0", "LOCAL_RANK": "0", "GROUP_RANK": "0"}, True),
        ({"RANK": "2", "LOCAL_RANK": "0", "GROUP_RANK": "1"}, False),  # torchrun on a second machine
        ({"SLURM_PROCID": "0", "LOCAL_RANK": "0"}, True),
        ({"SLURM_PROCID": "3"}, False),
    ],
    ids=str,
)
def test_one_process_of_all_machines_writes(
    monkeypatch: pytest.MonkeyPatch, ranks: dict[str, str], first: bool
) -> None:
    for name, value in ranks.items():
        monkeypatch.setenv(name, value)
    assert is_first_process() == first


@pytest.mark.parametrize(
    ("variables", "name", "folder"),
    [
        ({}, None, NEW),
        (TORCHRUN, "torchrun-ab", "logs/train/runs/torchrun-ab_lstm_mnist"),
        (TORCHRUN | {"TORCHELASTIC_RUN_ID": "none"}, "", NEW),  # which is refused
        (SRUN, "slurm-47.1", "logs/train/runs/slurm-47.1_lstm_mnist"),
        (SRUN | {"SLURM_NTASKS": "1"}, None, NEW),
        ({"SLURM_JOB_ID": "47", "SLURM_NTASKS": "4"}, None, NEW),  # in the batch script itself, without srun
    ],
    ids=str,
)
def test_the_folder_has_one_name_in_all_processes(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], name: str | None, folder: str
) -> None:
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    assert name_of_ranks() == name
    assert run_dir(None, NEW) == folder
    assert run_dir("/runs/a", NEW) == "/runs/a"
