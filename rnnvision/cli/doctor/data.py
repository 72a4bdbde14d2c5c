"""Checks of where data sets are looked for, and which of them are there."""

import os
from collections.abc import Iterator
from functools import partial

from rnnvision.cli.doctor.finding import Finding

WITHOUT_FILES = ("digits", "fake")


def check_data(root: str | None) -> Iterator[Finding]:
    """The folders that are searched, and the data sets in them; nothing is read or downloaded."""
    from rnnvision.data import CATALOG
    from rnnvision.data.cache import cache_folder, cache_size
    from rnnvision.data.sets.locate import ENVIRONMENT_VARIABLE, located, search_roots

    given = {"data.root": root} if root else {f"${ENVIRONMENT_VARIABLE}": os.environ.get(ENVIRONMENT_VARIABLE)}
    places = search_roots(root)
    for name, folder in given.items():
        if folder and not places[0].is_dir():
            yield Finding("warn", f"{name}={folder}: there is no such folder", f"give {name} another one, or none")
    found: dict[str, list[str]] = {}
    for name, entry in CATALOG.items():
        if entry.needs_root or name in WITHOUT_FILES:
            continue
        if (place := located(partial(entry.read, entry.class_names, root))) is not None:
            found.setdefault(str(place), []).append(name)
    for folder, names in found.items():
        yield Finding("ok", f"{folder}: {', '.join(names)}")
    for place in places:
        if str(place) not in found:
            yield Finding(
                "-", f"{place}: {'no data set is found there' if place.is_dir() else 'there is no such folder'}"
            )
    if size := cache_size():
        yield Finding(
            "-", f"{cache_folder()}: {size / 2**20:,.0f} MB of decoded images (data.cache); it may be deleted"
        )
    yield Finding(
        "-", f"data={' and data='.join(WITHOUT_FILES)} need no files; others are downloaded at their first use"
    )
