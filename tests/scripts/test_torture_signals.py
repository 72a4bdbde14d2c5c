"""The trial `signals`, short: a training that gets one in its words, in a save, and twice in its test."""

from pathlib import Path

import pytest
from torture.trials import signals


def test_a_signal_ends_a_verb_as_promised_and_a_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "attempts", lambda *_: iter(TRIES))
    outcome = signals.run(len(TRIES), 0, tmp_path)
    assert (outcome.count, outcome.failures) == (len(TRIES), [])


TRIES = [
    signals.Try("train", "words", signals.signal.SIGHUP, signals.DIGITS),
    signals.Try("train", "saving", signals.signal.SIGTERM, signals.DIGITS),
    signals.Try("train", "twice in the test", signals.signal.SIGINT, signals.DIGITS),
]
