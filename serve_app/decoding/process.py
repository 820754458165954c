"""The ingress's end of one decoder process."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from deployments.errors import StageUnavailable
from serve_app.decoding import wire

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "serve_app.decoding.worker")

# Loading its libraries takes a decoder 0.4 s of a free core.
START_TIMEOUT_S = 60.0
# Memory of one page serves for the next: faulting it in anew for each costs more than isolation does.
_ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": str(64 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(256 * 2**20),
    "MALLOC_TOP_PAD_": str(64 * 2**20),
}
_KEPT_VARIABLES = {"PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH"}
# One that ends by itself closes its channel before it is gone.
_ENDING_S = 1.0
_SLOW_RETRY_S = 5.0
# Documents that a process keeps open; those left out longest are opened again when their turn comes.
MAX_OPEN = 8


class DecoderDied(Exception):
    """The process ended in the middle of a job; ``signal_number`` 0 where it was no signal."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number


class DecoderHung(Exception):
    """The job outlasted its time; the process was killed."""


class DecoderProcess:
    """One process; used by one thread at a time. It is started here, and warm at its first job."""

    def __init__(self, memory_bytes: int, job_s: float, command: Sequence[str] = COMMAND) -> None:
        self._job_s = job_s
        self._channel, theirs = socket.socketpair()
        self._warm = False
        self._open: OrderedDict[int, None] = OrderedDict()
        with theirs:
            settings = json.dumps({"memory_bytes": memory_bytes, "job_s": job_s})
            self._process = subprocess.Popen(
                [*command, str(theirs.fileno()), settings],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                cwd=ROOT,
                env=_environment(),
                # A group of its own, so that Ctrl-C does not reach it; the same session, within which the
                # kernel shares cores between processes by their niceness.
                process_group=0,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it could take a job."""
        return self._process.poll() is None

    def holds(self, document: int) -> bool:
        """Whether it has a document open."""
        return document in self._open

    def call(
        self, message: wire.Message, payloads: Sequence[bytes] = (), buffer: int | None = None
    ) -> wire.Message:
        """Have a job done; answers what the process answers.

        Raises:
            DecoderDied, DecoderHung: there is no process any more.
            StageUnavailable: nor is there one yet; the machine is too busy.
        """
        try:
            self._start()
            return self._exchange(message, payloads, buffer)
        except TimeoutError as error:
            self.kill()
            raise DecoderHung from error
        except wire.BadMessage as error:
            # It lives, and makes no sense: that is the document's doing, and nobody killed it.
            self.kill()
            raise DecoderDied(0) from error
        except (EOFError, OSError, wire.WireError) as error:
            raise DecoderDied(self._end(_ENDING_S)) from error

    def _start(self) -> None:
        try:
            self.wait_until_warm()
        except TimeoutError as error:
            self.kill()
            raise StageUnavailable("A decoder did not start in time", retry_after_s=_SLOW_RETRY_S) from error

    def wait_until_warm(self) -> None:
        """Wait for the process to have loaded its libraries."""
        if not self._warm:
            self._channel.settimeout(START_TIMEOUT_S)
            wire.receive(self._channel)
            self._warm = True

    def opened(self, document: int) -> None:
        """Remember that it has a document open; the one used longest ago is closed for it."""
        self._open[document] = None
        self._open.move_to_end(document)
        if len(self._open) > MAX_OPEN:
            self.close_document(next(iter(self._open)))

    def close_document(self, document: int) -> None:
        """Have it free a document, if it has it open. It must be between two jobs."""
        if document in self._open:
            del self._open[document]
            with suppress(OSError):
                wire.send(self._channel, {"do": "close", "document": document})

    def interrupt(self) -> None:
        """End it while another thread waits for it, who learns of it."""
        self._process.kill()

    def kill(self) -> None:
        """End it now."""
        self._end()

    def _exchange(self, message: wire.Message, payloads: Sequence[bytes], buffer: int | None) -> wire.Message:
        ends_s = time.monotonic() + self._job_s
        self._channel.settimeout(self._job_s)
        wire.send(self._channel, message, payloads, buffer)
        self._channel.settimeout(max(ends_s - time.monotonic(), 0.001))
        answer, descriptor = wire.receive(self._channel)
        if descriptor is not None:
            os.close(descriptor)
        return answer

    def _end(self, patience_s: float = 0.0) -> int:
        """Close the channel, reap the process and answer the signal that ended it."""
        self._channel.close()
        # One that is dying already dies of what it was dying of.
        if patience_s and self.alive:
            _wait_for_end(self._process.pid, patience_s)
        self._process.kill()
        code = self._process.wait()
        return -code if code < 0 else 0


def _wait_for_end(pid: int, patience_s: float) -> None:
    """Wait for a process to be gone, which stays to be reaped."""
    descriptor = os.pidfd_open(pid)
    try:
        gone = select.poll()
        gone.register(descriptor, select.POLLIN)
        gone.poll(1000 * patience_s)
    finally:
        os.close(descriptor)


def killed_from_outside(died: DecoderDied) -> bool:
    """Whether somebody else ended it: the kernel for want of memory elsewhere, or a person."""
    return died.signal_number in (signal.SIGKILL, signal.SIGTERM)


def _environment() -> dict[str, str]:
    # Nothing of the service's own: neither its tokens nor its settings are a decoder's business.
    kept = {name: value for name, value in os.environ.items() if name in _KEPT_VARIABLES}
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return {**kept, "PYTHONPATH": str(ROOT), **threads, **_ALLOCATOR}
