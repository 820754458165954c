"""What the HTTP side tells whoever watches it; metrics are made of that in ``telemetry``."""

from __future__ import annotations

from typing import Literal, Protocol

from serve_app.decoding.protocols import DecoderEnd
from serve_app.jobs.records import StoreUsage

ToldIn = Literal["answer", "stream"]
"""Where a problem stands: it is the answer, or the last line of one that had begun well."""


class Observer(Protocol):
    """Is told of requests and documents. Decoders are told of from threads of their own."""

    def problem(self, code: str, told_in: ToldIn) -> None:
        """A request ended with a problem."""
        ...

    def turns(self, in_work: int, waiting: int) -> None:
        """So many documents are read now, and so many wait for their turn."""
        ...

    def turn_taken(self, waited_s: float) -> None:
        """A document's turn came after so many seconds."""
        ...

    def document_refused(self) -> None:
        """A document was refused at once: it would have waited for too much of its deadline."""
        ...

    def decoder_ended(self, end: DecoderEnd) -> None:
        """A decoder process ended in the middle of a job."""
        ...

    def jobs_stored(self, usage: StoreUsage) -> None:
        """What the store of jobs holds."""
        ...

    def job_failed(self, code: str) -> None:
        """A job failed in this process, with a problem of that code."""
        ...


class Unobserved:
    """The observer of a service that nobody watches."""

    def problem(self, code: str, told_in: ToldIn) -> None: ...
    def turns(self, in_work: int, waiting: int) -> None: ...
    def turn_taken(self, waited_s: float) -> None: ...
    def document_refused(self) -> None: ...
    def decoder_ended(self, end: DecoderEnd) -> None: ...
    def jobs_stored(self, usage: StoreUsage) -> None: ...
    def job_failed(self, code: str) -> None: ...
