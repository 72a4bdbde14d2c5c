"""A fault of the package as a change of its text."""

import ast
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "rnnvision"


class NotApplicableError(Exception):
    """A fault of which no snippet stands in the package exactly once."""


@dataclass(frozen=True)
class Defect:
    """A fault: its room, what it is in words, and (old, new) snippets that make it, the first that fits being taken."""

    room: str
    name: str
    changes: tuple[tuple[str, str], ...]

    def place(self, tree: Path) -> tuple[Path, str]:
        """The file that it changes, and what that becomes.

        Raises:
            NotApplicableError: if no snippet fits, or the change is none.
        """
        texts = {path: path.read_text() for path in sorted((tree / PACKAGE).rglob("*.py"))}
        for old, new in self.changes:
            found = [path for path, text in texts.items() for _ in range(text.count(old))]
            if len(found) == 1:
                before, after = texts[found[0]], texts[found[0]].replace(old, new)
                if ast.dump(ast.parse(before)) == ast.dump(ast.parse(after)):  # a SyntaxError is a slip in the table
                    break
                return found[0], after
        raise NotApplicableError(f"no snippet that changes anything stands in {PACKAGE}/ exactly once")


def defect(room: str, name: str, *changes: tuple[str, str]) -> Defect:
    return Defect(room, name, changes)
