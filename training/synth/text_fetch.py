"""Download the pinned text packages and boil them down to plain prose, word and field lists.

Writes ``{ru,en}.txt`` (one paragraph a line), ``{ru,en}-words.txt`` and ``{ru,en}-fields.txt``
(names, companies, addresses of people who do not exist); prose of packages marked ``"test"`` goes
to ``{ru,en}-test.txt`` and is kept from training. ``{ru,en}-forms.txt`` holds the forms that
dictionaries with affix rules give their words. It is for lexicons: lines are rendered of the words
alone, so that those of old seeds come out as they did. English has none, as its lists hold forms.
"""

from __future__ import annotations

import gzip
import html
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from faker import Faker

from training.synth.affixes import read_forms
from training.synth.alphabet import normalise
from training.synth.font_fetch import fetch_debian

log = logging.getLogger(__name__)

MANIFEST = Path(__file__).with_name("texts.json")
LANGUAGES = ("ru", "en")
_LOCALES = {"ru": "ru_RU", "en": "en_US"}
_FOLDERS = {"ru": {"ru", "ru-RU"}, "en": {"en", "en-US"}}
_FIELD_KINDS = ("name", "company", "street_address", "city", "job", "address", "last_name")
_FIELDS_PER_KIND = 3000
_MIN_PARAGRAPH = 20


def fetch_texts(directory: Path) -> dict[str, int]:
    """Fetch what is missing under ``directory``; return the characters of prose a language."""
    directory = directory.resolve()
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    missing = fetch_debian(manifest, directory / "debian")
    for name in missing:
        log.warning("not fetched: %s", name)
    sizes = {}
    for language in LANGUAGES:
        splits: dict[str, set[str]] = {"train": set(), "test": set()}
        for entry in manifest:
            splits[entry.get("split", "train")].update(_paragraphs(entry, directory, language))
        prose, held_out = sorted(splits["train"]), sorted(splits["test"] - splits["train"])
        words = sorted({w for entry in manifest for w in _words(entry, directory, language)})
        (directory / f"{language}.txt").write_text("\n".join(prose), encoding="utf-8")
        (directory / f"{language}-test.txt").write_text("\n".join(held_out), encoding="utf-8")
        (directory / f"{language}-words.txt").write_text("\n".join(words), encoding="utf-8")
        forms = sorted({f for entry in manifest for f in _forms(entry, directory, language)})
        if forms:
            (directory / f"{language}-forms.txt").write_text("\n".join(forms), encoding="utf-8")
        fields = "\n".join(_fields(language))
        (directory / f"{language}-fields.txt").write_text(fields, encoding="utf-8")
        sizes[language] = sum(map(len, prose))
    return sizes


def _paragraphs(entry: dict[str, Any], directory: Path, language: str) -> Iterator[str]:
    if entry["format"] == "words" or entry["language"] not in (language, "*"):
        return
    readers = {"man": _man_text, "html": _html_text, "fortune": _fortune_text}
    root = directory / "debian" / entry["package"]
    for path in sorted(root.rglob("*")):
        if path.is_file() and (entry["language"] != "*" or _FOLDERS[language] & set(path.parts)):
            for paragraph in readers[entry["format"]](path):
                text = normalise(paragraph)
                if len(text) >= _MIN_PARAGRAPH and _is_in(text, language):
                    yield text


def _is_in(text: str, language: str) -> bool:
    cyrillic = len(re.findall("[а-яё]", text.lower()))
    latin = len(re.findall("[a-z]", text.lower()))
    return cyrillic > 0.3 * latin if language == "ru" else cyrillic == 0 and latin > 10


def _man_text(path: Path) -> Iterator[str]:
    if "man" not in path.parts or path.suffix != ".gz":
        return
    lines = gzip.decompress(path.read_bytes()).decode("utf-8", errors="ignore").splitlines()
    paragraph: list[str] = []
    for line in lines:
        macro = re.match(r"[.'](\w*)\s*(.*)", line)
        if macro and macro[1] in {"B", "I", "BR", "IR", "RB", "RI", "BI", "IB", "SM"}:
            glued = len(macro[1]) == 2
            parts = [a or b for a, b in re.findall(r'"([^"]*)"|(\S+)', macro[2])]
            paragraph.append(_strip_roff(("" if glued else " ").join(parts)))
        elif macro or not line.strip():
            yield " ".join(paragraph)
            paragraph = [_strip_roff(macro[2])] if macro and macro[1] in {"SH", "SS"} else []
        else:
            paragraph.append(_strip_roff(line))
    yield " ".join(paragraph)


def _strip_roff(text: str) -> str:
    text = re.sub(r"\\f(\(..|\[.*?\]|.)", "", text)
    text = re.sub(r"\\\(em|\\\[em\]", "—", text)
    text = re.sub(r"\\\((lq|rq|dq)|\\\[(lq|rq|dq)\]", '"', text)
    text = re.sub(r"\\(\(..|\[.*?\]|s[-+]?\d)", "", text)
    text = re.sub(r'\\".*', "", text)
    return re.sub(r"\\(.)", lambda m: m[1] if m[1] in "-'. \\" else "", text).strip('"')


def _html_text(path: Path) -> Iterator[str]:
    if path.suffix not in {".html", ".htm"}:
        return
    page = path.read_text(encoding="utf-8", errors="ignore")
    page = re.sub(r"(?s)<(script|style|head)\b.*?</\1>", " ", page)
    for block in re.split(r"</?(?:p|li|td|th|h\d|dt|dd|div|pre|tr|br)\b[^>]*>", page):
        yield html.unescape(re.sub(r"<[^>]+>", "", block))


def _fortune_text(path: Path) -> Iterator[str]:
    if "fortunes" not in path.parts or path.suffix == ".dat" or {"off", "doc"} & set(path.parts):
        return
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return
    for quotation in re.split(r"\n%\n", text):
        yield from re.split(r"\n\s*\n", quotation)


def _words(entry: dict[str, Any], directory: Path, language: str) -> Iterator[str]:
    if entry["format"] != "words" or entry["language"] != language:
        return
    for path in sorted((directory / "debian" / entry["package"]).rglob("*")):
        if path.is_file() and not path.is_symlink() and (path.suffix == ".dic" or "dict" in path.parts):
            for line in path.read_text(encoding="utf-8", errors="ignore").splitlines():
                word = normalise(line.split("/")[0])
                if _is_word(word):
                    yield word


def _forms(entry: dict[str, Any], directory: Path, language: str) -> Iterator[str]:
    if entry["format"] != "words" or entry["language"] != language:
        return
    for path in sorted((directory / "debian" / entry["package"]).rglob("*.dic")):
        if path.with_suffix(".aff").is_file() and not path.is_symlink():
            yield from filter(_is_word, map(normalise, set(read_forms(path))))


def _is_word(text: str) -> bool:
    return len(text) > 1 and not any(c.isdigit() for c in text)


def _fields(language: str) -> Iterator[str]:
    faker = Faker(_LOCALES[language])
    faker.seed_instance(1)
    for kind in _FIELD_KINDS:
        for _ in range(_FIELDS_PER_KIND):
            yield normalise(str(getattr(faker, kind)()))
