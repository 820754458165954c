"""A connection to the file of jobs: how it is opened, its tables, and transactions."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SCHEMA_VERSION = 1
_BUSY_TIMEOUT_S = 10.0

_SCHEMA = """
CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    idempotency_key TEXT,
    fingerprint TEXT,
    state TEXT NOT NULL,
    request TEXT NOT NULL,
    file_names TEXT NOT NULL,
    page_count INTEGER NOT NULL,
    pages_done INTEGER NOT NULL DEFAULT 0,
    stored_bytes INTEGER NOT NULL,
    created_s REAL NOT NULL,
    started_s REAL,
    finished_s REAL,
    expires_s REAL NOT NULL,
    failure TEXT,
    summary TEXT,
    lease_token TEXT,
    lease_until_s REAL NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX jobs_by_idempotency_key ON jobs (owner, idempotency_key);
CREATE INDEX jobs_by_state ON jobs (state);
CREATE TABLE pages (
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    result BLOB NOT NULL,
    failure TEXT,
    PRIMARY KEY (job_id, number)
) STRICT;
"""


def identity(path: Path) -> tuple[int, int] | None:
    """Device and number of the file in a place; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, made if missing. Raises sqlite3.Error, also for files of other versions.

    The connection may be used by one thread at a time, which need not be this one.
    """
    sql = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    try:
        sql.row_factory = sqlite3.Row
        # The first connection to a new file switches it; others that open it at the same moment would be
        # refused at once, since SQLite has no busy timeout for this.
        with _alone_in(path.parent):
            sql.execute("PRAGMA journal_mode = WAL")
        # What was accepted outlives a loss of power, not only of the process.
        sql.execute("PRAGMA synchronous = FULL")
        sql.execute("PRAGMA foreign_keys = ON")
        with transaction(sql):
            _install(sql)
    except BaseException:
        sql.close()
        raise
    return sql


@contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Wait until no other process or thread is in here, of those that open files in the directory."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def transaction(sql: sqlite3.Connection) -> Iterator[None]:
    """All that is done inside, or nothing of it; other processes wait meanwhile."""
    sql.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if sql.in_transaction:
            sql.execute("ROLLBACK")
        raise
    sql.execute("COMMIT")


def _install(sql: sqlite3.Connection) -> None:
    (version,) = sql.execute("PRAGMA user_version").fetchone()
    if version == 0:
        for statement in filter(str.strip, _SCHEMA.split(";")):
            sql.execute(statement)
        sql.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    elif version != SCHEMA_VERSION:
        raise sqlite3.DatabaseError(f"the file is of version {version}, not {SCHEMA_VERSION}")
