"""What a client would like, by the header ``Prefer`` (RFC 7240)."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Parts between commas; quoted strings may hold commas.
_PARTS = re.compile(r'(?:[^,"]|"(?:\\.|[^"\\])*"?)+')
_WAIT = re.compile(r'\s*wait\s*=\s*"?(?P<seconds>\d{1,9})"?\s*(?:;.*)?', re.IGNORECASE)


def preferred_wait_s(values: Sequence[str]) -> int | None:
    """Seconds that the client waits at most (``wait=N``), None where it does not say.

    ``values`` are the Prefer headers. The first of several waits counts; what is no preference is
    passed over, as the RFC has it.
    """
    for value in values:
        for part in _PARTS.findall(value):
            if found := _WAIT.fullmatch(part):
                return int(found["seconds"])
    return None
