"""Plausible values for forms and receipts in Russian and English: names, addresses, accounts, sums."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Rng = np.random.Generator

_SURNAMES = {
    "ru": "Иванов Смирнов Кузнецов Попов Васильев Петров Соколов Михайлов Новиков Фёдоров Морозов Волков Алексеев "
    "Лебедев Семёнов Егоров Павлов Козлов Степанов Николаев Орлов Андреев Макаров Никитин Захаров Щербаков Юдин "
    "Цветков Жуков Хохлов Шубин Эйхман Ярцев Белоусов Громов Дьячков",
    "en": "Smith Johnson Williams Brown Jones Miller Davis Wilson Anderson Taylor Thomas Moore Martin Jackson White "
    "Harris Clark Lewis Robinson Walker Young Allen King Wright Scott Hill Green Adams Baker Nelson Carter Quinn Zeller",
}
_NAMES = {
    "ru": "Александр Сергей Дмитрий Андрей Алексей Максим Евгений Иван Михаил Никита Юрий Фёдор Григорий Пётр Эдуард",
    "en": "James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth William Barbara Richard Susan Joseph",
}
_FATHERS = "Александрович Сергеевич Дмитриевич Андреевич Иванович Петрович Юрьевич Фёдорович Ильич Эдуардович"
_TRADES = {
    "ru": "Вектор Прогресс Ромашка Стройсервис Альфа-Трейд Лидер Восток Техноком Меридиан Гарант Энергия Юпитер Щит",
    "en": "Vector Summit Pioneer Northwind Global Supply Harbour Quality Foods Meridian Star Electric Union Paper",
}
_STREETS = {
    "ru": "Ленина Советская Мира Гагарина Садовая Лесная Победы Кирова Цветочная Школьная Южная Пушкина Щорса",
    "en": "Main Oak Maple Park Washington Lake Hill Church Market Union River Spring Franklin Highland",
}
_CITIES = {
    "ru": "Москва Санкт-Петербург Казань Екатеринбург Новосибирск Самара Омск Тула Уфа Пермь Ярославль Хабаровск",
    "en": "Boston Chicago Denver Portland London Leeds Bristol Springfield Austin Dayton Oakland Cambridge",
}
_BANKS = {
    "ru": "ПАО «Сбербанк»|АО «Альфа-Банк»|Банк ВТБ (ПАО)|АО «Тинькофф Банк»|ПАО «Промсвязьбанк»|АО «Россельхозбанк»|"
    "ПАО Банк «Открытие» г. Москва|Филиал «Центральный» Банка ВТБ|АО «Райффайзенбанк»",
    "en": "First National Bank|Barclays Bank PLC|Citizens Trust|HSBC UK|Wells & Sons Savings|Bank of the West",
}
_PURPOSES = {
    "ru": "Оплата по договору № {n} от {d} за услуги связи. НДС не облагается|Оплата по счету № {n} от {d}, в т.ч. "
    "НДС 20%|Перечисление заработной платы за {n} отдел|Возврат займа по договору {n} от {d}|Арендная плата за "
    "помещение согласно акту {n}|Предоплата за товар по накладной № {n}",
    "en": "Payment of invoice No. {n} dated {d}|Rent for unit {n}|Services under contract {n} of {d}, VAT included|"
    "Loan repayment, agreement {n}|Consulting fee {d}",
}
_GOODS = {
    "ru": "Молоко 3,2%|Хлеб ржаной|Сыр Российский|Кефир|Масло сливочное|Чай чёрный|Сахар-песок|Яйцо С1 10шт|Вода "
    "питьевая 1.5л|Пакет-майка|Батон нарезной|Макароны|Гречка ядрица|Печенье овсяное|Кофе молотый|Бумага А4|Ручка синяя",
    "en": "MILK 1L|BREAD WHOLEMEAL|CHEESE CHEDDAR|BUTTER 250G|GREEN TEA|SUGAR 1KG|EGGS 10S|MINERAL WATER|PLASTIC BAG|"
    'PIPE 110MM X 5.8M|A4 PAPER 80GSM|BALL PEN BLUE|CHICKEN RICE|ICED LEMON TEA|NASI GORENG|BATTERY AA 4S|Paint Brush 2"'
    "|Screw Driver|LED Bulb 9W|Cable Tie|Roti Canai|Kopi O|SHAMPOO 400ML|TISSUE HOLDER",
}
_ANSWERS = {
    "ru": "да|нет|не имею|имеется|гражданин РФ|высшее|среднее|менеджер|инженер|женат|не замужем|директор|бухгалтер|"
    "по доверенности|в наличии|отсутствует|согласен|собственность|аренда",
    "en": "yes|no|none|not applicable|single|married|engineer|manager|see attached|approved|self-employed|owner|"
    "tenant|full time|part time|college|N/A|pending",
}


def pick(rng: Rng, options: str, separator: str | None = None) -> str:
    parts = options.split(separator)
    return parts[int(rng.integers(len(parts)))]


def digits(rng: Rng, count: int) -> str:
    return "".join(str(d) for d in rng.integers(0, 10, count))


def person(rng: Rng, language: str) -> str:
    surname, name = pick(rng, _SURNAMES[language]), pick(rng, _NAMES[language])
    if language == "en":
        return f"{name} {surname}" if rng.random() < 0.7 else f"{name[0]}. {surname}"
    father = pick(rng, _FATHERS)
    return f"{surname} {name} {father}" if rng.random() < 0.6 else f"{surname} {name[0]}.{father[0]}."


def company(rng: Rng, language: str) -> str:
    trade = pick(rng, _TRADES[language])
    if language == "en":
        return f"{trade} {pick(rng, 'Ltd. Inc. LLC & Co. Corporation')}"
    form = pick(rng, "ООО АО ИП ПАО")
    return f"ИП {person(rng, 'ru')}" if form == "ИП" else f"{form} «{trade}»"


def address(rng: Rng, language: str) -> str:
    city, street = pick(rng, _CITIES[language]), pick(rng, _STREETS[language])
    house = int(rng.integers(1, 200))
    if language == "en":
        return f"{house} {street} {pick(rng, 'St. Ave. Road Lane')}, {city}"
    return f"{digits(rng, 6)}, г. {city}, ул. {street}, д. {house}, кв. {int(rng.integers(1, 300))}"


def city(rng: Rng, language: str) -> str:
    return pick(rng, _CITIES[language])


def bank(rng: Rng, language: str) -> str:
    return pick(rng, _BANKS[language], "|")


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
    return f"{pick(rng, 'info mail office ivan anna sales k.petrov')}@{pick(rng, 'mail.ru yandex.ru gmail.com corp.com')}"


def passport(rng: Rng, language: str) -> str:
    return (
        f"{digits(rng, 2)} {digits(rng, 2)} № {digits(rng, 6)}" if language == "ru" else f"P{digits(rng, 8)}"
    )


def purpose(rng: Rng, language: str) -> str:
    pattern = pick(rng, _PURPOSES[language], "|")
    return pattern.format(n=int(rng.integers(1, 999)), d=date(rng, language))


def goods(rng: Rng, language: str) -> str:
    return pick(rng, _GOODS[language], "|")


def answer(rng: Rng, language: str) -> str:
    return pick(rng, _ANSWERS[language], "|")


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
