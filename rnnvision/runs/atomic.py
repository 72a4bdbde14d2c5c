"""A file that appears whole or not at all, whatever happens while it is written, and however many write it at once."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO, cast

from rnnvision.masking import MaskedStream


@contextmanager
def whole(path: Path) -> Iterator[TextIO]:
    """A text file that takes the place of `path` at the end; after an error the one before it is still there.

    UTF-8, with the newlines that are written; names of files may be bytes that no encoding has, and stay as they are.
    Secrets are masked.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     with whole(Path(folder) / "a.json") as file:
        ...         _ = file.write("{}")
        ...     print((Path(folder) / "a.json").read_text())
        {}
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(2)}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            yield cast(TextIO, MaskedStream(file))
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
