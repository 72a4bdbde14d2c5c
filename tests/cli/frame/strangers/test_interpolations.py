"""What stands in ${...} in a configuration of others: functions and variables on a list, and no bombs."""

from typing import Any

import pytest

from rnnvision.cli.frame.strangers.interpolations import ALLOWED, allow_typed, check_growth, check_texts
from rnnvision.errors import UsageError


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("${oc.env:SECRET}", "reads the environment variable SECRET"),
        ("a ${oc.env:SECRET,b} c", "reads the environment variable SECRET"),
        ('${oc.env:"SECRET"}', "reads the environment variable"),
        ("${oc.env:${x}}", "reads the environment variable"),
        ('${now:"${oc.env:SECRET}"}', "reads the environment variable SECRET"),
        ("${${x}.env:SECRET}", "the function"),
        ('${oc.create:{a:"${b}"}}', "the function oc.create"),
        ("${oc.decode:${x}}", "the function oc.decode"),
        ("${mine:1}", "the function mine"),
        ("${a.${x}}", "within the name"),
        ("\\${oc.env:SECRET}", "filled in later"),
        ("${", "cannot be read"),
        ("${a" + "x" * 3000 + "}", "longer than"),
    ],
)
def test_what_is_not_on_the_list_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as found:
        check_texts({"x": "SECRET", "list": [{"name": text}]}, "FILE")
    assert str(found.value).startswith("FILE: list.0.name")


@pytest.mark.parametrize(
    "text",
    [
        "${oc.env:RNNVISION_DATA,data}",
        '${oc.env:MLFLOW_TRACKING_URI,"sqlite:///${log_dir}/x"}',
        "${hydra:runtime.output_dir}",
        '${run_dir:${resume},"${log_dir}/${now:%Y}"}',
        "${.b}",
    ],
)
def test_what_our_own_runs_write_is_let_through(text: str) -> None:
    check_texts({"a": text, "b": 1}, "FILE")


def test_a_variable_that_the_user_names_is_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOWED, "MINE")
    allow_typed(["storage=${oc.env:STUDY_URL,x}", "name=a"])
    check_texts({"a": "${oc.env:MINE}${oc.env:STUDY_URL}"}, "FILE")
    with pytest.raises(UsageError, match="OTHER"):
        check_texts({"a": "${oc.env:OTHER}"}, "FILE")


def _doubled(times: int) -> dict[str, Any]:
    return {"a0": "xxxx", **{f"a{i}": f"${{a{i - 1}}}${{.a{i - 1}}}" for i in range(1, times)}}


@pytest.mark.parametrize(
    "content",
    [
        _doubled(40),
        {"a": {"b": "x" * 1000}, **{f"c{i}": {"d": "${a}", "e": "${a}"} for i in range(200)}},
        {"a": "${b}", "b": "${a}"},
        {"a": "x${a}"},
        {"a": {"b": "${a}"}},
        {"a0": "x", **{f"a{i}": f"${{a{i - 1}}}" for i in range(1, 3000)}},
    ],
    ids=["doubled", "containers", "each other", "itself", "its parent", "a long chain"],
)
def test_what_would_grow_without_bound_is_refused(content: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"FILE: .*\$\{\.\.\.\}"):
        check_growth(content, "FILE")


def test_what_is_small_is_let_through() -> None:
    check_growth({**_doubled(8), "to": "${nothing.there}", "list": ["${a7}", "${list.0}"]}, "FILE")
