"""Forged files given to commands, one in a fork with limits.

Faults of the code that it found, mended with it:
1 states of the optimiser of other shapes and types corrupted the heap; 2 its groups and rates of other kinds, 3
states of schedules that hide methods, 4 counts of loops and 5 states of callbacks of other kinds ended in tracebacks;
6 entries of a description of other types, 7 and missing ones did; 8 a description could ask for terabytes or for
100,000 layers, 9 and for pairs of a million classes; 10 expanded tensors and 11 lists of the same lists had no end;
12 compressed archives and 13 those of a .pt2 were unpacked to any size; 14 the description's data could name a cache
folder, which was written; 15 weights that are not finite answered; 16 a best.ckpt of other weights ended a resumed
run in a traceback; 17 an ONNX file's weights could be a pipe; 18 cards of other classes and images were believed; 19
so were published weights without numbers; 20 tables of epochs and 21 records of runs with other kinds of values ended
in tracebacks; 22 so did the index of results; 23 a file without an end was read for ever; 24 logs, tables and plots
were written through links, 25 and so were folders; 26 a pipe in the place of a log was waited for; 27 files of any size
were read whole; 28 a study's database held a pickle, which was opened; 29 keys of its space were never checked, and
Hydra made objects; 30 its storage was any address; 31 its settings and 32 trials of other kinds ended in tracebacks;
33 a sweep's record chose the folder that modules were imported from, 34 lines of shell for SLURM, and 35 where logs
are written; 36 a command imported modules of the folder it was typed in.
"""

import random
from pathlib import Path

from torture.forgeries import FAMILIES
from torture.forgeries.forgery import Forgery
from torture.forgeries.honest import make_honest
from torture.forgeries.trying import tried
from torture.trial import Outcome

TITLE = "forged checkpoints, run folders, exported and published files"
BAR = "no code run, no file outside changed, no hang, no crash; each used, or refused in one line"
COUNT = 2_000  # more than there are: all of them
FOUND = 36


def run(count: int, seed: int, folder: Path) -> Outcome:
    import_all()
    outcome = Outcome()
    honest = folder / "honest"
    honest.mkdir()
    make_honest(honest)
    chosen = tries(count, seed)
    for number, (forgery, way) in enumerate(chosen):
        place = folder / str(number)
        place.mkdir()
        told = tried(forgery, way, honest, place)
        outcome.add(None if told is None else f"{forgery.name}, {way}: {told}")
        remove(place)
    outcome.note = f"{len({forgery.name for forgery, _ in chosen})} forgeries"
    return outcome


def tries(count: int, seed: int) -> list[tuple[Forgery, str]]:
    """So many forgeries with a command each, of every family; all of them where there are not more."""
    every = [(forgery, way) for family in FAMILIES.values() for forgery in family for way in forgery.ways]
    return every if count >= len(every) else random.Random(seed).sample(every, count)


def import_all() -> None:
    """What the commands need, once: a fork begins with it."""
    import importlib

    import torch

    torch.set_num_threads(1)
    for verb in ("train", "evaluate", "predict", "export", "report", "benchmark", "results", "diff", "tune", "compare"):
        importlib.import_module(f"rnnvision.cli.{verb}")
    for module in (
        "rnnvision.training.learner",
        "rnnvision.data.datamodule",
        "rnnvision.inference",
        "rnnvision.insight",
    ):
        importlib.import_module(module)


def remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
