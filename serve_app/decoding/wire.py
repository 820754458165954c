"""What the ingress and a decoder process say to each other: length, JSON, then raw bytes or a descriptor.

No pickle: the decoder meets hostile bytes, and nothing that it answers may run in the ingress.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from deployments.errors import InputError, kinds
from deployments.types import Kind
from serve_app.page_ranges import PageRanges
from serve_app.pages import DocumentOptions, PageBounds, TextLayer
from serve_app.results import Region

Message = dict[str, Any]

# The longest text layer that is taken stays under this, were each of its characters a line.
MAX_MESSAGE_BYTES = 64 * 2**20
_LENGTH = struct.Struct("!I")


class WireError(Exception):
    """The other side went away in the middle."""


class BadMessage(WireError):
    """The other side said what it must not."""


def send(
    channel: socket.socket, message: Message, payloads: Sequence[bytes] = (), descriptor: int | None = None
) -> None:
    """Send a message, what follows it raw, and a file descriptor with it."""
    body = json.dumps(message).encode()
    head = _LENGTH.pack(len(body))
    if descriptor is None:
        channel.sendall(head + body)
    else:
        socket.send_fds(channel, [head], [descriptor])
        channel.sendall(body)
    for payload in payloads:
        channel.sendall(payload)


def receive(channel: socket.socket) -> tuple[Message, int | None]:
    """The next message and the descriptor that came with it, if any.

    Raises:
        EOFError: the other side is gone.
        WireError: it went in the middle of a message.
        BadMessage: the message is too large, or none.
    """
    head, descriptors, _, _ = socket.recv_fds(channel, _LENGTH.size, 1)
    if not head:
        raise EOFError
    (size,) = _LENGTH.unpack(head + receive_exactly(channel, _LENGTH.size - len(head)))
    if size > MAX_MESSAGE_BYTES:
        raise BadMessage(f"a message of {size} bytes")
    try:
        message = json.loads(receive_exactly(channel, size))
    except ValueError as error:
        raise BadMessage("a message that is not JSON") from error
    if not isinstance(message, dict):
        raise BadMessage("a message that is not an object")
    return message, descriptors[0] if descriptors else None


def receive_exactly(channel: socket.socket, size: int) -> bytes:
    """That many raw bytes."""
    chunks, left = [], size
    while left:
        chunk = channel.recv(min(left, 2**20))
        if not chunk:
            raise WireError("the other side went away")
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


def error_message(error: InputError) -> Message:
    """An error of the document."""
    return {"error": type(error).code, "public": error.public}


def raise_error(message: Mapping[str, Any]) -> None:
    """Raise the error that a message stands for, if it does.

    Raises:
        InputError: as in the decoder.
        RuntimeError: the decoder failed for a reason that is not the document's.
    """
    code = message.get("error")
    if code is None:
        return
    for kind in kinds(InputError):
        if kind.code == code:
            raise kind(str(message.get("public", "")))
    raise RuntimeError("a decoder failed; its log has the reason")


def options_message(options: DocumentOptions) -> Message:
    """What a request asks of its documents."""
    return {"pages": options.pages and options.pages.ranges, "dpi": options.dpi, "text": options.text_layer}


def options_of(message: Mapping[str, Any]) -> DocumentOptions:
    """The inverse of ``options_message``."""
    ranges = message["pages"]
    pages = PageRanges(tuple((first, last) for first, last in ranges)) if ranges else None
    return DocumentOptions(pages, message["dpi"], TextLayer(message["text"]))


def bounds_of(message: Mapping[str, Any]) -> PageBounds:
    """Limits, sent as the fields of a ``PageBounds``."""
    return PageBounds(**message)


def regions_message(regions: Sequence[Region] | None) -> list[Message] | None:
    """Lines of a text layer."""
    if regions is None:
        return None
    return [
        {
            "quad": region.quad.tolist(),
            "detection_confidence": region.detection_confidence,
            "kind": region.kind,
            "kind_confidence": region.kind_confidence,
            "text": region.text,
            "confidence": region.confidence,
            "engine": region.engine,
            "char_spans": region.char_spans,
        }
        for region in regions
    ]


def regions_of(messages: Sequence[Message] | None) -> tuple[Region, ...] | None:
    """The inverse of ``regions_message``."""
    if messages is None:
        return None
    return tuple(
        Region(
            **{
                **message,
                "quad": np.array(message["quad"], np.float32).reshape(4, 2),
                "kind": message["kind"] and Kind(message["kind"]),
                "char_spans": tuple((left, right) for left, right in message["char_spans"]),
            }
        )
        for message in messages
    )
