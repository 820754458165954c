from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from serve_app import keys
from serve_app.keys import KeyRing, KeysError, entry, new_key, parse_entries
from serve_app.middleware.config import KeySource

ALICE, BOB = new_key(), new_key()


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def ring_of(text: str, tmp_path: Path, clock: Clock | None = None) -> KeyRing:
    (tmp_path / "keys").write_text(text, encoding="utf-8")
    return KeyRing(KeySource(file=str(tmp_path / "keys")), {}, clock or Clock())


def test_keys_are_long_random_and_known_by_their_prefix() -> None:
    assert ALICE != BOB
    assert all(key.startswith("scr_") and len(key) == 4 + 43 for key in (ALICE, BOB))


def test_a_key_has_its_owner_and_others_have_none(tmp_path: Path) -> None:
    ring = ring_of(f"# staff\n{entry('alice', ALICE)} # until March\n\n{entry('bob', BOB)}\n", tmp_path)
    assert (ring.owner(ALICE), ring.owner(BOB)) == ("alice", "bob")
    digest = hashlib.sha256(ALICE.encode()).hexdigest()
    line = entry("alice", ALICE)
    for wrong in ("", new_key(), ALICE[:-1], ALICE + "x", ALICE.upper(), digest, line, "ключ"):
        assert ring.owner(wrong) is None


def test_keys_come_from_the_environment_too(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(entry("alice", ALICE))
    source = KeySource(file=str(tmp_path / "keys"), environment="OCR_KEYS")
    ring = KeyRing(source, {"OCR_KEYS": f"{entry('bob', BOB)} {entry('carol', new_key())}"}, Clock())
    assert (ring.owner(ALICE), ring.owner(BOB)) == ("alice", "bob")


def test_every_comparison_is_made_in_constant_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hit compares as often as a miss does."""
    others = [entry(f"k{i}", new_key()) for i in range(5)]
    ring = ring_of("\n".join([entry("a", ALICE), *others]), tmp_path)
    compared: list[int] = []
    real = keys.hmac.compare_digest
    monkeypatch.setattr(keys.hmac, "compare_digest", lambda a, b: compared.append(1) or real(a, b))
    ring.owner(ALICE)
    hit = len(compared)
    ring.owner(BOB)
    assert hit == 6 == len(compared) - hit


def test_a_changed_file_is_taken_over(tmp_path: Path) -> None:
    clock = Clock()
    ring = ring_of(entry("alice", ALICE), tmp_path, clock)
    (tmp_path / "keys").write_text(f"{entry('bob', BOB)}\n")
    assert ring.owner(ALICE) == "alice"
    clock.now_s += keys.RELOAD_S
    assert (ring.owner(ALICE), ring.owner(BOB)) == (None, "bob")


def test_a_file_that_lost_every_key_admits_nobody(tmp_path: Path) -> None:
    clock = Clock()
    ring = ring_of(entry("alice", ALICE), tmp_path, clock)
    (tmp_path / "keys").write_text("")
    clock.now_s += keys.RELOAD_S
    assert ring.owner(ALICE) is None


def test_a_file_that_broke_leaves_the_keys_as_they_were(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    ring = ring_of(entry("alice", ALICE), tmp_path, clock)
    (tmp_path / "keys").write_text(f"bob:{BOB}")
    clock.now_s += keys.RELOAD_S
    assert ring.owner(ALICE) == "alice"
    (tmp_path / "keys").unlink()
    clock.now_s += keys.RELOAD_S
    assert ring.owner(ALICE) == "alice"
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.ERROR]
    assert BOB not in caplog.text


def test_a_file_that_could_not_be_read_once_is_read_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no descriptor left, or no permission: nothing of its content changes when there is one again."""
    clock = Clock()
    ring = ring_of(entry("alice", ALICE), tmp_path, clock)
    (tmp_path / "keys").write_text(f"{entry('bob', BOB)}\n")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_text", unreadable)
        clock.now_s += keys.RELOAD_S
        assert ring.owner(ALICE) == "alice"
    clock.now_s += keys.RELOAD_S
    assert (ring.owner(ALICE), ring.owner(BOB)) == (None, "bob")


def unreadable(*_: object, **__: object) -> str:
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "no key"), ("# only a comment", "no key"), (f"alice:{ALICE}", "line 1: not of the form"),
     (f"\n{ALICE}", "line 2"), ("alice:sha256:abc", "line 1"), (f"a b:sha256:{'0' * 64}", "line 1"),
     (f"a:sha256:{'0' * 64}\na:sha256:{'1' * 64}", "line 2: the name 'a' is taken")],
)  # fmt: skip
def test_a_service_does_not_start_with_bad_keys(text: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(KeysError, match=reason) as caught:
        ring_of(text, tmp_path)
    assert ALICE not in str(caught.value)


def test_a_service_does_not_start_without_its_source(tmp_path: Path) -> None:
    with pytest.raises(KeysError, match="No such file"):
        KeyRing(KeySource(file=str(tmp_path / "none")), {})
    with pytest.raises(KeysError, match="OCR_KEYS is not set"):
        KeyRing(KeySource(environment="OCR_KEYS"), {})
    (tmp_path / "keys").write_bytes(b"\xff")
    with pytest.raises(KeysError, match="cannot be read"):
        KeyRing(KeySource(file=str(tmp_path / "keys")), {})
    (tmp_path / "keys").write_text(entry("alice", ALICE))
    with pytest.raises(KeysError, match="taken by the environment"):
        KeyRing(KeySource(file=str(tmp_path / "keys"), environment="K"), {"K": entry("alice", BOB)})


def test_the_command_prints_a_key_and_the_line_that_admits_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert keys.main(["new", "alice"]) == 0
    _, key, _, line = (each.strip() for each in capsys.readouterr().out.splitlines())
    assert key not in line and parse_entries(line, "") == {"alice": hashlib.sha256(key.encode()).digest()}
    assert ring_of(line, tmp_path).owner(key) == "alice"


@pytest.mark.parametrize("name", ["", "a b", "a:b", "x" * 65, "имя"])
def test_the_command_refuses_other_names(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert keys.main(["new", name]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and "letters" in captured.err


def test_the_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCR_KEYS", entry("alice", ALICE))
    assert KeyRing(KeySource(environment="OCR_KEYS"), os.environ).owner(ALICE) == "alice"


@pytest.mark.parametrize(
    "source", [{"file": "keys"}, {"file": ""}, {"environment": "A B"}, {"environment": ""}, {"path": "/keys"}]
)
def test_sources_that_make_no_sense_are_refused(source: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        KeySource.model_validate(source)
