"""The end of a sweep: its table, also as sweep.csv and sweep.md, and what to type next."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rnnvision.atomic import whole
from rnnvision.cli.frame.arguments import plain
from rnnvision.cli.frame.command_line.words import command, override, parsed
from rnnvision.cli.frame.sweep.plan import Plan
from rnnvision.report.runs_table import best_of, groups_of, groups_table, runs_table
from rnnvision.report.table_text import Table, markdown, terminal, to_file
from rnnvision.runs.record import FACTS, Record, read_record
from rnnvision.search import Job

SCORES = ("val/accuracy", "test/accuracy")
TIME = "train/seconds"
MOST_FIGURES = 4  # columns of a verb that trains nothing
MOST_ROWS = 100  # on the terminal
SEED = "seed"


def print_end(plan: Plan) -> Counter[str]:
    """Print the tables and the next command; returns how many jobs have which status."""
    settings = [_swept(entry.words, plan) for entry in plan.record.jobs]
    keys = list(dict.fromkeys(key for setting in settings for key in setting))
    records = [_record(job, setting) for job, setting in zip(plan.jobs, settings, strict=True)]
    figures = _figures(records)
    runs = runs_table(records, keys, figures)
    runs = runs.without("seconds") if TIME in figures else runs
    metric = next((name for name in (*SCORES, *figures) if any(name in record.metrics for record in records)), None)
    means = _over_seeds(records, keys, metric, figures)
    to_file(plan.folder / "sweep.csv", runs)
    parts = [f"# {plan.shown}\n", f"`{_typed(plan)}`\n", markdown(runs)]
    parts += ["Mean and sample standard deviation over seeds:\n", markdown(means)] if means else []
    with whole(plan.folder / "sweep.md") as file:
        file.write("\n".join(parts))
    _print(plan, runs, means)
    _print_next(plan, records, metric)
    return Counter(record.status for record in records)


def _swept(words: Sequence[str], plan: Plan) -> dict[str, Any]:
    """The words of a job that not all jobs have, as values by key."""
    common = set.intersection(*(set(entry.words) for entry in plan.record.jobs))
    found = {}
    for word in words:
        if word not in common and (read := parsed(word)) is not None:
            value = read.value()
            text = word.partition("=")[2]
            found[read.key_or_group] = value if isinstance(value, (str, int, float)) else text
    return found


def _record(job: Job, setting: dict[str, Any]) -> Record:
    if not job.folder.is_dir():
        return Record({**dict.fromkeys(FACTS), "folder": job.name, "status": "not begun"}, setting, {}, {})
    found = read_record(job.folder, job.name)
    facts = {**found.facts, "status": job.status or "not begun"}
    return replace(found, facts=facts, choices={**found.choices, **setting})


def _figures(records: Sequence[Record]) -> tuple[str, ...]:
    """The columns: of trainings accuracies and time, else the first figures that the runs have."""
    have = dict.fromkeys(name for record in records for name in record.metrics)
    if TIME in have or not have:
        return tuple(name for name in (*SCORES, TIME) if name in have) or SCORES
    return tuple(have)[:MOST_FIGURES]


def _over_seeds(records: Sequence[Record], keys: Sequence[str], metric: str | None, figures: Any) -> Table | None:
    """Mean and spread over seeds, where there are several of one setting."""
    if metric is None or SEED not in keys:
        return None
    groups = groups_of(records, [key for key in keys if key != SEED], metric)
    if all(len(group.runs) == 1 for group in groups):
        return None
    return groups_table(groups, metric, figures)


def _print(plan: Plan, runs: Table, means: Table | None) -> None:
    shown = replace(runs, rows=runs.rows[:MOST_ROWS]).without("folder")
    print(f"\n{terminal(shown)}", end="")
    if len(runs.rows) > MOST_ROWS:
        print(f"... {len(runs.rows) - MOST_ROWS:,} more, in sweep.csv")
    if means is not None:
        print(f"\nmean +- standard deviation over seeds\n{terminal(means)}", end="")
    print(f"\nresults   {plan.shown}: sweep.csv, sweep.md", flush=True)


def _print_next(plan: Plan, records: Sequence[Record], metric: str | None) -> None:
    best = best_of(records, metric) if metric is not None else None
    if best is not None and plan.verb == "train":
        plugins = plain(plan.config.get("plugins"))
        needed = [f"plugins=[{','.join(plugins)}]"] if plugins else []
        words = [override("ckpt", plan.sweep.shown(plan.folder / best.folder)), *needed]
        print(f"best      {best.folder}: {metric} {best.metrics[str(metric)]:.4f}")
        print(f"next      {command(words, 'rnnvision evaluate')}", flush=True)
    failed = any(record.status == "failed" for record in records)
    if failed or not all(record.completed for record in records):
        rest = all(record.status in ("completed", "failed") for record in records)
        print(f"next      {plan.resumption}{' retry_failed=true' if rest else ''}", flush=True)


def _typed(plan: Plan) -> str:
    return command([*plan.record.flags, "-m", *plan.record.words], f"rnnvision {plan.verb}")
