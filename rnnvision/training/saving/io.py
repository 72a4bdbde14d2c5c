"""Lightning's checkpoint I/O: verified when read, atomic when written, and a full disk costs nothing that was there."""

import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import CheckpointIO

from rnnvision.atomic import replaced
from rnnvision.disk import DiskError, free, is_full, os_error, reason, size
from rnnvision.training.checkpoint import read_checkpoint
from rnnvision.training.reading.archive import check_plain
from rnnvision.training.saving.choose import LAST, PREVIOUS
from rnnvision.training.saving.content import Plain, digests_of


class VerifiedCheckpointIO(CheckpointIO):
    """Lightning's checkpoint I/O with digests and atomic writes: a file is always the old one or the new one.

    Of last.ckpt, from which a run is resumed, the one before it stays as previous.ckpt.
    """

    def __init__(self) -> None:
        self._folders: set[str] = set()  # that it has written into

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        """Write a checkpoint.

        Raises:
            DiskError: where there is no space for it, or it cannot be written; the one before it stays as it was.
            TypeError: for content that is not plain.
            UnreadableError: for more of it than is read.
        """
        path = Path(path)
        check_plain(checkpoint)
        plain = Plain(of_file=False)
        content = plain.of(checkpoint)
        content["digests"] = digests_of(content)
        left = free(path.parent)
        if left is not None and left < plain.bytes:
            raise _refusal(path, "no space left on the device", plain.bytes)
        keep = path.with_name(PREVIOUS) if path.name == LAST else None
        try:
            with replaced(path, durable=True, keep=keep) as temporary, temporary.open("wb") as file:
                torch.save(content, file)
        except Exception as error:
            found = os_error(error)
            if found is None:
                raise
            raise _refusal(path, reason(found), plain.bytes if is_full(found) else None) from error
        self._folders.add(_folder(path))

    def load_checkpoint(
        self, path: str | Path, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        return read_checkpoint(path)

    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove a checkpoint that Lightning has replaced by another one; nothing else is removed.

        What Lightning knows of earlier ones comes from the file that a run goes on from.
        """
        path = Path(path)
        if _folder(path) in self._folders and path.suffix == ".ckpt":
            path.unlink(missing_ok=True)


def _folder(path: Path) -> str:
    return os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH120  # pathlib leaves .. in it


def _refusal(path: Path, why: str, needed: int | None) -> DiskError:
    left = free(path.parent)
    sizes = "" if needed is None or left is None else f" for a checkpoint of {size(needed)}, {size(left)} are free"
    kept = f"the {path.name} before it stays as it was" if path.is_file() else "none was there before"
    return DiskError(f"{path}: {why}{sizes}; {kept}")
