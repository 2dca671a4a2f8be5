"""What the HTTP API makes of audio and transcripts, without models."""

from __future__ import annotations

import io
import math
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from voice.audio import HEARD_RATE, SPOKEN_RATE, Pcm
from voice.engines import Transcript, Word
from voice.engines.kokoro_blend import all_known, blend, names
from voice.engines.timed import HeardPart
from voice.rest import transcripts
from voice.rest.decoding import decode
from voice.rest.encoding import MEDIA_TYPES, encoder
from voice.rest.errors import BadRequest
from voice.rest.speech import clauses


def tone(seconds: float, rate: int = SPOKEN_RATE) -> Pcm:
    at = np.arange(int(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * 440 * at)).astype(np.float32)


def encode(pcm: Pcm, name: str, sizes: tuple[int, ...] = (4801,)) -> list[bytes]:
    made, sent, at = encoder(name), [], 0
    while at < len(pcm):
        size = sizes[len(sent) % len(sizes)]
        sent.append(made.feed(pcm[at : at + size]))
        at += size
    return [*sent, made.finish()]


@pytest.mark.parametrize("name", [name for name in MEDIA_TYPES if name != "pcm"])
def test_what_is_encoded_piece_by_piece_is_heard_again(name: str) -> None:
    sent = encode(tone(3.0), name, (7321, 12, 20_000))
    assert sum(map(bool, sent)) > 3, "it comes while it is made"
    heard = decode(io.BytesIO(b"".join(sent)), seconds=60)
    assert len(heard) / HEARD_RATE == pytest.approx(3.0, abs=0.12)
    middle = heard[HEARD_RATE : 2 * HEARD_RATE]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert spectrum.argmax() == pytest.approx(440, abs=2)
    assert math.sqrt(float(np.mean(middle**2))) == pytest.approx(0.3 / math.sqrt(2), rel=0.1)


def test_pcm_is_the_samples_and_wav_the_same_behind_a_header() -> None:
    raw = b"".join(encode(tone(0.5), "pcm"))
    wav = b"".join(encode(tone(0.5), "wav"))
    assert len(raw) == SPOKEN_RATE
    assert wav[44:] == raw
    assert wav[:4] == b"RIFF"
    assert struct.unpack("<I", wav[24:28])[0] == SPOKEN_RATE
    assert b"".join(encode(tone(0), "pcm")) == b""


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_uploads_of_any_rate_are_heard_at_ours(rate: int, channels: int) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.stack([tone(1.0, rate)] * channels, axis=1), rate, format="WAV")
    file.seek(0)
    heard = decode(file, seconds=60)
    assert len(heard) == pytest.approx(HEARD_RATE, abs=2)
    assert heard.dtype == np.float32
    assert np.abs(np.fft.rfft(heard)).argmax() == pytest.approx(440, abs=1)


@pytest.mark.parametrize(("container", "codec"), [("webm", "libopus"), ("mp4", "aac")])
def test_what_browsers_and_phones_record_is_heard(container: str, codec: str) -> None:
    import av

    file = io.BytesIO()
    with av.open(file, "w", format=container) as made:
        stream = made.add_stream(codec, rate=48_000)
        stream.layout = "mono"
        samples = (tone(1.0, 48_000) * 32767).astype("<i2").reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = 48_000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            made.mux(packet)
    file.seek(0)
    heard = decode(file, seconds=60)
    assert len(heard) / HEARD_RATE == pytest.approx(1.0, abs=0.1)
    assert np.abs(heard).max() > 0.2


def test_a_recording_beyond_the_limit_is_refused_before_it_is_whole() -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(16_000 * 61, np.int16), 16_000, format="FLAC")
    file.seek(0)
    with pytest.raises(BadRequest) as refused:
        decode(file, seconds=60)
    assert refused.value.code == "audio_too_long"


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
CONCAT = b"ffconcat version 1.0\nfile /etc/passwd\n"


@pytest.mark.parametrize(
    "data",
    [b"", b"hello world" * 100, b"RIFF", encode(tone(0.1), "wav")[0][:40], PLAYLIST, CONCAT],
)
def test_what_is_no_sound_is_refused(data: bytes) -> None:
    with pytest.raises(BadRequest) as refused:
        decode(io.BytesIO(data), seconds=60)
    assert refused.value.code == "invalid_audio"


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"RIFF", b"fLaC", b"OggS", b"ID3", b"\x1aE\xdf"]))
def test_damaged_files_are_refused_or_heard(data: bytes, magic: bytes) -> None:
    try:
        heard = decode(io.BytesIO(magic + data), seconds=1)
    except BadRequest as refused:
        assert refused.code in ("invalid_audio", "audio_too_long")
    else:
        assert heard.dtype == np.float32


# --- transcripts


def part(text: str, *, start: float = 0.0, each: float = 0.4, gaps: float = 0.0) -> HeardPart:
    words, at = [], start
    for word in text.split():
        words.append(Word(word, at, at + each))
        at += each + gaps
    return HeardPart(start, at, Transcript(text, "en", 0.01, -0.2, 1.1), tuple(words))


def test_segments_end_with_sentences() -> None:
    lines = transcripts.segments([part("Hello there. How are you?"), part("Fine!", start=3.0)])
    assert [line.text for line in lines] == ["Hello there.", "How are you?", "Fine!"]
    assert lines[0].start == 0.0
    assert lines[1].end == pytest.approx(2.0)
    assert lines[2].start == 3.0


def test_segments_end_at_pauses_and_before_they_are_too_long() -> None:
    assert len(transcripts.segments([part("one two three", gaps=1.5)])) == 3
    for line in transcripts.segments([part("word " * 100, each=0.1)]):
        assert len(line.text) <= transcripts.SEGMENT_CHARS
    for line in transcripts.segments([part("word " * 100, each=0.9)]):
        assert line.end - line.start <= transcripts.SEGMENT_SECONDS


def test_a_language_without_spaces_is_joined_without_them() -> None:
    words = (Word("你好", 0.0, 0.4), Word("世界。", 0.4, 0.9))
    heard = HeardPart(0.0, 1.0, Transcript("你好世界。", "zh"), words)
    assert [line.text for line in transcripts.segments([heard])] == ["你好世界。"]


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1)))
def test_no_word_is_lost_or_doubled_in_segments(texts: list[str]) -> None:
    heard = part(" ".join(texts))
    lines = transcripts.segments([heard])
    assert [word for line in lines for word in line.words] == list(heard.words)


def test_subtitles_look_as_their_formats_say() -> None:
    lines = transcripts.segments([part("Fish & chips <now>.", start=3661.5)])
    assert transcripts.srt(lines) == "1\n01:01:01,500 --> 01:01:03,100\nFish & chips <now>.\n\n"
    assert transcripts.vtt(lines) == (
        "WEBVTT\n\n01:01:01.500 --> 01:01:03.100\nFish &amp; chips &lt;now&gt;.\n\n"
    )
    assert transcripts.vtt([]) == "WEBVTT\n\n"


def test_verbose_tells_what_was_asked_for() -> None:
    from openai.types.audio import TranscriptionVerbose

    heard = [part("Hello there."), part("Bye.", start=2.0)]
    shown = transcripts.verbose(heard, duration=2.4, granularities=["word", "segment"])
    verbose = TranscriptionVerbose.model_validate(shown, strict=True)
    assert verbose.text == "Hello there. Bye."
    assert [word.word for word in verbose.words or []] == ["Hello", "there.", "Bye."]
    assert [segment.id for segment in verbose.segments or []] == [0, 1]
    assert "words" not in transcripts.verbose(heard, duration=2.4, granularities=["segment"])
    assert "segments" not in transcripts.verbose(heard, duration=2.4, granularities=["word"])


# --- speech


def test_a_text_is_spoken_whole_and_its_silent_parts_are_not() -> None:
    said = list(clauses("**Hello** there. It costs $3. " * 20, "en-US"))
    assert len(said) > 5
    assert " ".join(said).count("dollars") == 20
    assert list(clauses("*** --- \n\n", "en-US")) == []


def test_a_blend_is_the_mean_of_its_voices() -> None:
    styles = {n: np.full((510, 1, 256), i, np.float32) for i, n in enumerate(("a", "b", "c"))}
    assert blend("b", styles) is styles["b"]
    mixed = blend("a + c", styles)
    assert mixed.shape == (510, 1, 256)
    assert mixed.dtype == np.float32
    assert np.all(mixed == 1.0)
    assert np.allclose(blend("a+a+c", styles), 2 / 3)
    assert names("a+b") == ("a", "b")
    assert all_known("a+b", styles)
    assert not all_known("a+d", styles)
    assert not all_known("a+", styles)
