"""Hindi, Japanese and Chinese: the phonemiser reads the numbers, we only read the signs. Pure.

num2words 0.5.14 knows no Hindi and no Chinese, and what it writes for Japanese are Chinese
characters, which espeak-ng does not read, while it does read digits.
"""

from __future__ import annotations

import re

from voice.speakable.addresses import AddressWords
from voice.speakable.pieces import Language, Rule

_NUMBERS: tuple[Rule, ...] = ((re.compile(r"\d+(?:[.,:/-]\d+)*"), lambda m: m[0]),)


def _language(signs: str, address: str, item: str) -> Language:
    both, at, plus, equals, percent, degrees = signs.split()
    at_sign, dot, slash, dash, underscore, plus_sign, code, code_block = address.split(",")
    symbols = {"&": both, "@": at, "+": plus, "=": equals, "%": percent, "°": degrees}
    rules: tuple[Rule, ...] = _NUMBERS
    if percent.endswith("之"):  # Chinese names the hundred first
        rules = ((re.compile(r"(\d+(?:\.\d+)?)\s?%"), lambda m: percent + m[1]), *rules)
    return Language(
        rules=rules,
        symbols=symbols,
        words=AddressWords(at_sign, dot, slash, dash, underscore, plus_sign, code, digits=str),
        code_block=code_block,
        item=lambda n: f"{n}{item}",
    )


UNSPACED = {
    "hi": _language(
        "और एट प्लस बराबर प्रतिशत डिग्री",
        "एट,डॉट,स्लैश,डैश,अंडरस्कोर,प्लस,कोड,कोड ब्लॉक",
        ",",
    ),
    "ja": _language(
        "と アット プラス イコール パーセント 度",
        "アット,ドット,スラッシュ,ハイフン,アンダーバー,プラス,コード,コードブロック",
        "、",
    ),
    "zh": _language(
        "和 艾特 加 等于 百分之 度",
        "艾特,点,斜杠,横杠,下划线,加,代码,代码块",
        "，",
    ),
}
