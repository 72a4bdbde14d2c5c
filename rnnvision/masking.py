"""Secrets: what looks like one, and texts without them.

Whatever is written or printed goes through `masked`. It knows secrets by what they look like, by the names of the
variables of the environment that hold them, and by the keys that they were given to (`hide`).
"""

import json
import os
import re
import shlex
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO, cast
from urllib.parse import quote

MASK = "***"
SHORTEST = 4  # letters of a secret that is given to a key; a shorter one would take words out of every text
LONG = 8  # letters from which on a secret is found within other words, and in the environment
NAMES = (
    r"api_?keys?|access_?keys?(_?ids?)?|secret(_?(access_?)?keys?)?s?|private_?keys?|(auth|api|access|refresh|bearer)?_?"
    r"token|passwords?|passwd|pass|passphrase|pwd|credentials?|auth(orization)?|cookie|jwt|key"
)
KEY = re.compile(rf"(?:.*[_\-./])?(?:{NAMES})", re.IGNORECASE)
CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
NO_SECRETS = ("PWD", "OLDPWD")  # variables with such a name
WORDS = ("", "null", "none", "true", "false", "???", MASK)  # values that say nothing
LOOKS = re.compile(
    r"(?<![\w-])(?:sk-(?=[\w-]*\d)[\w-]{16,}|hf_(?=[a-zA-Z0-9]{20})\w+|gh[pousr]_\w{20,}|github_pat_\w{20,}|xox[abeprs]-[\w-]{10,}|glpat-[\w-]{20,}"
    r"|AKIA[0-9A-Z]{16}|ASIA[0-9A-Z]{16}|AIza[\w-]{35}|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?)(?![\w-])"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?"
)
ADDRESS = re.compile(r"(?<=://)([^/@\s:'\"]*):([^/@\s'\"]+)@")  # NAME:PASSWORD@
QUERY = re.compile(rf"(?<=[?&])((?:{NAMES})=)([^&\s'\"]+)", re.IGNORECASE)

_hidden: set[str] = set()
_pattern: re.Pattern[str] | None = None


def is_secret_key(key: object) -> bool:
    """Whether a key, or a variable of the environment, is called like one that holds a secret.

    Examples:
        >>> [is_secret_key(key) for key in ("data.api_key", "apiToken", "WANDB_API_KEY", "num_tokens", "author")]
        [True, True, True, False, False]
    """
    return KEY.fullmatch(CAMEL.sub("_", str(key))) is not None


def hide(value: object) -> None:
    """From here on no text shows this value."""
    global _pattern
    text = str(value)
    if not _tells(text) or "${" in text:
        return
    forms = {text, json.dumps(text)[1:-1], repr(text)[1:-1], quote(text, safe=""), text.replace("'", "''")}
    forms |= {json.dumps(text, ensure_ascii=False)[1:-1], shlex.quote(text).removeprefix("'").removesuffix("'")}
    new = {form for form in forms if len(form) >= SHORTEST} - _hidden
    if new:
        _hidden.update(new)
        longest_first = sorted(_hidden, key=len, reverse=True)
        _pattern = re.compile("|".join(map(_found, longest_first)))


def _found(form: str) -> str:
    """A secret as it is looked for: a short one, or a number, as a word of its own."""
    short = len(form) < LONG or form.isdecimal()
    return rf"(?<!\w){re.escape(form)}(?!\w)" if short else re.escape(form)


def hide_environment() -> None:
    """Hide what the variables hold whose names are those of secrets."""
    for name, value in os.environ.items():
        is_word = value.isalpha() and (value.islower() or value.istitle())
        says_nothing = is_word or value.startswith("/") or len(value) < LONG
        if is_secret_key(name) and name not in NO_SECRETS and not says_nothing:
            hide(value)


def hide_in_words(words: Iterable[str]) -> None:
    """Hide what is given to secret keys among the words KEY=VALUE of a command."""
    for word in words:
        key, equals, value = word.lstrip("+~").partition("=")
        if equals and is_secret_key(key):
            for one in (value, value.strip("'\""), *value.strip("[]").split(",")):
                hide(one)
        for _, password in ADDRESS.findall(word):
            hide(password)


def hide_in(content: Any) -> None:
    """Hide what stands below secret keys in plain values; of a ${oc.env:NAME} what that variable holds."""
    for key, value in _leaves(content):
        if is_secret_key(key.rpartition(".")[2]):
            hide(value)
            for name in re.findall(r"\$\{oc\.env:(\w+)", str(value)):
                hide(os.environ.get(name, ""))


def masked(text: str) -> str:
    """A text with *** in the place of each secret.

    Examples:
        >>> masked("mysql://me:secret@host/db?token=abc and sk-0123456789abcdef0123")
        'mysql://me:***@host/db?token=*** and ***'
    """
    if _pattern is not None:
        text = _pattern.sub(MASK, text)
    if "://" in text:
        text = QUERY.sub(rf"\1{MASK}", ADDRESS.sub(rf"\1:{MASK}@", text))
    return LOOKS.sub(MASK, text)


def masked_word(word: str) -> str:
    """A word KEY=VALUE of a command without what is secret in it."""
    key, equals, value = word.partition("=")
    if equals and is_secret_key(key.lstrip("+~")) and _tells(value):
        return f"{key}={MASK}"
    return masked(word)


def masked_values(content: Any, key: str = "") -> Any:
    """Plain values without those that are secret."""
    if isinstance(content, Mapping):
        return {name: masked_values(value, str(name)) for name, value in content.items()}
    if isinstance(content, (list, tuple)):
        return type(content)([masked_values(value, key) for value in content])
    if is_secret_key(key) and _tells(content):
        return MASK
    return masked(content) if isinstance(content, str) else content


def hidden_keys(content: Any) -> list[str]:
    """The dotted keys of plain values that were masked."""
    return [key for key, value in _leaves(content) if isinstance(value, str) and MASK in value]


def _tells(value: object) -> bool:
    """Whether a value of a secret key is one that has to be masked: no switch, no small number, no ${...} alone."""
    text = str(value).strip("'\"")
    shortest = 6 if text.isdecimal() else SHORTEST
    return text.lower() not in WORDS and len(text) >= shortest and not re.fullmatch(r"\$\{[^{}]*\}", text)


def _leaves(content: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from _leaves(value, f"{above}.{key}" if above else str(key))
    elif isinstance(content, (list, tuple)):
        for value in content:
            yield from _leaves(value, above)
    else:
        yield above, content


class MaskedStream:
    """A stream of text that shows no secret; for the rest it is that stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(masked(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def masked_output() -> Iterator[None]:
    """Within, what is printed shows no secret."""
    before = sys.stdout, sys.stderr
    out, err = (stream and cast(TextIO, MaskedStream(stream)) for stream in before)  # None where one was closed
    sys.stdout, sys.stderr = out, err
    try:
        yield
    finally:
        if sys.stdout is out:
            sys.stdout = before[0]
        if sys.stderr is err:
            sys.stderr = before[1]


@contextmanager
def shows_no_secret() -> Iterator[None]:
    """Within, also as `@shows_no_secret()`, nothing that is printed shows one, not even the traceback of a defect."""
    hide_environment()
    hide_in_words(sys.argv[1:])
    with masked_output():
        try:
            yield
        except Exception:
            traceback.print_exc()
            raise SystemExit(1) from None
