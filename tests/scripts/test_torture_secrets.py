"""The trial of secrets, in short: a run that is resumed with its secret typed again, and what the trial sees."""

from pathlib import Path

import pytest
from torture.trial import Ended
from torture.trials import secrets

SECRET = "c4naryOfTheTests"


@pytest.mark.filterwarnings("ignore:.*fork")
def test_a_secret_of_a_run_is_kept_nowhere_and_can_be_given_again(tmp_path: Path) -> None:
    secrets.prepared("train")
    secrets._furnish(tmp_path, SECRET)
    assert list(secrets._tried(secrets.CASES["resumed"], tmp_path, SECRET)) == []


def test_the_trial_sees_a_secret_that_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def leaks(verb: str, words: list[str], place: Path, **variables: object) -> Ended:
        (place / "run.log").write_text(f"api_token={SECRET}")
        return Ended(0, f"token {SECRET}", "")

    monkeypatch.setattr(secrets, "forked", leaks)
    step = secrets.Step("train", ("data.api_token=SECRET",))
    assert list(secrets._tried((step,), tmp_path, SECRET)) == [
        "train data.api_token=SECRET: printed it",
        "run.log holds it",
    ]
