"""STOP: the signals that end a command are heard from its first import to its last line, and none of them is lost.

Imported before anything else, so it imports next to nothing. Where a signal finds the process decides what it does:

- before the work (imports, the opening of the folder) the process ends there and then: an error that is raised while a
  C extension is imported may be printed, replaced or swallowed by it;
- at work it raises `Stopped`, an error like any other for whatever has to be closed. Where nobody would hear that, in a
  `__del__` or an import, it waits for a better moment; where somebody swallows it, it is raised again;
- within `STOP.deferred()`, such as a step of training, it is only noted, for at most `PATIENCE`;
- after the work it decides the exit code, and nothing else.

A second Ctrl-C ends the process at once, wherever it is.
"""

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Literal, NoReturn

CODES = {  # of the signals that this system has: the exit code. SLURM sends SIGUSR1 some time before it ends a job
    int(getattr(signal, name)): code
    for name, code in (("SIGHUP", 129), ("SIGINT", 130), ("SIGUSR1", 143), ("SIGTERM", 143))
    if hasattr(signal, name)
}
HELD = "RNNVISION_HELD_SIGNALS"  # while one program replaces another: those that wait
TICK = 0.1  # seconds between two looks at what has become of a signal
PATIENCE = 25.0  # seconds that it may be deferred: SLURM waits for 30 before it kills
LAST = 60.0  # seconds for the end of a process, once its work is written down
Stage = Literal["before", "at work", "after"]


class Stopped(SystemExit):
    """A signal has told this process to end; `code` is the exit code of that signal."""


class Stop:
    """The one `STOP` of a process.

    Attributes:
        requested: the exit code of the signal that has come; None as long as none has.
        write_down: called where the process ends at once, to leave a true record.
        name: of the command, for messages.
    """

    def __init__(self) -> None:
        self.requested: int | None = None
        self.write_down: Callable[[], object] | None = None
        self.name = "rnnvision"
        self._stage: Stage = "before"
        self._deferred = 0
        self._came = 0.0  # when the first signal did
        self._presses = 0  # of Ctrl-C
        self._ended = 0.0  # when the work did, after a signal
        self._raised: Stopped | None = None
        self._is_registered = False
        self._commands = 0

    def install(self) -> None:
        """Hear the signals, but those that whoever started this process has it ignore, as nohup does."""
        if threading.current_thread() is not threading.main_thread():
            return  # no other one may
        for signum in CODES:
            if signal.getsignal(signum) != signal.SIG_IGN:
                signal.signal(signum, self._handle)
        if hasattr(signal, "SIGALRM"):  # from the start: Lightning puts back what was there when a training began
            signal.signal(signal.SIGALRM, self._tick)
        if held := os.environ.pop(HELD, ""):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, map(int, held.split(",")))
        if not self._is_registered:
            self._is_registered = True
            atexit.register(self._at_exit)  # the first to be registered is the last to be called
            if hasattr(os, "register_at_fork"):
                os.register_at_fork(after_in_child=self._forked)

    @contextmanager
    def command(self, name: str) -> Iterator[None]:
        """Within, a command is run; after the outermost one the process only ends."""
        before = self.name, self.write_down, self._stage, self.requested
        self.name, self.write_down, self._stage, self.requested = name, None, "before", None
        self._commands += 1
        self.install()
        try:
            yield
        finally:
            self._commands -= 1
            if self._commands:
                self.name, self.write_down, self._stage, self.requested = before
            else:
                self.work_ends()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Within, a signal raises `Stopped`; afterwards nothing is interrupted any more until another run begins."""
        self._stage = "at work"
        try:
            self._act(sys._getframe())
            yield
            self.obey()
        finally:
            self.work_ends()

    @contextmanager
    def importing(self) -> Iterator[None]:
        """Within, at work, a signal ends the process as before the work: an import of seconds would hold it up."""
        before, self._stage = self._stage, "before"
        try:
            yield
        finally:
            self._stage = before

    def work_ends(self) -> None:
        """From here nothing is interrupted any more: how it went is written down, and the process ends."""
        self._stage, self._ended = "after", time.monotonic()

    def begin(self, write_down: Callable[[], object]) -> None:
        """A run begins, perhaps after another one: where the process ends at once, `write_down` is called before."""
        self._stage, self.write_down = "before", write_down
        self._act(sys._getframe())

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Within, the first signal only sets `requested`; it acts at the end, at `obey`, or after `PATIENCE`."""
        self._deferred += 1
        try:
            yield
        finally:
            self._deferred -= 1
        self._act(sys._getframe())

    def obey(self) -> None:
        """Raise `Stopped` if a signal has come, also within `deferred`."""
        if self.requested is not None and self._stage != "after":
            self._raise(self.requested)

    def code_of(self, error: BaseException) -> int:
        """The exit code of what `error` has interrupted."""
        code = self.requested if self.requested is not None else getattr(error, "code", None)
        return code if isinstance(code, int) else CODES[signal.SIGINT]

    def forget(self) -> None:
        """Go on as if no signal had come, for one that is the usual way to end what was done."""
        self.requested, self._presses = None, 0
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        self._presses += signum == signal.SIGINT
        if self.requested is None:
            self.requested, self._came = CODES[signum], now
            self._ended = now if self._stage == "after" else 0.0
            if hasattr(signal, "setitimer"):
                signal.setitimer(signal.ITIMER_REAL, TICK, TICK)
            self._act(frame)
        elif signum == signal.SIGINT and (self._presses > 1 or now - self._came > 1.0):
            self._end_now(CODES[signum])

    def _tick(self, signum: int, frame: FrameType | None) -> None:
        self._act(frame)

    def _act(self, frame: FrameType | None) -> None:
        """Do what the signal asks for, if this is a moment for it."""
        now = time.monotonic()
        if self.requested is None or self._is_underway():
            return
        if self._stage == "after":
            if now - self._ended > LAST:
                self._end_now(self.requested)
        elif self._deferred and now - self._came < PATIENCE:
            return
        elif self._stage == "before":
            self._end_now(self.requested)
        elif now - self._came > PATIENCE or not _is_unheard(frame):
            self._raise(self.requested)

    def _raise(self, code: int) -> NoReturn:
        self._raised = Stopped(code)
        raise self._raised

    def _is_underway(self) -> bool:
        """Whether what was raised is being handled: in an `except`, in a `finally`, in the exit of a `with`."""
        error = sys.exc_info()[1]
        for _ in range(100):
            if error is None:
                return False
            if error is self._raised:
                return True
            error = error.__context__
        return False

    def _end_now(self, code: int) -> NoReturn:
        """Leave a true record, and end without anything else."""
        for signum in CODES:
            signal.signal(signum, signal.SIG_IGN)
        if self.write_down is not None:
            with suppress(BaseException):
                self.write_down()
        for stream in (sys.stdout, sys.stderr):  # which may be in the middle of a line
            with suppress(BaseException):
                stream.flush()
        with suppress(OSError):
            os.write(2, f"{self.name}: interrupted\n".encode(errors="replace"))
        _kill_children()
        os._exit(code)

    def _at_exit(self) -> None:
        """The last that a process does: end with the code of a signal that came after its work."""
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        if self.requested is not None:
            for stream in (sys.stdout, sys.stderr):
                with suppress(Exception):
                    stream.flush()
            os._exit(self.requested)
        for signum in CODES:  # Python itself ends now, without us
            if signal.getsignal(signum) == self._handle:
                signal.signal(signum, signal.SIG_DFL)

    def _forked(self) -> None:
        """In a fork, such as a worker that reads data: it ends when its parent ends it, and not because somebody types
        Ctrl-C or SLURM tells all processes of a job: its parent needs it to get to the end of a step."""
        if not any(signal.getsignal(signum) == self._handle for signum in CODES):
            return
        for signum in CODES:
            dies = signum == signal.SIGTERM and signal.getsignal(signum) != signal.SIG_IGN
            signal.signal(signum, signal.SIG_DFL if dies else signal.SIG_IGN)
        self.requested = self.write_down = None


def _is_unheard(frame: FrameType | None) -> bool:
    """Whether an error that is raised there might reach nobody."""
    while frame is not None:
        code: Any = frame.f_code
        if code.co_name == "__del__" or code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _kill_children() -> None:
    """Workers that read data would otherwise find out after some seconds that they are alone."""
    processes = sys.modules.get("multiprocessing.process")
    for child in list(getattr(processes, "_children", ())):
        with suppress(Exception):
            child.kill()


STOP = Stop()


def hold_signals() -> None:
    """Let signals wait until the program that is about to replace this one can hear them."""
    if hasattr(signal, "pthread_sigmask"):
        held = set(CODES) - set(signal.pthread_sigmask(signal.SIG_BLOCK, CODES))
        os.environ[HELD] = ",".join(map(str, sorted(held)))
