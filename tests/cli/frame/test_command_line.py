"""Words of a command line that mean something else than they seem to: told before anything is made."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hydra._internal.utils import get_args_parser

from rnnvision import __version__
from rnnvision.cli import dispatch
from rnnvision.cli.dispatch import VERBS
from rnnvision.cli.frame.arguments import config_dir
from rnnvision.cli.frame.command_line.groups import SEVERAL, default_options, options_of
from rnnvision.cli.frame.command_line.line import read_command
from rnnvision.cli.frame.command_line.words import FLAGS, VALUE_FLAGS, parsed
from rnnvision.cli.frame.sweep.expand import read_values
from rnnvision.errors import UsageError
from rnnvision.launch import module_command
from tests.cli.running import Verb, one_line

CONF = config_dir()
UNDER_HYDRA = [name for name in VERBS if (CONF / f"{name}.yaml").is_file()]
ONE_OPTION = [group for group in default_options(CONF, "train") if group not in SEVERAL]


def overrides(*words: str) -> tuple[str, ...]:
    return read_command(words, "train", CONF).overrides


def test_the_flags_are_those_of_hydra() -> None:
    known = {flag for action in get_args_parser()._actions for flag in action.option_strings}
    assert {*FLAGS, *VALUE_FLAGS} == known - {"--experimental-rerun"}


@pytest.mark.parametrize(
    ("words", "right"),
    [
        (["--epochs", "3", "model=gru"], "trainer.max_epochs=3 model=gru"),
        (["--epochs=3"], "trainer.max_epochs=3"),
        (["--model", "lstm"], "model=lstm"),
        (["model=gru", "--batch-size", "64"], "model=gru data.batch_size=64"),
        (["--lr=0.1"], "optimizer.lr=0.1"),
        (["--helpp"], "--help"),
        (["--multi", "model=lstm,gru"], "--multirun model=lstm,gru"),
        (["model", "=", "gru", "seed=1"], "model=gru seed=1"),
        (["seed=1", "model=", "gru"], "seed=1 model=gru"),
        (["model", "=gru"], "model=gru"),
        (["model=[lstm,gru]", "seed=1"], "-m model=lstm,gru seed=1"),
        (["-m", "model=[lstm,gru],rnn"], "-m model=lstm,gru,rnn"),
        (["data=[mnist]"], "data=mnist"),
        (["model=lsmt", "seed=1"], "model=lstm seed=1"),
        (["data=mnsit"], "data=mnist"),
        (["model=mnist_lstm"], "experiment=mnist_lstm"),
        (["sweep=recurrences", "trainer=smoke"], "-m sweep=recurrences trainer=smoke"),
        (["model=lstm,gru"], "-m model=lstm,gru"),
        (["hydra.run.dirr=x"], "hydra.run.dir=x"),
        (["+trainer.max_epochs=3", "seed=1"], "trainer.max_epochs=3 seed=1"),
        (["seed=range(0,2)"], "-m 'seed=range(0,2)'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_corrected_command_is_in_the_message(verb: Verb, words: list[str], right: str) -> None:
    message = one_line(verb, "train", *words)
    assert f"rnnvision train {right}" in message


def test_a_value_with_a_near_one_gets_the_command_too(verb: Verb) -> None:
    result = verb("train", "model.scan=rosw", "data=fake", "device=cpu")
    assert result.code == 2
    assert "did you mean rows? Try: rnnvision train model.scan=rows data=fake device=cpu" in result.message


def test_of_a_list_the_one_that_is_wrong_is_corrected(verb: Verb) -> None:
    result = verb("train", "plugins=[./lay.py,json]", "data=fake")
    assert result.message.endswith("did you mean lay? Try: rnnvision train 'plugins=[lay,json]' data=fake")


@pytest.mark.parametrize(
    ("words", "right"),
    [
        (["resume", "a run"], ["rnnvision", "train", "resume=a run"]),
        (["trian", "name=a b"], ["rnnvision", "train", "name=a b"]),
        (["model=lstm", "name=a b"], ["rnnvision", "train", "model=lstm", "name=a b"]),
    ],
)
def test_the_dispatcher_corrects_its_command_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str], right: list[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["rnnvision", *words])
    with pytest.raises(SystemExit, match="2"):
        dispatch.main()
    assert shlex.split(capsys.readouterr().err.partition("Try: ")[2]) == right


@pytest.mark.parametrize(("words", "shown"), [(["help"], "rnnvision VERB"), (["help", "diff"], "Compares two runs")])
def test_the_dispatcher_takes_the_word_help(tmp_path: Path, words: list[str], shown: str) -> None:
    code = "from rnnvision.cli.dispatch import main; main()"
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(shown)


@pytest.mark.parametrize("name", UNDER_HYDRA)
def test_the_version_is_that_of_this_package(verb: Verb, name: str) -> None:
    assert verb(name, "--version").out.strip() == __version__


def test_the_dispatcher_says_the_version_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["rnnvision", "--version"])
    dispatch.main()
    version, needed = capsys.readouterr().out.splitlines()
    assert version == __version__
    assert re.fullmatch(r"Python 3\.\d+\.\d+, torch 2\.\d+\.\d+\S*", needed)


def test_a_long_message_has_the_command_before_the_list(verb: Verb) -> None:
    message = one_line(verb, "train", "model=lsmt")
    assert 0 < message.index("Try: ") < message.index("choose one of ") < 200


def test_flags_and_words_may_come_in_any_order() -> None:
    line = read_command(["model=lstm", "-m", "seed=0,1", "--config-dir=.", "data=fake"], "train", CONF)
    assert line.multirun
    assert line.overrides == ("model=lstm", "seed=0,1", "data=fake")
    assert line.flags == ("-m", "--config-dir", str(Path.cwd()))


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["-x"], ["-x: there is no such flag", "rnnvision train --help"]),
        (["--cfg", "jobb"], ["job, hydra, all"]),
        (["--config-dir"], ["--config-dir: needs a value"]),
        (["--config-dir="], ["--config-dir: needs a value"]),
        (["-cd", ""], ["-cd: needs a value"]),
        (["--config-name="], ["--config-name: needs a value"]),
        (["~optimizer.lr"], ["~optimizer.lr: a setting cannot be taken away; give it a value, optimizer.lr=VALUE, or"]),
        (["~trainer.max_epochs=20"], ["~trainer.max_epochs=20: a setting cannot be taken away"]),
        (["~callbacks.best.monitor"], ["give it a value, callbacks.best.monitor=VALUE"]),
        (["~seed"], ["give it a value, seed=VALUE"]),
        (["--config-dir", "nowhere"], ["nowhere: there is no such folder"]),
        (["help"], ["did you mean --help", "rnnvision train --help"]),
        (["1a=2"], ["a key is made of letters"]),
        (["=3"], ["a key is made of letters"]),
        (["model=3"], ["model=3: there is no such option; choose one of ", " lstm, "]),
        (["model.hidden_size=[1"], ["a [ is not closed"]),
    ],
    ids=lambda value: value[0],
)
def test_words_that_are_neither_are_told(verb: Verb, words: list[str], parts: list[str]) -> None:
    message = one_line(verb, "train", *words)
    assert all(part in message for part in parts), message


# Groups ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("group", ONE_OPTION)
def test_a_list_for_a_group_of_one_option_is_refused(group: str) -> None:
    first, second = options_of([CONF], group)[:2]
    with pytest.raises(UsageError, match=r"takes one option, not a list; for a run each: .* -m "):
        overrides(f"{group}=[{first},{second}]")


@pytest.mark.parametrize("group", SEVERAL)
def test_a_list_for_a_group_that_adds_up_is_taken(group: str) -> None:
    words = f"{group}=[{','.join(options_of([CONF], group)[:2])}]"
    assert overrides(words) == (words,)


@pytest.mark.parametrize("group", ["data", "model"])
@pytest.mark.parametrize("form", ["{}", "mnist,{}", "[{}]"])
def test_a_part_of_options_is_no_option(group: str, form: str) -> None:
    inner = sorted(path.stem for path in (CONF / group).glob("_*.yaml"))
    assert inner
    for name in inner:
        with pytest.raises(UsageError) as refused:
            overrides(f"{group}={form.format(name)}")
        assert f" {name}" not in str(refused.value).partition("choose one of")[2]


@pytest.mark.parametrize("group", default_options(CONF, "train"))
@pytest.mark.parametrize("word", ["{}=null", "~{}"])
def test_null_switches_a_group_off_or_says_that_it_cannot_be(group: str, word: str) -> None:
    off = {"augmentation": "none", "callbacks": "none", "logger": "none", "scheduler": "constant"}
    if group in off:
        assert overrides(word.format(group)) == (f"{group}={off[group]}",)
    elif group in ("experiment", "sweep", "debug"):
        assert overrides(word.format(group)) == ()
    else:
        with pytest.raises(UsageError, match=f"{group} cannot be off; leave it out for {group}="):
            overrides(word.format(group))


@pytest.mark.parametrize("word", ["~callbacks.best", "~logger.csv", "~optimizer.lr_factors.head", "~hydra.run.dir"])
def test_one_of_several_may_be_taken_away(word: str) -> None:
    assert overrides(word) == (word,)


@pytest.mark.parametrize("plus", ["+", "++"])
def test_to_choose_from_a_group_adds_nothing(plus: str) -> None:
    assert overrides(f"{plus}model=gru") == ("model=gru",)


def test_null_in_a_sweep_is_one_of_the_runs() -> None:
    assert overrides("-m", "logger=null,csv", "experiment=null,mnist_gru") == (
        "logger=none,csv",
        "experiment=[],mnist_gru",
    )


def test_a_run_without_groups_that_can_be_off_trains(verb: Verb) -> None:
    off = [f"{group}=null" for group in ("logger", "callbacks", "scheduler", "augmentation")]
    result = verb("train", "data=fake", "trainer=smoke", "device=cpu", "model.hidden_size=4", "hydra.run.dir=run", *off)
    assert result.code == 0, result.err
    assert not list(Path("run").rglob("*.ckpt"))
    assert not Path("run/metrics.csv").exists()


# Every verb -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", UNDER_HYDRA)
def test_a_key_that_is_added_and_read_by_nothing_is_refused(verb: Verb, name: str) -> None:
    assert "x: there is no such key; choose one of " in one_line(verb, name, "+x=1")


@pytest.mark.parametrize("name", UNDER_HYDRA)
def test_the_form_of_other_programs_is_told_by_every_verb(verb: Verb, name: str) -> None:
    message = one_line(verb, name, "--log-dir", "my logs")
    assert shlex.split(message.partition("Try: ")[2]) == ["rnnvision", name, "log_dir=my logs"]


def test_a_comparison_is_no_sweep(verb: Verb) -> None:
    message = one_line(verb, "compare", "-m", "models=[lstm,gru]")
    assert message.endswith("leave out -m: rnnvision compare 'models=[lstm,gru]'")


LSTM, GRU = "sw/model=lstm,seed=0", "sw/model=gru,seed=0"


@pytest.mark.parametrize(
    ("word", "paths"),
    [
        (f"weights={LSTM}", [LSTM]),
        (f"weights={LSTM},{GRU}", [LSTM, GRU]),
        (f"weights={LSTM},a,b c", [LSTM, "a", "b c"]),
        (f'weights="{LSTM}","a,b"', [LSTM, "a,b"]),
        (f'weights=choice("{LSTM}",b)', [LSTM, "b"]),
        ("weights=[a],b", [["a"], "b"]),
        ("hydra.sweep.dir=a,b", ["a,b"]),
    ],
)
def test_the_commas_in_the_names_of_jobs_are_not_those_between_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, paths: list[object]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (LSTM, GRU):
        Path(name).mkdir(parents=True)
    (values,) = read_values(overrides("-m", word), {}, None)
    assert [read.value() for one in values.words if (read := parsed(one))] == paths


def test_the_dispatcher_starts_a_process_that_imports_nothing_from_here(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(sys, "argv", ["rnnvision", "evaluate", "ckpt=run"])
    monkeypatch.setattr(dispatch, "hold_signals", lambda: None)
    monkeypatch.setattr("os.execv", lambda program, command: started.append(command))
    dispatch.main()
    assert started == [module_command("rnnvision.cli.evaluate", "ckpt=run")]
