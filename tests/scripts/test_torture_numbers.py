"""The trial `numbers`, for two of the places where a NaN or an infinity appears."""

from pathlib import Path

from torture.trials import numbers


def test_a_number_that_is_not_finite_ends_a_training(tmp_path: Path) -> None:
    outcome = numbers.run(2, 0, tmp_path)
    assert (outcome.count, outcome.failures) == (2, [])
