"""English tables: abbreviations, units, signs. Data only."""

from __future__ import annotations

TITLES = {
    "Dr": "Doctor", "Mr": "Mister", "Mrs": "Missus", "Ms": "Miz", "Prof": "Professor",
    "Rev": "Reverend", "Gen": "General", "Sgt": "Sergeant", "Capt": "Captain", "Lt": "Lieutenant",
    "Col": "Colonel", "Gov": "Governor", "Sen": "Senator", "Hon": "Honourable", "Mt": "Mount",
    "Ft": "Fort", "Messrs": "Messieurs",
}  # fmt: skip
"""Read only before a capital; their full stop never ends a sentence."""

ABBREVIATIONS = {
    "etc": "et cetera", "est": "established", "dept": "department", "govt": "government",
    "avg": "average", "max": "maximum", "min": "minimum", "resp": "respectively",
    "misc": "miscellaneous", "ext": "extension", "jr": "junior", "sr": "senior",
    "inc": "incorporated", "ltd": "limited", "corp": "corporation", "co": "company",
    "ave": "avenue", "blvd": "boulevard", "rd": "road", "ph.d": "P-H-D", "jan": "January",
    "feb": "February", "apr": "April", "aug": "August", "sept": "September", "oct": "October",
    "nov": "November", "dec": "December",
}  # fmt: skip
"""Without the last full stop, which must be there in the text and may end the sentence."""

NEVER_LAST = {
    "e.g": "for example", "i.e": "that is", "vs": "versus", "approx": "approximately",
    "incl": "including", "excl": "excluding", "esp": "especially", "cf": "compare",
    "a.k.a": "also known as", "tel": "telephone",
}  # fmt: skip
"""Something always follows these, so their full stop is never a pause."""

UNDOTTED = {
    "eg": "for example", "ie": "that is", "etc": "et cetera", "vs": "versus",
    "approx": "approximately", "AM": "A-M", "FAQ": "F-A-Q", "FAQs": "F-A-Qs", "VAT": "V-A-T",
    "VAD": "V-A-D", "YMCA": "Y-M-C-A", "AKA": "also known as", "aka": "also known as",
    "PhD": "P-H-D",
}  # fmt: skip
"""Written without a full stop. Acronyms stay as written: speech engines spell `USB` and read
`NASA` by themselves (so does espeak-ng); only those espeak-ng gets wrong are here."""

BEFORE_NUMBER = {
    "no": "number", "nos": "numbers", "p": "page", "pp": "pages", "vol": "volume", "fig": "figure",
    "figs": "figures", "ch": "chapter", "chap": "chapter", "sec": "section", "eq": "equation",
    "art": "article", "approx": "approximately", "ca": "circa", "c": "circa", "max": "maximum",
    "min": "minimum", "ver": "version", "v": "version",
}  # fmt: skip
"""Abbreviations that mean this only right before a number."""

PERIODS = {
    "day": "day", "week": "week", "month": "month", "year": "year", "hour": "hour",
    "night": "night", "minute": "minute", "second": "second", "person": "person", "mo": "month",
    "yr": "year", "wk": "week",
}  # fmt: skip
"""What follows a slash that is read "per"; units do so too."""

WEEKDAYS = {
    "Mon": "Monday", "Tue": "Tuesday", "Tues": "Tuesday", "Wed": "Wednesday", "Thu": "Thursday",
    "Thur": "Thursday", "Thurs": "Thursday", "Fri": "Friday", "Sat": "Saturday", "Sun": "Sunday",
}  # fmt: skip

SYMBOLS = {
    "&": "and", "->": "to", "<=": "at most", ">=": "at least", "!=": "not equal to",
    "@": "at", "+": "plus", "=": "equals", "<": "less than", ">": "greater than",
    "%": "percent", "\u2030": "per thousand", "≤": "at most", "≥": "at least", "≠": "not equal to",
    "≈": "about", "×": "times", "÷": "divided by", "±": "plus or minus", "\u2212": "minus",
    "°": "degrees", "§": "section", "©": "copyright", "→": "to", "∞": "infinity",
    "√": "square root of", "€": "euros", "£": "pounds", "¥": "yen", "₹": "rupees", "²": "squared",
    "³": "cubed", "½": "one half", "¼": "one quarter", "¾": "three quarters", "⅓": "one third",
    "⅔": "two thirds", "⅛": "one eighth",
}  # fmt: skip

UNITS = {
    "km": ("kilometer", ""), "m": ("meter", ""), "cm": ("centimeter", ""),
    "mm": ("millimeter", ""), "mi": ("mile", ""), "ft": ("foot", "feet"), "yd": ("yard", ""),
    "in.": ("inch", "inches"), "nm": ("nanometer", ""), "kg": ("kilogram", ""), "g": ("gram", ""),
    "mg": ("milligram", ""), "lb": ("pound", ""), "lbs": ("pound", "pounds"), "oz": ("ounce", ""),
    "L": ("liter", ""), "l": ("liter", ""), "ml": ("milliliter", ""), "mL": ("milliliter", ""),
    "cl": ("centiliter", ""), "dl": ("deciliter", ""), "gal": ("gallon", ""),
    "tbsp": ("tablespoon", ""), "tsp": ("teaspoon", ""), "s": ("second", ""),
    "sec": ("second", ""), "secs": ("second", ""), "ms": ("millisecond", ""),
    "ns": ("nanosecond", ""), "µs": ("microsecond", ""), "min": ("minute", ""),
    "mins": ("minute", ""), "h": ("hour", ""), "hr": ("hour", ""), "hrs": ("hour", ""),
    "km/h": ("kilometer per hour", "kilometers per hour"),
    "kph": ("kilometer per hour", "kilometers per hour"),
    "mph": ("mile per hour", "miles per hour"), "m/s": ("meter per second", "meters per second"),
    "m/s²": ("meter per second squared", "meters per second squared"),
    "mpg": ("mile per gallon", "miles per gallon"), "°C": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"), "°": ("degree", ""),
    "℃": ("degree Celsius", "degrees Celsius"), "KB": ("kilobyte", ""), "kB": ("kilobyte", ""),
    "MB": ("megabyte", ""), "GB": ("gigabyte", ""), "TB": ("terabyte", ""), "PB": ("petabyte", ""),
    "KiB": ("kibibyte", ""), "MiB": ("mebibyte", ""), "GiB": ("gibibyte", ""),
    "kbps": ("kilobit per second", "kilobits per second"),
    "Mbps": ("megabit per second", "megabits per second"),
    "Gbps": ("gigabit per second", "gigabits per second"),
    "MB/s": ("megabyte per second", "megabytes per second"),
    "GB/s": ("gigabyte per second", "gigabytes per second"), "Hz": ("hertz", "hertz"),
    "kHz": ("kilohertz", "kilohertz"), "MHz": ("megahertz", "megahertz"),
    "GHz": ("gigahertz", "gigahertz"), "W": ("watt", ""), "kW": ("kilowatt", ""),
    "MW": ("megawatt", ""), "GW": ("gigawatt", ""), "Wh": ("watt hour", ""),
    "kWh": ("kilowatt hour", ""), "V": ("volt", ""), "mV": ("millivolt", ""),
    "mA": ("milliamp", ""), "mAh": ("milliamp hour", ""), "J": ("joule", ""),
    "kJ": ("kilojoule", ""), "cal": ("calorie", ""), "kcal": ("kilocalorie", ""),
    "dB": ("decibel", ""), "Pa": ("pascal", ""), "hPa": ("hectopascal", ""),
    "kPa": ("kilopascal", ""), "psi": ("P-S-I", "P-S-I"), "px": ("pixel", ""),
    "dpi": ("D-P-I", "D-P-I"), "fps": ("frame per second", "frames per second"),
    "rpm": ("R-P-M", "R-P-M"), "bpm": ("beat per minute", "beats per minute"),
    "m²": ("square meter", ""), "m2": ("square meter", ""), "m³": ("cubic meter", ""),
    "km²": ("square kilometer", ""), "km2": ("square kilometer", ""),
    "sq ft": ("square foot", "square feet"), "ha": ("hectare", ""),
    "ppm": ("part per million", "parts per million"),
}  # fmt: skip
"""symbol -> (one, many); an empty second form is the first with an `s`."""
