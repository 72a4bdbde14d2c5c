"""The pages of `rnnvision models`: the list of all parts, and what one of them is and can be told."""

import inspect
import shlex
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rnnvision.checks import shortened
from rnnvision.cli.frame.command_line.files import heading_of, merged_lines
from rnnvision.cli.models.docstrings import arguments, explanation, summary, values
from rnnvision.cli.models.parts import GROUPS, TITLES, Part
from rnnvision.signature import parameters

WIDTH = 120
FOLDERS = {"network": "model", "data": "data"}
OF_THE_DATA = ("input_shape", "num_classes")  # arguments of a network that a training gives it


def listing(parts: Sequence[Part]) -> Iterator[str]:
    """One line a part, under the title of its kind."""
    column = max(len(part.name) for part in parts) + 2
    for kind in dict.fromkeys(part.kind for part in parts):
        of_kind = [part for part in parts if part.kind == kind]
        yield f"{kind}: {TITLES[kind]}" if kind in TITLES else f"{kind}={of_kind[0].name} ..."
        for part in of_kind:
            origin = f"[{part.plugin}] " if part.plugin else ""
            about = textwrap.shorten(f"{origin}{part.about}", WIDTH - column - 2, placeholder=" ...")
            yield f"  {part.name:{column}}{about}".rstrip()
        yield ""


def closing() -> str:
    """What can be typed next."""
    kinds = ", ".join([*TITLES, *GROUPS])
    return f"rnnvision models NAME says what a part can be told; rnnvision models KIND lists one kind: {kinds}"


def page(part: Part, folders: Sequence[Path]) -> Iterator[str]:
    """What a part is, the command that trains with it, and its options with their defaults and meanings."""
    origin = f" [{part.plugin}]" if part.plugin else ""
    first, *rest = _opening(part)
    yield from textwrap.wrap(f"{part.kind} {part.name}{origin}: {first}", WIDTH)
    yield from textwrap.wrap(" ".join(rest), WIDTH)
    yield ""
    if part.words:
        yield f"  {shlex.join(['rnnvision', 'train', *part.words])}"
    else:
        yield f"  It is chosen in a file of your own, {FOLDERS[part.kind]}/NAME.yaml, by its name (docs/extend.md)."
    yield ""
    yield from _body(part, folders)


def _opening(part: Part) -> list[str]:
    """What a part is; of an experiment its time and score first."""
    if part.file is None:
        return [summary(part.entry) if callable(part.entry) else part.about]
    heading = heading_of(part.file) or [""]
    if part.kind != "experiment":
        return [" ".join(heading)]
    return heading[1:] if "experiment=" in heading[0] and heading[1:] else heading  # without its command


def _body(part: Part, folders: Sequence[Path]) -> Iterator[str]:
    if part.file is not None and part.kind in ("experiment", "sweep", "debug"):
        text = part.file.read_text(encoding="utf-8").splitlines()
        yield "  What differs from the defaults:"
        yield ""
        yield from (f"    {line}".rstrip() for line in text if not line.startswith("#"))
    elif part.file is not None:
        yield from _facts(part) if part.kind == "data" else ()
        package = "trainer" if part.kind == "device" else part.kind
        lines = [line for line in merged_lines(folders, part.kind, part.name) if not line.key.startswith("_")]
        yield from _options(package, ((f"{line.key}={line.value}", line.comment) for line in lines))
    elif part.kind == "data":  # of a plugin
        yield from _facts(part)
        own = [p for p in parameters(part.entry.read).values() if p.kind is p.KEYWORD_ONLY]
        yield from _options("data", ((f"{p.name}={written(p.default)}", "") for p in own))
    elif inspect.isclass(part.entry):
        yield from _class(part)


def _facts(part: Part) -> Iterator[str]:
    """The classes of a data set and its normalisation."""
    from rnnvision.data import CATALOG

    if (known := CATALOG.get(part.name)) is None:  # a file of the user's own
        return
    names = f"{len(known.class_names)} classes: {shortened(known.class_names, 20)}" if known.class_names else ""
    mean, std = (", ".join(map(str, values)) for values in (known.mean, known.std))
    for fact in filter(None, (names, f"Mean {mean}, standard deviation {std} of pixels from 0 to 1: {known.source}")):
        yield from textwrap.wrap(fact, WIDTH, initial_indent="  ", subsequent_indent="    ")
    yield ""


def _class(part: Part) -> Iterator[str]:
    if text := explanation(part.entry):
        yield textwrap.indent(text, "  ")
        yield ""
    if part.made:
        made = f"Options made of it: {', '.join(f'model={name}' for name in part.made)}"
        yield textwrap.fill(made, WIDTH, initial_indent="  ", subsequent_indent="    ")
        yield ""
    if part.kind == "readout":
        return
    layer = part.kind == "recurrence"
    own = part.entry.options() if layer else parameters(part.entry)
    meanings, lists = arguments(part.entry), values(part.entry)
    rows = []
    for name, parameter in own.items():
        if name in OF_THE_DATA:
            continue
        default = "" if parameter.default is parameter.empty else written(parameter.default)
        rows.append((f"{name}={default}", "\n".join(filter(None, (meanings.get(name, ""), lists.get(name, ""))))))
    yield from _options("model.layer" if layer else "model", rows)


def _options(prefix: str, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """The options of a part: key, default and meaning, the meanings in one column."""
    rows = list(rows)
    if not rows:
        yield "  It has no options."
        return
    yield f"  Options ({prefix}.KEY=VALUE), with their defaults:"
    yield ""
    column = min(max(len(row) for row, _ in rows) + 2, 40)
    for row, meaning in rows:
        lines = [
            wrapped
            for line in meaning.splitlines()
            for wrapped in textwrap.wrap(line, WIDTH - column - 4, subsequent_indent="" if line[:1] == " " else "  ")
        ]
        first = f"    {row:{column}}"
        yield (first + (lines[0] if lines and len(row) < column else "")).rstrip()
        yield from (f"    {'':{column}}{line}" for line in (lines[1:] if len(row) < column else lines))


def written(value: object) -> str:
    """A default as it is typed on the command line.

    Examples:
        >>> written(None), written(True), written((2, 2)), written("rows")
        ('null', 'true', '[2,2]', 'rows')
    """
    if isinstance(value, tuple | list):
        return f"[{','.join(map(written, value))}]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
