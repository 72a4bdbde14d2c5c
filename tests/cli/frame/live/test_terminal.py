"""Whole commands on a terminal: what stays on the screen, and in the log."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.frame.live.screen import Screen, set_width
from tests.cli.running import Copy, Verb

PROGRAM = """
import sys, warnings
sys.argv[0] = "rnnvision"
from rnnvision.training import Learner

step = Learner.training_step

def training_step(self, batch, batch_idx):
    if batch_idx == 2:
        print("printed in epoch", self.current_epoch)
        warnings.warn("look out", UserWarning, stacklevel=1)
    return step(self, batch, batch_idx)

Learner.training_step = training_step
warnings.simplefilter("always")
from rnnvision.cli.train import main
main()
"""
WORDS = ("data=fake", "data.num_train=600", "data.num_test=10", "data.batch_size=8", "model.hidden_size=4")


def on_terminal(words: list[str], *, until: str = "", width: int = 120, **variables: str) -> tuple[int, Screen]:
    """Run a command on a terminal, with Ctrl-C once its last line matches `until`; its exit code and what is left."""
    reader, writer = os.openpty()
    set_width(writer, width)
    environment = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(Path(__file__).parents[4]), **variables}
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        environment.pop(name, None)
    screen = Screen(width)
    with subprocess.Popen(
        words, stdin=writer, stdout=writer, stderr=writer, env=environment, start_new_session=True
    ) as process:
        os.close(writer)
        interrupted = False
        while True:
            try:
                part = os.read(reader, 2**16)
            except OSError:  # the last one who had the terminal open has gone
                break
            if not part:
                break
            screen.feed(part.decode())
            if until and re.search(until, screen.lines[-1]) and not interrupted:
                interrupted = True
                process.send_signal(signal.SIGINT)
    os.close(reader)
    return process.returncode, screen


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no pty")
def test_a_training_that_is_interrupted_leaves_its_epochs_and_a_clean_terminal() -> None:
    words = [*WORDS, "trainer.max_epochs=30", "device=cpu", "hydra.run.dir=run"]
    code, screen = on_terminal([sys.executable, "-c", PROGRAM, *words], until=r"Epoch +([4-9]|[12]\d)/30")
    assert code == 130, screen.shown
    begun = next(i for i, line in enumerate(screen.shown) if line.startswith("folder "))
    after = screen.shown[begun + 1 :]
    kinds = [line.split("   train loss")[0] for line in after]
    for epoch in range(3):
        place = kinds.index(f"printed in epoch {epoch}")
        assert kinds[place + 1].endswith("UserWarning: look out")
        assert f"epoch{epoch + 1:4d}" in kinds[place + 1 :]
    assert not any("━" in line or "images/s" in line for line in after), after
    assert after[-2].startswith("rnnvision train: interrupted; what is done lies in run; go on: ")
    assert after[-1] == ""
    assert screen.cursor_is_shown
    log = Path("run/train.log").read_text()
    assert "epoch   3   train loss" in log
    assert "━" not in log


def test_answers_and_images_that_are_read_are_counted_in_a_log(
    trained: Copy, verb: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.cli.test_predict import write_digits

    monkeypatch.setattr("rnnvision.cli.frame.live.counts._Logged.first", 0.0)
    trained("run")
    write_digits(Path("digits"), 3)
    result = verb("predict", "ckpt=run", "source=digits", "device=cpu", "format=csv")
    assert result.code == 0
    assert "finding files: " in result.err
    assert "classifying images: 1, " in result.err
    assert len(result.out.splitlines()) == 4  # what another program reads is as it was
