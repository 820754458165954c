"""Words expanded by small tables of affixes."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.synth import text_fetch
from training.synth.affixes import AffixError, read_affixes, read_forms

RULES = """SET UTF-8
TRY аб

SFX J Y 3
SFX J   0    а     [^аьй]
SFX J   0    ом    [^аьй]  # a remark
SFX J   ь    ём    [лн]ь

SFX A N 1
SFX A   ый   ого   .

SFX D Y 1
SFX D   0    -то   [-м]

PFX N Y 1
PFX N   0    не    [^н]

PFX B Y 1
PFX B   за   от    за
"""


def _forms(folder: Path, *entries: str, rules: str = RULES, encoding: str = "utf-8") -> list[str]:
    (folder / "x.aff").write_text(rules, encoding=encoding)
    text = "\n".join([str(len(entries)), *entries])
    (folder / "x.dic").write_text(text + "\n", encoding=encoding)
    return sorted(read_forms(folder / "x.dic"))


@pytest.mark.parametrize(
    ("entry", "forms"),
    [
        ("стол/J", {"стол", "стола", "столом"}),
        ("конь/J", {"конь", "конём"}),
        ("царь/J", {"царь"}),  # The condition asks for л or н.
        ("стол", {"стол"}),
        ("стол/Q", {"стол"}),  # A flag without rules.
        ("белый/A po:adj", {"белый", "белого"}),
        ("ый/A", {"ый"}),  # A word is never stripped of all its letters.
        ("кем/D", {"кем", "кем-то"}),
        ("а-/D", {"а-", "а--то"}),
        ("лад/D", {"лад"}),  # A hyphen in a class is no range.
        ("стол/JN", {"стол", "стола", "столом", "нестол", "нестола", "нестолом"}),
        ("новый/AN", {"новый", "нового"}),  # The prefix asks for another letter than н.
        ("белый/AN", {"белый", "белого", "небелый"}),  # The suffix joins no prefix.
        ("заход/BJ", {"заход", "захода", "заходом", "отход", "отхода", "отходом"}),
    ],
)
def test_words_get_their_forms(tmp_path: Path, entry: str, forms: set[str]) -> None:
    assert set(_forms(tmp_path, entry)) == forms


def test_the_encoding_is_the_one_that_is_named(tmp_path: Path) -> None:
    rules = RULES.replace("UTF-8", "KOI8-R").replace("ём", "ем")
    assert _forms(tmp_path, "конь/J", rules=rules, encoding="koi8-r") == ["конем", "конь"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("FLAG long", "an option that is not read"),
        ("AF 12", "an option that is not read"),
        ("COMPOUNDFLAG X", "an option that is not read"),
        ("NEEDAFFIX X", "an option that is not read"),
        ("SFX AB Y 1", "more than one letter"),
        ("SFX C Y 1\nSFX C 0 а/J .", "affixes on affixes"),
        ("SFX C Y 1\nSFX C 0 а [аб", "a broken condition"),
        ("SFX C Y 2\nSFX C 0 а .\nPFX J 0 б .", "1 rules are missing before this"),
        ("SFX C Y 2\nSFX C 0 а .", "1 rules are missing at its end"),
        ("SFX C Y", "ValueError"),
        ("SFX C maybe 1", "KeyError"),
    ],
)
def test_what_is_not_read_is_an_error_that_names_the_line(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "x.aff"
    path.write_text(RULES + line, encoding="utf-8")
    with pytest.raises(AffixError, match=said) as error:
        read_affixes(path)
    assert str(path) in str(error.value)


def test_a_dictionary_without_its_number_of_words_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.aff").write_text(RULES, encoding="utf-8")
    (tmp_path / "x.dic").write_text("стол/J\n", encoding="utf-8")
    with pytest.raises(AffixError, match="number of its words"):
        list(read_forms(tmp_path / "x.dic"))


def test_forms_are_written_beside_the_words_and_the_words_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_fetch, "fetch_debian", lambda manifest, directory: [])
    monkeypatch.setattr(text_fetch, "_FIELDS_PER_KIND", 1)
    folder = tmp_path / "debian" / "hunspell-ru"
    folder.mkdir(parents=True)
    _forms(folder, "стол/J", "я", "x2/J")
    text_fetch.fetch_texts(tmp_path)
    assert (tmp_path / "ru-words.txt").read_text(encoding="utf-8") == "стол"
    assert (tmp_path / "ru-forms.txt").read_text(encoding="utf-8").split() == ["стол", "стола", "столом"]
    assert not (tmp_path / "en-forms.txt").exists()
