"""Values that a key cannot have: nonsense by the type of the value that stands in the configuration."""

import random
from collections.abc import Iterator
from functools import cache
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from rnnvision.cli.frame.command_line.files import config_dir, options_of
from rnnvision.cli.frame.paths import register_resolvers
from torture.fuzz.cases import Case
from torture.fuzz.legal import FREE, LEGAL, NULLABLE, TYPES

NOT_NUMBERS = {
    "nan": "nan",
    "text": "many",
    "empty": "",
    "list": "[1,2]",
    "pairs": "{a:1}",
    "true": "true",
    "quoted": "'5'",
    "null": "null",
    "two_signs": "--5",
    "other_digits": "\u0661\u0662",
    "hexadecimal": "0x10",
    "unit": "5k",
}
NO_RANGE = {"inf": "inf", "minus_inf": "-inf", "minus_1": "-1", "far_below": "-1e9", "huge": "1" + "0" * 30}
NO_RANGE |= {"largest": "1e308", "zero": "0", "half": "1.5"}
NOT_TEXTS = {
    "number": "5",
    "nan": "nan",
    "true": "true",
    "list": "[a,b]",
    "pairs": "{a:{b:c}}",
    "empty": "",
    "null": "null",
    "unknown": "nonsense",
    "long": "x" * 100_000,
    "arabic": "\u202e\u0644\u0627",
    "combining": "e\u0301" * 40,
    "emoji": "\U0001f600\U0001f469\u200d\U0001f680",
    "bytes": "\udcff\udcfe",
    "controls": "'a\nb\x1b[31mc'",
    "interpolation": "${nothing}",
    "environment": "${oc.env:NO_SUCH_VARIABLE}",
    "resolver": "${no_resolver:1}",
    "open_interpolation": "${",
}
NOT_FLAGS = {
    "yes": "yes_please",
    "two": "2",
    "half": "0.5",
    "text": "maybe",
    "list": "[true]",
    "pairs": "{a:true}",
    "null": "null",
    "empty": "",
    "nan": "nan",
}
NOT_LISTS = {
    "number": "5",
    "text": "many",
    "true": "true",
    "nested": "[[1],[2]]",
    "nan": "[nan,nan]",
    "inf": "[inf]",
    "empty_list": "[]",
    "pairs": "{a:1}",
    "mixed": "[1,a,null]",
    "negative": "[-1,-2,-3]",
    "huge": "[1000000000000000000000000000000]",
    "null": "null",
    "one_null": "[null]",
}
NOT_PAIRS = {"number": "5", "text": "many", "list": "[1]", "true": "true", "nan": "nan", "pairs": "{a:{b:[c]}}"}
IMAGES = ("data=image_folder", "data.root=../given/images")
TABLE = ("data=csv", "data.root=../given/images", "data.labels=labels.csv")
CKPT = ("ckpt=../given/run",)
# What a verb needs to come to its first step, and the groups whose options are tried.
BASES: dict[str, list[tuple[str, ...]]] = {
    "train": [(), ("data=fake",), IMAGES, TABLE],
    "compare": [("models=[lstm]", "seeds=1")],
    "tune": [("model.hidden_size=8,16",)],
    "benchmark": [("device=cpu",)],
    "evaluate": [CKPT],
    "predict": [(*CKPT, "source=../given/images")],
    "watch": [(*CKPT, "source=../given/seven.png")],
    "export": [(*CKPT, "format=safetensors")],
    "demo": [CKPT],
    "report": [("run=../given/run",)],
    "shards": [(*IMAGES, "to=packed")],
}
GROUPS = ("model", "augmentation", "optimizer", "scheduler", "trainer", "device", "callbacks", "logger", "debug")
# What needs packages, and networks that do not fit the digits: they say so, and nothing else.
ELSEWHERE = ("logger=wandb", "logger=mlflow", *(f"model=sequencer2d_{size}" for size in "sml"))
ELSEWHERE += ("model=vil_base", "model=vil_small", "model=vil_tiny")
Leaf = tuple[str, Any]


@cache
def leaves(verb: str, words: tuple[str, ...]) -> tuple[Leaf, ...]:
    """The innermost keys of a verb's configuration, with their values."""
    register_resolvers()
    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        node = OmegaConf.to_container(
            compose(verb, overrides=[word for word in words if _chooses(word)]), resolve=False
        )
    return tuple(_walk(node))


def _chooses(word: str) -> bool:
    return (config_dir() / word.partition("=")[0]).is_dir()


def _walk(node: Any, above: str = "") -> Iterator[Leaf]:
    for key, value in node.items():
        if isinstance(value, dict) and value:
            yield from _walk(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def kinds_for(key: str, value: Any) -> dict[str, str]:
    """The nonsense for a key, by the type of its usual value; where that is null, by that of the values it can have."""
    if value is None:
        value = TYPES.get(key, TYPES.get(key.rpartition(".")[2], ""))
    if isinstance(value, dict):
        return NOT_PAIRS
    if isinstance(value, bool):
        return NOT_FLAGS
    if isinstance(value, (int, float)):
        return NOT_NUMBERS | NO_RANGE
    if isinstance(value, list):
        return NOT_LISTS
    return NOT_TEXTS


def value_case(verb: str, base: tuple[str, ...], key: str, value: Any, kind: str) -> Case:
    text = kinds_for(key, value)[kind]
    last = key.rpartition(".")[2]
    free = key in FREE and kind not in ("interpolation", "environment", "resolver")
    allowed = LEGAL.get(key, LEGAL.get(last, ()))
    none = kind == "null" and (value is None or key in NULLABLE or key.startswith("trainer."))  # Lightning's default
    none |= kind == "empty_list" and value == []
    words = tuple(word for word in base if word.partition("=")[0] != key)
    names = () if key in FREE else (last, text)
    return Case(f"value:{kind}", verb, (*words, f"{key}={text}"), names, free or kind in allowed or none)


@cache
def bases(verb: str) -> tuple[tuple[str, ...], ...]:
    """The commands whose keys are tried: of each option of each group one."""
    groups = GROUPS if verb == "train" else ("model",) if verb == "benchmark" else ()
    chosen = [f"{group}={option}" for group in groups for option in options_of([config_dir()], group)]
    return (*BASES[verb], *((*BASES[verb][0], word) for word in chosen if word not in ELSEWHERE))


def random_value(verb: str, random: random.Random) -> Case:
    base = random.choice(bases(verb))
    key, value = random.choice([leaf for leaf in leaves(verb, base) if not leaf[0].endswith("_target_")])
    return value_case(verb, base, key, value, random.choice(list(kinds_for(key, value))))
