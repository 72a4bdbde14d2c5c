"""Put faults into the package, one at a time, and see whether the tests notice: mutation testing by hand.

python scripts/seed_defects.py --out defects.json     # all of them; the same command goes on where it stopped
python scripts/seed_defects.py --only gate leak       # those whose names contain one of these words

A fault is made in a copy of the tree. It is caught by the first test that fails: the test file of its module's name
runs first, then those of its room (tests/nn for rnnvision/nn), the fastest first. The faults that pass these are put
into one copy together, in which the rest of the suite runs once, and what fails there is run again with each of them
alone. A fault with which nothing fails is missed. Ends with 1 if one was missed, or could not be made.
"""

import argparse
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue

from defects import (
    faults_of_data,
    faults_of_layers,
    faults_of_networks,
    faults_of_reliability,
    faults_of_strangers,
    faults_of_training,
    faults_of_verbs,
)
from defects.defect import Defect, NotApplicableError
from defects.records import CAUGHT, MISSED, PASSED, UNFIT, Records, report
from defects.tree import Tree

TABLES = (
    *(faults_of_layers, faults_of_networks, faults_of_data, faults_of_training, faults_of_verbs),
    *(faults_of_reliability, faults_of_strangers),
)
DEFECTS = tuple(fault for table in TABLES for fault in table.FAULTS)
# room -> rooms whose tests import nothing of it: tests/test_imports.py says who may import whom.
BLIND = {
    "nn": {"data"},
    "data": {"nn", "insight"},
    "training": {"nn", "data", "insight"},
    "cli": {"nn", "data", "training", "insight"},
    "insight": {"data", "training"},
    "inference": {"data", "training", "report"},
    "runs": {"data", "training", "inference"},
    "search": {"data", "training", "inference", "report"},
    "base": set[str](),  # the modules in rnnvision/ itself, which all of them import
}


def run_unchanged(tree: Tree, records: Records) -> None:
    """A test that fails without a fault would seem to catch every one."""
    cases, failed = tree.test(tree.tests, limited=False)
    if failed:
        sys.exit(f"{len(failed)} tests fail without a fault: {', '.join(failed[:5])}")
    for case in cases:
        records.seconds[case.file] = records.seconds.get(case.file, 0.0) + case.seconds
    records.save()
    print(f"without a fault all {len(cases):,} tests pass", flush=True)


def run_room(tree: Tree, records: Records, fault: Defect) -> None:
    """A fault alone, and the tests of its room until one fails."""
    started, verdict, by = time.monotonic(), PASSED, ""
    try:
        with tree.changed([fault]) as (module,):
            room = sorted((file for file in tree.tests if room_of(file) == fault.room), key=records.quickest)
            own = [file for file in room if Path(file).stem == f"test_{module.stem}"]
            for files in (own, [file for file in room if file not in own]):
                if failed := tree.test(files, "-x")[1]:
                    verdict, by = CAUGHT, failed[0]
                    break
    except NotApplicableError as error:
        verdict, by = UNFIT, str(error)
    records.note(fault, verdict, by, time.monotonic() - started)


def run_rest(tree: Tree, records: Records, faults: list[Defect]) -> None:
    """Faults that passed their rooms: together, and then each alone by the tests that failed."""
    while faults:
        group = together(tree, faults)
        faults = [fault for fault in faults if fault not in group]
        files = sorted({file for fault in group for file in tree.tests if is_left(file, fault)}, key=records.quickest)
        with tree.changed(group):
            failed = tree.test(files, limited=False)[1]
        print(f"{len(group)} faults passed the tests of their rooms; of the others {len(failed)} fail with all of them")
        again = failed if all("::" in node for node in failed) else files  # not so if pytest itself gave up
        for fault in group:
            started = time.monotonic()
            with tree.changed([fault]):
                caught = tree.test([node for node in again if is_left(node.partition("::")[0], fault)], "-x")[1]
            records.note(fault, CAUGHT if caught else MISSED, (caught or [""])[0], time.monotonic() - started)


def together(tree: Tree, faults: list[Defect]) -> list[Defect]:
    """As many of them as can be made beside each other."""
    group: list[Defect] = []
    for fault in faults:
        with suppress(NotApplicableError), tree.changed([*group, fault]):
            group.append(fault)
    return group


def room_of(test_file: str) -> str:
    """The folder of a test file in tests/; of one that lies in tests/ itself it is base."""
    _, *folders, _ = test_file.split("/")
    return folders[0] if folders else "base"


def is_left(test_file: str, fault: Defect) -> bool:
    """Whether this file, which is not of the fault's room, can notice it."""
    return room_of(test_file) not in {fault.room, *BLIND[fault.room]}


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", type=Path, default=Path(__file__).resolve().parents[1], help="checkout, not changed")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="faults whose names contain one of these")
    parser.add_argument("--out", type=Path, help="JSON file of what is known, which a second run goes on with")
    parser.add_argument(
        "--pytest-args", nargs=argparse.REMAINDER, default=[], help="for every run of pytest; comes last"
    )
    parser.add_argument("--jobs", type=int, default=1, help="faults at once, each in a copy of its own")
    parser.add_argument("--timeout", type=float, default=1200.0, help="seconds until a fault counts as caught")
    asked = parser.parse_args(words)
    # In the background a shell has Ctrl-C ignored, and the tests, some of which send it, would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    faults = [fault for fault in DEFECTS if not asked.only or any(word in fault.name for word in asked.only)]
    with tempfile.TemporaryDirectory() as temporary:
        copies = [
            Tree(asked.tree, Path(temporary).resolve() / str(job), asked.pytest_args, asked.timeout)
            for job in range(asked.jobs)
        ]
        records = Records(copies[0], asked.out)
        if not records.seconds:
            run_unchanged(copies[0], records)
        free: SimpleQueue[Tree] = SimpleQueue()
        for copy in copies:
            free.put(copy)

        def run(fault: Defect) -> None:
            tree = free.get()
            try:
                run_room(tree, records, fault)
            finally:
                free.put(tree)

        todo = [fault for fault in faults if records.of(fault).get("verdict", UNFIT) == UNFIT]
        with ThreadPoolExecutor(asked.jobs) as pool:
            begun = [pool.submit(run, fault) for fault in todo]
            try:
                for future in begun:
                    future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)  # those that run are waited for all the same
                raise
        run_rest(copies[0], records, [fault for fault in faults if records.of(fault)["verdict"] == PASSED])
    print(f"\n{report(records, faults)}")
    return int(any(records.of(fault)["verdict"] != CAUGHT for fault in faults))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
