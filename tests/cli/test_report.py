"""rnnvision report: of a run, an evaluation, several runs, and of folders that lack something."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from rnnvision.cli.frame.reporting.looks import looks_at
from rnnvision.cli.frame.reporting.write import runs_in
from rnnvision.data.splits import Split
from rnnvision.inference.classifier import Classifier
from rnnvision.nn import build
from rnnvision.report.page.build import PARTS, run_page
from rnnvision.report.page.found import Found
from rnnvision.report.page.render import render
from rnnvision.runs import Run, write_study
from tests.cli.running import TINY, Copy, Verb
from tests.nn.cases import Case, network_cases
from tests.report.study.studies import searched

PICTURES = ("results.png", "confusion_matrix.png", "confusion_matrix_normalized.png")


def test_a_training_can_end_with_its_report(train: Verb) -> None:
    result = train("hydra.run.dir=run", "report=true", "trainer.limit_test_batches=1.0")
    assert result.code == 0, result.err
    assert "report    run/report.html" in result.out
    assert "left out" not in result.out
    html = Path("run/report.html").read_text()
    assert all(Path("run", name).is_file() for name in PICTURES)
    for title in (
        "Surest mistakes",
        "While reading",
        "Scan",
        "Gradient through time",
        "States",
        "Probably wrong labels",
    ):
        assert f">{title}</h2>" in html, title
    assert "after 2 of 8 tokens" in html


def test_the_same_report_comes_from_the_folder_alone(trained: Copy, verb: Verb) -> None:
    trained("run")
    before = {path.name for path in Path("run").rglob("*") if path.is_file()}
    assert verb("report", "run=run", "to=pages").code == 0
    assert (Path("pages/report.html").is_file(), Path("run/report.html").is_file()) == (True, False)
    assert {path.name for path in Path("run").rglob("*") if path.is_file()} == before


def test_an_evaluation_is_shown_with_the_training_of_its_checkpoint(trained: Copy, verb: Verb) -> None:
    trained("run")
    assert verb("evaluate", "ckpt=run", "split=val", "device=cpu", "hydra.run.dir=out").code == 0
    result = verb("report", "run=out")
    assert result.code == 0, result.err
    html = Path("out/report.html").read_text()
    assert "accuracy on the val split" in html
    assert f"<code>{Path('run').resolve()}</code>" in html  # the training, whose curves are shown
    assert '<h2 id="curves-title">' in html
    trained("new")
    (Path("new") / "status.json").write_text('{"status": "completed", "started": "2999-01-01T00:00:00+00:00"}')
    shutil.rmtree("run")
    Path("new").rename("run")
    result = verb("report", "run=out")
    assert (result.code, "where another network is by now" in result.message) == (2, True)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("predictions.csv", "left out  Classes, confusion, calibration: run holds no predictions.csv"),
        ("metrics.csv", "left out  Curves: "),
        ("checkpoints", "left out  Scan: "),
        ("metrics.json", "left out  Scores: "),
        ("environment.json", ""),
        (".hydra", ""),
        ("status.json", ""),
    ],
)
def test_what_a_run_folder_lacks_is_left_out(trained: Copy, verb: Verb, file: str, said: str) -> None:
    path = trained("run") / file
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    result = verb("report", "run=run")
    assert result.code == 0, result.err
    assert said in result.out
    assert Path("run/report.html").is_file()


def test_predictions_that_are_of_other_images_are_not_put_beside_these(trained: Copy, verb: Verb) -> None:
    path = trained("run") / "predictions.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    result = verb("report", "run=run")
    assert result.code == 0
    assert "left out  Surest mistakes: predictions.csv has 359 rows and the test split 360 images" in result.out
    path.write_text("image,truth\n")
    result = verb("report", "run=run")
    assert result.code == 0
    assert "predictions.csv: its columns are not" in result.out


def test_the_runs_of_a_multirun_are_side_by_side(verb: Verb) -> None:
    assert verb("train", "-m", "model=rnn,gru", *TINY, "hydra.sweep.dir=sweep").code == 0
    Path("sweep/a_report").mkdir()
    Path("sweep/a_report/status.json").write_text('{"status": "completed"}')  # of a verb that trains nothing
    result = verb("report", "run=sweep")
    assert result.code == 0, result.err
    html = Path("sweep/report.html").read_text()
    assert ">model=rnn</th>" in html
    assert ">model=gru</th>" in html
    assert ">model.recurrence</th>" in html
    assert "a_report" not in html
    assert Path("sweep/results.png").is_file()


@pytest.mark.parametrize(
    ("record", "shown"),
    [
        ({"status": "running"}, "killed"),
        ({"status": "failed", "error": "the loss became nan"}, "failed: the loss became nan"),
    ],
    ids=["killed", "failed"],
)
@pytest.mark.parametrize("saved", [True, False])
def test_a_run_that_did_not_complete_says_how_it_ended(
    trained: Copy, verb: Verb, record: dict[str, str], shown: str, saved: bool
) -> None:
    run = trained("run")
    (run / "status.json").write_text(json.dumps(record))
    if not saved:
        for name in ("metrics.csv", "metrics.json", "predictions.csv", "classes.csv"):
            (run / name).unlink()
        shutil.rmtree(run / "checkpoints")
    result = verb("report", "run=run")
    assert result.code == 0, result.err
    assert f"<dt>status</dt><dd>{shown}</dd>" in (run / "report.html").read_text()
    assert (
        f"run has no predictions.csv, and no checkpoint; the run is {shown.partition(':')[0]}" in result.out
    ) != saved
    shutil.copytree(trained("other"), "runs/other")
    shutil.copytree(run, "runs/one")
    assert verb("report", "run=runs").code == 0
    assert f">{shown}</" in Path("runs/report.html").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "run=null: give a run folder"),
        (["run=run/checkpoints/best.ckpt"], "try: rnnvision report run=/"),
        (["run=nowhere"], "nowhere: there is no such folder; try: rnnvision report run=logs/train/latest"),
        (["run=empty"], "empty: holds no run; give a run folder"),
    ],
)
def test_what_is_no_run_is_told_in_a_line(verb: Verb, words: list[str], said: str) -> None:
    Path("empty").mkdir()
    Path("run/checkpoints").mkdir(parents=True)
    result = verb("report", *words)
    assert result.code == 2
    assert said in result.message
    assert len(result.message.splitlines()) == 1


@pytest.mark.parametrize("command", [("report", "run=logs"), ("train", "report=true", *TINY)])
def test_without_matplotlib_nothing_begins(
    verb: Verb, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnnvision.cli.frame.reporting.write.find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = verb(*command)
    assert (result.code, 'pip install "rnnvision[plots]"' in result.message) == (2, True)


CASES = dict(network_cases("variant"))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_network_shows_what_it_can_and_says_what_it_cannot(case: Case, tmp_path: Path) -> None:
    import torch

    shape = tuple(case["input_shape"])
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (12, *shape), dtype=torch.uint8, generator=generator)
    samples = Split(images, torch.arange(12) % case["num_classes"])
    names = [f"class {i}" for i in range(case["num_classes"])]
    facts = {"mean": [0.5] * shape[0], "std": [0.5] * shape[0]}
    data = {"name": "fake", "root": None}
    description = {"network": case, "class_names": names, "normalisation": facts, "data": data}
    classifier = Classifier(build(**case).eval(), description, tmp_path)
    found = Found(Run(tmp_path), class_names=names)
    reasons = {}
    for name, look in looks_at(classifier, samples, found).items():
        try:
            look()
        except ValueError as error:
            reasons[name] = str(error)
    assert reasons.pop("mistakes") == "there is no predictions.csv; see Classes"
    assert all(len(reason) > 20 for reason in reasons.values())
    shown = {name for name in (*PARTS, "progress") if getattr(found, name, None) is not None}
    reads = {"scan"} if hasattr(classifier.network, "scan") else set()
    anytime = {"reading", "states", "gradient"} if hasattr(classifier.network, "forward_anytime") else set()
    assert {"labels"} | reads | anytime <= shown, reasons
    assert render(run_page(found)).count("</section>") > 3


def test_of_a_study_there_is_one_page_of_its_trials(verb: Verb) -> None:
    study = Path("kept/study")
    study.mkdir(parents=True)
    (study / "study.json").write_text("{}")
    result = verb("report", "run=kept/study")
    assert (result.code, "this study has no trial yet" in result.message) == (2, True)
    write_study(study, searched(6))
    (study / "status.json").write_text('{"status": "interrupted"}')
    run = Path("kept/run")
    run.mkdir()
    for name in ("status.json", "metrics.json"):
        (run / name).write_text("{}")
    (run / "metrics.csv").touch()
    assert [found.path.name for found in runs_in(Path("kept"))] == ["run"]  # a study is not a run beside others
    result = verb("report", "run=kept/study", "to=pages")
    assert result.code == 0, result.err
    assert "report    pages/report.html" in result.out
    assert "Parallel coordinates" in Path("pages/report.html").read_text()
    (study / "trials.json").write_text("{")
    result = verb("report", "run=kept/study")
    assert (result.code, "trials.json: is damaged" in result.message, len(result.message.splitlines())) == (1, True, 1)
