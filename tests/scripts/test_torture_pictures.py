"""The trial pictures, in short."""

import io
import os
import random
from pathlib import Path

import pytest
from torture import mutations
from torture.trials import pictures

from rnnvision.data import DataError
from rnnvision.data.images import decoding


def test_mutated_images_are_read_or_refused(tmp_path: Path) -> None:
    outcome = pictures.run(600, 1, tmp_path)
    assert outcome.failures == []
    assert outcome.count == 600


@pytest.mark.parametrize("harm", ["dies", "raises", "says two lines"])
def test_what_does_not_end_as_promised_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: str) -> None:
    def decode(*args: object, **options: object) -> None:
        if harm == "dies":
            os.kill(os.getpid(), 9)
        raise ValueError("bad") if harm == "raises" else DataError("name: one\ntwo")

    monkeypatch.setattr("rnnvision.data.images.decode_seen", decode)
    outcome = pictures.run(3, 1, tmp_path)
    assert outcome.count == len(outcome.failures) == 3


def test_mutations_are_a_function_of_the_seed_and_reach_the_decoders() -> None:
    made = [mutations.mutated(random.Random(number)) for number in range(300)]
    assert made == [mutations.mutated(random.Random(number)) for number in range(300)]
    assert {suffix for suffix, _ in made} == {suffix for suffix, _ in mutations.originals()}
    view, read = decoding.View(convert=True, first_frame=True), 0
    for suffix, content in made:
        try:
            read += decoding.decode(io.BytesIO(content), suffix, view).numel() > 0
        except DataError:
            continue
    assert 60 < read < 240
