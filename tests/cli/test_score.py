"""Between a training and its metrics.json: what is checked before, what is written first, and what is printed."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import lightning as L
import pytest

from rnnvision.cli.frame.results import list_skipped, unfailing_output
from rnnvision.runs import Run, RunFolder
from rnnvision.training import Learner
from tests.cli.frame.test_messages import _check
from tests.cli.running import TINY, Copy, Verb

LATEST = Path("logs/train/latest")


@pytest.mark.parametrize(
    "words",
    [
        ["trainer.limit_test_batches=0"],
        ["trainer.limit_test_batches=0.0"],
        ["trainer.limit_test_batches=0.1"],  # of one batch
        ["trainer.limit_val_batches=0.1"],
        ["trainer.limit_train_batches=0"],
        ["trainer.limit_train_batches=0.01"],
        ["trainer.limit_val_batches=-1"],
        ["trainer.max_epochs=0"],
        ["trainer.max_steps=0"],
        ["trainer.accumulate_grad_batches=0"],
        ["trainer.devices=0"],
        ["trainer.accelerator=tpu"],
        ["trainer.strategy=fsdp"],
        ["trainer.precision=16-mixed"],  # on the CPU
        ["trainer.profiler=xla"],
        ["+trainer.logger=false"],
        ["+trainer.num_nodes=2"],
        ["+trainer.gradient_clip_algorithm=both"],
        ["trainer.gradient_clip_val=-1"],
        ["+trainer.max_time=5"],
        ["+trainer.max_time={second:1}"],
        ["+trainer.max_time=00:00:00:00"],
        ["+trainer.val_check_interval=0"],
        ["+trainer.val_check_interval=1.5"],
        ["+trainer.val_check_interval=50"],  # of 11 batches
        ["+trainer.min_epochs=30"],
        ["trainer.check_val_every_n_epoch=null"],
        ["trainer.check_val_every_n_epoch=0"],
    ],
    ids=lambda words: words[0],
)
def test_what_the_trainer_or_the_test_could_not_do_is_refused_before_the_training(
    verb: Verb, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setattr(L.Trainer, "fit", lambda *_, **__: pytest.fail("the training began"))
    key = words[0].lstrip("+").partition("=")[0]
    _check(verb("train", "device=cpu", *words), 2, key)
    assert not LATEST.is_symlink()


CPU = ("must be the number of processes on the CPU",)
GPU = ("must be the number of GPUs", "such as [0,1]")


@pytest.mark.parametrize(
    ("devices", "accelerator", "parts"),
    [
        *((devices, "cpu", CPU) for devices in ("0", "-1", "-2", "'0'", "[]", "[0]", "'0,1'")),
        *((devices, "auto", CPU) for devices in ("0", "-1")),
        *((devices, "gpu", GPU) for devices in ("0", "-2", "'0'", "[]", "[0,0]", "[-1]")),
        *(
            (devices, "gpu", ("must be a number, a list, such as [0,1], or auto",))
            for devices in ("abc", "','", "'0,x'")
        ),
    ],
)
def test_devices_that_cannot_be_are_told_with_what_can(
    verb: Verb, monkeypatch: pytest.MonkeyPatch, devices: str, accelerator: str, parts: tuple[str, ...]
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("rnnvision.cli.frame.setup.make_data", lambda *_: pytest.fail("the data was read"))
    result = verb("train", f"trainer.accelerator={accelerator}", f"trainer.devices={devices}")
    _check(result, 2, "trainer.devices=", *parts)


@pytest.mark.parametrize("devices", ["1", "2", "-1", "auto", "[0]", "[0,1]", "'0,1'", "'0,'", "'-1'", "'2'"])
def test_devices_that_a_gpu_machine_may_have_are_not_refused_for_their_form(verb: Verb, devices: str) -> None:
    result = verb("train", "trainer.accelerator=gpu", f"trainer.devices={devices}", "trainer.max_epochs=0")
    assert result.code == 2
    assert "must be the number of" not in result.message


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("callbacks=none", "trainer.check_val_every_n_epoch=3", "trainer.max_epochs=2"), "of trainer.max_epochs=2"),
        (("trainer.max_steps=5",), "it would come after 10 steps, and trainer.max_steps=5 ends before"),
        (("trainer.check_val_every_n_epoch=2", "trainer.max_steps=19"), "after 20 steps, and trainer.max_steps=19"),
        (("trainer.accumulate_grad_batches=3", "trainer.max_steps=3"), "after 4 steps, and trainer.max_steps=3"),
    ],
)
def test_a_training_without_a_validation_says_so_before_it_begins(
    train: Verb, words: tuple[str, ...], line: str
) -> None:
    result = train(*words)
    assert result.code == 0, result.err
    first_lines = result.out.partition("folder ")[0]
    assert "note      no validation" in first_lines
    assert line in first_lines
    assert "val loss" not in result.out


@pytest.mark.parametrize(
    "words",
    [
        ("trainer.max_steps=10",),
        ("trainer.accumulate_grad_batches=3", "trainer.max_steps=4"),
        ("trainer.check_val_every_n_epoch=2", "trainer.max_epochs=2"),
        ("trainer.max_steps=5", "+trainer.val_check_interval=0.5"),
    ],
)
def test_a_training_with_one_validation_does_not(train: Verb, words: tuple[str, ...]) -> None:
    result = train(*words)
    assert result.code == 0, result.err
    assert "no validation" not in result.out
    assert "best val/accuracy" in result.out


def test_a_precision_is_told_with_all_that_are_legal(verb: Verb) -> None:
    result = verb("train", "device=cpu", "trainer.precision=fp16")
    _check(result, 2, "trainer.precision=fp16: choose one of auto, 32-true, bf16-mixed,")
    names = result.message.partition("choose one of ")[2].partition(";")[0].split(", ")
    assert len(names) == len(set(names))


@pytest.mark.parametrize("precision", ["64-true", "bf16-true", "bf16", 32])
def test_a_network_that_was_trained_in_another_precision_is_tested_in_full(train: Verb, precision: object) -> None:
    result = train(f"trainer.precision={precision}")
    assert result.code == 0, result.err
    assert "test/accuracy" in Run(LATEST).metrics


@pytest.mark.parametrize("where", ["test", "best.ckpt", "out of memory", "calibration out of memory"])
def test_what_fails_after_the_training_leaves_its_figures_and_the_link(
    train: Verb, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def fail(self: Learner, *args: Any) -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate 17.5 GiB" if "memory" in where else "broken")

    def cut(self: Learner) -> None:
        best = Path("run/checkpoints/best.ckpt")
        best.write_bytes(best.read_bytes()[:1000])

    if where == "calibration out of memory":
        monkeypatch.setattr("rnnvision.training.Calibration.add", fail)
    else:
        monkeypatch.setattr(Learner, *(("on_fit_end", cut) if where == "best.ckpt" else ("on_test_start", fail)))
    result = train("hydra.run.dir=run")
    assert result.code == 1, result.err
    assert ("Traceback" in result.err) is (where == "test")
    assert {"train/loss", "train/accuracy", "train/seconds", "val/accuracy", "val/loss"} <= Run(
        Path("run")
    ).metrics.keys()
    assert Run(Path("run")).status == "failed"
    assert LATEST.resolve() == Path("run").resolve()


def test_what_lightning_refuses_after_the_first_step_is_a_failure(train: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    from lightning.fabric.utilities.exceptions import MisconfigurationException

    def refuse(self: Learner) -> None:
        raise MisconfigurationException("not like this")

    monkeypatch.setattr(Learner, "on_validation_start", refuse)
    result = train("hydra.run.dir=run")
    _check(result, 1, "trainer: not like this")
    assert Run(Path("run")).status == "failed"
    assert not LATEST.is_symlink()  # there is no result to point to


def test_memory_that_runs_out_in_training_is_told(train: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Learner, *args: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(Learner, "training_step", fail)
    _check(train(), 1, "data.batch_size=32")


def test_a_finished_run_that_is_resumed_keeps_its_figures_and_says_so(trained: Copy, verb: Verb) -> None:
    before = Run(trained("run")).metrics
    written = Path("run/metrics.json")
    for interrupted in ("", "at first", "when it was resumed"):  # as if it had been killed before its score
        if interrupted == "at first":
            written.unlink()
        elif interrupted:
            written.write_text(json.dumps({**before, "train/loss": 9.0, "train/seconds": 0.0}))
        result = verb("train", "resume=run")
        assert result.code == 0, result.err
        assert "nothing is left to train" in result.out
        again = Run(Path("run")).metrics
        kept = before.keys() - {
            "predict/milliseconds",
            *(("train/seconds", "train/samples_per_second") if interrupted else ()),
        }
        assert {key: again[key] for key in kept} == pytest.approx({key: before[key] for key in kept})
        assert again["train/seconds"] > 0


# Printing -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["naïve", "caf\udce9.png", "画像"])
def test_text_that_an_encoding_lacks_is_escaped(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    with unfailing_output():
        print(text, flush=True)
    assert raw.getvalue() == text.encode("ascii", "backslashreplace") + b"\n"


def test_a_skipped_file_whose_name_is_no_text_is_listed(capfd: pytest.CaptureFixture[str]) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    with unfailing_output():
        list_skipped([f"{name}: is cut short"], RunFolder(".", "logs", "train"))
    assert Path("skipped_files.txt").read_bytes() == b"caf\xe9.png: is cut short\n"
    assert ".png: is cut short" in capfd.readouterr().out


@pytest.mark.parametrize("when", ["at once", "while training"])
def test_a_reader_that_goes_away_ends_no_run(when: str) -> None:
    words = [sys.executable, "-m", "rnnvision.cli.train", *TINY, "hydra.run.dir=run"]
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(root)}
    )
    assert process.stdout is not None
    assert process.stderr is not None
    if when == "while training":
        process.stdout.readline()
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait(240) == 0, said
    assert said == b""
    assert json.loads(Path("run/status.json").read_text())["status"] == "completed"
