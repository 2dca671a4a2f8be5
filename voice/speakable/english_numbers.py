"""English numbers, money, dates and times as people say them. Pure.

The number words are num2words'; what is decided here is which reading a spelling asks for.
"""

from __future__ import annotations

import re
from functools import lru_cache

from num2words import num2words

NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?"
MONTHS = "January February March April May June July August September October November December"
MONTH_NAMES = tuple(MONTHS.split())
CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "¥": ("yen", "yen", "sen", "sen"),
    "₹": ("rupee", "rupees", "paisa", "paise"),
    "CHF": ("franc", "francs", "centime", "centimes"),
}
CODES = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
CODES |= {"INR": "₹", "CHF": "CHF"}
SCALES = {"k": "thousand", "K": "thousand", "m": "million", "M": "million", "mn": "million"}
SCALES |= {"b": "billion", "B": "billion", "bn": "billion", "T": "trillion"}
_DIGITS = "zero one two three four five six seven eight nine".split()
RATED = (5, 10, 100)
"""Denominators of marks rather than of fractions: "eight out of ten"."""
_LARGEST = 10**15
_HALVES = {2: ("half", "halves"), 4: ("quarter", "quarters")}


@lru_cache(maxsize=4096)
def cardinal(n: int) -> str:
    """`1234` is "one thousand two hundred and thirty-four"; past 10**15 digit by digit."""
    if abs(n) >= _LARGEST:
        return ("minus " if n < 0 else "") + say_digits(str(abs(n)))
    return str(num2words(n)).replace(",", "")


@lru_cache(maxsize=1024)
def ordinal(n: int) -> str:
    """`21` is "twenty-first"; past 10**15 the cardinal."""
    return str(num2words(n, to="ordinal")).replace(",", "") if n < _LARGEST else cardinal(n)


@lru_cache(maxsize=1024)
def year(n: int) -> str:
    """`1998` is "nineteen ninety-eight", `1905` is "nineteen oh five"."""
    return str(num2words(n, to="year")).replace("oh-", "oh ") if n >= 1000 else cardinal(n)


def say_digits(text: str) -> str:
    """Digit by digit, with a breath after every third of a long run; other signs are breaths."""
    groups = []
    for run in re.findall(r"\d+", text):
        size = 3 if len(run) > 4 else 4
        cut = [run[i : i + size] for i in range(0, len(run), size)]
        if len(cut) > 1 and len(cut[-1]) == 1:  # 3-4 sounds better than 3-3-1
            cut[-2:] = [cut[-2] + cut[-1]]
        groups += [" ".join(_DIGITS[int(d)] for d in group) for group in cut]
    return ", ".join(groups)


def number(text: str) -> str:
    """Read a `NUMBER`: cardinal, decimal, or digit by digit if it looks like a code."""
    whole, point, fraction = text.partition(".")
    grouped = "," in whole
    digits = whole.replace(",", "")
    coded = len(digits) > 1 and digits.startswith("0") and not grouped
    long = len(digits) >= 7 and not grouped and not point and int(digits) % 1000 != 0
    said = say_digits(digits) if coded or long else cardinal(int(digits))
    if point:
        said += " point " + " ".join(_DIGITS[int(d)] for d in fraction)
    return said


def number_or_year(text: str) -> str:
    """A bare number: four digits from 1100 to 2099 are read as a year."""
    if len(text) == 4 and text.isdecimal() and 1100 <= int(text) <= 2099:
        return year(int(text))
    return number(text)


def money(sign: str, amount: str, scale: str = "") -> str:
    """`("$", "3.50")` is "three dollars and fifty cents"."""
    one, many, cent, cents = CURRENCIES[sign]
    whole, _, part = amount.partition(".")
    if scale:
        return f"{number(amount)} {scale} {many}"
    if len(part) != 2:
        return f"{number(amount)} {one if amount == '1' else many}"
    units, hundredths = int(whole.replace(",", "")), int(part)
    said = [f"{cardinal(units)} {one if units == 1 else many}"] if units or not hundredths else []
    if hundredths:
        said.append(f"{cardinal(hundredths)} {cent if hundredths == 1 else cents}")
    return " and ".join(said)


def fraction(top: int, bottom: int) -> str:
    """`3/4` is "three quarters", `8/10` "eight out of ten", `7/31` "seven over thirty-one"."""
    if bottom in RATED and top > 1:
        return f"{cardinal(top)} out of {cardinal(bottom)}"
    if not 2 <= bottom <= 20 or top >= bottom:
        return f"{cardinal(top)} over {cardinal(bottom)}"
    one, many = _HALVES.get(bottom) or (ordinal(bottom), ordinal(bottom) + "s")
    return f"{cardinal(top)} {one if top == 1 else many}"


def clock(hours: int, minutes: int, seconds: int | None, half: str) -> str:
    """A time of day; `half` is `"A-M"`, `"P-M"` or `""`."""
    if seconds is not None:
        tail = [cardinal(minutes) if minutes else "zero", cardinal(seconds) if seconds else "zero"]
        return " ".join([cardinal(hours), *tail, half]).strip()
    if not half and not minutes:
        return "midnight" if hours in (0, 24) else f"{cardinal(hours)} o'clock"
    said = cardinal(hours)
    if minutes:
        said += f" oh {cardinal(minutes)}" if minutes < 10 else f" {cardinal(minutes)}"
    return f"{said} {half}".strip()


def date(month: int, day: int, of_year: int | None) -> str:
    """ "November twenty-first, twenty twenty-six"."""
    said = f"{MONTH_NAMES[month - 1]} {ordinal(day)}"
    return said if of_year is None else f"{said}, {year(of_year)}"


def decade(text: str) -> str:
    """`"1990"` (as in 1990s) is "nineteen nineties", `"80"` "eighties"."""
    said = year(int(text)) if len(text) == 4 else cardinal(int(text))
    if said.endswith("y"):
        return said[:-1] + "ies"
    return said + ("es" if said.endswith("x") else "s")
