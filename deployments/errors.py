"""Everything that can go wrong with a request, as one tree.

    OcrError
    ├── InputError                 the client can mend it           4xx
    │   ├── MalformedRequest       400
    │   ├── NotAcceptable          406
    │   ├── SlowBody               408
    │   ├── PayloadTooLarge        413
    │   ├── UnsupportedFormat      415
    │   ├── InvalidParameter       422
    │   ├── UnreadableDocument     422
    │   └── DecoderFailed          422   it crashed or hung the decoder
    └── ServiceError               the client can only try again    5xx
        ├── StageFailed            500   the model failed on this item
        ├── Overloaded             503   carries retry_after_s
        ├── StageUnavailable       503   carries retry_after_s
        └── DeadlineExceeded       504

Every class is picklable (all arguments go to ``super().__init__``), because stages answer with
one value or one of these per item. ``public`` is what a client may read: no paths, no traces.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, TypeAlias, TypeVar


class OcrError(Exception):
    """Base of all errors that the service answers with."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"

    def __init__(self, public: str = "") -> None:
        super().__init__(public)
        self.public = public or self.title


class InputError(OcrError):
    status, code, title = 400, "bad_input", "The request cannot be processed as sent"


class MalformedRequest(InputError):
    status, code, title = 400, "malformed_request", "The request is malformed"


class NotAcceptable(InputError):
    status, code, title = 406, "not_acceptable", "None of the accepted formats can be written"


class SlowBody(InputError):
    status, code, title = 408, "slow_body", "The request body arrives too slowly"


class PayloadTooLarge(InputError):
    status, code, title = 413, "payload_too_large", "The document is larger than the service accepts"


class UnsupportedFormat(InputError):
    status, code, title = 415, "unsupported_format", "The document format is not supported"


class InvalidParameter(InputError):
    status, code, title = 422, "invalid_parameter", "A parameter is unknown or has a bad value"


class UnreadableDocument(InputError):
    status, code, title = 422, "unreadable_document", "The document cannot be decoded"


class DecoderFailed(InputError):
    status, code, title = 422, "decoder_failed", "The document crashes or hangs its decoder"


class ServiceError(OcrError):
    status, code, title = 500, "service_error", "The service failed"


class StageFailed(ServiceError):
    status, code, title = 500, "stage_failed", "A processing stage failed on this item"


class RetryLater(ServiceError):
    """Base of the failures after which the same request may succeed."""

    status, code, title = 503, "retry_later", "The service cannot answer now"

    def __init__(self, public: str = "", retry_after_s: float = 1.0) -> None:
        super().__init__(public)
        # Exception pickles as cls(*args): all arguments must be there to survive the trip.
        self.args = (public, retry_after_s)
        self.retry_after_s = retry_after_s


class Overloaded(RetryLater):
    status, code, title = 503, "overloaded", "The service is overloaded"


class StageUnavailable(RetryLater):
    status, code, title = 503, "stage_unavailable", "A processing stage is unavailable"


class DeadlineExceeded(ServiceError):
    status, code, title = 504, "deadline_exceeded", "The request did not finish in time"


def kinds(base: type[OcrError] = OcrError) -> Iterator[type[OcrError]]:
    """``base`` and the kinds of error below it, which each state a ``code`` of their own.

    That leaves out what others derive at run time: Ray makes a class of whatever a remote task raised.
    """
    if "code" in vars(base):
        yield base
    for derived in base.__subclasses__():
        yield from kinds(derived)


T = TypeVar("T")
Outcome: TypeAlias = T | OcrError
"""One item's result: its value, or the error that befell it alone."""
