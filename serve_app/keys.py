"""API keys: random secrets of which the service keeps hashes only.

    python -m serve_app.keys new NAME

prints a new key, once, and the line that admits it. Lines go to the file, or into the environment
variable, that ``access.keys`` in serve_config.yaml names: ``NAME:sha256:HEX``, parted by white
space; what follows a ``#`` on its line is a comment. To revoke a key, delete its line.

A key has 256 random bits, so one round of SHA-256 is as hard to reverse as it is to guess the key;
the slow hashes that passwords need would only slow down every request.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import logging
import os
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

logger = logging.getLogger(__name__)

PREFIX = "scr_"
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
RELOAD_S = 2.0
_ENTRY = re.compile(rf"(?P<name>{NAME.pattern}):sha256:(?P<hash>[0-9a-f]{{64}})")


class KeysError(ValueError):
    """The keys that the configuration names cannot be used; the message never shows a key."""


class KeySource(Protocol):
    """Where keys stand; see ``serve_app.middleware.config.KeySource``."""

    @property
    def file(self) -> str | None: ...
    @property
    def environment(self) -> str | None: ...


def new_key() -> str:
    """A key of 256 random bits, with a prefix by which secret scanners can know it."""
    return PREFIX + secrets.token_urlsafe(32)


def entry(name: str, key: str) -> str:
    """The line that admits a key. Raises KeysError for names that are not short and plain."""
    if not NAME.fullmatch(name):
        raise KeysError("a name has 1 to 64 letters, digits, dots, hyphens and underscores")
    return f"{name}:sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def parse_entries(text: str, source: str) -> dict[str, bytes]:
    """Digests by name. Raises KeysError, naming ``source`` and line, for what is no entry."""
    digests: dict[str, bytes] = {}
    for number, line in enumerate(text.splitlines(), 1):
        for word in line.partition("#")[0].split():
            found = _ENTRY.fullmatch(word)
            if not found:
                raise KeysError(f"{source}, line {number}: not of the form NAME:sha256:HEX")
            if found["name"] in digests:
                raise KeysError(f"{source}, line {number}: the name {found['name']!r} is taken")
            digests[found["name"]] = bytes.fromhex(found["hash"])
    return digests


class KeyRing:
    """The keys of a source. The file is looked at again every ``RELOAD_S``; one that has become unusable
    leaves the keys as they were, and an error in the log.

    Raises:
        KeysError: at the start, a source is missing, unreadable or without keys, or a name stands twice.
    """

    def __init__(
        self,
        source: KeySource,
        environment: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = Path(source.file) if source.file else None
        self._clock = clock
        self._fixed: dict[str, bytes] = {}
        if source.environment:
            name = source.environment
            if not (text := environment.get(name)):
                raise KeysError(f"access.keys.environment: the variable {name} is not set")
            self._fixed = parse_entries(text, f"${name}")
        self._version = self._file_version()
        self._digests = self._read()
        self._checked_s = clock()
        if not self._digests:
            raise KeysError("access.keys: there is no key in the source, so nobody could call the service")

    def owner(self, key: str) -> str | None:
        """The name of a key, None for one that is not known.

        Every digest is compared, each in constant time: how long it takes tells nothing of any.
        """
        self._refresh()
        digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
        found = None
        for name, known in self._digests.items():
            if hmac.compare_digest(known, digest):
                found = name
        return found

    def _refresh(self) -> None:
        if self._file is None or self._clock() - self._checked_s < RELOAD_S:
            return
        self._checked_s = self._clock()
        try:
            version = self._file_version()
            if version == self._version:
                return
            self._digests = self._read()
            self._version = version
        except KeysError as error:
            if not isinstance(error.__cause__, OSError):
                # Nonsense stays nonsense until the file changes; what could not be read may be read by now.
                self._version = version
            logger.error("the keys stay as they were: %s", error)
        else:
            logger.info("read %d keys from %s", len(self._digests), self._file)

    def _file_version(self) -> tuple[int, ...]:
        if self._file is None:
            return ()
        try:
            found = self._file.stat()
        except OSError as error:
            raise KeysError(f"access.keys.file: {self._file}: {error.strerror}") from error
        return (found.st_mtime_ns, found.st_size, found.st_ino)

    def _read(self) -> dict[str, bytes]:
        if self._file is None:
            return self._fixed
        try:
            text = self._file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise KeysError(f"access.keys.file: {self._file} cannot be read") from error
        digests = parse_entries(text, str(self._file))
        if taken := sorted(digests.keys() & self._fixed.keys()):
            raise KeysError(f"{self._file}: the name {taken[0]!r} is taken by the environment")
        return self._fixed | digests


def _new(name: str) -> Iterator[str]:
    key = new_key()
    yield f"The key, shown only now; give it to {name}:"
    yield f"  {key}"
    yield "The line for the file or variable that access.keys names:"
    yield f"  {entry(name, key)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m serve_app.keys", description="API keys of the service")
    commands = parser.add_subparsers(dest="command", required=True)
    new = commands.add_parser("new", help="make a key, and the line that admits it")
    new.add_argument("name", help="whose key it is; appears in logs")
    chosen = parser.parse_args(arguments)
    try:
        print("\n".join(_new(chosen.name)))
    except KeysError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
