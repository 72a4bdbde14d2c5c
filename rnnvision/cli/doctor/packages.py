"""Checks of the installed packages against the ranges that this one names, and of what is optional."""

import platform
import re
from collections.abc import Iterator, Sequence
from importlib import metadata

from rnnvision.cli.doctor.finding import Finding

MALWARE = {"lightning": ("2.6.2", "2.6.3"), "pytorch-lightning": ("2.6.2", "2.6.3")}
GIVES = {  # extra -> what it is for
    "demo": "rnnvision demo",
    "export": "rnnvision export, and classifying with an exported file",
    "kernels": "linear recurrences on a GPU",
    "mlflow": "logger=mlflow",
    "plots": "plots of comparisons, benchmarks and reports",
    "ray": "where=ray",
    "search": "rnnvision tune",
    "shards": "data sets in shards",
    "slurm": "where=slurm",
    "tables": "predictions as Parquet and for pandas",
    "tensorboard": "logger=tensorboard",
    "wandb": "logger=wandb",
}
DEVELOPMENT = "dev"  # the extra of those who change this package
EXTRA = re.compile(r"""extra\s*==\s*['"]([\w.-]+)['"]""")


def check_packages() -> Iterator[Finding]:
    """Python, every package that is needed, and those that must not be there."""
    try:
        about = metadata.metadata("rnnvision")
        requirements = metadata.requires("rnnvision") or []
    except metadata.PackageNotFoundError:
        yield Finding("fail", "rnnvision is not installed, so that no ranges are known", "pip install -e .")
        return
    yield python(str(about["Requires-Python"]), platform.python_version())
    yield from (needed(line) for line in requirements if not EXTRA.search(line))
    yield from malware()


def check_extras() -> Iterator[Finding]:
    """Each optional part, with the packages that it needs and whether they are here."""
    wanted: dict[str, list[str]] = {}
    for line in metadata.requires("rnnvision") or []:
        if (match := EXTRA.search(line)) and match[1] != DEVELOPMENT:
            wanted.setdefault(match[1], []).append(line.partition(";")[0].strip())
    for extra, requirements in sorted(wanted.items()):
        yield optional(extra, requirements)


def python(ranges: str, version: str) -> Finding:
    """The running Python against a range."""
    if _fits(version, ranges):
        return Finding("ok", f"Python {version}")
    return Finding("fail", f"Python {version} is not in {ranges}", f"make a virtual environment with a Python {ranges}")


def needed(requirement: str) -> Finding:
    """A package that every command needs."""
    name, ranges, version = _installed(requirement)
    if version is None:
        return Finding("fail", f"{name} is not installed", f'pip install "{name}{ranges}"')
    if not _fits(version, ranges):
        return Finding("fail", f"{name} {version} is not in {ranges}", f'pip install "{name}{ranges}"')
    return Finding("ok", f"{name} {version}")


def optional(extra: str, requirements: Sequence[str]) -> Finding:
    """An extra: all of its packages are here, or what installs them."""
    missing, wrong, here = [], [], []
    for requirement in requirements:
        name, ranges, version = _installed(requirement)
        here.append(f"{name} {version}")
        if version is None:
            missing.append(name)
        elif not _fits(version, ranges):
            wrong.append(f"{name} {version} is not in {ranges}")
    name = f"{extra} ({GIVES[extra]})" if extra in GIVES else extra
    command = f'pip install "rnnvision[{extra}]"'
    if wrong:
        return Finding("warn", f"{name}: {', '.join(wrong)}", command)
    if missing:
        return Finding("-", f"{name}: without {', '.join(missing)}; {command}")
    return Finding("ok", f"{name}: {', '.join(here)}")


def malware() -> Iterator[Finding]:
    """Releases that carried malware and were withdrawn; caches and mirrors may still have them."""
    for name, versions in MALWARE.items():
        version = _version(name)
        if version in versions:
            yield Finding(
                "fail",
                f"{name} {version} was malware: whatever this machine could read is to be treated as known to others",
                'pip uninstall lightning pytorch-lightning; pip install "lightning>=2.6.6,<2.7"; replace all keys',
            )


def _installed(requirement: str) -> tuple[str, str, str | None]:
    """The name, the ranges and the installed version of a requirement."""
    from packaging.requirements import Requirement

    read = Requirement(requirement)
    return read.name, str(read.specifier), _version(read.name)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _fits(version: str, ranges: str) -> bool:
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(ranges).contains(version, prereleases=True)
