"""Where a study is kept: a database in its folder, a journal there for network file systems, or a server."""

import logging
import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnvision.checks import message_line
from rnnvision.errors import FailureError, UsageError
from rnnvision.runs import Run
from rnnvision.runs.lock import Lock
from rnnvision.search.pruning import make_pruner
from rnnvision.search.sampling import make_sampler, most_trials
from rnnvision.search.settings import FILE, Settings
from rnnvision.search.space import distribution

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage

DATABASE, JOURNAL = "study.db", "study.journal"
CLAIM = ".claim.lock"  # held while a trial is made, taken up or counted
OF_SEVERAL = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"  # the end of a journal of SQLite's that names another file
PATIENCE = 30.0  # seconds for another process that writes


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Within, no other process holds this lock."""
    lock = Lock(path)
    while not lock.acquire():
        time.sleep(0.01)
    with lock:
        yield


class _JournalLock:
    """The lock that Optuna's journal asks for; unlike Optuna's own it is free at once when its holder is killed."""

    def __init__(self, path: Path) -> None:
        self._lock = Lock(path)

    def acquire(self) -> bool:
        while not self._lock.acquire():
            time.sleep(0.005)
        return True

    def release(self) -> None:
        self._lock.release()


def open_study(folder: Path, settings: Settings, url: str | None = None) -> "Study":
    """The study of a folder, made where it is not there yet; `url`: the storage, where the settings hide a part of it.

    Raises:
        UsageError: for a storage that cannot be reached, is locked, or is none.
    """
    try:
        with running_in_one_line(settings.storage), held(folder / CLAIM):
            study = _opened(folder, settings, url or settings.storage)
            _check_trials(study, settings)
            trials = (folder / "trials").glob("[0-9]*/status.json")
            if not study.get_trials(deepcopy=False) and any(Run(file.parent).completed for file in trials):
                raise UsageError(
                    f"storage={shown(settings.storage)}: holds none of the trials in {folder / 'trials'}; put back "
                    f"{_file(settings.storage) or 'what it held'}, or begin another study"
                )
            return study
    except (UsageError, FailureError):
        raise
    except (ImportError, OSError) as error:
        raise _refusal(settings.storage, error) from error
    except Exception as error:  # of JSON, of enumerations, of SQL: whatever its rows hold
        if not (folder / FILE).is_file():  # of a URL that is none
            raise _refusal(settings.storage, error) from error
        why = message_line(f"{type(error).__name__}: {error}")[:300]
        raise UsageError(
            f"storage={shown(settings.storage)}: is damaged, or of another study ({without_password(why)}); "
            "put back a copy of it, or begin another study"
        ) from error


def _check_trials(study: "Study", settings: Settings) -> None:
    """Read every trial once, and hold what is kept of it to the settings.

    Raises:
        Exception: of any class, for a storage that is damaged, or of another study.
    """
    from optuna.distributions import check_distribution_compatibility

    if [way.name.lower() for way in study.directions] != list(settings.directions):
        raise ValueError("it has other directions")
    for trial in study.get_trials(deepcopy=False):
        sum(trial.constraints.values())
        for key in trial.params.keys() & settings.space.keys():
            check_distribution_compatibility(trial.distributions[key], distribution(settings.space[key]))
    most_trials(study, settings)


def check_storage(storage: str | None, url: str | None) -> None:
    """Refuse a server that cannot be reached; what lies in the folder of the study is found when that is there.

    Raises:
        UsageError: with what to choose instead.
    """
    from optuna.storages import RDBStorage

    if url in (None, "journal"):
        return
    try:
        with running_in_one_line(storage):
            RDBStorage(url).engine.dispose()
    except (ImportError, OSError, ValueError) as error:
        raise _refusal(storage, error) from error


def _opened(folder: Path, settings: Settings, url: str | None) -> "Study":
    import optuna
    from optuna.study import StudyDirection

    optuna.logging.set_verbosity(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="optuna")
        storage = _storage(folder, url)
        return optuna.create_study(
            study_name=_name(folder, settings),
            storage=storage,
            sampler=make_sampler(settings),
            pruner=make_pruner(settings),
            directions=[StudyDirection[way.upper()] for way in settings.directions],
            load_if_exists=True,
        )


def _name(folder: Path, settings: Settings) -> str:
    """Hyperband deals its brackets out by this name, so that it is the same for the same study wherever it may be."""
    return settings.name if settings.storage in (None, "journal") else folder.name


def _storage(folder: Path, url: str | None) -> "BaseStorage":
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    for file in (*folder.glob(f"{DATABASE}*"), *folder.glob(f"{JOURNAL}*")):  # with what SQLite keeps beside its own
        if file.is_symlink() or not file.is_file():
            raise FailureError(f"{file}: is a link or no file, and the study would be written elsewhere; remove it")
    if _names_another(folder / f"{DATABASE}-journal"):
        raise FailureError(f"{folder / DATABASE}-journal: names a file elsewhere, which SQLite would remove; remove it")
    if url == "journal":
        lock: Any = _JournalLock(folder / f"{JOURNAL}.lock")  # Optuna asks for its methods alone
        return JournalStorage(JournalFileBackend(str(folder / JOURNAL), lock_obj=lock))
    if url is not None:
        return RDBStorage(url)
    database = folder / DATABASE
    if not database.exists():  # its tables are there all at once, or not at all
        new = database.with_name(f".{DATABASE}.new")
        new.unlink(missing_ok=True)
        made = RDBStorage(f"sqlite:///{new.absolute()}")
        made.remove_session()
        made.engine.dispose()
        new.replace(database)
    return RDBStorage(f"sqlite:///{database.absolute()}", engine_kwargs={"connect_args": {"timeout": PATIENCE}})


def _names_another(journal: Path) -> bool:
    """Whether what SQLite left of a write that was cut is of several databases at once, as none of a study's is."""
    if not journal.is_file():
        return False
    with journal.open("rb") as file:
        file.seek(max(0, journal.stat().st_size - len(OF_SEVERAL)))
        return file.read() == OF_SEVERAL


@contextmanager
def running_in_one_line(storage: str | None) -> Iterator[None]:
    """Within, a storage that fails becomes one line.

    Raises:
        UsageError: with what to choose instead.
    """
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        raise _refusal(storage, error) from error


def _refusal(storage: str | None, error: Exception) -> UsageError:
    why = " ".join(str(error.__cause__ or error).partition("\n")[0].split())
    if any(word in why for word in ("not a database", "malformed")) and (file := _file(storage)) is not None:
        return UsageError(
            f"{file}: is damaged ({why}), and the study has its trials there; put back a copy of it, or begin another "
            "study"
        )
    if "locked" in why:
        return UsageError(f"storage={shown(storage)}: another program holds it ({why}); go on when that has ended")
    return UsageError(
        f"storage={shown(storage)}: cannot be used: {without_password(why)}; choose storage=null (a database in the "
        "folder), storage=journal (a file there, for network file systems), or the URL of a database that runs"
    )


def _file(storage: str | None) -> str | None:
    """The file in the folder of a study that it is kept in; None for one elsewhere."""
    return {None: DATABASE, "journal": JOURNAL}.get(storage)


def shown(storage: str | None) -> str:
    """A storage as a message names it."""
    return "null" if storage is None else without_password(storage)


def without_password(text: str) -> str:
    """A URL in a text without its password.

    Examples:
        >>> without_password("mysql://me:secret@host/db")
        'mysql://me:***@host/db'
    """
    return re.sub(r"(://[^:/@\s]*):[^@\s]*@", r"\1:***@", text)
