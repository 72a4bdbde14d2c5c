"""The YAML that a run folder keeps its configuration in, read fast: block style, as OmegaConf writes it.

A configuration is cut where a top-level key begins. Runs share most of these pieces to the letter (the options that
nobody changed), so a piece is parsed once, however many runs have it. A list is kept as text, as it would be typed.
"""

import re
from functools import lru_cache

Value = str | int | float | bool | None

TOP = re.compile(r"\n(?=[^\s\-#])")  # where the next top-level key begins; a list may stand below its key unindented
KEY = re.compile(r"""(\s*)('(?:[^']|'')*'|"(?:[^"\\]|\\.)*"|[^\s'"\-\[{#].*?|-[^\s][^\s]*?):(?:\s+(.*))?$""")
NUMBER = re.compile(r"[-+]?(\d[\d_]*\.?\d*([eE][-+]?\d+)?|\.\d+([eE][-+]?\d+)?|\.inf|\.nan)$", re.IGNORECASE)
WORDS: dict[str, Value] = {"null": None, "~": None, "": None, "true": True, "false": False}
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", '"': '"', "\\": "\\", "/": "/", " ": " ", "e": "\x1b"}
ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)


def pieces(text: str) -> list[str]:
    """A file cut where a top-level key begins."""
    return TOP.split(text.strip("\n")) if text.strip() else []


@lru_cache(maxsize=100_000)
def piece_name(piece: str) -> str:
    """The top-level key of a piece."""
    return str(scalar(piece.partition("\n")[0].partition(":")[0]))


def flat_piece(piece: str) -> dict[str, Value]:
    """The dotted keys of one piece, each with its value; an empty mapping or list is the text {} or [].

    Examples:
        >>> flat_piece("optimizer:\\n  name: adamw\\n  betas:\\n  - 0.9\\n  - 0.999\\n  lr: 0.004")
        {'optimizer.name': 'adamw', 'optimizer.betas': '[0.9,0.999]', 'optimizer.lr': 0.004}
        >>> flat_piece("seed: 3"), flat_piece("plugins: []"), flat_piece("name: '007'")
        ({'seed': 3}, {'plugins': '[]'}, {'name': '007'})
    """
    found: dict[str, Value] = {}
    above: list[tuple[int, str]] = []  # the keys that a line stands below, each with its indentation
    lines = _joined(piece.split("\n"))
    for i, line in enumerate(lines):
        match = KEY.match(line)
        if match is None:
            continue  # of a list, which is read with its key
        depth = len(match[1])
        while above and above[-1][0] >= depth:
            above.pop()
        key = ".".join([*(name for _, name in above), str(scalar(match[2]))])
        if match[3]:
            found[key] = scalar(match[3])
        elif items := _items(lines[i + 1 :], depth):
            found[key] = f"[{','.join(items)}]"
        elif not (i + 1 < len(lines) and _depth(lines[i + 1]) > depth):
            found[key] = None
        else:
            above.append((depth, str(scalar(match[2]))))
    return found


def scalar(text: str) -> Value:
    """A value as YAML 1.1 and OmegaConf read it: a number, true, false, null, or text without its quotes.

    Examples:
        >>> scalar("1e-3"), scalar("1_000"), scalar("32-true"), scalar("'1'"), scalar('"a\\\\tb"')
        (0.001, 1000, '32-true', '1', 'a\\tb')
    """
    text = text.strip()
    if text[:1] == "'" and text[-1:] == "'" and len(text) > 1:
        return text[1:-1].replace("''", "'")
    if text[:1] == '"' and text[-1:] == '"' and len(text) > 1:
        return ESCAPE.sub(_unescaped, text[1:-1])
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    if NUMBER.match(text):
        plain = text.replace("_", "").lower()
        try:
            return int(plain)
        except ValueError:
            return float(plain.replace(".inf", "inf").replace(".nan", "nan"))
    return text


def _unescaped(match: re.Match[str]) -> str:
    code = match[1] or match[2] or match[3]
    return chr(int(code, 16)) if code else ESCAPES.get(match[4], match[4])


def _items(lines: list[str], depth: int) -> list[str]:
    """The list that stands below a key, one text an item; what an item goes on with on its next lines belongs to it."""
    found: list[str] = []
    at = None  # the indentation of the dashes
    for line in lines:
        text, here = line.strip(), _depth(line)
        if text[:2] in ("- ", "-") and here >= depth and at in (None, here):
            at = here
            found.append(str(_shown(text[2:])))
        elif at is not None and here > at:
            found[-1] += f",{text}"
        else:
            break
    return found


def _shown(text: str) -> str:
    value = scalar(text)
    return text if isinstance(value, (bool, int, float)) or value is None else str(value)


def _joined(lines: list[str]) -> list[str]:
    """Lines, with those joined that one value is folded over: each further one is neither a key nor an item."""
    found: list[str] = []
    for line in lines:
        if not line.strip():
            continue
        if found and (_is_open(found[-1]) or not (KEY.match(line) or line.strip() == "-" or line.lstrip()[:2] == "- ")):
            before = found[-1]  # a backslash at its end joins without a space
            found[-1] = f"{before[:-1]}{line.strip()}" if before.endswith("\\") else f"{before} {line.strip()}"
        else:
            found.append(line)
    return found


def _is_open(line: str) -> bool:
    """Whether a quoted value goes on, on the next line."""
    match = KEY.match(line)
    value = (match[3] or "" if match else line.strip().removeprefix("- ")).strip()
    quote = value[:1]
    if quote == "'":
        return value[1:].replace("''", "").count("'") == 0
    if quote == '"':
        return re.fullmatch(r'"(?:[^"\\]|\\.)*"', value, re.DOTALL) is None
    return False


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())
