"""Eight processes need a data set that is not here, at the same time, and the server is a bad one.

Found while it was built, by reading what torchvision does and by trying, each mended:
- a cut download stayed under its name where no MD5 was known (torchvision's download_url);
- an archive was unpacked in place, so that one killed meanwhile left a folder that looked whole (CIFAR, EuroSAT, ...);
- `../x`, absolute names, links and devices in an archive were written (torchvision's extract_archive);
- ImageNet's train/ looked whole as soon as it was made;
- a server that sent a byte now and then was waited for without end;
- a transfer that was cut was not tried again, and a mirror only for MNIST;
- nothing said that another process is waited for;
- a process that had waited found the folder gone, which the one before it removed after its own failure;
- a traceback, where a folder that another process was unpacking went away while a third looked through it.
"""

import hashlib
import io
import os
import random
import signal
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torture.loopback import served
from torture.trial import Outcome

TITLE = "8 simultaneous first downloads from a server that cuts at random bytes, sends other bytes, or is silent"
BAR = "one good copy; each of the 8 trains, or ends with one line that names the address; no leftovers after a kill"
COUNT = 200  # rounds of 8
FOUND = 9

PROCESSES = 8
LIMIT = 120.0  # seconds for a round
KINDS = ("cut", "cut and killed", "always bad")
COUNTS = {"train": 600, "t10k": 200}
WORDS = ("data=kmnist", "data.val_fraction=0.2", "trainer=smoke", "device=cpu", "model.hidden_size=4", "report=false")
Content = dict[str, bytes]


def run(count: int, seed: int, folder: Path) -> Outcome:
    _be_quick()
    outcome, killed, trained = Outcome(), 0, 0
    for number in range(count):
        chance = random.Random(f"{seed} {number}")
        kind = KINDS[number % len(KINDS)]
        files = _kmnist(chance) if number % 2 else _archive(chance)
        share = 0.0 if kind == "always bad" else 0.35
        root = folder / f"{number}"
        use: Callable[[Path], object] = _read if number % 2 else _unpack
        if number % 10 == 1:
            use, trained = _train, trained + PROCESSES
        with served(files, chance.randrange(2**32), share) as address:
            _point_to(address, files)
            ends = _together(use, root, chance if "killed" in kind else None)
        killed += sum(code == -signal.SIGKILL for code, _ in ends)
        fault = _fault(ends, kind, address) or _wrong_content(root, files)
        with served(files, 0, 1.0) as address:
            _point_to(address, files)
            last = _together(_read if number % 2 else _unpack, root, None, processes=1)
        fault = fault or _fault(last, "", address) or _left(root)
        outcome.add(fault and f"round {number}, {kind}: {fault}")
    outcome.note = f"{PROCESSES * count:,} processes, {killed:,} of them killed, {trained:,} trained"
    return outcome


def _be_quick() -> None:
    """Patience of a second, not of minutes; all that is imported once, before the forks."""
    import torch

    import rnnvision.cli.train  # noqa: F401
    from rnnvision.cli.frame import setup  # noqa: F401
    from rnnvision.data.downloads import fetch, lock
    from rnnvision.data.sets import mnist_family

    torch.set_num_threads(1)
    fetch.TIMEOUT, fetch.PAUSE, lock.WAIT, mnist_family.COUNTS = 1.0, 0.02, 0.02, COUNTS


def _kmnist(chance: random.Random) -> Content:
    import gzip

    from rnnvision.data.sets.mnist_family import FILES

    made = {}
    for name in FILES:
        count = COUNTS[name.partition("-")[0]]
        images = "idx3" in name
        shape = (count, 28, 28) if images else (count,)
        header = bytes([0, 0, 8, len(shape)]) + b"".join(size.to_bytes(4, "big") for size in shape)
        values = chance.randbytes(count * 784) if images else bytes(chance.randrange(10) for _ in range(count))
        made[f"{name}.gz"] = gzip.compress(header + values, 1, mtime=0)
    return made


def _archive(chance: random.Random) -> Content:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as tar:
        for number in range(60):
            info = tarfile.TarInfo(f"images/{number % 6}/{number}.bin")
            info.size = chance.randrange(20_000)
            tar.addfile(info, io.BytesIO(chance.randbytes(info.size)))
    return {"images.tar.gz": file.getvalue()}


def _point_to(address: str, files: Content) -> None:
    from torchvision.datasets import KMNIST

    KMNIST.mirrors = [address]
    KMNIST.resources = [(name, hashlib.md5(content).hexdigest()) for name, content in files.items()]


def _read(root: Path) -> object:
    from rnnvision.data import CATALOG

    return CATALOG["kmnist"].read(tuple("0123456789"), str(root))


def _unpack(root: Path) -> object:
    from torchvision.datasets import KMNIST

    from rnnvision.data.downloads.fetch import Source
    from rnnvision.data.sets.locate import obtain

    [(name, md5)] = KMNIST.resources
    source = Source(f"set/{name}", (f"{KMNIST.mirrors[0]}{name}",), md5, packed=True)
    found = obtain("set", str(root), ("set/images",), Path.is_dir, [source], by_content=False)
    assert len(list(found[1].rglob("*.bin"))) == 60, "seen in part"
    return found


def _train(root: Path) -> object:
    from rnnvision.cli.train import main

    sys.argv = ["train", *WORDS, f"data.root={root}", f"hydra.run.dir={root}-run-{os.getpid()}"]
    main()
    return None


def _together(
    use: Callable[[Path], object], root: Path, killer: random.Random | None, processes: int = PROCESSES
) -> list[tuple[int, str]]:
    """The exit codes of processes that begin at once, and what they printed."""
    begun: dict[int, Path] = {}
    for number in range(processes):
        log = root.with_name(f"{root.name}-{number}.log")
        if (pid := os.fork()) == 0:
            _child(use, root, log)
        begun[pid] = log
    victims = {pid: time.monotonic() + killer.random() for pid in begun if killer and killer.random() < 0.4}
    ends: list[tuple[int, str]] = []
    until = time.monotonic() + LIMIT
    left = dict(begun)
    while left:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid in left:
            ends.append((os.waitstatus_to_exitcode(status), left.pop(pid).read_text()))
            continue
        now = time.monotonic()
        for pid in [*left]:
            if now > until or victims.get(pid, now) < now:
                os.kill(pid, signal.SIGKILL)
                if now > until:
                    os.waitpid(pid, 0)
                    ends.append((124, f"hung\n{left.pop(pid).read_text()}"))
        time.sleep(0.005)
    return ends


def _child(use: Callable[[Path], object], root: Path, log: Path) -> None:
    """The rest of a process: as the frame of the verbs, it ends with 1 and one line for an error that is the user's."""
    import traceback

    from rnnvision.errors import FailureError, UsageError

    sys.stdout = sys.stderr = log.open("w")
    os.dup2(sys.stdout.fileno(), 1)
    os.dup2(sys.stdout.fileno(), 2)
    code: Any = 0
    try:
        use(root)
    except (FailureError, UsageError) as error:
        print(error, flush=True)
        code = 1
    except SystemExit as error:
        code = error.code
    except BaseException:
        traceback.print_exc()
        code = 99
    finally:
        sys.stdout.flush()
        os._exit(code if isinstance(code, int) else 99)


def _fault(ends: list[tuple[int, str]], kind: str, address: str) -> str | None:
    for code, said in ends:
        lines = [line for line in said.splitlines() if "downloading it to" in line]
        if code == -signal.SIGKILL and "killed" in kind:
            continue
        if code == 1 and kind and len(lines) == 1 and address in lines[0] and "Traceback" not in said:
            continue
        if code != 0 or kind == "always bad":
            return f"exit code {code}: {said[-600:]}"
    return None


def _wrong_content(root: Path, files: Content) -> str | None:
    for path in root.rglob("*"):
        if path.name in files and path.read_bytes() != files[path.name]:
            return f"{path} is not the published file"
    return None


def _left(root: Path) -> str | None:
    left = [str(path) for path in root.rglob(".*") if path.name != ".download.lock"]
    return f"left behind: {left}" if left else None
