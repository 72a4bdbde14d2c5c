"""onnxruntime-web, which runs ONNX graphs in a browser: from npm, of one version whose content is known, and kept."""

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from rnnvision.atomic import replaced
from rnnvision.errors import FailureError, UsageError

NAME, VERSION = "onnxruntime-web", "1.30.0"
SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
# What a page needs to run a network on one CPU thread. Not every server knows the type of .mjs.
FILES = {"ort.js": "package/dist/ort.wasm.bundle.min.mjs", "ort.wasm": "package/dist/ort-wasm-simd-threaded.wasm"}
TIMEOUT_S = 300


def runtime() -> Path:
    """The folder that holds `FILES`; what is not there yet is fetched by npm, which runs nothing of the package.

    Raises:
        UsageError: if there is no npm.
        FailureError: if it cannot get the package, or gets another one.
    """
    folder = cache() / f"{NAME}-{VERSION}"
    if all((folder / name).is_file() for name in FILES):
        return folder
    npm = shutil.which("npm")
    if npm is None:
        raise UsageError(f"format=web: takes {NAME} from npm, which is not installed; see https://nodejs.org")
    with tempfile.TemporaryDirectory() as temporary:
        archive = _fetched(npm, Path(temporary))
        with tarfile.open(archive) as package:
            for name, member in FILES.items():
                content = package.extractfile(member)
                assert content is not None
                with replaced(folder / name) as part:
                    part.write_bytes(content.read())
    return folder


def cache() -> Path:
    """The user's cache of this program."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rnnvision"


def _fetched(npm: str, folder: Path) -> Path:
    words = [npm, "pack", f"{NAME}@{VERSION}", "--ignore-scripts", "--pack-destination", str(folder)]
    try:
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FailureError(f"format=web: npm cannot get {NAME} {VERSION} ({error})") from error
    archive = folder / f"{NAME}-{VERSION}.tgz"
    if done.returncode or not archive.is_file():
        lines = [line for line in done.stderr.splitlines() if line.strip() and "A complete log" not in line]
        said = " ".join(lines[-1].split()) if lines else f"exit code {done.returncode}"
        raise FailureError(f"format=web: npm cannot get {NAME} {VERSION} ({said})")
    if base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode() != SHA512:
        raise FailureError(f"format=web: npm gives another {NAME} {VERSION} than it was; its content is not used")
    return archive
