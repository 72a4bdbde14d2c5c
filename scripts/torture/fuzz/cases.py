"""A command as somebody mistypes it, and what has to become of it."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Case:
    """A command, the files beside it, and how it may end.

    Attributes:
        kind: what is wrong with it, for a listing of failures.
        verb: the verb.
        words: its words.
        names: one of these has to stand in the message, the key or the file that is meant; none: any message does.
        may_pass: whether it may also be accepted.
        files: path -> content of what lies in the folder.
    """

    kind: str
    verb: str
    words: tuple[str, ...]
    names: tuple[str, ...] = ()
    may_pass: bool = False
    files: dict[str, bytes] = field(default_factory=dict)

    def __str__(self) -> str:
        words = " ".join(word if len(word) < 90 else f"{word[:60]}...({len(word)})" for word in self.words)
        return f"[{self.kind}] {self.verb} {words}"

    def write(self, folder: Path) -> None:
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
