"""The forms of a dictionary's words: hunspell's ``.dic`` expanded by the rules of its ``.aff``.

A ``.dic`` holds one stem a line with its flags, ``стол/J``, after a line with their number. An
``.aff`` holds the rules of each flag: a head ``SFX flag cross-product count``, then that many times
``SFX flag strip affix condition``, or ``PFX`` for what stands before the word; ``0`` is nothing. A
rule applies where the word ends in (begins with) ``strip`` and meets the condition: literal
letters, ``.``, ``[abc]`` and ``[^abc]``. A prefix joins a suffix of the same word where both are
marked ``Y`` for it. See hunspell(5). Read are flags of one letter, as the ``ru_RU`` and ``en_US``
dictionaries have them; what would change the forms otherwise (other flags, affixes on affixes,
aliases, compounds) is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# Options that bear on suggestions and on the cutting of text, never on the forms of a word.
_WITHOUT_FORMS = {"SET", "TRY", "KEY", "REP", "MAP", "PHONE", "WORDCHARS", "BREAK", "ICONV", "OCONV"}
_WITHOUT_FORMS |= {"NOSUGGEST", "LANG", "NAME", "HOME", "VERSION", "MAXNGRAMSUGS", "MAXDIFF", "NOSPLITSUGS"}
_KINDS = ("SFX", "PFX")


class AffixError(ValueError):
    """An ``.aff`` or ``.dic`` that is broken or asks for more than is read here."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to make a form: take ``strip`` off the end (a prefix: the beginning), put ``affix`` there."""

    prefix: bool
    strip: str
    affix: str
    condition: re.Pattern[str]

    def apply(self, word: str) -> str | None:
        """The form of a word; none where the rule does not apply to it."""
        holds = word.startswith(self.strip) if self.prefix else word.endswith(self.strip)
        # Hunspell leaves a letter of the word at least (without its option FULLSTRIP).
        if not holds or len(word) <= len(self.strip) or not self.condition.search(word):
            return None
        if self.prefix:
            return self.affix + word[len(self.strip) :]
        return word[: len(word) - len(self.strip)] + self.affix


@dataclass(slots=True)
class Group:
    """The rules of one flag; ``crosses`` where they join those of the other end of a word."""

    crosses: bool
    rules: list[Rule] = field(default_factory=list)


def read_affixes(path: Path) -> dict[str, Group]:
    """The rules of an ``.aff`` file by flag.

    Raises:
        AffixError: with the line that is not understood.
    """
    groups: dict[str, Group] = {}
    head, left = ("", ""), 0
    for number, line in enumerate(_lines(path), start=1):
        words = line.split("#")[0].split()
        try:
            if left and words:
                if (words[0], words[1]) != head:
                    raise AffixError(f"{left} rules are missing before this")
                groups[head[1]].rules.append(_rule(words))
                left -= 1
            elif words and words[0] in _KINDS:
                kind, flag, crosses, count = words
                head, left = (kind, _single(flag)), int(count)
                groups[flag] = Group({"Y": True, "N": False}[crosses])
            elif words and words[0] not in _WITHOUT_FORMS:
                raise AffixError("an option that is not read")
        except (AffixError, ValueError, LookupError, re.error) as error:
            raise AffixError(f"{path}, line {number}: {line.strip()!r}: {error!r}") from error
    if left:
        raise AffixError(f"{path}: {left} rules are missing at its end")
    return groups


def expand(word: str, flags: str, groups: Mapping[str, Group]) -> Iterator[str]:
    """A word and its forms, some of them more than once; flags without rules make none."""
    yield word
    of_word = [groups[flag] for flag in flags if flag in groups]
    for group in of_word:
        for rule in group.rules:
            form = rule.apply(word)
            if form is None:
                continue
            yield form
            if rule.prefix and group.crosses:
                yield from _crossed(word, rule, of_word)


def read_forms(dictionary: Path) -> Iterator[str]:
    """The forms of all words of a ``.dic`` by the ``.aff`` beside it, some of them more than once.

    Raises:
        AffixError: either file is not understood.
    """
    groups = read_affixes(dictionary.with_suffix(".aff"))
    lines = _lines(dictionary)
    if not lines or not lines[0].strip().isdigit():
        raise AffixError(f"{dictionary}: does not begin with the number of its words")
    for line in lines[1:]:
        # Behind a tab or space stand morphological remarks.
        entry = line.split()[:1]
        if entry:
            word, _, flags = entry[0].partition("/")
            yield from expand(word, flags, groups)


def _crossed(word: str, prefix: Rule, groups: Sequence[Group]) -> Iterator[str]:
    """Forms with this prefix and a suffix; each looks at the word as the dictionary has it."""
    for group in groups:
        for rule in group.rules if group.crosses else ():
            form = None if rule.prefix else rule.apply(word)
            both = form and prefix.apply(form)
            if both:
                yield both


def _rule(words: Sequence[str]) -> Rule:
    kind, _, strip, affix = words[:4]
    if "/" in affix:
        raise AffixError("affixes on affixes are not read")
    prefix, condition = kind == "PFX", words[4] if len(words) > 4 else "."
    return Rule(prefix, _no_zero(strip), _no_zero(affix), _pattern(condition, prefix))


def _no_zero(text: str) -> str:
    return "" if text == "0" else text


def _pattern(condition: str, prefix: bool) -> re.Pattern[str]:
    """A condition as a regular expression; hunspell knows no ranges, its ``-`` is a letter."""
    parts = re.findall(r"\[\^?[^\[\]]+\]|[^\[\]]", condition)
    if "".join(parts) != condition:
        raise AffixError("a broken condition")
    text = "".join(part.replace("-", r"\-") if len(part) > 1 else _letter(part) for part in parts)
    return re.compile(f"^{text}" if prefix else f"{text}$")


def _letter(condition: str) -> str:
    return condition if condition == "." else re.escape(condition)


def _single(flag: str) -> str:
    if len(flag) != 1:
        raise AffixError("flags of more than one letter are not read")
    return flag


def _lines(path: Path) -> list[str]:
    """Lines of a file in the encoding that its ``.aff`` names; ISO8859-1 where it names none, as hunspell."""
    named = re.search(rb"(?m)^(?:\xef\xbb\xbf)?SET\s+(\S+)", path.with_suffix(".aff").read_bytes())
    encoding = named[1].decode() if named else "iso8859-1"
    try:
        return path.read_text(encoding=encoding).lstrip("\ufeff").splitlines()
    except (LookupError, UnicodeDecodeError) as error:
        raise AffixError(f"{path}: {error}") from error
