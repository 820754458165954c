"""Names of sent files, as clients write them."""

from __future__ import annotations

import binascii
import re
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from urllib.parse import unquote

_MAX_NAME = 255
_EXTENDED = re.compile(rb""";\s*filename\*\s*=\s*"?([\w!#$%&+^`{}~-]+)'[\w-]*'([^;"\s]*)""", re.IGNORECASE)


def with_extended_name(disposition: bytes) -> bytes:
    """A Content-Disposition whose ``filename*`` (RFC 5987) stands as a plain ``filename``, in UTF-8.

    RFC 7578 forbids it in forms, and parsers leave it out for that; for Cyrillic names many clients write it
    all the same, some of them alone.
    """
    extended = _EXTENDED.search(disposition)
    if extended is None:
        return disposition
    charset, quoted = (group.decode("ascii", "replace") for group in extended.groups())
    try:
        name = unquote(quoted, charset, "strict")
    except (LookupError, UnicodeError):
        return disposition
    escaped = name.replace("\\", "/").replace('"', "'").encode()
    return disposition + b'; filename="' + escaped + b'"'


def plain_name(name: str | None) -> str | None:
    """The last part of a file's path, without control characters, and not too long."""
    last = _decoded(name or "").replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in last if letter.isprintable())[:_MAX_NAME] or None


def _decoded(name: str) -> str:
    """A name in the words of mail headers (RFC 2047), as .NET writes those that are not ASCII."""
    if not (name.startswith("=?") and name.endswith("?=")):
        return name
    try:
        return str(make_header(decode_header(name))) or name
    except (HeaderParseError, LookupError, UnicodeError, binascii.Error, ValueError):
        return name
