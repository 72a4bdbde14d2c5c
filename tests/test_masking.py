"""Secrets: by their look, by the key that they are given to, by the variable that holds them."""

import json
import shlex
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from rnnvision import masking
from rnnvision.atomic import whole
from rnnvision.masking import (
    hidden_keys,
    hide,
    hide_environment,
    hide_in,
    hide_in_words,
    is_secret_key,
    masked,
    masked_output,
    masked_values,
    masked_word,
)


@pytest.fixture(autouse=True)
def _nothing_is_hidden_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "_hidden", set())
    monkeypatch.setattr(masking, "_pattern", None)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sk-proj-0123456789abcdef0123", "***"),
        ("key hf_abcdefghijklmnopqrstuvwx.", "key ***."),
        ("ghp_" + "a1" * 18, "***"),
        ("AKIAABCDEFGHIJKLMNOP", "***"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-_1", "***"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "***"),
        ("https://me:pass-word@host/x", "https://me:***@host/x"),
        ("http://host/?a=1&api_key=abc&b=2", "http://host/?a=1&api_key=***&b=2"),
        ("task-0123456789abcdef0123", "task-0123456789abcdef0123"),
        *([name] * 2 for name in ("sk-learn-images-of-cats", "hf_vision_transformer_base")),
        ("epoch 3   train loss 0.1234   12:34:56", "epoch 3   train loss 0.1234   12:34:56"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, shown: str) -> None:
    assert masked(text) == shown


@pytest.mark.parametrize("form", [str, repr, json.dumps, shlex.quote, lambda text: quote(text, safe="")])
@pytest.mark.parametrize("secret", ['it\'s a "pass\\word" é/1', 'my "pass"', "'my pass'"])
def test_what_is_hidden_is_masked_in_each_form(form: object, secret: str) -> None:
    hide(secret)
    text = f"x={form(secret)}y"  # type: ignore[operator]
    assert secret.split()[0] not in masked(text).replace("x=", "")
    assert "***" in masked(text)


def test_a_short_secret_and_a_number_are_masked_as_words_alone() -> None:
    hide("ab12")
    hide("123456")
    hide("no")  # would take letters out of every text
    assert masked("ab12 xab12 123456 0.1234567 nothing") == "*** xab12 *** 0.1234567 nothing"


def test_keys_that_hold_secrets() -> None:
    found = [
        "key",
        "data.api_key",
        "apiToken",
        "HF_TOKEN",
        "db-password",
        "AWS_SECRET_ACCESS_KEY",
        "auth",
        "credentials",
    ]
    others = ["num_tokens", "monkey", "author", "keys", "storage", "hotkey_size", "model.layer.weight_init"]
    assert [key for key in found + others if is_secret_key(key)] == found


def test_our_own_keys_hold_none() -> None:
    from omegaconf import OmegaConf

    from rnnvision.cli.frame.command_line.files import config_dir

    for file in config_dir().rglob("*.yaml"):
        content = OmegaConf.to_container(OmegaConf.load(file))
        assert masked_values(content) == content


def test_the_environment_is_hidden_by_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "MY_API_TOKEN": "canary-1234",
        "MY_PASSWORD": "disabled",  # a word says nothing
        "MY_KEY": "/home/me/.key",
        "MY_NAME": "canary-5678",
        "PWD": "canary-9012",
    }.items():
        monkeypatch.setenv(name, value)
    hide_environment()
    text = "canary-1234 disabled /home/me/.key canary-5678 canary-9012"
    assert masked(text) == text.replace("canary-1234", "***")


def test_words_and_values_of_secret_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELSEWHERE", "abcdefg")
    hide_in_words(["+data.api_key='canary one'", "storage=mysql://me:canary2@host/db", "name=canary3"])
    hide_in({"a": [{"token": "canary4"}], "password": "${oc.env:ELSEWHERE}", "seed": 12345678})
    shown = masked("canary one, canary2, canary3, canary4, abcdefg, 12345678")
    assert shown == "***, ***, canary3, ***, ***, 12345678"
    assert masked_word("data.api_key=abcd") == "data.api_key=***"
    assert masked_word("data.api_key=${oc.env:KEY}") == "data.api_key=${oc.env:KEY}"
    assert masked_word("data.api_key=null") == "data.api_key=null"
    kept = masked_values({"a": {"token": "abcd", "key": None, "url": "x://u:p-w@h"}, "list": ({"token": "efgh"},)})
    assert kept == {"a": {"token": "***", "key": None, "url": "x://u:***@h"}, "list": ({"token": "***"},)}
    assert hidden_keys(kept) == ["a.token", "a.url", "list.token"]


def test_what_is_printed_and_written_shows_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hide("canary-1234")
    with masked_output():
        print("out canary-1234")
        print("err canary-1234", file=sys.stderr)
    with whole(tmp_path / "a.json") as file:
        file.write(json.dumps({"a": "canary-1234"}))
    assert capsys.readouterr() == ("out ***\n", "err ***\n")
    assert (tmp_path / "a.json").read_text() == '{"a": "***"}'


def test_lines_that_are_written_together_show_none(capsys: pytest.CaptureFixture[str]) -> None:
    hide("canary-1234")
    with masked_output():
        sys.stdout.writelines(["one\n", "canary-1234\n"])
    assert capsys.readouterr().out == "one\n***\n"


def test_a_secret_that_begins_with_another_is_masked_whole() -> None:
    hide("canary-12")
    hide("canary-12-more")
    assert masked("canary-12-more, canary-12") == "***, ***"


@pytest.mark.parametrize("sign", ["", "+", "++"])
def test_a_key_that_is_added_holds_a_secret_too(sign: str) -> None:
    assert masked_word(f"{sign}token=abcd") == f"{sign}token=***"


def test_each_of_several_secrets_is_masked() -> None:
    assert masked_values({"api_keys": ["abcd", "efgh"], "sizes": [1234]}) == {"api_keys": ["***"] * 2, "sizes": [1234]}
