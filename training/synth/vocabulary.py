"""Plausible values for forms and receipts in Russian and English: names, addresses, accounts, sums."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

Rng = np.random.Generator

_WORDS = Path(__file__).with_suffix(".json")


@lru_cache(maxsize=1)
def _lists() -> dict[str, dict[str, list[Any]]]:
    lists: dict[str, dict[str, list[Any]]] = json.loads(_WORDS.read_text(encoding="utf-8"))
    return lists


def options(name: str, language: str) -> list[Any]:
    """A word list of ``vocabulary.json``; ``KeyError`` for a name or language that it lacks."""
    return _lists()[name][language]


def choose(rng: Rng, name: str, language: str) -> str:
    words = options(name, language)
    return str(words[int(rng.integers(len(words)))])


def pick(rng: Rng, options: str, separator: str | None = None) -> str:
    parts = options.split(separator)
    return parts[int(rng.integers(len(parts)))]


def digits(rng: Rng, count: int) -> str:
    return "".join(str(d) for d in rng.integers(0, 10, count))


def person(rng: Rng, language: str) -> str:
    """A name as forms, signatures and lists have it: in full or with initials, now and then a title."""
    named = _english_name(rng) if language == "en" else _russian_name(rng)
    return f"{choose(rng, 'honorifics', language)} {named}" if rng.random() < 0.2 else named


def _english_name(rng: Rng) -> str:
    surname, name, second = (choose(rng, key, "en") for key in ("surnames", "names", "names"))
    roll = rng.random()
    if roll < 0.5:
        return f"{name} {surname}"
    if roll < 0.65:
        return f"{choose(rng, 'short_names', 'en')} {second[0]}. {surname}"
    if roll < 0.8:
        return f"{name} {second[0]}. {surname}"
    space = " " if rng.random() < 0.6 else ""
    return f"{name[0]}. {surname}" if roll < 0.9 else f"{name[0]}.{space}{second[0]}. {surname}"


def _russian_name(rng: Rng) -> str:
    surname, name, father = (choose(rng, key, "ru") for key in ("surnames", "names", "patronymics"))
    if (roll := rng.random()) < 0.6:
        return f"{surname} {name} {father}"
    space = " " if rng.random() < 0.5 else ""
    initials = f"{name[0]}.{space}{father[0]}."
    return f"{surname} {initials}" if roll < 0.82 else f"{initials} {surname}"


def company(rng: Rng, language: str) -> str:
    trade = choose(rng, "trades", language)
    if language == "en":
        return f"{trade} {pick(rng, 'Ltd.|Inc.|LLC|& Co.|Corporation', '|')}"
    form = pick(rng, "ООО АО ИП ПАО")
    return f"ИП {_russian_name(rng)}" if form == "ИП" else f"{form} «{trade}»"


def address(rng: Rng, language: str) -> str:
    city, street = choose(rng, "cities", language), choose(rng, "streets", language)
    house = int(rng.integers(1, 200))
    if language == "en":
        return f"{house} {street} {pick(rng, 'St. Ave. Road Lane')}, {city}"
    return f"{digits(rng, 6)}, г. {city}, ул. {street}, д. {house}, кв. {int(rng.integers(1, 300))}"


def city(rng: Rng, language: str) -> str:
    return choose(rng, "cities", language)


def bank(rng: Rng, language: str) -> str:
    return choose(rng, "banks", language)


def date(rng: Rng, language: str) -> str:
    day, month, year = int(rng.integers(1, 29)), int(rng.integers(1, 13)), int(rng.integers(1950, 2030))
    if language == "en":
        return pick(
            rng, f"{month:02}/{day:02}/{year} {day}-{month}-{year % 100:02} {year}-{month:02}-{day:02}"
        )
    return f"{day:02}.{month:02}.{year}" + (" г." if rng.random() < 0.2 else "")


def money(rng: Rng, language: str) -> str:
    value = float(np.exp(rng.uniform(1, 13)))
    if language == "en":
        return f"{value:,.2f}"
    return f"{value:.2f}".replace(".", pick(rng, "- . ,"))


def price(rng: Rng, language: str) -> str:
    return f"{float(np.exp(rng.uniform(0, 6))):.2f}"


def phone(rng: Rng, language: str) -> str:
    if language == "en":
        return f"({digits(rng, 3)}) {digits(rng, 3)}-{digits(rng, 4)}"
    return f"+7 ({digits(rng, 3)}) {digits(rng, 3)}-{digits(rng, 2)}-{digits(rng, 2)}"


def email(rng: Rng, language: str) -> str:
    name, host = (
        pick(rng, "info mail office ivan anna sales k.petrov"),
        pick(rng, "mail.ru yandex.ru corp.com"),
    )
    return f"{name}@{host}"


def passport(rng: Rng, language: str) -> str:
    return (
        f"{digits(rng, 2)} {digits(rng, 2)} № {digits(rng, 6)}" if language == "ru" else f"P{digits(rng, 8)}"
    )


def purpose(rng: Rng, language: str) -> str:
    pattern = choose(rng, "purposes", language)
    return pattern.format(n=int(rng.integers(1, 999)), d=date(rng, language))


def goods(rng: Rng, language: str) -> str:
    return choose(rng, "goods", language)


def answer(rng: Rng, language: str) -> str:
    return choose(rng, "answers", language)


def _numbers(count: int) -> Callable[[Rng, str], str]:
    return lambda rng, language: digits(rng, count)


VALUES: dict[str, Callable[[Rng, str], str]] = {
    "person": person, "company": company, "address": address, "city": city, "bank": bank, "date": date,
    "money": money, "price": price, "phone": phone, "email": email, "passport": passport, "purpose": purpose,
    "goods": goods, "answer": answer, "account": _numbers(20), "bik": _numbers(9), "inn": _numbers(10),
    "kpp": _numbers(9), "number": _numbers(4), "code": _numbers(2), "index": _numbers(6),
}  # fmt: skip


def value(rng: Rng, kind: str, language: str) -> str:
    """A made-up value of the named kind; ``KeyError`` for a kind that is not in ``VALUES``."""
    return VALUES[kind](rng, language)
