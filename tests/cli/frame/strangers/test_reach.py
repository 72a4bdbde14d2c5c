"""Words in files reach nothing outside of their folder, unless the user types them himself."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from rnnvision.cli.frame.strangers.reach import reaching
from rnnvision.cli.frame.strangers.words import check_words
from rnnvision.errors import UsageError
from tests.cli.running import Copy, Verb

REACHING = [
    'where.setup=["touch /x"]',
    "+where.setup=[x]",
    "where={name:slurm,setup:[x]}",
    "where.address=there:6379",
    'where.partition="gpu\\ntouch x"',
    "where.program=x",
    "log_dir=/elsewhere",
    'log_dir="~/elsewhere"',
    "log_dir=a/../../elsewhere",
    "log_dir=logs,/elsewhere",
    "log_dir=${oc.env:HOME}",
    "+logger.csv.save_dir=/elsewhere",
    "logger={x:{save_dir:/elsewhere}}",
    'logger.mlflow.tracking_uri="http://there"',
    "data.cache=/elsewhere",
    "output=/elsewhere/model.onnx",
    "name=../elsewhere",
]
WITHIN = [
    *("where=slurm", "where.cluster=local", "where.partition=gpu", "where.minutes=60", "where.gpus=[0,1]"),
    *("where.setup=[]", "where.address=null", "log_dir=logs", "log_dir=logs/mine", "data.cache=false", "name=mine"),
    *("data.root=/pictures", "model=lstm,gru", "optimizer.lr=interval(0.1,1)", "~callbacks.ema"),
]


@pytest.mark.parametrize("word", REACHING)
def test_a_word_that_reaches_out_is_refused_unless_it_is_typed_or_trusted(
    word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Path("sw/sweep.json")
    monkeypatch.setattr(sys, "argv", ["rnnvision", "resume_sweep=sw"])
    with pytest.raises(UsageError, match="if it is what you want, type it too: ") as refused:
        check_words([word], [], file)
    assert len(str(refused.value).splitlines()) == 1
    monkeypatch.setattr(sys, "argv", ["rnnvision", "resume_sweep=sw", word])
    check_words([word] if "oc.env" not in word else [], [], file)
    monkeypatch.setattr(sys, "argv", ["rnnvision", "resume_sweep=sw"])
    monkeypatch.setenv("RNNVISION_TRUST_CONFIG", "1")
    check_words([word], [], file)


def test_what_stays_within_is_let_through(tmp_path: Path) -> None:
    assert reaching(WITHIN, tmp_path) == {}
    folder = tmp_path / "train" / "multiruns" / "now"
    assert reaching([f"log_dir={tmp_path}"], folder) == {}  # where the sweep itself lies
    assert reaching([f"log_dir={tmp_path}"], tmp_path) != {}


def _sweep(words: list[str], **changed: Any) -> None:
    Path("sw").mkdir()
    record = {"verb": "train", "cwd": str(Path.cwd()), "flags": [], "commands": [[*words, "seed=0"]]}
    record["jobs"] = [{"name": "seed=0", "words": ["seed=0"]}]
    Path("sw/sweep.json").write_text(json.dumps({**record, **changed}))


def test_a_record_does_not_choose_lines_of_shell(verb: Verb) -> None:
    _sweep(["where=slurm", 'where.setup=["touch ran"]'])
    result = verb("train", "-m", "resume_sweep=sw")
    assert result.code == 2
    assert 'where.setup=["touch ran"] would start a program' in result.message


def test_a_record_does_not_choose_the_folder_it_works_in(verb: Verb, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    _sweep([], cwd=str(tmp_path / "there"))
    result = verb("train", "-m", "resume_sweep=sw")
    assert result.code == 2
    assert f"resume_sweep=sw: began in another folder, {tmp_path / 'there'}; " in result.message
    assert Path.cwd() == tmp_path / "here"


STUDY = {
    "name": "x",
    "metrics": ["val/accuracy"],
    "directions": ["maximize"],
    "space": {"model.hidden_size": {"kind": "choice", "choices": [4, 8]}},
    "words": ["trainer=smoke"],
    "n_trials": 1,
}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"space": {"+hydra.callbacks.e._target_": ["logging.FileHandler", "x"]}}, "cannot be searched"),
        ({"space": {"hydra/launcher": ["joblib", "basic"]}}, "is Hydra's own"),
        ({"space": {"plugins": [["theirs"], ["x"]]}}, "plugins: cannot be searched"),
        ({"space": {"a=1 b": [1, 2]}}, "cannot be searched"),
        ({"space": {"model@hydra.x": ["gru", "lstm"]}}, "cannot be searched"),
        ({"space": {"~seed": [1, 2]}}, "cannot be searched"),
        ({"space": {"name": ["${oc.env:SECRET}", "x"]}}, "name: cannot be searched"),
        ({"space": {"label_smoothing": ["${oc.env:SECRET}", "x"]}}, "reads the environment variable SECRET"),
        ({"space": {"data.cache": ["/elsewhere", "x"]}}, "would write outside of its folder"),
        ({"storage": "sqlite:////elsewhere/made.db"}, "storage=sqlite:////elsewhere/made.db is elsewhere"),
        ({"storage": "mysql://there/x"}, "storage=mysql://there/x is elsewhere"),
        ({"storage": "${oc.env:HOME}"}, "is elsewhere"),
        ({"storage": "sqlite:///study/../made.db"}, "is elsewhere"),
        ({"words": ["resume=/elsewhere/run"]}, "resume=/elsewhere/run would go on with another run; "),
        ({"words": ["log_dir=/elsewhere"]}, "would write outside of its folder"),
    ],
)
def test_a_study_of_others_is_refused_in_a_line(trained: Copy, verb: Verb, changed: dict[str, Any], said: str) -> None:
    pytest.importorskip("optuna")
    trained("study")
    if "space" in changed:
        changed = {"space": {key: {"kind": "choice", "choices": found} for key, found in changed["space"].items()}}
    Path("study/study.json").write_text(json.dumps({**STUDY, **changed}))
    result = verb("tune", "resume=study")
    assert (result.code, len(result.message.splitlines())) == (2, 1), result.err
    assert said in result.message
    assert not Path("study/study.db").exists()
