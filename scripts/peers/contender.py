"""The contenders as the parent sees them: processes at the other end of a pipe."""

import contextlib
import json
import os
import re
import select
import subprocess
from pathlib import Path
from typing import Any

# name -> (module, options, Keras backend)
CONTENDERS: dict[str, tuple[str, tuple[str, ...], str | None]] = {
    "loop": ("peers.loop", (), None),
    "rnnvision": ("peers.project", (), None),
    "lightning_w0": ("peers.tutorial", (), None),
    "lightning_w2": ("peers.tutorial", ("--workers=2",), None),
    "keras_tf": ("peers.keras_fit", (), "tensorflow"),
    "keras_jax": ("peers.keras_fit", (), "jax"),
    "loop_bf16": ("peers.loop", ("--precision=bfloat16",), None),
    "rnnvision_bf16": ("peers.project", ("--precision=bfloat16",), None),
    "keras_tf_bf16": ("peers.keras_fit", ("--precision=bfloat16",), "tensorflow"),
    "keras_jax_bf16": ("peers.keras_fit", ("--precision=bfloat16",), "jax"),
}
SCRIPTS = Path(__file__).resolve().parents[1]
PATIENCE = 900  # seconds


class ContenderError(Exception):
    """A contender that did not start, or ended before its time."""


class Contender:
    """A process that trains an epoch when it is told to."""

    def __init__(self, name: str, words: list[str], threads: int, folder: Path, python: Path) -> None:
        module, options, backend = CONTENDERS[name]
        self.name, self.log = name, folder / f"{name}.log"
        path = os.pathsep.join((str(SCRIPTS), str(SCRIPTS.parent)))
        variables = {"PYTHONPATH": path, "OMP_NUM_THREADS": str(threads)}
        if backend:
            variables |= {"KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "2"}
        command = [str(python), "-m", module, *words, *options, f"--folder={folder / name}"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                env=os.environ | variables,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # by which `load` knows it together with its children
            )
        self.facts: dict[str, Any] = {}

    def train(self) -> dict[str, Any]:
        """One turn: the seconds it took, and the mean loss."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write("train\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise ContenderError(self._last_words()) from error
        return self.reply()

    def reply(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            raise ContenderError(self._last_words() if ready else f"said nothing for {PATIENCE} s, see {self.log}")
        return json.loads(line)

    def close(self) -> None:
        """End it: its pipe closes, and then, where this does not help, by force."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _last_words(self) -> str:
        lines = self.log.read_text().strip().splitlines()
        lines = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)] or lines
        return f"{lines[-1] if lines else 'it ended without a word'} (see {self.log})"
