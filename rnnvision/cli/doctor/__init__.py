"""rnnvision doctor: check this machine, line by line, and say what to do."""

import platform
from collections.abc import Callable, Iterator

from rnnvision.checks import counted
from rnnvision.cli.doctor.data import check_data
from rnnvision.cli.doctor.device import check_devices
from rnnvision.cli.doctor.finding import Finding
from rnnvision.cli.doctor.machine import check_machine
from rnnvision.cli.doctor.packages import check_extras, check_packages
from rnnvision.cli.doctor.threads import check_threads
from rnnvision.cli.frame.command_line.plain import read_settings, run_plain
from rnnvision.cli.frame.paths import expanded
from rnnvision.errors import FailureError
from rnnvision.runs import versions

USAGE = """Checks this machine: packages, devices, threads, disk, memory, data. Each line is ok, warn (it works, but
slowly or not for long), fail, or - (a fact, or a choice); the last lines say what to do. Exit code 1 if any fails.

  rnnvision doctor
  rnnvision doctor log_dir=/scratch/logs data.root=/data

  log_dir: logs    # the folder that runs would be written to
  data.root: null  # where the data is; null: $RNNVISION_DATA, ./data, the system's folder"""

Check = Callable[[], Iterator[Finding]]


def main() -> None:
    run_plain("doctor", USAGE, doctor)


def doctor(words: list[str]) -> None:
    """Run every check and print what it finds.

    Raises:
        FailureError: if one fails, after all have been printed.
    """
    given = read_settings("doctor", words)
    root = given.get("data.root", "null")
    log_dir = expanded(given.get("log_dir", "logs"))
    checks: dict[str, Check] = {
        "packages": check_packages,
        "optional": check_extras,
        "devices": check_devices,
        "threads": check_threads,
        "machine": lambda: check_machine(log_dir),
        "data": lambda: check_data(None if root == "null" else expanded(root)),
    }
    print(f"rnnvision {versions().get('rnnvision', '')} on {platform.platform()}")
    found = [finding for title, check in checks.items() for finding in _printed(title, check)]
    _conclude(found)


def _printed(title: str, check: Check) -> Iterator[Finding]:
    """Print each finding as it comes; a check that cannot be made is one that fails."""
    print(f"\n{title}")
    try:
        for finding in check():
            print(f"  {finding.state:6}{finding.text}", flush=True)
            yield finding
    except Exception as error:  # of a package that an earlier line calls missing or broken, which may raise anything
        said = " ".join(f"{type(error).__name__}: {error}".split())
        finding = Finding("fail", f"cannot be checked: {said}", "mend what fails above, then run it again")
        print(f"  {finding.state:6}{finding.text}")
        yield finding


def _conclude(found: list[Finding]) -> None:
    todo = [f"{finding.text}\n      {finding.todo}" for finding in found if finding.todo]
    if todo:
        print("\nWhat to do:")
        print("\n".join(f"  - {what}" for what in todo))
    failed = sum(finding.state == "fail" for finding in found)
    warned = sum(finding.state == "warn" for finding in found)
    print(f"\n{counted(failed, 'failure')}, {counted(warned, 'warning')}.")
    if failed:
        raise FailureError(f"{counted(failed, 'check')} failed")
    print("Next: rnnvision train experiment=digits_lstm")
