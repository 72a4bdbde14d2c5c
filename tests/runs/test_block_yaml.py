"""Configurations are read as OmegaConf reads them, whatever is in them."""

import json
import random
from typing import Any

from omegaconf import OmegaConf

from rnnvision.report.two_runs import flat
from rnnvision.runs.block_yaml import flat_piece, pieces

TEXTS = [
    *("it's", "a: b", "#x", "- y", "yes", "null", "", "  lead", "tail  ", "a\tb", "[x]", "{a}", "'q'", '"dq"', "a #c"),
    *("${a.b}", "12:30", "2026-11-01", "long " * 40, "it's " * 40, "ü wörd " * 30, "~", "007", "1_000", "%", "@a", "-"),
    *("*x", "&y", "!t", "|", "> ", "? a", "=", "a\\b", "C:\\x y" * 20, "32-true", "0x10", "1e-3", "true"),
]
PLAIN = [1, 0.001, 1e-7, 3e20, float("inf"), True, False, None, 1.0, -2, [], {}, [1, 2.5], ["a b", "c"], [True, None]]


def test_what_omegaconf_writes_is_read_as_it_reads_it() -> None:
    chance = random.Random(0)
    for _ in range(300):
        text = OmegaConf.to_yaml(OmegaConf.create(_mapping(chance, 0)))
        read = OmegaConf.to_container(OmegaConf.create(text), resolve=False)
        assert isinstance(read, dict)
        expected = {key: _shown(value) for key, value in flat(read).items()}  # type: ignore[arg-type]
        assert {key: value for piece in pieces(text) for key, value in flat_piece(piece).items()} == expected, text


def _mapping(chance: random.Random, depth: int) -> dict[str, Any]:
    names = chance.sample(["a", "b_c", "d", "e1", "_target_", "f g"], chance.randint(1, 5))
    return {name: _value(chance, depth) for name in names}


def _value(chance: random.Random, depth: int) -> Any:
    if depth < 3 and chance.random() < 0.3:
        return _mapping(chance, depth + 1)
    return chance.choice(TEXTS if chance.random() < 0.6 else PLAIN)


def _shown(value: Any) -> Any:
    """A list as the text that one would type."""
    if isinstance(value, list):
        return f"[{','.join(json.dumps(item) if not isinstance(item, str) else item for item in value)}]"
    return "{}" if value == {} else value
