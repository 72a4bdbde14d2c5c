"""The page and the table of a study: the best trial with its command, every trial, nothing from elsewhere."""

import math
import shlex
from dataclasses import replace
from pathlib import Path

from rnnvision.report.page.render import render, write_page
from rnnvision.report.study.build import study_page
from rnnvision.report.study.scores import command_of
from rnnvision.report.study.table import best_lines, in_order
from rnnvision.runs.study import TrialRow
from tests.report.page.test_page import Reader
from tests.report.study.studies import LONG, of_two_metrics, searched

SOME = searched(20)


def test_the_page_is_well_formed_and_names_stay_text(tmp_path: Path) -> None:
    html = render(study_page(tmp_path, SOME, tmp_path, "report.html"))
    read = Reader(html)
    assert read.open == []
    assert len(read.ids) == len(set(read.ids))
    assert [a for a in read.addresses if not a.startswith(("#", "data:image/"))] == []
    assert {a[1:] for a in read.addresses if a.startswith("#")} <= set(read.ids)
    assert "<b>" not in html
    assert "the loss is nan in epoch 1" in html
    for title in ("Best", "History", "Importances", "Parallel coordinates", "Slices", "Trials", "Study"):
        assert f">{title}</h2>" in html, title


def test_it_begins_with_the_best_trial_and_the_command_that_makes_it(tmp_path: Path) -> None:
    best = SOME.best()[0]
    command = command_of(SOME, best)
    assert shlex.split(command) == ["rnnvision", "train", *SOME.words, *best.overrides]
    own = ("--config-dir", "my own")
    assert shlex.split(command_of(replace(SOME, config_dir=own), best))[2:4] == list(own)
    page = study_page(tmp_path, SOME, tmp_path, "report.html")
    assert page.score is not None
    assert f"trial {best.number}" in page.score.name
    assert page.sections[0].blocks[0].pairs[0] == ("command", command)  # type: ignore[union-attr]
    two = study_page(tmp_path, of_two_metrics(20), tmp_path, "report.html")
    front = next(section for section in two.sections if section.id == "front")
    assert len(front.blocks[1].pairs) == len(of_two_metrics(20).best())  # type: ignore[union-attr]


def test_what_there_is_not_yet_is_left_out_with_its_reason(tmp_path: Path) -> None:
    record = replace(SOME, trials=(TrialRow(0, "failed", error="no memory"),), importances={})
    page = study_page(tmp_path, record, tmp_path, "report.html")
    missing = [name for name, _ in page.missing]
    assert missing == ["Best", "History", "Learning curves", "Importances", "Parallel coordinates", "Slices"]
    assert "no memory" in render(page)
    assert write_page(tmp_path / "report.html", page) == []


def test_a_trial_that_has_a_report_is_linked_from_where_the_page_lies(tmp_path: Path) -> None:
    own = tmp_path / "study" / "trials" / "0006" / "report.html"
    own.parent.mkdir(parents=True)
    own.touch()
    html = render(study_page(tmp_path / "study", SOME, tmp_path / "pages", "report.html"))
    assert '<a href="./../study/trials/0006/report.html">6</a>' in html
    assert html.count(".html") == 1


def test_trials_stand_best_first_then_by_how_far_they_got() -> None:
    shuffled = replace(SOME, trials=SOME.trials[::-1])
    found = in_order(shuffled)
    assert [trial.number for trial in found] == [trial.number for trial in in_order(SOME)]
    assert [t.state for t in found] == sorted(
        (t.state for t in found), key=["completed", "pruned", "failed", "running"].index
    )
    pruned = [list(trial.steps.values())[-1] for trial in found if trial.state == "pruned"]
    assert pruned == sorted(pruned, reverse=True)
    two = of_two_metrics(30)
    front = [trial.number for trial in two.best()]
    assert [trial.number for trial in in_order(two)][: len(front)] == front


def test_the_best_trials_in_a_terminal_fit_into_its_width() -> None:
    for width in (80, 110, 400):
        lines = best_lines(SOME, 3, width)
        assert all(len(line) <= width for line in lines[:5])
        assert lines[0].startswith("20 trials: ")
        best = SOME.best()
        assert [line.split()[0] for line in lines[2:5]] == [str(trial.number) for trial in best[:3]]
    assert LONG.rpartition(".")[2] in lines[1]
    assert "without" not in lines[-1]
    narrow = best_lines(SOME, 3, 60)
    assert "lr" in narrow[1].split()  # the most important parameter stays
    assert "without" in narrow[-1]


def test_where_nothing_has_a_score_the_first_error_is_said() -> None:
    failed = tuple(TrialRow(i, "failed", error=f"no\nmemory {i}") for i in range(3))
    lines = best_lines(replace(SOME, trials=failed))
    assert lines == ["3 trials: 3 failed; none has a score", "trial 0: no memory 0"]
    unscored = (TrialRow(0, "completed", (math.nan,)),)
    assert best_lines(replace(SOME, trials=unscored)) == ["1 trial: 1 completed; none has a score"]


def test_of_several_metrics_the_front_is_shown_and_what_is_hidden_is_said() -> None:
    record = of_two_metrics(60)
    lines = best_lines(record, 2)
    assert f"{len(record.best())} on the Pareto front" in lines[0]
    assert f"{len(record.best()) - 2} more of the front" in lines[-1]
