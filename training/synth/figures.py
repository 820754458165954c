"""Figures and short structured strings: sums, dates, codes, receipt rows, addresses of the net."""

from __future__ import annotations

import numpy as np

from training.synth.vocabulary import date, digits, email, money, phone, pick, price

Rng = np.random.Generator

_LABELS = {
    "ru": "ИНН|КПП|БИК|ОГРН|Сч. №|Р/с|К/с|Дата|Тел.|Сумма:|Итого:|Всего|ФИО:|Адрес:|Плательщик|Получатель|"
    "Банк получателя|Назначение платежа|Вид оп.|Срок плат.|Паспорт|Кем выдан|Дата рождения|Гражданство|"
    "Должность|"
    "Подпись|М.П.|Расшифровка|Договор №|от|Приложение №|Стр.|Код|Наименование|Кол-во|Цена|НДС 20%|Без НДС|"
    "Сумма прописью|Чек №|Кассир:|Скидка|Наличными|Сдача|Смена|ФН|ФД|ФПД|Рег. №|Отдел|Исх. №|Вх. №|Тема:",
    "en": "Date:|Name:|Tel:|Fax:|Invoice No.|Total|Subtotal|Tax|GST ID:|Amount|Cash|Change|Balance|"
    "Qty|Price|Item|"
    "Account No.|Bank|Address:|Signature|Ref. No.|Page|Order #|Due date|Customer|Cashier:|Table|Receipt No:|"
    "Discount|Rounding|Visa Card|Dear Sir,|Yours truly,|To:|From:|Subject:|Re:|Enclosed|No.|Dept.|"
    "Remarks|Terminal",
}
_RECEIPT_WORDS = {
    "ru": "ИТОГ|ИТОГО К ОПЛАТЕ|НАЛИЧНЫМИ|БЕЗНАЛИЧНЫМИ|СДАЧА|КАССОВЫЙ ЧЕК|ПРИХОД|НДС 20%|СКИДКА|"
    "СПАСИБО ЗА ПОКУПКУ!|"
    "СМЕНА|КАССИР|ЧЕК|МЕСТО РАСЧЁТОВ|САЙТ ФНС|СНО: ОСН|СУММА НДС 10%|ПРОДАЖА|КАРТОЙ|ОКРУГЛЕНИЕ",
    "en": "TOTAL|SUBTOTAL|TOTAL SALES (INCLUSIVE OF GST)|CASH|CHANGE|ROUNDING ADJ|TAX INVOICE|GST SUMMARY|"
    "TAX(RM)|"
    "THANK YOU PLEASE COME AGAIN|GOODS SOLD ARE NOT RETURNABLE|CASHIER|RECEIPT #|SR @ 6%|QTY|DESCRIPTION|"
    "AMT(RM)|"
    "TOTAL ITEM(S)|VISA|BALANCE DUE|NET AMOUNT|SERVICE CHARGE 10%|ROUNDED TOTAL (RM)|ITEM COUNT|"
    "GST 6%|COUNTER",
}
_MONTHS = {
    "ru": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
    "en": "January February March April May June July August September October November "
    "December Jan. Feb. Mar. Oct.",
}


def label(rng: Rng, language: str) -> str:
    return pick(rng, _LABELS[language], "|")


def code(rng: Rng) -> str:
    """Letters and digits mixed: serial numbers, article codes."""
    letters = "ABCDEFGHJKLMNPRSTUVWXYZ" if rng.random() < 0.7 else "АБВГДЕЖКЛМНПРСТУФХЭЮЯ"
    parts = []
    for _ in range(int(rng.integers(1, 4))):
        if rng.random() < 0.5:
            parts.append(
                "".join(letters[int(i)] for i in rng.integers(0, len(letters), int(rng.integers(1, 5))))
            )
        else:
            parts.append(digits(rng, int(rng.integers(1, 7))))
    return pick(rng, "- / . _ :").join(parts) if rng.random() < 0.6 else "".join(parts)


def long_date(rng: Rng, language: str) -> str:
    day, year = int(rng.integers(1, 32)), int(rng.integers(1890, 2030))
    month = pick(rng, _MONTHS[language])
    if language == "ru":
        return pick(
            rng, f"{day} {month} {year} г.|«{day:02}» {month} {year} г.|{day} {month}|{month} {year}", "|"
        )
    suffix = pick(rng, "|||th|st|d", "|")
    return pick(rng, f"{month} {day}{suffix}, {year}|{day} {month} {year}|{month} {day}|{month}, {year}", "|")


def clock(rng: Rng) -> str:
    hour, minute, second = int(rng.integers(24)), int(rng.integers(60)), int(rng.integers(60))
    return pick(
        rng, f"{hour:02}:{minute:02}|{hour}:{minute:02}:{second:02}|{hour % 12 + 1}:{minute:02} PM", "|"
    )


def figure(rng: Rng, language: str) -> str:
    """A number, sum, date, code or telephone as people write them."""
    roll = int(rng.integers(12))
    if roll == 0:
        return (
            f"{money(rng, language)} {pick(rng, 'руб. р. ₽ RUB коп.' if language == 'ru' else 'USD EUR GBP')}"
        )
    if roll == 1:
        return f"{pick(rng, '$ £ € RM RM ₽')}{price(rng, language)}"
    if roll == 2:
        return long_date(rng, language)
    if roll == 3:
        return f"{date(rng, language)} {clock(rng)}"
    if roll == 4:
        return code(rng)
    if roll == 5:
        return phone(rng, language)
    if roll == 6:
        return " ".join(digits(rng, int(rng.integers(1, 6))) for _ in range(int(rng.integers(1, 6))))
    if roll == 7:
        return digits(rng, int(rng.integers(1, 21)))
    if roll == 8:
        return f"{int(rng.integers(1, 100))}{pick(rng, '% ° ½ ×2 ±1 /2 -й th')}"
    if roll == 9:
        place = f"{int(rng.integers(1, 400))}.{int(rng.integers(1, 20))}"
        return f"{pick(rng, '№ § No. N # стр. p. гл. п.')} {place}"
    if roll == 10:
        return f"{int(rng.integers(1, 999))} {pick(rng, '+ - × / = : < >')} {int(rng.integers(1, 999))}"
    return pick(
        rng,
        f"- {roll} -|{int(rng.integers(1, 300))} / {int(rng.integers(1, 300))}|-{int(rng.integers(99))}-",
        "|",
    )


def receipt_line(rng: Rng, language: str, item: str) -> str:
    """One row of a till receipt around ``item``."""
    roll = int(rng.integers(9))
    word = pick(rng, _RECEIPT_WORDS[language], "|")
    if roll == 0:
        return f"{item.upper()} {price(rng, language)}"
    if roll == 1:
        return f"{word} {pick(rng, ': = ')} {price(rng, language)}" if rng.random() < 0.8 else word
    if roll == 2:
        count = f"{int(rng.integers(1, 12))} {pick(rng, 'X x * × @')}"
        return f"{count} {price(rng, language)} {pick(rng, '= SR T TX ZRL A')}"
    if roll == 3:
        return f"{word}: {figure(rng, language)}"
    if roll == 4:
        return price(rng, language)
    if roll == 5:
        return f"{code(rng)} {item}"
    if roll == 6:
        return item.upper()
    if roll == 7:
        return f"{label(rng, language)} {code(rng) if rng.random() < 0.5 else figure(rng, language)}"
    return (
        word
        if rng.random() < 0.5
        else f"{pick(rng, 'RM $ £ EUR')}{pick(rng, ' |', '|')}{price(rng, language)}"
    )


def token(rng: Rng) -> str:
    """A piece of technical text: path, option, address of the net, function call, version."""
    name = pick(rng, "main config data src user index file test build log system value device page state")
    other = pick(rng, "init run get set open read lib etc bin usr tmp home share local cache net")
    number = int(rng.integers(0, 100))
    options = (
        *(f"/{other}/{name}", f"--{name}={number}", f"http://www.{name}.org/{other}/", f"{other}_{name}()"),
        *(f"{number}.{number % 7}.{number % 3}", f"<{name}>", f"${{{other}:{name}}}", f"{name}.{other}"),
        *(f"https://{other}.{name}.ru", f"[{number}]", f"~/.{name}", f"{name}[{number}]", f'"{other}"'),
        *(f"'{name}'", f"-{other[0]}", f"{name.upper()}_{other.upper()}", f"{name}-{number}.tar.gz"),
        *(f"$ {other} {name}", f"{other}::{name}", f"{name} = {number};", f"# {name}", f"{other} | {name}"),
        *(f"{name} && {other}", email(rng, "en"), f"(`{name}`)"),
    )
    return options[int(rng.integers(len(options)))]
