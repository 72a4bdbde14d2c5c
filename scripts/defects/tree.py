"""A copy of a checkout, in which faults are made and its tests are run."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from defects.defect import PACKAGE, Defect


@dataclass(frozen=True)
class Case:
    """A test that was run: its file, its node id, how long it took, and whether it failed."""

    file: str
    node: str
    seconds: float
    failed: bool


class Tree:
    """A copy of a checkout, in which faults are made and tests are run."""

    def __init__(self, source: Path, folder: Path, pytest_args: list[str], timeout: float) -> None:
        self.path = folder / "tree"
        self._report, self._temporary = folder / "report.xml", folder / "tmp"
        self._pytest_args, self._timeout = pytest_args, timeout
        for file in files_of(source):
            (self.path / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / file, self.path / file)
        self._environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, [str(self.path), os.environ.get("PYTHONPATH")])),
            "PYTHONDONTWRITEBYTECODE": "1",  # that of a fault could pass for that of the next, made in the same second
            "OMP_NUM_THREADS": "1",
        }
        _, where = self._run([sys.executable, "-c", f"import {PACKAGE}; print({PACKAGE}.__file__)"])
        if not Path(where.strip()).is_relative_to(self.path):
            sys.exit(f"the tests would import {where.strip()}, not the copy in {self.path}")

    @property
    def tests(self) -> list[str]:
        return sorted(path.relative_to(self.path).as_posix() for path in (self.path / "tests").rglob("test_*.py"))

    def digest(self) -> str:
        """Of what the verdicts depend on."""
        paths = [path for part in (PACKAGE, "conf", "tests") for path in (self.path / part).rglob("*.*")]
        return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(paths) if path.is_file())).hexdigest()

    @contextmanager
    def changed(self, defects: Iterable[Defect]) -> Iterator[list[Path]]:
        """With these faults in it, which lie in the files that it gives.

        Raises:
            NotApplicableError: if one of them cannot be made, alone or beside the others.
        """
        before: dict[Path, str] = {}
        try:
            for fault in defects:
                path, text = fault.place(self.path)
                before.setdefault(path, path.read_text())
                path.write_text(text)
            yield list(before)
        finally:
            for path, text in before.items():
                path.write_text(text)

    def test(self, words: list[str], *options: str, limited: bool = True) -> tuple[list[Case], list[str]]:
        """Run the tests that `words` name: what ran, and what failed; [] where all passed, or where there are none."""
        if not words:
            return [], []
        self._report.unlink(missing_ok=True)
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--tb=no", f"--junitxml={self._report}"]
        command += [f"--basetemp={self._temporary}", *self._pytest_args, *options, *words]
        code, said = self._run(command, self._timeout if limited else None)
        cases = list(self._cases()) if self._report.is_file() else []
        failed = [case.node for case in cases if case.failed]
        if code is None:
            failed = [f"timeout after {self._timeout:g} s"]
        elif code not in (0, 5) and not failed:  # 5: the markers leave no test
            failed = [f"exit code {code} of pytest: {said.strip().rpartition(chr(10))[2]}"]
        return cases, failed

    def _cases(self) -> Iterator[Case]:
        for element in ElementTree.parse(self._report).iter("testcase"):
            name = element.get("name", "")
            place = (element.get("classname") or name).split(".")  # a file that cannot be imported has no class name
            classes: list[str] = []
            while len(place) > 1 and not (self.path / f"{'/'.join(place)}.py").is_file():
                classes.insert(0, place.pop())
            file = f"{'/'.join(place)}.py"
            node = "::".join([file, *classes, name]) if element.get("classname") else file
            failed = any(child.tag in ("failure", "error") for child in element)
            yield Case(file, node, float(element.get("time", 0)), failed)

    def _run(self, command: list[str], timeout: float | None = None) -> tuple[int | None, str]:
        """The exit code, None after a timeout, and what was printed."""
        with subprocess.Popen(
            command,
            cwd=self.path,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process:
            try:
                said, _ = process.communicate(timeout=timeout)
            except BaseException as error:
                os.killpg(process.pid, signal.SIGKILL)  # with all that the tests have started
                if isinstance(error, subprocess.TimeoutExpired):
                    return None, ""
                raise
            return process.returncode, said


def files_of(checkout: Path) -> list[str]:
    """What git tracks or could track, as it lies there."""
    command = ["git", "-C", str(checkout), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")
    return [file for file in listed if file and (checkout / file).is_file()]
