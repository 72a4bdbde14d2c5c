"""metrics.csv: one row an epoch, and the same row as a line."""

import csv
from pathlib import Path

import pytest

from rnnvision.errors import UsageError
from rnnvision.training import RunLog
from tests.training.cases import make_data, make_learner, make_trainer


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def log_epoch(log: RunLog, epoch: int, loss: float = 0.5) -> None:
    """As Lightning reports it: validation first, then training."""
    step = 10 * (epoch + 1) - 1
    log.log_metrics({"val/loss": loss + 1, "val/accuracy": 0.25, "epoch": epoch}, step=step)
    log.log_metrics({"train/loss": loss, "train/accuracy": 0.75, "lr": 0.1, "epoch": epoch}, step=step)


def test_validation_and_training_of_an_epoch_make_one_row(tmp_path: Path) -> None:
    log = RunLog(str(tmp_path), echo=False)
    for epoch in range(2):
        log_epoch(log, epoch, loss=0.5 + epoch)
    first, second = rows(tmp_path)
    assert list(first) == [
        "epoch", "step", "val/loss", "val/accuracy", "train/loss", "train/accuracy", "lr", "seconds",
    ]  # fmt: skip
    assert [first[name] for name in first if name != "seconds"] == ["0", "9", "1.5", "0.25", "0.5", "0.75", "0.1"]
    assert [second[name] for name in second if name != "seconds"] == ["1", "19", "2.5", "0.25", "1.5", "0.75", "0.1"]
    assert 0 <= float(first["seconds"]) < 60


def test_an_epoch_that_is_not_over_is_not_written(tmp_path: Path) -> None:
    log = RunLog(str(tmp_path), echo=False)
    log.log_metrics({"val/loss": 1.0, "epoch": 0}, step=9)
    assert not (tmp_path / "metrics.csv").exists()
    log_epoch(log, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.csv"]


def test_figures_that_come_later_get_a_column(tmp_path: Path) -> None:
    log = RunLog(str(tmp_path), echo=False)
    log_epoch(log, 0)
    log.log_metrics({"extra": 7.0, "epoch": 1}, step=19)
    log_epoch(log, 1)
    assert [row["extra"] for row in rows(tmp_path)] == ["", "7.0"]


def test_a_line_an_epoch_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log_epoch(RunLog(str(tmp_path)), 4)
    line, end = capsys.readouterr().out.split("\n")
    assert line.startswith("epoch   5   train loss 0.5000 accuracy 0.7500   val loss 1.5000 accuracy 0.2500   ")
    assert line.endswith(" s")
    assert end == ""


def test_training_without_validation_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    RunLog(str(tmp_path), echo=True).log_metrics({"train/loss": 0.5, "train/accuracy": 0.75, "epoch": 0}, step=9)
    assert capsys.readouterr().out.startswith("epoch   1   train loss 0.5000 accuracy 0.7500   0.")


def test_nothing_is_printed_without_echo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log_epoch(RunLog(str(tmp_path), echo=False), 0)
    assert capsys.readouterr().out == ""


def test_a_resumed_run_goes_on_with_the_file(tmp_path: Path) -> None:
    first = RunLog(str(tmp_path), echo=False)
    for epoch in range(2):
        log_epoch(first, epoch)
    before = rows(tmp_path)
    log_epoch(RunLog(str(tmp_path), echo=False), 2)
    assert rows(tmp_path)[:2] == before
    assert [row["epoch"] for row in rows(tmp_path)] == ["0", "1", "2"]


@pytest.mark.parametrize("echo", [True, False])
@pytest.mark.parametrize("resumed", [True, False])
def test_a_repeated_epoch_replaces_its_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], resumed: bool, echo: bool
) -> None:
    log = RunLog(str(tmp_path), echo=echo)
    for epoch in range(3):
        log_epoch(log, epoch)
    log_epoch(RunLog(str(tmp_path), echo=echo) if resumed else log, 1, loss=0.125)
    assert [(row["epoch"], row["train/loss"], row["val/loss"]) for row in rows(tmp_path)] == [
        ("0", "0.5", "1.5"),
        ("1", "0.125", "1.125"),
        ("2", "0.5", "1.5"),
    ]
    assert capsys.readouterr().out.count("epoch   2   ") == (2 if echo else 0)


def test_the_rows_of_an_epoch_that_is_repeated_go(tmp_path: Path) -> None:
    log = RunLog(str(tmp_path), echo=False)
    for epoch in range(3):
        log_epoch(log, epoch)
    log.go_back_to(1)
    assert [row["epoch"] for row in rows(tmp_path)] == ["0"]


# Lightning's own check of nested batches uses a function that torch has deprecated.
@pytest.mark.filterwarnings("ignore:`isinstance\\(treespec, LeafSpec\\)` is deprecated:FutureWarning")
def test_a_training_fills_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = make_data()
    trainer = make_trainer(tmp_path, max_epochs=3, logger=RunLog(str(tmp_path), echo=True))
    trainer.fit(make_learner(data), datamodule=data)
    found = rows(tmp_path)
    assert [(row["epoch"], row["step"]) for row in found] == [("0", "2"), ("1", "5"), ("2", "8")]
    for name in ("train/loss", "train/accuracy", "val/loss", "val/accuracy", "lr"):
        assert float(found[-1][name]) == pytest.approx(float(trainer.callback_metrics[name]))
    assert capsys.readouterr().out.count("\n") == 3


@pytest.mark.parametrize(
    "line", ['x,,"', "1,19,2.5", "1,19,2.5,0.25,1.5,0.75,0.1,3.0,4.0,5.0", "1,19,2.5,0.25,?,0.75,0.1,3"]
)
def test_a_damaged_line_is_told_and_the_epochs_that_can_be_read_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    log_epoch(RunLog(str(tmp_path), echo=False), 0)
    with (tmp_path / "metrics.csv").open("a") as file:
        file.write(line + "\n")
    log = RunLog(str(tmp_path), echo=False)
    assert "metrics.csv is damaged, the epochs that can be read stay: line 3: " in capsys.readouterr().out
    log.go_back_to(1)
    assert [row["epoch"] for row in rows(tmp_path)] == ["0"]


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("dear diary\ntoday\n")
    with pytest.raises(UsageError, match=r"is no table of epochs, or is damaged .* of the epochs so far are gone"):
        RunLog(str(tmp_path))
