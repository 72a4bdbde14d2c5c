"""rnnvision compare models=[NAME,...] budget=epochs:N seeds=N KEY=VALUE ...: networks trained alike, side by side.

Each training is a process and an ordinary run folder, FOLDER/MODEL_SEED; the table is read from these folders alone.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from rnnvision.atomic import whole
from rnnvision.cli.compare.comparison import FILE, Comparison, configurations, settings_from
from rnnvision.cli.compare.run import Cell, measure, train
from rnnvision.cli.frame.app import run_verb
from rnnvision.cli.frame.arguments import arguments_of, plain
from rnnvision.cli.frame.places import make_place
from rnnvision.cli.frame.plugins import load_plugins
from rnnvision.cli.frame.setup import (
    check_loss,
    freeze_network,
    loss_arguments,
    make_data,
    make_network,
    one_go_refusal,
    takes_steps,
)
from rnnvision.cli.frame.trainer.optimisation import check_schedule, optimizer_arguments
from rnnvision.errors import FailureError, UsageError
from rnnvision.report.comparison import METHODS, Row, make_row, markdown, table, write_csv
from rnnvision.report.comparison_plot import plot_comparison
from rnnvision.report.style import drawn
from rnnvision.runs import Run, RunFolder

if TYPE_CHECKING:
    from rnnvision.data import ImageData


def main() -> None:
    run_verb("compare", compare)


def compare(cfg: DictConfig, run: RunFolder) -> float:
    """Train every model with every seed, measure what each costs, and put them into a table; returns the best score."""
    os.chdir(HydraConfig.get().runtime.cwd)  # where relative paths are meant, for its trainings too
    comparison = settings_from(cfg, run)
    configs = configurations(comparison)
    plugins = dict.fromkeys(module for config in configs.values() for module in plain(config.get("plugins")) or [])
    load_plugins(list(plugins), Path(HydraConfig.get().runtime.cwd))
    cells = [
        Cell(run.path.absolute(), comparison, entrant, seed)
        for seed in range(comparison.seeds)
        for entrant in comparison.entrants
    ]
    make = partial(make_place, cfg.where, words=["whole"] if plugins else [])
    with closing(make(jobs=cfg.jobs)) as place:
        _check_budget(comparison, cfg)
        if cfg.resume is None:
            _check(configs)
            run.write(FILE, comparison.kept())
        at_once = "one after another" if cfg.jobs == 1 else f"{cfg.jobs} at once"
        print(
            f"models    {', '.join(comparison.models)}\n"
            f"training  {comparison.budget.replace(':', ' ')} each, seeds 0 to {comparison.seeds - 1}, {at_once}\n"
            f"folder    {run.shown()}",
            flush=True,
        )
        with _told_how_to_go_on(comparison, run):
            train(cells, configs, place, str(cfg.log_dir))
            if cfg.jobs == 1:
                measure(cells, place)
    if cfg.jobs > 1:  # with all that a slot of the first place had to share
        with closing(make(jobs=1)) as place, _told_how_to_go_on(comparison, run):
            measure(cells, place)
    return _report(run, comparison, cells)


@contextmanager
def _told_how_to_go_on(comparison: Comparison, run: RunFolder) -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, SystemExit, FailureError, OSError):
        print(f"next      {comparison.resumption(run.shown())}", flush=True)
        raise


def _check_budget(comparison: Comparison, cfg: DictConfig) -> None:
    """A trial with nothing beside it does not say how many steps fit into minutes that are shared."""
    if comparison.epochs is None and cfg.where.name == "local" and cfg.jobs > 1:
        raise UsageError(
            f"jobs={cfg.jobs}: trainings side by side take longer than the trial for budget={comparison.budget}; "
            f"choose jobs=1, or budget=epochs:N"
        )


def _check(configs: dict[str, DictConfig]) -> None:
    """What can be wrong in a configuration is found here, before anything is trained."""
    from rnnvision.cli.frame.trainer.arguments import check_trainer
    from rnnvision.cli.frame.trainer.callbacks import check_callbacks_to_be
    from rnnvision.nn import fits_in_one_go
    from rnnvision.training import check_anytime, make_optimizer

    read: dict[str, ImageData] = {}  # usually all have the same
    for label, cfg in configs.items():
        key = json.dumps([OmegaConf.to_container(cfg[group], resolve=True) for group in ("data", "augmentation")])
        data = read[key] = read.get(key) or make_data(cfg)
        optimizer = optimizer_arguments(cfg)
        check_schedule(cfg)
        check_loss(cfg)
        check_callbacks_to_be(cfg)
        check_trainer(plain(cfg.trainer))
        try:
            _, network = make_network(cfg, data)
            freeze_network(cfg, network)
            with arguments_of("loss"):
                check_anytime(network, anytime=loss_arguments(cfg).get("anytime") or 0.0)
            with arguments_of("optimizer"):
                if takes_steps(network):
                    make_optimizer(network, **optimizer)
        except UsageError as error:
            raise UsageError(f"models={label}: {error}") from error
        if fits_in_one_go(cfg.model.name) and (refused := one_go_refusal(cfg, data)):
            what, remedy = refused
            raise UsageError(f'models={label}: {what}; choose {remedy}, for it alone: models=["{label} {remedy}"]')
    for data in read.values():
        print(f"data      {data.summary()}", flush=True)


def _report(run: RunFolder, comparison: Comparison, cells: Sequence[Cell]) -> float:
    """The table, from nothing but the folders of the runs; and as CSV, Markdown, a plot and metrics.json."""
    rows = [
        make_row(e.label, {cell.seed: cell.folder for cell in cells if cell.entrant == e}) for e in comparison.entrants
    ]
    folders = [cell.folder for e in comparison.entrants for cell in cells if cell.entrant == e]
    write_csv(run.path / "comparison.csv", rows)
    about = f"{comparison.budget.replace(':', ' ')} each, seeds 0 to {comparison.seeds - 1}."
    with whole(run.path / "comparison.md") as file:
        file.write(markdown(rows, comparison.command, about, map(Run, folders)))
    print(f"\n{table(rows)}\n\n{METHODS}")
    picture = drawn(plot_comparison, run.path / "comparison.png", rows)
    print(f"results   {run.shown()}: comparison.csv, comparison.md{picture}")
    scores = {row.label: row.accuracy for row in rows if row.accuracy is not None}
    run.write("metrics.json", {f"{label}/test/accuracy": score for label, score in scores.items()})
    _fail_if_any(run, rows, comparison)
    return max(scores.values())


def _fail_if_any(run: RunFolder, rows: list[Row], comparison: Comparison) -> None:
    failed = [f"{row.label}: {note}" for row in rows for note in row.failures]
    if failed:
        raise FailureError(f"{'; '.join(failed)}; try again: {comparison.resumption(run.shown())}")
