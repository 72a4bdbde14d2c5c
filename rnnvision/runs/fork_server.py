"""A fork server: a process that has imported what many commands need, and becomes each of them by a fork.

What is imported once costs each command nothing; the rest of a new process it has all the same: memory, threads, exit
code. The server starts no thread and no GPU, because neither survives a fork. Linux only.
"""

import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Any

from rnnvision.launch import BEFORE_MODULE, module_command
from rnnvision.runs.parent import end_with_parent

LARGEST = 2**17  # bytes of a request

# Signals to all processes of a command are for what the server has started; it ends when its parent ends it, or ends.
FOR_COMMANDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


class ForkServer:
    """Starts modules with their words as forks of one process, one after the other. It ends with its thread.

    Args:
        prepare: "module:function", which the server calls with `words` to import what the commands need.
        environment: added to that of this process.
    """

    def __init__(self, prepare: str, *words: str, environment: Mapping[str, str] | None = None) -> None:
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            told = [str(os.getpid()), str(theirs.fileno()), prepare, *words]
            self._server = subprocess.Popen(
                module_command("rnnvision.runs.fork_server", *told),
                pass_fds=[theirs.fileno()],
                env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
            )

    def __call__(self, command: Sequence[str], output: IO[Any]) -> "Fork":
        """Start a command of `module_command`, which prints to `output`."""
        return Fork(self.socket, command[BEFORE_MODULE:], output)

    @property
    def has_ended(self) -> bool:
        return self._server.poll() is not None

    def close(self) -> None:
        """End the server; a command that still runs goes on."""
        self.socket.close()
        self._server.wait()

    def kill(self) -> None:
        """End the server at once; a command that still runs is told to end (SIGTERM), or never begins."""
        self._server.kill()
        self._server.wait()


class Fork:
    """A command that runs in a fork of the server, see `rnnvision.runs.process.Child`.

    It begins once the server has imported what it is to; nobody waits for that until it is asked how the command does.
    """

    def __init__(self, server: socket.socket, words: Sequence[str], output: IO[Any]) -> None:
        self._server = server
        self.pid: int | None = None  # once it has begun
        self._code: int | None = None
        with suppress(ConnectionError):  # then there is no answer either
            socket.send_fds(server, [json.dumps(words).encode()], [output.fileno()])

    def wait(self) -> int:
        while self._code is None:
            self._hear()
        return self._code

    def poll(self) -> int | None:
        """The exit code, as of `wait`; None while it runs."""
        while self._code is None and select.select([self._server], [], [], 0)[0]:
            self._hear()
        return self._code

    @property
    def has_begun(self) -> bool:
        self.poll()
        return self.pid is not None or self._code is not None

    def send_signal(self, signum: int) -> None:
        """Send it a signal; waits until it has begun."""
        if self.pid is None:
            self._hear()
        if self.pid is not None and self._code is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signum)

    def close(self) -> None:
        if self._code is None:
            self.send_signal(signal.SIGKILL)
            self.wait()

    def _hear(self) -> None:
        """Wait for the next word of the server: the process, then its exit code; 1 where the server has ended."""
        answer = b""
        with suppress(ConnectionError):
            answer = self._server.recv(LARGEST)
        if not answer:
            self._code = 1
        elif self.pid is None:
            self.pid = int(answer)
        else:
            self._code = int(answer)


def serve(requests: socket.socket) -> list[str]:
    """Fork for every request and tell how the fork ended; in a fork returns what it is to become, at the end []."""
    server = os.getpid()
    while True:
        message, files, _, _ = socket.recv_fds(requests, LARGEST, 1)
        if not message:
            return []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of NumPy's threads, which are made for it
            signal.pthread_sigmask(signal.SIG_BLOCK, FOR_COMMANDS)
            pid = os.fork()
        if pid == 0:
            for signum in FOR_COMMANDS:
                signal.signal(signum, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, FOR_COMMANDS)  # none that came meanwhile is lost
            os.dup2(files[0], 1)
            os.dup2(files[0], 2)
            os.close(files[0])
            end_with_parent(signal.SIGTERM, server)
            return [str(word) for word in json.loads(message)]
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FOR_COMMANDS)
        os.close(files[0])
        with suppress(OSError):  # nobody may listen any more
            requests.send(str(pid).encode())
        _, status = os.waitpid(pid, 0)
        with suppress(OSError):
            requests.send(str(os.waitstatus_to_exitcode(status)).encode())


def main() -> None:
    for signum in FOR_COMMANDS:
        signal.signal(signum, signal.SIG_IGN)
    parent, descriptor, prepare, *words = sys.argv[1:]
    end_with_parent(signal.SIGKILL, int(parent))
    module, _, function = prepare.partition(":")
    getattr(importlib.import_module(module), function)(*words)
    with socket.socket(fileno=int(descriptor)) as requests:
        become = serve(requests)
    if become:
        sys.argv[1:] = become[1:]
        runpy.run_module(become[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
