"""Download the pinned font packages and index the faces that can be used."""

from __future__ import annotations

import json
import logging
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fontTools.merge import Merger, Options
from fontTools.ttLib import TTFont
from PIL import ImageFont

from training.synth.alphabet import CHARSET, CYRILLIC, LATIN
from training.synth.fonts import INDEX_NAME, MANIFEST

log = logging.getLogger(__name__)

MAX_MISSING = 0.2
_SUBSETS = ("latin", "cyrillic", "latin-ext", "cyrillic-ext")
_WEIGHTS = ("300", "400", "700")
_LAYOUT_TABLES = [
    "GSUB",
    "GPOS",
    "GDEF",
    "BASE",
    "kern",
    "STAT",
    "DSIG",
    "gasp",
    "fpgm",
    "prep",
    "cvt ",
    "vhea",
    "vmtx",
]


class FetchError(RuntimeError):
    """Too many pinned packages could not be downloaded."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A font file before its coverage is known; several parts make one face by merging."""

    parts: tuple[Path, ...]
    target: Path
    name: str
    entry: dict[str, Any]


def fetch_fonts(directory: Path, workers: int = 2) -> int:
    """Fetch what is missing under ``directory`` and write its index; return the number of faces."""
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    total = len(manifest["debian"]) + len(manifest["npm"])
    missing = fetch_debian(manifest["debian"], directory / "debian")
    missing += _fetch_npm(manifest["npm"], directory / "npm")
    for name in missing:
        log.warning("not fetched: %s", name)
    if len(missing) > MAX_MISSING * total:
        raise FetchError(f"{len(missing)} of {total} font packages could not be fetched")
    candidates = [*_debian_faces(manifest["debian"], directory), *_npm_faces(manifest["npm"], directory)]
    with ProcessPoolExecutor(workers) as pool:
        rows = [row for row in pool.map(_index_face, candidates, chunksize=4) if row]
    for row in rows:
        row["file"] = str(Path(row["file"]).relative_to(directory))
    partial = directory / (INDEX_NAME + ".partial")
    partial.write_text(json.dumps(rows, ensure_ascii=False, indent=0), encoding="utf-8")
    partial.replace(directory / INDEX_NAME)
    return len(rows)


def fetch_debian(entries: list[dict[str, Any]], directory: Path) -> list[str]:
    """Unpack Debian packages into ``directory/<package>`` without installing; return the missing."""
    missing = []
    for entry in entries:
        package = entry["package"]
        target = directory / package
        if target.is_dir():
            continue
        with tempfile.TemporaryDirectory() as scratch:
            wanted = f"{package}={entry['version']}"
            got = _run(["apt-get", "download", wanted], scratch) or _run(
                ["apt-get", "download", package], scratch
            )
            archives = list(Path(scratch).glob("*.deb"))
            if not got or not archives or not _run(["dpkg", "-x", str(archives[0]), "unpacked"], scratch):
                missing.append(package)
                continue
            if f"_{entry['version'].replace(':', '%3a')}_" not in archives[0].name:
                log.warning("%s: pinned %s, got %s", package, entry["version"], archives[0].name)
            directory.mkdir(parents=True, exist_ok=True)
            shutil.move(str(Path(scratch) / "unpacked"), target)
    return missing


def _fetch_npm(entries: list[dict[str, Any]], directory: Path) -> list[str]:
    """Install the packages as optional dependencies: one that fails does not stop the others."""
    directory.mkdir(parents=True, exist_ok=True)
    modules = directory / "node_modules"
    if not all((modules / entry["package"]).is_dir() for entry in entries):
        package = {"private": True, "optionalDependencies": {e["package"]: e["version"] for e in entries}}
        (directory / "package.json").write_text(json.dumps(package))
        _run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"], str(directory))
    return [e["package"] for e in entries if not (modules / e["package"]).is_dir()]


def _run(command: list[str], directory: str) -> bool:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode:
        log.info("%s: %s", " ".join(command[:3]), done.stderr.strip()[-300:])
    return done.returncode == 0


def _debian_faces(entries: list[dict[str, Any]], directory: Path) -> Iterator[_Candidate]:
    for entry in entries:
        wanted = re.compile(entry.get("faces", ""))
        for path in sorted((directory / "debian" / entry["package"]).rglob("*")):
            if path.suffix.lower() in {".ttf", ".otf"} and not path.is_symlink() and wanted.search(path.name):
                yield _Candidate((path,), path, path.stem, entry)


def _npm_faces(entries: list[dict[str, Any]], directory: Path) -> Iterator[_Candidate]:
    """One candidate a weight and slope: web fonts come cut by alphabet, so the parts are merged."""
    for entry in entries:
        family = entry["package"].removeprefix("@fontsource/")
        files = directory / "npm" / "node_modules" / entry["package"] / "files"
        for weight in _WEIGHTS:
            for slope in ("normal", "italic"):
                names = [files / f"{family}-{subset}-{weight}-{slope}.woff2" for subset in _SUBSETS]
                parts = tuple(path for path in names if path.is_file())
                if parts and not (weight == "300" and slope == "italic"):
                    target = directory / "merged" / f"{family}-{weight}-{slope}.ttf"
                    yield _Candidate(parts, target, target.stem, entry)


def _index_face(candidate: _Candidate) -> dict[str, Any] | None:
    try:
        if not candidate.target.is_file():
            _merge(candidate.parts, candidate.target)
        characters = drawn_characters(candidate.target)
    except Exception as error:  # a broken font of many: named and left out, the fetch goes on
        log.warning("%s left out: %s", candidate.name, error)
        return None
    scripts = [name for name, letters in (("latin", LATIN), ("cyrillic", CYRILLIC)) if letters <= characters]
    if not scripts:
        return None
    entry = candidate.entry
    return {
        "file": str(candidate.target),
        "name": candidate.name,
        "style": entry["style"],
        "look": entry.get("look", ""),
        "split": entry.get("split", "train"),
        "scripts": scripts,
        "licence": entry["licence"],
        "characters": "".join(sorted(characters)),
    }


def _merge(parts: tuple[Path, ...], target: Path) -> None:
    """Join subset files of one face; layout tables go, since text is set letter by letter."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        plain = []
        for number, path in enumerate(parts):
            plain.append(str(Path(scratch) / f"{number}.ttf"))
            with TTFont(path) as font:
                font.flavor = None
                for table in _LAYOUT_TABLES:
                    if table in font:
                        del font[table]
                font.save(plain[-1])
        merged = Merger(Options(drop_tables=_LAYOUT_TABLES)).merge(plain)
        temporary = Path(scratch) / "merged.ttf"
        merged.save(temporary)
        shutil.move(temporary, target)


def drawn_characters(path: Path) -> frozenset[str]:
    """The characters of the charset that the font draws with ink that is not its tofu box.

    A face that draws lower-case letters as capitals would teach the wrong case: its
    lower-case letters count as missing.
    """
    with TTFont(path, lazy=True) as font_file:
        mapped = set(font_file.getBestCmap() or {})
    font = ImageFont.truetype(str(path), 32, layout_engine=ImageFont.Layout.BASIC)

    def ink(character: str) -> bytes:
        mask, _ = font.getmask2(character, mode="L")
        return bytes(mask) if mask.size[0] * mask.size[1] else b""

    tofu = ink("\U0010fffd")
    inks = {c: ink(c) for c in CHARSET if ord(c) in mapped}
    drawn = {c for c, drawing in inks.items() if c == " " or (any(drawing) and drawing != tofu)}
    return frozenset(c for c in drawn if not (c.upper() != c and inks.get(c) == inks.get(c.upper())))
