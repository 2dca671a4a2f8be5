"""English rules for everything that holds a digit: the first that matches is taken. Pure."""

from __future__ import annotations

import re

from voice.speakable import english_numbers as num
from voice.speakable.english_words import UNITS
from voice.speakable.pieces import Rule

_N = num.NUMBER
_SIGN = r"[$€£¥₹]"
_DASH = r"[-\u2010-\u2014]"
_MONTH = r"(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)(?P<rest>[a-z]{0,6})\b\.?"
_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?"
_YEAR = r"(?:,? (?P<year>[12]\d{3})(?!\d))?"
_HALF = r"(?P<half>[aApP]\.m\.(?!\s*$|\s+[A-Z])|[aApP]\.[mM]\b|[aApP][mM]\b)"
_UNIT = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))
_NUMBERED = {name[:3]: month for month, name in enumerate(num.MONTH_NAMES, start=1)}
_SPELLINGS = {name[:length] for name in num.MONTH_NAMES for length in (3, 4, 9)} | {"Sept"}

_QUANTITY = re.compile(
    rf"(?P<sign>(?<![\w.)\]])[-\u2212+±](?={_SIGN}?\d))?"
    rf"(?:(?:US|CA|AU|NZ|[AC])(?=\$))?(?P<currency>{_SIGN})?(?P<low>{_N})"
    rf"(?:(?:{_DASH}|\s\u2013\s){_SIGN}?(?P<high>{_N})(?!\w*{_DASH}\d))?"
    r"(?:[ -](?P<word>thousand|million|billion|trillion)\b|(?P<letter>[kKmMbBT]n?)(?![\w/]))?"
    rf"(?:\s?(?P<percent>%)|\s?(?P<code>{'|'.join(num.CODES)})\b|\s?(?P<after>{_SIGN})(?!\d)"
    rf"|(?:(?P<hyphen>-)|\s?)(?P<unit>{_UNIT})(?![\w°]))?"
)


def _quantity(m: re.Match[str]) -> str | None:
    """An amount with all that may belong to it: sign, currency, range, scale, unit, percent."""
    low, high, unit = m["low"], m["high"], m["unit"]
    sign = m["currency"] or m["after"] or num.CODES.get(m["code"] or "", "")
    scale = (m["word"] or num.SCALES.get(m["letter"] or "", "")).lower()
    if m["letter"] and not sign and m["letter"] not in ("k", "M", "bn", "mn"):
        return None  # "4K", "7B": a name more often than an amount
    minus = {"": "", "+": "plus ", "±": "plus or minus "}.get(m["sign"] or "", "minus ")
    if sign:
        said = num.money(sign, high or low, scale)
        return f"{minus}{num.number(low)} to {said}" if high else minus + said
    if not (unit or scale or m["percent"]):
        said = num.number_or_year(low)
        if not high:
            return minus + said
        rises = float(low.replace(",", "")) < float(high.replace(",", ""))
        return f"{minus}{said}{' to' if rises else ''} {num.number_or_year(high)}"
    said = f"{num.number(low)} to {num.number(high)}" if high else num.number(low)
    said += f" {scale}" if scale else ""
    if m["percent"]:
        said += " percent"
    elif unit:
        one, many = UNITS[unit]
        single = m["hyphen"] or (low == "1" and not high and not scale)
        said += f" {one if single else many or one + 's'}"
    return minus + said


def _clock(m: re.Match[str]) -> str:
    half = {"a": "A-M", "p": "P-M"}.get((m["half"] or "")[:1].lower(), "")
    seconds = int(m["seconds"]) if m["seconds"] else None
    return num.clock(int(m["hours"]), int(m["minutes"]), seconds, half)


def _hours(m: re.Match[str]) -> str:
    half = "A-M" if m["half"][0] in "aA" else "P-M"
    until = f" to {num.cardinal(int(m['high']))}" if m["high"] else ""
    return f"{num.cardinal(int(m['low']))}{until} {half}"


def _iso_date(m: re.Match[str]) -> str | None:
    month, day = int(m["m"]), int(m["d"])
    return num.date(month, day, int(m["y"])) if 1 <= month <= 12 and 1 <= day <= 31 else None


def _slash_date(m: re.Match[str]) -> str | None:
    month, day = int(m["a"]), int(m["b"])
    if month > 12:  # only day-first makes sense
        month, day = day, month
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    year = int(m["y"])
    return num.date(month, day, year + 2000 if year < 100 else year)


def _month(m: re.Match[str]) -> int | None:
    return _NUMBERED[m["month"]] if m["month"] + m["rest"] in _SPELLINGS else None


def _month_day(m: re.Match[str]) -> str | None:
    month, day = _month(m), int(m["day"])
    if month is None or not 1 <= day <= 31:
        return None
    said = num.date(month, day, None)
    if m["until"]:
        said += f" to {num.ordinal(int(m['until']))}"
    return f"{said}, {num.year(int(m['year']))}" if m["year"] else said


def _month_year(m: re.Match[str]) -> str | None:
    month = _month(m)
    return None if month is None else f"{num.MONTH_NAMES[month - 1]} {num.year(int(m['only']))}"


def _day_month(m: re.Match[str]) -> str | None:
    month, day = _month(m), int(m["day"])
    if month is None or not 1 <= day <= 31:
        return None
    article = "" if m.string[: m.start()].rstrip().lower().endswith("the") else "the "
    said = f"{article}{num.ordinal(day)} of {num.MONTH_NAMES[month - 1]}"
    return f"{said}, {num.year(int(m['year']))}" if m["year"] else said


def _phone(m: re.Match[str]) -> str | None:
    if not 7 <= sum(c.isdigit() for c in m[0]) <= 19:
        return None
    return ("plus " if m[0].startswith("+") else "") + num.say_digits(m[0])


def _version(m: re.Match[str]) -> str:
    joint = " dot " if m["parts"].count(".") == 3 else " point "
    said = joint.join(num.number(part) for part in m["parts"].split("."))
    return f"version {said}" if m["v"] else said


def _fraction(m: re.Match[str]) -> str:
    top, bottom = int(m["top"]), int(m["bottom"])
    if (top, bottom) in ((24, 7), (9, 11)) or (top == bottom and bottom not in num.RATED):
        return f"{num.cardinal(top)} {num.cardinal(bottom)}"
    said = num.fraction(top, bottom)
    if not m["whole"]:
        return said
    if top == 1:
        said = ("an" if bottom in (8, 11, 18) else "a") + said.removeprefix("one")
    return f"{num.cardinal(int(m['whole']))} and {said}"


def _power(m: re.Match[str]) -> str:
    minus = "minus " if m["b"].startswith("-") else ""
    return f"{num.number(m['a'])} to the power of {minus}{num.number(m['b'].lstrip('-'))}"


def _mixed(m: re.Match[str]) -> str:
    """Letters and digits in one word: `"GPT-4o"` is "GPT four o"."""
    parts = re.findall(r"\d+(?:\.\d+)?|[^\W\d_]+", m[0])
    return " ".join(num.number(part) if part[0].isdecimal() else part for part in parts)


_HALVES = {"½": "a half", "¼": "a quarter", "¾": "three quarters"}

QUANTITIES: tuple[Rule, ...] = (
    (re.compile(r"(?P<y>[12]\d{3})-(?P<m>\d{2})-(?P<d>\d{2})(?![\d-])"), _iso_date),
    (re.compile(r"(?P<a>\d{1,2})/(?P<b>\d{1,2})/(?P<y>\d{4}|\d{2})(?![\d/])"), _slash_date),
    (re.compile(rf"{_MONTH} (?P<only>[12]\d{{3}})(?![\d:])"), _month_year),
    (
        re.compile(rf"{_MONTH} {_DAY}(?![\d:])(?:{_DASH}(?P<until>[0-3]?\d)(?!\d))?{_YEAR}"),
        _month_day,
    ),
    (re.compile(rf"{_DAY}(?: of)? {_MONTH}{_YEAR}"), _day_month),
    (
        re.compile(
            r"(?P<hours>[01]?\d|2[0-4]):(?P<minutes>[0-5]\d)(?::(?P<seconds>[0-5]\d))?(?![\d:])"
            rf"(?:\s?{_HALF})?"
        ),
        _clock,
    ),
    (
        re.compile(r"(?P<a>\d{1,4}):(?P<b>\d{1,4})(?![\d:])"),
        lambda m: f"{num.number(m['a'])} to {num.number(m['b'])}",
    ),
    (re.compile(r"(?<=[\dmM.])[-\u2013](?=\d)"), lambda _: "to"),
    (re.compile(rf"(?P<low>1?\d)(?:{_DASH}(?P<high>1?\d))?\s?{_HALF}"), _hours),
    (re.compile(r"(?P<v>[vV]\.?\s?)?(?P<parts>\d+\.\d+(?:\.\d+)+)(?!\w)"), _version),
    (re.compile(r"(?P<v>[vV])(?P<parts>\d+(?:\.\d+)?)(?![\w.]\w)"), _version),
    (re.compile(r"(?P<n>[12]\d\d0|[2-9]0)['\u2019]?s\b"), lambda m: num.decade(m["n"])),
    (re.compile(r"['\u2019](?P<n>[2-9]0)s\b"), lambda m: num.decade(m["n"])),
    (
        re.compile(r"(\d{1,2})['\u2032](\d{1,2})[\"\u2033]"),
        lambda m: f"{num.cardinal(int(m[1]))} foot {num.cardinal(int(m[2]))}",
    ),
    (
        re.compile(
            r"(?:\+\d{1,3}[ .-]?|1[ .-])?(?:\(\d{2,5}\)[ .-]?|\d{2,4}[ .-])"
            r"\d{3,4}(?:[ .-]\d{2,4})+(?!\w)"
            r"|(?:\+\d{1,3}|\(\d{2,5}\))[ .-]?\d{2,14}(?:[ .-]\d{2,4})*(?!\w)"
            r"|\d{3}-\d{4}(?![\w-])"
        ),
        _phone,
    ),
    (
        re.compile(r"(?P<n>\d{1,3}(?:,\d{3})+|\d+)(?:st|nd|rd|th)\b", re.IGNORECASE),
        lambda m: num.ordinal(int(m["n"].replace(",", ""))),
    ),
    (
        re.compile(r"(?:(?P<whole>\d{1,3})[ -])?(?P<top>\d{1,4})/(?P<bottom>\d{1,4})(?![\w/])"),
        _fraction,
    ),
    (
        re.compile(r"(?P<n>\d+) ?(?P<half>[½¼¾])"),
        lambda m: f"{num.number(m['n'])} and {_HALVES[m['half']]}",
    ),
    (re.compile(r"#(?=\d)"), lambda _: "number"),
    (re.compile(r"(?<=\d )[-\u2212](?= \d+(?:\.\d+)? ?=)"), lambda _: "minus"),
    (re.compile(r"(?<=\d )/(?= \d)"), lambda _: "divided by"),
    (re.compile(r"(?:(?<=[\d)] )\*(?= [\d(])|(?<=\d)\*(?=\d))"), lambda _: "times"),
    (re.compile(r"~(?=\d)"), lambda _: "about"),
    (
        re.compile(rf"(?P<n>{_N})\s?[x×]\s?(?=\d)"),
        lambda m: num.number_or_year(m["n"]) + " by",
    ),
    (re.compile(rf"(?P<n>{_N})[x×](?!\w)"), lambda m: num.number(m["n"]) + " times"),
    (re.compile(r"(?P<a>\d+(?:\.\d+)?)\^\{?(?P<b>-?\d+)\}?"), _power),
    (re.compile(r"(?<=[A-Za-z)])\^\{?2\}?(?!\d)"), lambda _: "squared"),
    (re.compile(r"(?<=[A-Za-z)])\^\{?3\}?(?!\d)"), lambda _: "cubed"),
    (re.compile(r"(?<=[A-Za-z)])\^(?=[\w{-])"), lambda _: "to the power of"),
    (_QUANTITY, _quantity),
    (re.compile(r"\.\d+"), lambda m: num.number("0" + m[0])),
    (re.compile(r"[A-Za-z]+-?\d[A-Za-z\d]*(?:-\d+)*|\d+[A-Za-z][A-Za-z\d]*"), _mixed),
)
