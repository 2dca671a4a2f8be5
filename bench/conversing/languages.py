"""Interruptions and backchannels in the languages that Kokoro speaks, and more recorded ones."""

from __future__ import annotations

from collections.abc import Mapping

from bench.conversing.cues import ORDERS, RECORDED, Cue, Speaker, beginning, command
from bench.speech import Clip

INTERRUPTIONS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "en": (
        ("Stop it, please.", "af_sarah"),
        ("Actually, make it three.", "bm_daniel"),
        ("Sorry, which day was that?", "bf_isabella"),
        ("Turn the music down.", "am_adam"),
    ),
    "es": (
        ("Para, por favor.", "ef_dora"),
        ("Espera un momento.", "em_alex"),
        ("¿Y qué pasa mañana?", "ef_dora"),
        ("Quiero otra cosa.", "em_alex"),
    ),
    "fr": (
        ("Attends une minute.", "ff_siwis"),
        ("Non, je voulais dire mardi.", "ff_siwis"),
        ("Et demain matin ?", "ff_siwis"),
        ("Tu peux répéter ?", "ff_siwis"),
    ),
    "hi": (
        ("रुको, एक मिनट।", "hf_alpha"),
        ("कल मौसम कैसा होगा?", "hm_omega"),
        ("मुझे कुछ और चाहिए।", "hf_beta"),
    ),
    "it": (
        ("Aspetta un attimo.", "if_sara"),
        ("No, intendevo martedì.", "im_nicola"),
        ("E domani che tempo fa?", "if_sara"),
        ("Puoi ripetere, per favore?", "im_nicola"),
    ),
    "ja": (
        ("ちょっと待って。", "jf_alpha"),
        ("明日の天気はどうですか？", "jm_kumo"),
        ("もう一度言ってください。", "jf_nezumi"),
    ),
    "pt": (
        ("Espera um pouco.", "pf_dora"),
        ("Não, eu quis dizer terça.", "pm_alex"),
        ("E como fica amanhã?", "pf_dora"),
        ("Pode repetir isso?", "pm_alex"),
    ),
    "zh": (
        ("等一下。", "zf_xiaoxiao"),
        ("明天天气怎么样？", "zm_yunjian"),
        ("请再说一遍。", "zf_xiaoyi"),
        ("我想换一个。", "zm_yunxi"),
    ),
}
"""What is said, and by which voice."""

BACKCHANNELS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "es": (("Ya veo.", "ef_dora"), ("Muy bien.", "em_alex")),
    "fr": (("D'accord.", "ff_siwis"), ("Très bien.", "ff_siwis")),
    "hi": (("अच्छा।", "hf_alpha"), ("ठीक है।", "hm_omega")),
    "it": (("Capisco.", "if_sara"), ("Va bene.", "im_nicola")),
    "ja": (("なるほど。", "jf_alpha"), ("そうですね。", "jm_kumo")),
    "pt": (("Entendi.", "pf_dora"), ("Está bem.", "pm_alex")),
    "zh": (("明白了。", "zf_xiaoxiao"), ("好的。", "zm_yunjian")),
}

RATHER = 17
"""Every so many-th order."""


def spoken(speaker: Speaker, kind: str) -> list[tuple[str, Cue]]:
    """Language and cue of each `kind`, interruption or backchannel, spoken by Kokoro."""
    table = INTERRUPTIONS if kind == "interruption" else BACKCHANNELS
    return [
        (language, speaker.say(kind, text, voice))
        for language, said in table.items()
        for text, voice in said
    ]


def recorded(clips: Mapping[str, Clip]) -> list[tuple[str, Cue]]:
    """Language and cue of every recorded command and of some orders' first words, but for those
    that `bench.conversation` has already.
    """
    rest = [clip for name, clip in clips.items() if name not in (*RECORDED, *ORDERS)]
    commands = [clip for clip in rest if clip.kind == "command"]
    orders = [clip for clip in rest if clip.name.startswith("barista")][::RATHER]
    found = [(clip.language or "en", command(clip)) for clip in commands]
    return found + [(clip.language or "en", beginning(clip)) for clip in orders]


def language_of(cue: Cue, clips: Mapping[str, Clip]) -> str:
    """The language of a cue of `bench.conversation`."""
    clip = clips.get(cue.name.partition(" ")[0])
    return (clip.language if clip is not None else None) or "en"
