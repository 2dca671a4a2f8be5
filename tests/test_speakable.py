"""Displayed text to spoken words: tables of what is written and what is said, and properties."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.test_clauses import FRAGMENTS
from voice.clauses import Clauses
from voice.speakable import LANGUAGES, Piece, speak, spoken_text

SIGNS = [
    "&",
    "&amp;",
    "²",
    "½",
    "①",
    "٣",
    "Ⅷ",
    "x²",
    "\u00ad",
    "\u200d",
    "\x00",
    "$",
    "-5",
    "’s",
    "=",
    "~5",
    "1/2",
    "11/21/2026",
    "5pm",
    "10:30 am",
    "+1 (555) 123-4567",
    "A.",
    "Nov 2",
    "1990s",
    "St.",
    "\\",
    "| a | b |",
    "|---|",
    "C++",
    "C:\\x\\y",
    "/a/b",
    "f_o()",
    "99999999999999999999",
    "1e6",
    "<i a='",
    "5'11\"",
    "-",
    "--",
    "]( x",
    "00:00",
    "0.",
    ".5",
    "5-10%",
    "$1.2 million",
    "№",
    "™",
    "→",
    "\ud800",
]
TEXTS = st.one_of(
    st.text(st.characters(codec=None)),
    st.lists(st.sampled_from(FRAGMENTS + SIGNS), max_size=40).map("".join),
)


def say(text: str, language: str = "en") -> str:
    return spoken_text(speak(text, language))


ENGLISH = [
    # numbers
    ("I have 3 cats.", "I have three cats."),
    ("1,234 people", "one thousand two hundred and thirty-four people"),
    ("pi is 3.14", "pi is three point one four"),
    (".5 and 0.05", "zero point five and zero point zero five"),
    ("agent 007", "agent zero zero seven"),
    ("-5 or −5", "minus five or minus five"),
    ("the 1st, 2nd and 23rd", "the first, second and twenty-third"),
    ("1/2 and 3/4 and 2/3", "one half and three quarters and two thirds"),
    ("1 1/2 cups, 2½ spoons", "one and a half cups, two and a half spoons"),
    ("8/10, 24/7, 50/50", "eight out of ten, twenty-four seven, fifty fifty"),
    ("5-10 or 5–10", "five to ten or five to ten"),
    ("50% or 3.5 %", "fifty percent or three point five percent"),
    ("5-10% off", "five to ten percent off"),
    ("10^6", "ten to the power of six"),
    ("2 + 2 = 4, 5 - 3 = 2", "two plus two equals four, five minus three equals two"),
    ("3 * 4, 3*4, 3 / 4", "three times four, three times four, three divided by four"),
    ("in 1998, 1905 and 2026", "in nineteen ninety-eight, nineteen oh five and twenty twenty-six"),
    ("the 1990s, the '80s", "the nineteen nineties, the eighties"),
    ("1990-2000", "nineteen ninety to two thousand"),
    ("1000000 and 12345678", "one million and one two three, four five six, seven eight"),
    ("~5", "about five"),
    ("a 1:2 ratio, 50-50", "a one to two ratio, fifty fifty"),
    ("a Boeing 747-400", "a Boeing seven hundred and forty-seven four hundred"),
    ("the 1,000th, 1.2bn", "the one thousandth, one point two billion"),
    ("10M people, a 7B model", "ten million people, a seven B model"),
    ("x^2, e^-3", "x squared, e to the power of minus three"),
    # money
    ("$3.50", "three dollars and fifty cents"),
    ("$1, $1.01, $0.99", "one dollar, one dollar and one cent, ninety-nine cents"),
    ("€5, £1.50, ¥500, 5€", "five euros, one pound and fifty pence, five hundred yen, five euros"),
    ("$1.2 million, $5k", "one point two million dollars, five thousand dollars"),
    ("$5-$10 or $5–10", "five to ten dollars or five to ten dollars"),
    ("-$5, 20 USD", "minus five dollars, twenty dollars"),
    ("$15/lb, 3 cups/day", "fifteen dollars per pound, three cups per day"),
    ("$1,299.99", "one thousand two hundred and ninety-nine dollars and ninety-nine cents"),
    # times and dates
    ("at 10:30 am", "at ten thirty A-M"),
    ("at 10:30 a.m. sharp", "at ten thirty A-M sharp"),
    ("at 5 p.m.", "at five P-M."),
    ("Mon-Fri 9am-5pm", "Monday to Friday nine A-M to five P-M"),
    ("9:00–17:00", "nine o'clock to seventeen o'clock"),
    ("3pm EST.", "three P-M EST."),
    ("9-5pm", "nine to five P-M"),
    ("14:05, 9:00, 00:00", "fourteen oh five, nine o'clock, midnight"),
    ("2026-11-21", "November twenty-first, twenty twenty-six"),
    ("11/21/2026", "November twenty-first, twenty twenty-six"),
    ("21/11/2026", "November twenty-first, twenty twenty-six"),
    ("Nov 21, May 5", "November twenty-first, May fifth"),
    ("On Nov. 21, 2026", "On November twenty-first, twenty twenty-six"),
    ("21 November 2026", "the twenty-first of November, twenty twenty-six"),
    ("the 21st of May", "the twenty-first of May"),
    ("June 2026, March 3-5", "June twenty twenty-six, March third to fifth"),
    ("Marching 5 miles, Mayor 3", "Marching five miles, Mayor three"),
    ("Wed, Nov 5", "Wednesday, November fifth"),
    # phone numbers and versions
    ("555-1234", "five five five, one two three four"),
    ("1-800-555-0199", "one, eight zero zero, five five five, zero one nine nine"),
    ("(555) 123-4567", "five five five, one two three, four five six seven"),
    ("+44 20 7946 0958", "plus four four, two zero, seven nine four six, zero nine five eight"),
    ("v2.1.3", "version two point one point three"),
    ("10.0.0.1", "ten dot zero dot zero dot one"),
    # units
    ("5 km, 1 km", "five kilometers, one kilometer"),
    ("20°C, -5 °F", "twenty degrees Celsius, minus five degrees Fahrenheit"),
    ("3 GB, 60 mph", "three gigabytes, sixty miles per hour"),
    ("a 5-km run", "a five kilometer run"),
    ("100 km/h", "one hundred kilometers per hour"),
    ("6 ft, 5'11\"", "six feet, five foot eleven"),
    ("10m², 5-10 kg", "ten square meters, five to ten kilograms"),
    # abbreviations and acronyms
    ("Dr. Smith, Mr. and Mrs. Jones", "Doctor Smith, Mister and Missus Jones"),
    ("e.g. this, i.e. that, etc.", "for example this, that is that, et cetera."),
    ("apples, etc. The end", "apples, et cetera. The end"),
    ("A vs. B", "A versus B"),
    ("approx. 5, No. 5, pp. 3-4", "approximately five, number five, pages three to four"),
    ("founded (est. 1999)", "founded, established nineteen ninety-nine"),
    ("No. That is all", "No. That is all"),
    ("St. John on Main St.", "Saint John on Main Street"),
    ("the U.S. Army", "the U-S Army"),
    ("J. R. R. Tolkien", "J R R Tolkien"),
    ("NASA, USB and FBI", "NASA, USB and FBI"),
    ("So am I. Then", "So am I. Then"),
    # letters with digits
    ("GPT-4o, COVID-19, H2O", "GPT four o, COVID nineteen, H two O"),
    ("mp3 and 3D", "mp three and three D"),
    ("x² + y²", "x squared plus y squared"),
    # signs
    ("you & me", "you and me"),
    ("and/or", "and or"),
    ("C++, C# and F#", "C plus plus, C sharp and F sharp"),
    ("#1 in #music", "number one in hashtag music"),
    ("well-known, don’t", "well-known, don't"),
    ("a -> b, a >= b, a != b", "a to b, a at least b, a not equal to b"),
    ("Really?!? Yes!!!", "Really? Yes!"),
    ("Wait... what", "Wait… what"),
    ("it (the cat) sat", "it, the cat, sat"),
    ("it (the cat).", "it, the cat."),
    ("this — that – those - these", "this, that, those, these"),
    ("one—two", "one, two"),
    ("“Hi,” he said: 'yes'.", "Hi, he said: yes."),
    ("fun 😀🎉 :) ok", "fun ok"),
    ("👨‍👩‍👧", ""),
    # addresses and code
    ("a.b-c@example.com.", "a dot b dash c at example dot com."),
    ("https://example.com/docs,", "example dot com slash docs,"),
    ("https://www.a-b.org/x/y/z?q=1#f", "a b dot org"),
    ("Go to example.co.uk.", "Go to example dot co dot U-K."),
    ("<https://a.io>", "a dot I-O"),
    ("main_loop.py", "main loop dot P-Y"),
    ("/usr/local/etc/hosts", "etc slash hosts"),
    ("~/notes.txt", "notes dot text"),
    ("C:\\Users\\me\\x.pdf", "me slash x dot P-D-F"),
    ("`foo_bar()` and fooBar_2()", "foo bar and foo Bar two"),
    ("`x = y + 1`", "x equals y plus one"),
    ("`" + "a " * 30 + "`", "some code"),
    # Markdown and HTML
    ("**bold**, *it*, __b__, _i_, ~~s~~", "bold, it, b, i, s"),
    ("***very*** **b**old", "very bold"),
    ("half **open", "half open"),
    ("[text here](https://a.b/c_(d))", "text here"),
    ("![a cat](cat.png) [x][1] y[^2]", "a cat x y"),
    ("# Title", "Title."),
    ("## One\ntwo", "One. two"),
    ("> quoted", "quoted"),
    ("- [ ] milk\n- [x] eggs", "milk. eggs."),
    ("* one\n+ two\n• three", "one. two. three."),
    ("1. Mix\n2) Bake", "one, Mix. two, Bake."),
    ("a\n\n---\n\nb", "a. b"),
    ("| a | b |\n|---|:-:|\n| 1 | 2 |", "a, b. one, two."),
    ("Code:\n```python\nx = 1\n```\nDone", "Code: code block. Done"),
    ("```\nx\n```\n\nDone", "code block. Done"),
    ("```\nunclosed x = 1", "code block."),
    ("```", ""),
    ("a <b>bold</b><br/> word <!-- no -->", "a bold word"),
    ("a &amp; b &lt; c&nbsp;d", "a and b less than c d"),
    ("a < b", "a less than b"),
    (r"\*not emphasis\*", "not emphasis"),
]


@pytest.mark.parametrize(("written", "spoken"), ENGLISH)
def test_english(written: str, spoken: str) -> None:
    assert say(written) == spoken


@pytest.mark.parametrize(
    ("language", "written", "spoken"),
    [
        ("de", "Das kostet 3,50 €, z. B.", "Das kostet drei Euro und fünfzig Cent, zum Beispiel"),
        ("de", "25 % von 1.000", "fünfundzwanzig Prozent von eintausend"),
        ("de", "um 14:30 Uhr am 3. Mai", "um vierzehn Uhr dreißig am 3. Mai"),
        ("de", "12 € und -5 °C", "zwölf Euro und minus fünf Grad Celsius"),
        ("es", "Cuesta $12 o 1,5 kg", "Cuesta doce dólares o uno coma cinco kilogramos"),
        ("es-MX", "el Sr. Gil & yo", "el señor Gil y yo"),
        ("fr", "25 % de 1 000 !", "vingt-cinq pour cent de mille!"),
        ("fr", "à 14h30, le 2026-11-21",
         "à quatorze heures trente, le vingt et un novembre deux mille vingt-six"),
        ("it", "5-10 km", "cinque a dieci chilometri"),
        ("pt", "1.234,50 €", "mil duzentos e trinta e quatro euros e cinquenta cêntimos"),
        ("fr", "a@b.fr", "a arobase b point F-R"),
        ("de", "```\nx\n```", "Codeblock."),
        ("ja", "**100%**です。", "100 パーセント です。"),
        ("zh", "大约25%。", "大约 百分之25。"),
        ("hi", "**हिन्दी** में 25 & 3.50।", "हिन्दी में 25 और 3.50।"),
        ("xx", "3 & 4", "three and four"),
    ],
)  # fmt: skip
def test_other_languages(language: str, written: str, spoken: str) -> None:
    assert say(written, language) == spoken


def test_pieces_tell_which_characters_are_spoken_how() -> None:
    text = 'He paid **$3.50** for "5 km", ok?'
    shown = [(text[p.start : p.end], p.spoken) for p in speak(text)]
    assert [piece for piece in shown if piece[1]] == [
        ("He", "He"),
        ("paid", "paid"),
        ("$3.50", "three dollars and fifty cents"),
        ("for", "for"),
        ("5 km", "five kilometers,"),
        ("ok?", "ok?"),
    ]
    assert [piece[0] for piece in shown if not piece[1]] == ["**", "**", '"', '"', ","]


def check(text: str, pieces: tuple[Piece, ...]) -> None:
    covered = 0
    for piece in pieces:
        assert covered <= piece.start < piece.end <= len(text)
        assert not text[covered : piece.start].strip()
        covered = piece.end
        assert piece.spoken == " ".join(piece.spoken.split())
        assert not piece.spoken or any(c.isalnum() for c in piece.spoken)
    assert not text[covered:].strip()


@given(TEXTS, st.sampled_from([*LANGUAGES, "xx", ""]))
def test_any_text_is_spoken_without_marks(text: str, language: str) -> None:
    pieces = speak(text, language)
    check(text, pieces)
    spoken = spoken_text(pieces)
    marks = set('*_#`|<>[](){}~\\^=+@$€%&"')
    assert not set(spoken) & marks
    assert all(unicodedata.category(c)[0] != "C" for c in spoken)


@given(TEXTS)
def test_spoken_english_has_no_digits(text: str) -> None:
    assert not any(c.isdigit() or c == "/" for c in say(text))


@given(TEXTS)
def test_each_word_of_the_spoken_text_has_a_letter(text: str) -> None:
    """A mark standing alone would be a word with no sound, and shift the word times."""
    assert all(any(c.isalpha() for c in word) for word in say(text).split())


@given(TEXTS)
def test_clauses_cut_from_a_reply_can_be_spoken(text: str) -> None:
    clauses = Clauses()
    for clause in clauses.feed(text) + clauses.flush():
        check(clause, speak(clause))


@pytest.mark.timeout(30)
@pytest.mark.parametrize("part", ["1-", "<!--", "- ", "* ", "a@"])
def test_hostile_repetition_ends(part: str) -> None:
    """Text whose reading once took the square of its length: minutes where it takes a second."""
    text = part * 20_000
    check(text, speak(text))
    assert "".join(Clauses().feed(text)) in text
