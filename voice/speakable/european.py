"""German, Spanish, French, Italian and Portuguese: one set of rules over a table. Pure.

Numbers, money, percentages, times and dates are put into words by num2words; what needs grammar
(ordinals, gender) stays as written, and the phonemiser reads it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from num2words import num2words

from voice.speakable.addresses import AddressWords
from voice.speakable.pieces import Language, Rule

_CURRENCIES = {"€": "EUR", "$": "USD", "£": "GBP"}
_UNITS = "km kg g m cm mm l ml h min s GB MB kB °C km/h".split()


@dataclass(frozen=True, slots=True)
class _Table:
    code: str
    comma: str
    minus: str
    until: str
    percent: str
    clock: str
    date: str
    cents: str
    """What joins units and hundredths of money in num2words' reading."""
    months: str
    units: str
    """One spoken plural for each of `_UNITS`, separated by commas."""
    signs: str
    """and, at, plus, equals, degrees"""
    address: str
    """at, dot, slash, dash, underscore, plus, some code, code block"""
    abbreviations: dict[str, str]


_TABLES = (
    _Table(
        "de", "Komma", "minus", "bis", "Prozent", "{} Uhr {}", "{}. {} {}", " und ",
        "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
        "Kilometer,Kilogramm,Gramm,Meter,Zentimeter,Millimeter,Liter,Milliliter,Stunden,Minuten,"
        "Sekunden,Gigabyte,Megabyte,Kilobyte,Grad Celsius,Kilometer pro Stunde",
        "und,at,plus,gleich,Grad",
        "at,Punkt,Schrägstrich,Strich,Unterstrich,plus,etwas Code,Codeblock",
        {"z. B.": "zum Beispiel", "z.B.": "zum Beispiel", "d. h.": "das heißt",
         "d.h.": "das heißt", "usw.": "und so weiter", "bzw.": "beziehungsweise",
         "ca.": "circa", "Dr.": "Doktor", "Prof.": "Professor", "Nr.": "Nummer",
         "u. a.": "unter anderem", "inkl.": "inklusive", "evtl.": "eventuell", "Hr.": "Herr",
         "ggf.": "gegebenenfalls", "vgl.": "vergleiche", "Str.": "Straße"},
    ),
    _Table(
        "es", "coma", "menos", "a", "por ciento", "{} {}", "{} de {} de {}", " con ",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "kilómetros,kilogramos,gramos,metros,centímetros,milímetros,litros,mililitros,horas,"
        "minutos,segundos,gigabytes,megabytes,kilobytes,grados Celsius,kilómetros por hora",
        "y,arroba,más,igual a,grados",
        "arroba,punto,barra,guión,guión bajo,más,un poco de código,bloque de código",
        {"Sr.": "señor", "Sra.": "señora", "Dr.": "doctor", "Dra.": "doctora",
         "p. ej.": "por ejemplo", "etc.": "etcétera", "Ud.": "usted", "Uds.": "ustedes",
         "EE. UU.": "Estados Unidos", "EE.UU.": "Estados Unidos", "aprox.": "aproximadamente"},
    ),
    _Table(
        "fr", "virgule", "moins", "à", "pour cent", "{} heures {}", "{} {} {}", " et ",
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "kilomètres,kilogrammes,grammes,mètres,centimètres,millimètres,litres,millilitres,"
        "heures,minutes,secondes,gigaoctets,mégaoctets,kilooctets,degrés Celsius,"
        "kilomètres heure",
        "et,arobase,plus,égale,degrés",
        "arobase,point,barre,tiret,tiret bas,plus,du code,bloc de code",
        {"M.": "monsieur", "Mme": "madame", "Mlle": "mademoiselle", "Dr": "docteur",
         "p. ex.": "par exemple", "etc.": "et cætera", "env.": "environ",
         "c.-à-d.": "c'est-à-dire"},
    ),
    _Table(
        "it", "virgola", "meno", "a", "per cento", "{} e {}", "{} {} {}", " e ",
        "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre"
        " dicembre",
        "chilometri,chilogrammi,grammi,metri,centimetri,millimetri,litri,millilitri,ore,minuti,"
        "secondi,gigabyte,megabyte,kilobyte,gradi Celsius,chilometri all'ora",
        "e,chiocciola,più,uguale,gradi",
        "chiocciola,punto,barra,trattino,trattino basso,più,del codice,blocco di codice",
        {"Sig.": "signor", "Sig.ra": "signora", "Dott.": "dottor", "Prof.": "professor",
         "ecc.": "eccetera", "es.": "esempio", "p. es.": "per esempio", "ca.": "circa"},
    ),
    _Table(
        "pt", "vírgula", "menos", "a", "por cento", "{} e {}", "{} de {} de {}", " e ",
        "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
        "quilômetros,quilogramas,gramas,metros,centímetros,milímetros,litros,mililitros,horas,"
        "minutos,segundos,gigabytes,megabytes,kilobytes,graus Celsius,quilômetros por hora",
        "e,arroba,mais,igual a,graus",
        "arroba,ponto,barra,hífen,sublinhado,mais,um pouco de código,bloco de código",
        {"Sr.": "senhor", "Sra.": "senhora", "Dr.": "doutor", "Dra.": "doutora",
         "p. ex.": "por exemplo", "etc.": "et cetera"},
    ),
)  # fmt: skip

_NUMBER = r"(?:\d{1,3}(?:[.\u00a0\u202f ]\d{3})+(?!\d)|\d+)(?:,\d+)?"


@lru_cache(maxsize=4096)
def _say(number: str, code: str, comma: str) -> str:
    """Put a number as written into words; beyond 15 digits it stays for the phonemiser."""
    whole, _, part = re.sub(r"[.\s]", "", number).partition(",")
    if len(whole) > 15 or (len(whole) > 1 and whole.startswith("0")):
        return number
    said = str(num2words(int(whole), lang=code))
    if part:
        said += f" {comma} " + " ".join(str(num2words(int(digit), lang=code)) for digit in part)
    return said


@lru_cache(maxsize=1024)
def _money(amount: str, currency: str, code: str, joint: str) -> str | None:
    value = re.sub(r"[.\s]", "", amount).replace(",", ".")
    if len(value) > 15 or len(value.partition(".")[2]) not in (0, 2):
        return None
    said = str(num2words(float(value), lang=code, to="currency", currency=currency))
    units, _, cents = said.rpartition(joint)
    zero = str(num2words(0, lang=code))
    return units if units and cents.startswith(zero) else said


def _language(t: _Table) -> Language:
    units = dict(zip(_UNITS, t.units.split(","), strict=True))
    unit = "|".join(sorted(map(re.escape, units), key=len, reverse=True))
    sign = "[" + "".join(_CURRENCIES) + "]"
    months = t.months.split()
    at_sign, dot, slash, dash, underscore, plus_sign, code, code_block = t.address.split(",")

    def say(number: str) -> str:
        return _say(number, t.code, t.comma)

    def amount(m: re.Match[str]) -> str | None:
        minus = f"{t.minus} " if m["minus"] else ""
        low = f"{say(m['low'])} {t.until} " if m["low"] else ""
        if m["before"] or m["after"]:
            currency = _CURRENCIES[m["before"] or m["after"]]
            money = _money(m["n"], currency, t.code, t.cents)
            return money and minus + low + money
        tail = t.percent if m["percent"] else units.get(m["unit"] or "", "")
        return f"{minus}{low}{say(m['n'])} {tail}".rstrip()

    def date(m: re.Match[str]) -> str | None:
        day, month = int(m["d"] or m["d2"]), int(m["m"] or m["m2"])
        if not (1 <= month <= 12 and 1 <= day <= 31):
            return None
        spoken_day = str(day) if t.code == "de" else say(str(day))
        return t.date.format(spoken_day, months[month - 1], say(m["y"] or m["y2"]))

    def clock(m: re.Match[str]) -> str:
        minutes = say(str(int(m["m"]))) if int(m["m"]) else ""
        said = t.clock.format(say(str(int(m["h"]))), minutes).strip()
        return said.removesuffix(" e")

    abbreviations = "|".join(sorted(map(re.escape, t.abbreviations), key=len, reverse=True))
    rules: tuple[Rule, ...] = (
        (re.compile(rf"(?:{abbreviations})(?!\w)"), lambda m: t.abbreviations[m[0]]),
        (
            re.compile(
                r"(?P<y>[12]\d{3})-(?P<m>\d\d)-(?P<d>\d\d)(?!\d)"
                r"|(?P<d2>\d{1,2})[./](?P<m2>\d{1,2})[./](?P<y2>[12]\d{3})(?!\d)"
            ),
            date,
        ),
        (re.compile(r"(?P<h>[01]?\d|2[0-4])[:h](?P<m>[0-5]\d)(?!\d)(?: Uhr)?"), clock),
        (re.compile(r"\d{1,3}[.ºª](?=\s)(?!\s*$)"), lambda m: m[0]),  # an ordinal
        (
            re.compile(
                rf"(?P<minus>(?<![\w.)\]])[-\u2212](?=[\d$€£]))?(?P<before>{sign})?"
                rf"(?:(?P<low>{_NUMBER})[-\u2013])?(?P<n>{_NUMBER})"
                rf"(?:[\s\u00a0\u202f]?(?:(?P<percent>%)|(?P<after>{sign})|(?P<unit>{unit})(?!\w)))?"
                r"(?![\d,.-]*\d)(?![A-Za-zºª])"
            ),
            amount,
        ),
        (re.compile(r"\d+(?:[.,:/-]\d+)*"), lambda m: m[0]),
    )
    both, at, plus, equals, degrees = t.signs.split(",")
    symbols = {"&": both, "@": at, "+": plus, "=": equals, "°": degrees, "%": t.percent}
    return Language(
        rules=rules,
        symbols=symbols,
        words=AddressWords(at_sign, dot, slash, dash, underscore, plus_sign, code, digits=say),
        code_block=code_block,
        item=lambda n: f"{say(n)},",
    )


EUROPEAN = {table.code: _language(table) for table in _TABLES}
