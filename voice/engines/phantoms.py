"""What Whisper says when nobody speaks: credits and farewells from its training films. Pure.

Collected from openai/whisper discussions 679 and 928, JSchmie/ScrAIbe (`hallucinations.py`),
Vexa-ai/vexa 617, amicalhq/amical 71, PocketShell-io/pocketshell 452, zachlatta/freeflow 111 and
woheller69/whisperIME 57. People say some of them too, so one alone proves nothing: it tips the
balance where the evidence of speech is weak.
"""

from __future__ import annotations

import re
import unicodedata

CREDITS = re.compile(
    r"amara org|mooji org|soustitreur|alimmenta|multi moto eu|castingwords|steamteamextra"
    r"|dimatorzok|синецкая|stephanie geiges|im auftrag des zdf|untertitelung des zdf"
    r"|untertitel (von|der|im auftrag)|copyright wdr|^swr 20\d\d$"
    r"|sous titrage|sous titres (par|fait)|subtitles by|transcri(bed|ption) by"
    r"|sottotitoli (di|a cura|creati|e revisione)|subt[ií]tulos (por|realizados|creados|hechos)"
    r"|subtitulado por|legendas pela|napisy (stworzone|wykonane)"
    r"|ondertitel(s|d|ing) (ingediend|door)|субтитры|altyaz[ıi]"
    r"|字幕(由|制作|志愿者|製作|by)|明镜与点点|明鏡與點點"
)
"""Whoever names the subtitler is reading the end of a film; compared with `bare` text."""

_SAID = """
you|bye|bye bye|thank you|thank you very much|thank you so much|thanks|thank you bye|okay|so|oh|the
i
thanks for watching|thank you for watching|thank you for watching this video|thanks for listening
thank you for listening|please subscribe|please subscribe to my channel|like and subscribe
dont forget to like and subscribe|dont forget to subscribe|see you next time
see you in the next video
ill see you next time|ill see you in the next video|well be right back
hello everyone welcome to my channel
vielen dank|vielen dank fürs zuschauen|vielen dank für die aufmerksamkeit|danke fürs zuschauen
tschüss
bis zum nächsten mal|bis zum nächsten video|abonniert den kanal|das wars|danke
merci|merci davoir regardé|merci davoir regardé cette vidéo|abonnez vous|merci pour votre attention
à bientôt|au revoir
gracias|gracias por ver|gracias por ver el video|gracias por ver el vídeo|muchas gracias
suscríbete al canal|suscríbete|hasta la próxima|nos vemos en el próximo video
grazie|grazie per la visione|grazie per aver guardato il video|grazie a tutti|iscriviti al canale
alla prossima|obrigado|obrigado por assistir|inscreva se no canal|tchau|até a próxima|e aí
dank je wel|bedankt voor het kijken|tot de volgende keer|tack för att ni tittade|tack
paldies par skatīšanos|dziękuję|dziękuję za uwagę|dzięki za oglądanie
спасибо|спасибо за просмотр|спасибо за внимание|продолжение следует|подпишитесь на канал
до свидания
підписуйтесь на канал|дякую за перегляд|дякую|teşekkürler|izlediğiniz için teşekkürler
izlediğiniz için teşekkür ederim|abone olmayı unutmayın|abone olmayı beğenmeyi unutmayın
ご視聴ありがとうございました|ご視聴をありがとうございます|ご清聴ありがとうございました
ありがとうございました
おやすみなさい|チャンネル登録お願いします|チャンネル登録をお願いいたします
次の動画でお会いしましょう
また次の動画でお会いしましょう|見てくれてありがとう|ん|はい|バイバイ
시청해주셔서 감사합니다|시청해 주셔서 감사합니다|봐주셔서 감사합니다|감사합니다
구독과 좋아요 부탁드립니다
다음 영상에서 만나요|謝謝|谢谢|谢谢大家|謝謝大家|谢谢观看|謝謝觀看|谢谢收看|感谢观看|下次再见|拜拜
请不吝点赞 订阅 转发 打赏支持明镜与点点栏目|優優獨播劇場 yoyo television series exclusive
شكرا|شكرا للمشاهدة|شكرا لكم|اشتركوا في القناة|ترجمة نانسي قنقر
धन्यवाद|देखने के लिए धन्यवाद|cảm ơn các bạn đã theo dõi|hẹn gặp lại|terima kasih
terima kasih telah menonton|ευχαριστώ|ευχαριστώ που παρακολουθήσατε
music|musik|musique|música|musica|музыка|веселая музыка|спокойная музыка|音楽|音乐|음악
applause|applaus|aplausos|аплодисменты|拍手|laughter|смех|silence|blank audio|inaudible
"""

PHRASES = frozenset(phrase for phrase in re.split(r"[|\n]", _SAID) if phrase)
"""Whole texts that come out of noise, as `bare` writes them."""


def bare(text: str) -> str:
    """`text` in lower case, its letters, marks and digits only, one space between words."""
    text = unicodedata.normalize("NFC", text).casefold().replace("'", "").replace("\u2019", "")
    kept = (sign if unicodedata.category(sign)[0] in "LMN" else " " for sign in text)
    return " ".join("".join(kept).split())


def is_phantom(text: str) -> bool:
    """Whether `text` is, or says again and again, what recognisers make out of noise."""
    words = bare(text)
    if not words:
        return True
    if CREDITS.search(words):
        return True
    sentences = [bare(part) for part in re.split(r"[.!?。！？…\n]+", text)]
    return words in PHRASES or all(part in PHRASES for part in sentences if part)
