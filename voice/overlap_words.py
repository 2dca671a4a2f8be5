"""Short things people say over a reply, in the languages that are spoken here. Pure data.

Collected from how the languages are taught and transcribed; Whisper's spellings of hums are among
them. A phrase is written as the recogniser's words are compared: case folded, no punctuation.
"""

from __future__ import annotations


def _table(*lines: str) -> frozenset[str]:
    """The phrases, their words (or, of unspaced scripts, their characters) apart."""
    phrases = [phrase.strip() for line in lines for phrase in line.split(",") if phrase.strip()]
    return frozenset(" ".join(phrase) if _unspaced(phrase) else phrase for phrase in phrases)


def _unspaced(phrase: str) -> bool:
    return any("\u3040" <= c <= "\u30ff" or "\u4e00" <= c <= "\u9fff" for c in phrase)


AGREEING = _table(
    "yes, yeah, yep, yup, ya, okay, ok, sure, of course, please, yes please, go ahead, definitely",
    "absolutely, right, correct, exactly, alright, all right, sounds good, do it",
    "ja, jawohl, klar, gerne, bitte, genau, stimmt",
    "oui, ouais, d'accord, bien sûr, volontiers",
    "sí, si, claro, vale, de acuerdo, por favor",
    "sì, certo, va bene, d'accordo, esatto",
    "sim, claro que sim, está bem, tá",
    "はい, うん, ええ, お願いします, そうです",
    "是, 是的, 对, 好, 好的, 行, 可以",
    "हाँ, हां, जी, जी हाँ, ठीक है",
    "نعم, أجل, طيب, حسنا",
)
"""Backchannels that may answer a question."""

BACKCHANNELS = AGREEING | _table(
    "mm-hm, mm-hmm, mhm, uh-huh, uh huh, mm hm, hm-hm, mm, hmm, hm, aha, huh, yeah yeah, oh, ah",
    "wow",
    "i see, got it, gotcha, makes sense, that makes sense, cool, nice, great, good, very good",
    "okay then",
    "really, oh really, interesting, true, that's true, that's right, i know, i understand",
    "understood",
    "fine, perfect, indeed, amazing, awesome, no problem, no worries, no doubt, no way",
    "no kidding, for sure",
    "thanks, thank you, thank you very much, go on, oh okay, ah okay, uh-oh, oops, oh no",
    "bless you",
    "ach so, achso, aha, verstehe, alles klar, okay gut, gut, schön, super, toll, wirklich",
    "richtig",
    "echt, mhm ja, danke, nicht wahr, na gut",
    "je vois, ah bon, ah oui, très bien, bien, super, vraiment, merci, c'est vrai, exact",
    "entendu, hein",
    "ya veo, ajá, entiendo, muy bien, bien, bueno, en serio, gracias, verdad, ah vale, no me digas",
    "capisco, ho capito, bene, davvero, grazie, ah sì, ah ok, vero",
    "entendi, certo, legal, é mesmo, sério, obrigado, obrigada, pois é, aham, tá bom, beleza",
    "なるほど, へえ, へー, ふーん, そうか, そうですか, そうなんだ, そうですね, わかりました",
    "ありがとう, ほんと, naruhodo, naru hodo, so desu ne, sou desu ne",
    "嗯, 哦, 啊, 明白, 明白了, 知道了, 懂了, 没错, 真的吗, 谢谢, 原来如此, 是吗",
    "accha, acha, achha, theek hai, thik hai",
    "अच्छा, हम्म, समझ गया, समझ गई, सही, सच में, धन्यवाद, शुक्रिया",
    "آه, فهمت, صحيح, تمام, شكرا",
)
"""They say: I am listening, go on."""

HESITATIONS = frozenset(
    "um uh er erm uhm umm hm hmm äh ähm öh euh heu bah eh este pues ehm cioè é hum "
    "ええと あの えっと 那个 so well like and but und aber also et mais y pero e ma mas".split()
)
"""They say nothing yet: something may follow."""

STOPS = _table(
    "stop, stop it, stop that, stop talking, please stop, wait, wait wait, hold on, hang on",
    "one moment",
    "one second, no, nope, no no, quiet, be quiet, silence, shut up, enough, that's enough",
    "that is enough",
    "cancel, pause, never mind, nevermind, excuse me, sorry, hey, shush, shh, listen, not that",
    "okay stop",
    "stopp, halt, warte, warte mal, warten sie, moment, moment mal, nein, ruhe, sei still",
    "genug, schluss",
    "das reicht, hör auf, entschuldigung",
    "arrête, arrêtez, attends, attendez, non, tais-toi, taisez-vous, assez, ça suffit",
    "un instant, pardon",
    "para, pare, espera, espere, no no, alto, basta, ya basta, silencio, cállate, un momento",
    "perdona",
    "ferma, fermati, fermo, aspetta, aspetti, zitto, smettila, un attimo, scusa",
    "pára, chega, não, espere aí, um momento, cala a boca, desculpa",
    "待って, 待ってください, ちょっと待って, ストップ, やめて, 止めて, 止まって, いいえ, いや",
    "違う, 違います, もういい",
    "停, 停下, 停止, 等等, 等一下, 等一等, 不, 不是, 不对, 别说了, 够了, 闭嘴, 安静",
    "रुको, रुकिए, रुक जाओ, नहीं, बस, चुप, बंद करो, एक मिनट",
    "توقف, قف, انتظر, لحظة, لا, كفى, اسكت",
)
"""They end a reply at once, whatever follows."""

HUSHES = STOPS - _table(
    "no, nope, no no, sorry, hey, listen, excuse me, not that, never mind, nevermind",
    "nein, entschuldigung, non, pardon, perdona, scusa, não, desculpa, नहीं, لا",
    "いいえ, いや, 違う, 違います, 不, 不是, 不对",
)
"""Those after which there is nothing to say."""

LONGEST = max(len(phrase.split()) for phrase in BACKCHANNELS | STOPS)
"""Words (characters) of the longest phrase."""
