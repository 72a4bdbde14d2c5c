"""Mistakes of every kind, each told in one line before anything is made; the long version is `make torture`."""

from pathlib import Path

import pytest

from rnnvision.cli.frame.trainer.memory import memory_ran_out, network_fits
from rnnvision.errors import UsageError
from tests.cli.running import Verb, one_line

COUNT = "must be a whole number from"
VALUES = {  # word -> how its message begins, after the word
    "optimizer.lr=inf": "must be a number from 0 to 1000",
    "optimizer.weight_decay=-1e9": "must be a number from 0 to 1000",
    "scheduler.final=-inf": "must be a number from 0 to 1",
    "scheduler.initial=nan": "must be a number from 0 to 1",
    "data.batch_size=1000000000000": COUNT,
    "data.timeout=inf": "must be a number above 0, and at most",
    "data.num_workers=100000": COUNT,
    "data.split_seed=-1": COUNT,
    "seed=18446744073709551616": COUNT,
    "model.num_layers=100000": COUNT,
    "model.hidden_size=1000000000000": COUNT,
    "augmentation.shift=1000000000": COUNT,
    "report=2": "must be true or false",
    "log_dir=null": "must be a path",
    "weights=": "names no folder or file",
    "name=null": "is the end of the name",
    "optimizer.lr=${nothing}": "Interpolation key 'nothing' not found",
    "pretrain=${oc.env:NO_SUCH_VARIABLE}": "Environment variable 'NO_SUCH_VARIABLE' not found",
    "tags=[${no_resolver:1}]": "Unsupported interpolation type no_resolver",
    "optimizer.lr=???": "has no value",
    "optimizer.lr=${optimizer.lr}": "Recursive interpolation detected",
}


@pytest.mark.parametrize("word", VALUES)
def test_a_value_that_cannot_be_is_refused_before_anything_is_read(verb: Verb, word: str) -> None:
    message = one_line(verb, "train", word)
    key = word.partition("=")[0]
    assert message.startswith(key)
    assert VALUES[word] in message


def test_a_network_that_does_not_fit_is_refused_with_what_it_needs(verb: Verb) -> None:
    result = verb("train", "model.hidden_size=100000", "device=cpu")
    assert result.code == 2
    assert "model: this network needs 160.0 GB for one of its tensors" in result.message


@pytest.mark.parametrize("why", ["Storage size calculation overflowed", "Overflow when unpacking long long"])
def test_sizes_that_are_no_bytes_any_more_do_not_fit(why: str) -> None:
    with pytest.raises(UsageError, match="model: this network needs more memory"), network_fits():
        raise RuntimeError(why)
    with pytest.raises(RuntimeError, match="shapes"), network_fits():
        raise RuntimeError("shapes differ")


def test_memory_that_runs_out_anywhere_is_told_in_one_line() -> None:
    told = memory_ran_out(RuntimeError("can't allocate memory: you tried to allocate 4000000000 bytes. Error code 12"))
    assert told is not None
    assert "(4.0 GB at once)" in told
    assert memory_ran_out(RuntimeError("shapes differ")) is None


@pytest.mark.parametrize(
    ("name", "words", "says"),
    [
        ("train", ["data.root=/nope"], "digits is read from no folder; leave it out"),
        ("train", ["@seed=1"], "@seed=1: is not KEY=VALUE"),
        ("train", ["--run", "-m"], "exclude each other"),
        ("train", ["--info", "nothing"], "choose one of all, config"),
        ("train", [f"data.sampler={'x' * 100_000}"], "has 100,000 characters; at most 4,096"),
        ("compare", ["models=[lstm]", "budget=epochs:99999999999"], "must be at most"),
        ("tune", ["model.hidden_size=8,16", "min_epochs=50"], "min_epochs=50: a trial has 20"),
        ("predict", ["ckpt=x", "source=[a,5]"], "must be a list of paths"),
        ("compare", ["models=[lstm]", "callbacks.last.filename=true"], "must be text or null"),
        ("compare", ['models=[lstm,"gru scan=clumns"]'], "Try: rnnvision compare 'models=[lstm,\"gru scan=columns\"]'"),
        ("tune", ["model.hidden_size=8,16", "++model.head_dropohut=1"], "there is no such key"),
        ("train", ["data=digit,digits"], "there is no digit in data; did you mean data=digits?"),
    ],
)
def test_words_that_exclude_each_other_or_mean_nothing(verb: Verb, name: str, words: list[str], says: str) -> None:
    message = verb(name, *words).message
    assert says in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("defaults: gru\n", "defaults: gru: has to be a list"),
        ("defaults:\n  - [a]\n", "defaults: [a]: has to be a list"),
        ("defaults:\n  - 5\n", "defaults: 5: has to be a list"),
        ("defaults:\n  - mine\n", "defaults: mine: begins with this file again"),
        ("defaults:\n  - override /model: gru\n  - override /model: lstm\n", "stands there more than once"),
        ("seed: 1\x00\n", "is no YAML: special characters are not allowed"),
    ],
)
def test_a_file_of_ones_own_that_cannot_be_read_is_named(verb: Verb, text: str, says: str) -> None:
    file = Path("own/experiment/mine.yaml")
    file.parent.mkdir(parents=True)
    file.write_text(f"# @package _global_\n{text}")
    message = one_line(verb, "train", "--config-dir", "own", "experiment=mine")
    assert message.startswith(str(file.absolute()))
    assert says in message


def test_what_was_typed_does_not_break_the_line_of_a_message(verb: Verb) -> None:
    message = one_line(verb, "train", "data.sampler='a\nb\x1b[31m\u202ec'")
    assert "\x1b" not in message
    assert "\u202e" not in message
