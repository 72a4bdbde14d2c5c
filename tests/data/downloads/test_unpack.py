"""An archive is unpacked below its folder, wholly, or not at all."""

import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from rnnvision.data.downloads import unpack
from rnnvision.data.downloads.unpack import UnpackError


def tar(path: Path, *members: tuple[str, bytes], **facts: object) -> Path:
    """Members of these names and contents; the last one has these facts, such as its type."""
    with tarfile.open(path, "w:gz") as file:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            if (name, content) == members[-1]:
                for key, value in facts.items():
                    setattr(info, key, value)
            file.addfile(info, io.BytesIO(content))
    return path


def zipped(path: Path, *members: tuple[str, bytes], mode: int = 0) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (mode if (name, content) == members[-1] else 0) << 16
            file.writestr(info, content)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


GOOD = ("good/a.txt", b"a")
HOSTILE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "above": (lambda f: tar(f / "x.tgz", GOOD, ("../out.txt", b"x")), "../out.txt in it would be written outside"),
    "above, below": (lambda f: tar(f / "x.tgz", GOOD, ("good/../../out.txt", b"x")), "would be written outside"),
    "absolute": (lambda f: tar(f / "x.tgz", GOOD, (f"{f}/out.txt", b"x")), "would be written outside"),
    "link": (lambda f: tar(f / "x.tgz", GOOD, ("l", b""), type=tarfile.SYMTYPE, linkname=".."), "l in it is a link"),
    "hard link": (lambda f: tar(f / "x.tgz", GOOD, ("l", b""), type=tarfile.LNKTYPE, linkname="a"), "is a link"),
    "device": (lambda f: tar(f / "x.tgz", GOOD, ("d", b""), type=tarfile.CHRTYPE), "d in it is no file or folder"),
    "pipe": (lambda f: tar(f / "x.tgz", GOOD, ("d", b""), type=tarfile.FIFOTYPE), "d in it is no file or folder"),
    "bomb in a header": (
        lambda f: tar(f / "x.tgz", GOOD, ("b", bytes(10**6)), type=tarfile.GNUTYPE_LONGNAME),
        "it unpacks to more than",
    ),
    "bomb": (lambda f: tar(f / "x.tgz", GOOD, ("b", bytes(10**6))), "it unpacks to more than"),
    "zip above": (lambda f: zipped(f / "x.zip", GOOD, ("../out.txt", b"x")), "would be written outside"),
    "zip absolute": (lambda f: zipped(f / "x.zip", GOOD, ("/out.txt", b"x")), "would be written outside"),
    "zip backslashes": (lambda f: zipped(f / "x.zip", GOOD, ("..\\out.txt", b"x")), "would be written outside"),
    "zip link": (lambda f: zipped(f / "x.zip", GOOD, ("l", b".."), mode=0o120777), "l in it is a link"),
    "zip of bombs": (
        lambda f: zipped(f / "x.zip", *((str(number), bytes(60_000)) for number in range(3))),
        "it unpacks to more than",
    ),
    "zip bomb": (lambda f: zipped(f / "x.zip", GOOD, ("b", bytes(10**6))), "it unpacks to more than"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_nothing_of_an_archive_that_means_harm_is_written(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpack, "AT_LEAST", 10**5)
    monkeypatch.setattr(unpack, "HEADERS", 0)
    make, said = HOSTILE[kind]
    archive = make(tmp_path)
    with pytest.raises(UnpackError, match=said) as error:
        unpack.unpack(archive, tmp_path / "into")
    assert str(error.value).startswith(f"{archive}: ")
    assert len(str(error.value).splitlines()) == 1
    assert names(tmp_path) == ["into", archive.name]
    assert names(tmp_path / "into") == []


@pytest.mark.parametrize("suffix", ["tgz", "zip"])
def test_files_without_content_are_counted_too(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "MOST_MEMBERS", 4)
    write = tar if suffix == "tgz" else zipped
    unpack.unpack(write(tmp_path / f"x.{suffix}", *((str(i), b"") for i in range(4))), tmp_path / "into")
    with pytest.raises(UnpackError, match="holds more than 4 files and folders"):
        unpack.unpack(write(tmp_path / f"x.{suffix}", *((str(i), b"") for i in range(5))), tmp_path / "into")


@pytest.mark.parametrize("suffix", ["tgz", "zip"])
@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_nothing_of_a_damaged_archive_is_written(tmp_path: Path, suffix: str, damage: str) -> None:
    write = tar if suffix == "tgz" else zipped
    archive = write(tmp_path / f"x.{suffix}", GOOD, ("good/b.bin", os.urandom(200_000)))
    content = bytearray(archive.read_bytes())
    content[100_000] ^= 0xFF
    archive.write_bytes(content if damage == "flipped" else content[:150_000])
    with pytest.raises(UnpackError):
        unpack.unpack(archive, tmp_path / "into")
    assert names(tmp_path / "into") == []


@pytest.mark.parametrize("suffix", ["tgz", "zip"])
def test_what_is_there_is_completed(tmp_path: Path, suffix: str) -> None:
    """A folder that was unpacked in part, with a file that was cut, beside the user's own."""
    into = tmp_path / "into"
    (into / "good").mkdir(parents=True)
    (into / "good" / "a.txt").write_bytes(b"")
    (into / "good" / "mine").write_bytes(b"m")
    write = tar if suffix == "tgz" else zipped
    unpack.unpack(write(tmp_path / f"x.{suffix}", GOOD, ("./good/sub/b.txt", b"b")), into)
    found = {str(p.relative_to(into)): p.read_bytes() for p in into.rglob("*") if p.is_file()}
    assert found == {"good/a.txt": b"a", "good/mine": b"m", "good/sub/b.txt": b"b"}


def test_a_link_that_is_there_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "into").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "into" / "good").symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="good"):
        unpack.unpack(tar(tmp_path / "x.tgz", GOOD), tmp_path / "into")
    assert names(tmp_path / "other") == []
