"""A decoder process: opens documents and decodes their pages for the ingress, one job at a time.

    python -m serve_app.decoding.worker DESCRIPTOR '{"memory_bytes": ..., "job_s": ...}'

It ends when the ingress closes the channel, however that comes about. A job that outlasts its time
is ended by an alarm even where the ingress is no longer there to do it.
"""

from __future__ import annotations

import ctypes
import faulthandler
import json
import logging
import os
import resource
import select
import signal
import socket
import sys
import time
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np

from deployments.errors import InputError, PayloadTooLarge
from serve_app.decoding import wire
from serve_app.documents import OpenDocument, open_document
from serve_app.pages import SourceFile, SourcePage

logger = logging.getLogger("serve_app.decoding")

# Of all processes of the machine, the kernel is to end this one first when memory runs out.
_OOM_SCORE_ADJ = "1000"
_PR_SET_NO_NEW_PRIVS = 38
_ALARM_MARGIN_S = 5.0
_IDLE_S = 10.0

_libc = ctypes.CDLL(None)


class Decoder:
    """Answers the messages of one ingress."""

    def __init__(self, channel: socket.socket, job_s: float) -> None:
        self._channel = channel
        self._job_s = job_s
        self._documents: dict[int, OpenDocument] = {}

    def run(self) -> None:
        """Answer until the other side goes away."""
        with suppress(EOFError, wire.WireError, BrokenPipeError, ConnectionResetError):
            while True:
                self._rest()
                message, buffer = wire.receive(self._channel)
                signal.setitimer(signal.ITIMER_REAL, self._job_s + _ALARM_MARGIN_S)
                try:
                    self._answer(message, buffer)
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
                    if buffer is not None:
                        os.close(buffer)

    def _rest(self) -> None:
        """Wait for a message; memory that the last pages took is given back when none comes."""
        if not select.select([self._channel], [], [], _IDLE_S)[0]:
            _libc.malloc_trim(0)

    def _answer(self, message: wire.Message, buffer: int | None) -> None:
        """Do what a message asks; all but ``close`` are answered."""
        document = int(message.get("document", 0))
        if message["do"] == "close":
            if document in self._documents:
                self._documents.pop(document).close()
            return
        wire.send(self._channel, self._outcome(message, document, buffer))

    def _outcome(self, message: wire.Message, document: int, buffer: int | None) -> wire.Message:
        # The files are taken off the channel before anything can fail.
        files = [
            SourceFile(wire.receive_exactly(self._channel, size), name)
            for size, name in message.get("files", ())
        ]
        try:
            if message["do"] == "open":
                return self._open(document, files, message)
            assert buffer is not None
            return _page_message(self._documents[document].read(int(message["index"])), buffer)
        except InputError as error:
            return wire.error_message(error)
        except MemoryError:
            return wire.error_message(PayloadTooLarge("A page takes more memory to decode than there is."))
        except Exception:
            logger.exception("decoding failed")
            return {"error": "internal"}

    def _open(self, document: int, files: list[SourceFile], message: wire.Message) -> wire.Message:
        opened = open_document(files, wire.bounds_of(message["bounds"]), wire.options_of(message["options"]))
        self._documents[document] = opened
        return {"page_count": opened.page_count}


def _page_message(page: SourcePage, buffer: int) -> wire.Message:
    """Write the pixels into ``buffer``, and say everything else."""
    pixels = np.ascontiguousarray(page.image)
    left, at = pixels.reshape(-1).data, 0
    while at < len(left):
        at += os.pwrite(buffer, left[at:], at)
    height_px, width_px = pixels.shape[:2]
    return {
        "height_px": height_px,
        "width_px": width_px,
        "number": page.origin.number,
        "file": page.origin.file,
        "dpi": page.origin.dpi,
        "is_file": page.jpeg is not None,
        "is_grey": page.is_grey,
        "regions": wire.regions_message(page.regions),
    }


def confine(memory_bytes: int) -> None:
    """Bound what a document can take from the machine, and leave no trace of it on a disk."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE_ADJ, encoding="ascii")


def quieten() -> None:
    """Keep what codecs say of documents out of the log; what becomes of the process stays in it."""
    log = os.fdopen(os.dup(sys.stderr.fileno()), "w")
    faulthandler.enable(log)
    handler = logging.StreamHandler(log)
    logger.addHandler(handler)
    logger.propagate = False
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    logging.getLogger("PIL").propagate = False
    warnings.simplefilter("ignore")
    # libtiff and its like write to standard error by themselves.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stderr.fileno())
    os.close(nowhere)


def main() -> None:
    descriptor, settings = int(sys.argv[1]), json.loads(sys.argv[2])
    quieten()
    confine(int(settings["memory_bytes"]))
    channel = socket.socket(fileno=descriptor)
    wire.send(channel, {"ready": time.monotonic()})
    Decoder(channel, float(settings["job_s"])).run()


if __name__ == "__main__":
    main()
