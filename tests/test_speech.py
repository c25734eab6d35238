import subprocess
import sys
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiostyle_utils import _espeak, speech
from audiostyle_utils.errors import InputError

TEXT = "The quick brown fox jumps over the lazy dog."


def median_pitch(y, sr):
    import librosa

    return np.median(librosa.yin(y, fmin=50, fmax=400, sr=sr))


def test_sound_is_float32_within_one_and_audible():
    y, sr = speech.speak(TEXT)
    assert sr == 22050
    assert y.dtype == np.float32
    assert y.ndim == 1
    assert 0.1 < np.abs(y).max() <= 1
    assert -35 < 20 * np.log10(y.std()) < -10


def test_more_words_take_longer():
    assert speech.speak(TEXT + " " + TEXT)[0].size > 1.7 * speech.speak(TEXT)[0].size


def test_rate_is_speed():
    slow, normal, fast = (speech.speak(TEXT, rate=rate)[0].size for rate in (90, 180, 360))
    assert slow == pytest.approx(2 * normal, rel=0.15)
    assert fast == pytest.approx(normal / 2, rel=0.25)


def test_pitch_is_height():
    low, own, high = (median_pitch(*speech.speak(TEXT, pitch=pitch)) for pitch in (0, 50, 99))
    assert low < 0.8 * own
    assert high > 1.3 * own


def test_voices_differ():
    assert {"en-us", "en-gb", "de", "fr-fr", "ja"} <= set(speech.voices())
    assert speech.voices() == sorted(set(speech.voices()))
    english, _ = speech.speak("Auf Wiedersehen", voice="en-us")
    german, _ = speech.speak("Auf Wiedersehen", voice="de")
    assert not np.array_equal(english, german)


def test_a_variant_is_another_speaker_of_the_same_accent():
    assert {"f3", "m2"} <= set(speech.variants())
    assert speech.variants() == sorted(set(speech.variants()))
    man, woman = (speech.speak(TEXT, voice=f"en-us{name}") for name in ("", "+f3"))
    assert median_pitch(*woman) > 1.5 * median_pitch(*man)
    british, _ = speech.speak(TEXT, voice="en-gb+f3")
    assert not np.array_equal(british, woman[0])


def test_breath_is_the_same_at_another_time():
    before, _ = speech.speak("hello", voice="en-us+Alicia")
    time.sleep(1.1)  # the synthesiser would count whole seconds
    np.testing.assert_array_equal(speech.speak("hello", voice="en-us+Alicia")[0], before)


def test_earlier_calls_are_not_heard_in_later_ones():
    before, _ = speech.speak(TEXT)
    speech.speak("Grüße!", voice="de", rate=400, pitch=90)
    speech.speak("Bonjour", voice="fr-fr", rate=90, pitch=5)
    after, _ = speech.speak(TEXT)
    np.testing.assert_array_equal(before, after)


def test_a_new_process_says_the_same():
    code = (
        "from audiostyle_utils import speech; import hashlib; "
        f"y, sr = speech.speak({TEXT!r}); print(sr, hashlib.sha256(y.tobytes()).hexdigest())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    import hashlib

    y, sr = speech.speak(TEXT)
    assert done.stdout.split() == [str(sr), hashlib.sha256(y.tobytes()).hexdigest()]
    assert done.stderr == ""


def test_threads_do_not_disturb_each_other():
    pitches = [20, 80] * 4
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda pitch: speech.speak(TEXT, pitch=pitch)[0], pitches))
    alone = {pitch: speech.speak(TEXT, pitch=pitch)[0] for pitch in (20, 80)}
    for pitch, y in zip(pitches, together, strict=True):
        np.testing.assert_array_equal(y, alone[pitch])


@pytest.mark.parametrize("sr", [8000, 16000, 44100])
def test_other_rates_keep_length_and_pitch(sr):
    own, native = speech.speak(TEXT)
    y, rate = speech.speak(TEXT, sr=sr)
    assert rate == sr
    assert y.size / sr == pytest.approx(own.size / native, abs=0.001)
    assert np.abs(y).max() <= 1
    assert median_pitch(y, sr) == pytest.approx(median_pitch(own, native), rel=0.05)


@pytest.mark.parametrize(
    "text", ["What?! No... (yes);", "naïve café, 日本語 €5", "😀", "a\0b", "\ud800x"]
)
def test_punctuation_and_unicode_are_spoken(text):
    y, sr = speech.speak(text)
    assert y.size > 0.1 * sr
    assert np.isfinite(y).all()


def test_library_is_found_in_a_long_path_with_spaces(tmp_path, monkeypatch):
    import espeakng_loader

    usual, _ = speech.speak(TEXT)
    folder = tmp_path / "a folder with spaces, ünïcode" / ("long " * 30).strip()
    folder.mkdir(parents=True)
    data = folder / "espeak-ng-data"
    data.symlink_to(espeakng_loader.get_data_path(), target_is_directory=True)
    assert len(str(data)) > _espeak._LONGEST_PATH
    monkeypatch.setattr(espeakng_loader, "get_data_path", lambda: str(data))
    np.testing.assert_array_equal(speech.speak(TEXT)[0], usual)


@pytest.mark.parametrize(
    ("missing", "words"),
    [("get_library_path", "nowhere"), ("get_data_path", "no voices")],
)
def test_broken_installation_is_explained(tmp_path, monkeypatch, missing, words):
    import espeakng_loader

    speech.voices()
    monkeypatch.setattr(espeakng_loader, missing, lambda: str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match=words):
        speech.speak(TEXT)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (dict(text=""), "empty"),
        (dict(text="  \n"), "empty"),
        (dict(text="..."), "nothing to say"),
        (dict(text=None), "NoneType"),
        (dict(voice="de-austrian"), "voices"),
        (dict(voice="en_us"), "en-us"),
        (dict(voice="xx+f3"), "voice 'xx[+]f3'.*voices"),
        (dict(voice="en-us+annie"), "variant 'annie'.*Annie.*variants"),
        (dict(voice="en-us+"), "variants"),
        (dict(voice="en-us+../f3"), "variants"),
        (dict(voice=None), "voices"),
        (dict(rate=79), "80 to 450"),
        (dict(rate=451), "80 to 450"),
        (dict(rate=175.5), "whole number"),
        (dict(pitch=-1), "0 to 99"),
        (dict(pitch=100), "0 to 99"),
        (dict(sr=0), "sr is 0"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(InputError, match=words):
        speech.speak(**({"text": TEXT} | call))


def test_the_speaking_process_needs_only_the_standard_library():
    imports = [
        line.split()[1]
        for line in Path(_espeak.__file__).read_text(encoding="utf-8").splitlines()
        if line.startswith(("import ", "from "))
    ]
    assert {name.split(".")[0] for name in imports} <= sys.stdlib_module_names


# Text as it is spoken


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (
            "Author of the danger trail, Philip Steels, etc.",
            "author of the danger trail philip steels etc",
        ),
        ("GO DO YOU HEAR", "go do you hear"),
        ("It's Red-Eye’s ‘way’", "it's red eye's way"),
        ("'Tis the dogs' rock 'n' roll", "tis the dogs rock n roll"),
        ("Café naïve, Ærø Łódź Straße", "cafe naive aero lodz strasse"),
        ("ＦＵＬＬ width, İstanbul", "full width istanbul"),
        ("a—b–c/d_e...f…g", "a b c d e f g"),
        ("U.S.A.", "usa"),
        ("  two \n\t lines\u00a0here ", "two lines here"),
        ("0", "zero"),
        ("7 13 20 42", "seven thirteen twenty forty two"),
        ("100 110 999", "one hundred one hundred ten nine hundred ninety nine"),
        ("1000 12,345", "one thousand twelve thousand three hundred forty five"),
        ("700000", "seven hundred thousand"),
        ("999,999", "nine hundred ninety nine thousand nine hundred ninety nine"),
        ("1000000", "one zero zero zero zero zero zero"),
        ("007", "zero zero seven"),
        ("3.14 0.5", "three point one four zero point five"),
        ("at 12:30, 5", "at twelve thirty five"),
        ("MP3s", "mp three s"),
        ("Привет, Boris", "boris"),
    ],
)
def test_text_as_it_is_spoken(text, plain):
    assert speech.normalise_text(text) == plain


@given(st.text())
def test_plain_text_has_a_small_alphabet_and_stays_as_it_is(text):
    try:
        plain = speech.normalise_text(text)
    except InputError:
        assert not any(letter in "abcdefghijklmnopqrstuvwxyz0123456789" for letter in text.lower())
    else:
        assert set(plain) <= set("abcdefghijklmnopqrstuvwxyz' ")
        assert plain == " ".join(plain.split()) != ""
        assert speech.normalise_text(plain) == plain


@given(st.integers(0, 999_999))
def test_numbers_in_words_are_those_of_their_thousands_and_their_rest(number):
    words = speech.normalise_text(str(number))
    assert speech.normalise_text(f"{number:,}") == words
    thousands, rest = divmod(number, 1000)
    if thousands:
        parts = [speech.normalise_text(str(thousands)), "thousand"]
        assert words.split() == " ".join(parts).split() + (
            speech.normalise_text(str(rest)).split() if rest else []
        )


@pytest.mark.parametrize("text", ["", " ", "...", "'", "日本語", None, 7, b"bytes", ["a"]])
def test_what_is_no_text_is_refused(text):
    with pytest.raises(InputError, match="text"):
        speech.normalise_text(text)


# Pauses

SR = 8000
MARGIN = 0.2


def tone(seconds, level=0.5, sr=SR):
    return level * np.sin(2 * np.pi * 330 * np.arange(round(seconds * sr)) / sr)


def silence(seconds, sr=SR):
    return np.zeros(round(seconds * sr))


def noise(samples, level):
    return level * np.random.default_rng(0).standard_normal(samples)


def in_seconds(pieces, sr=SR):
    return [time for piece in pieces for time in (piece[0] / sr, piece[1] / sr)]


def check_pieces(pieces, y, longest=15.0, sr=SR):
    """Check what holds for any pieces: whole numbers, in order, disjoint, not too long."""
    edges = [edge for piece in pieces for edge in piece]
    assert all(type(edge) is int for edge in edges) and edges == sorted(edges)
    assert all(0 < last - first <= longest * sr for first, last in pieces)
    assert not edges or (edges[0] >= 0 and edges[-1] <= y.size)


def covered(pieces, samples):
    inside = np.zeros(samples, bool)
    for first, last in pieces:
        inside[first:last] = True
    return inside


@pytest.mark.parametrize("sr", [1000, 8000, 11025, 16000, 44100])
def test_a_long_pause_is_cut_out_but_for_its_margins(sr):
    parts = [silence(0.7, sr), tone(2, sr=sr), silence(1, sr), tone(3, sr=sr), silence(2, sr)]
    pieces = speech.cut_at_pauses(np.concatenate(parts), sr)
    expected = [0.7 - MARGIN, 2.7 + MARGIN, 3.7 - MARGIN, 6.7 + MARGIN]
    np.testing.assert_allclose(in_seconds(pieces, sr), expected, atol=0.03)


def test_a_short_pause_is_cut_only_where_the_limit_asks_for_it():
    y = np.concatenate([tone(3), silence(0.6), tone(3), silence(0.6), tone(3)])
    assert speech.cut_at_pauses(y, SR) == [(0, y.size)]
    halves = in_seconds(speech.cut_at_pauses(y, SR, 8))
    np.testing.assert_allclose(halves, [0, 6.6 + MARGIN, 7.2 - MARGIN, 10.2], atol=0.03)
    thirds = in_seconds(speech.cut_at_pauses(y, SR, 4))
    assert len(thirds) == 6


def test_a_pause_with_no_room_for_two_margins_is_cut_in_its_middle():
    y = np.concatenate([tone(3), silence(0.32), tone(3)])
    (first, cut), (again, last) = speech.cut_at_pauses(y, SR, 4)
    assert (first, last) == (0, y.size) and cut == again
    assert cut / SR == pytest.approx(3.16, abs=0.03)


def test_a_gap_within_a_word_is_no_pause():
    y = np.concatenate([tone(3), silence(0.2), tone(0.9), silence(0.35), tone(3)])
    (_, cut), _ = speech.cut_at_pauses(y, SR, 4.6)
    assert cut / SR == pytest.approx(4.275, abs=0.03)


@pytest.mark.parametrize("shift", [0, 1, 27, 40, 79])
@pytest.mark.parametrize(("gap", "is_pause"), [(0.3, True), (0.4, True), (0.25, False)])
def test_a_pause_has_three_tenths_of_a_second(gap, is_pause, shift):
    y = np.concatenate([tone(1 + shift / SR), silence(gap), tone(3.5)])
    (_, cut), *_ = speech.cut_at_pauses(y, SR, 4)
    assert (cut / SR < 1.3) == is_pause  # quiet places are looked for from half the limit on


def test_words_are_joined_to_pieces_as_long_as_they_may_be():
    y = np.tile(np.concatenate([tone(0.4), silence(0.5)]), 400)  # six minutes
    pieces = speech.cut_at_pauses(y, SR)
    check_pieces(pieces, y)
    assert len(pieces) == 25  # 16 words and 15 gaps of 14.4 s each, and no 17th
    assert covered(pieces, y.size)[y != 0].all()


def test_sound_without_pauses_is_cut_at_its_quietest_places():
    y = tone(60)
    dips = np.array([11.0, 21.5, 33.0, 44.0, 52.0])
    for dip in dips:
        y[round((dip - 0.1) * SR) : round((dip + 0.1) * SR)] *= 0.3
    pieces = speech.cut_at_pauses(y, SR)
    check_pieces(pieces, y)
    assert covered(pieces, y.size).all()
    cuts = in_seconds(pieces)[2::2]
    np.testing.assert_allclose(cuts, dips, atol=0.05)


@pytest.mark.parametrize("seconds", [15.001, 15.2, 20, 30.01, 60, 61.7])
def test_steady_sound_is_cut_into_pieces_that_are_not_small(seconds):
    for y in (tone(seconds), noise(round(seconds * SR), 0.1)):
        pieces = speech.cut_at_pauses(y, SR)
        check_pieces(pieces, y)
        assert covered(pieces, y.size).all()
        assert min(last - first for first, last in pieces) > 15 / 4 * SR - SR / 100


@pytest.mark.parametrize("level", [-60, -40, -30, -20])
def test_steady_noise_does_not_hide_the_pauses(level):
    y = np.concatenate([silence(2), tone(4), silence(1.5), tone(5), silence(1)])
    expected = in_seconds(speech.cut_at_pauses(y, SR))
    noisy = y + noise(y.size, np.sqrt(0.5) * 0.5 * 10 ** (level / 20))
    np.testing.assert_allclose(in_seconds(speech.cut_at_pauses(noisy, SR)), expected, atol=0.03)


@pytest.mark.parametrize("change", [lambda y: y + 0.3, lambda y: -y, lambda y: y / 500])
def test_offset_sign_and_level_of_a_recording_do_not_matter(change):
    y = np.concatenate([silence(1), tone(2), silence(1), tone(2, 0.1), silence(1)])
    assert len(speech.cut_at_pauses(y, SR)) == 2
    assert speech.cut_at_pauses(change(y), SR) == speech.cut_at_pauses(y, SR)


def test_a_voice_far_from_the_microphone_is_no_pause():
    y = np.concatenate([tone(4), silence(1.5), tone(4, 0.5 * 10 ** (-30 / 20)), silence(1.5)])
    for background in (0, 0.5 * 10 ** (-55 / 20)):
        found = in_seconds(speech.cut_at_pauses(y + noise(y.size, background), SR))
        np.testing.assert_allclose(found, [0, 4 + MARGIN, 5.5 - MARGIN, 9.5 + MARGIN], atol=0.03)


def test_what_is_50_db_below_speech_is_a_pause_even_beside_digital_silence():
    hiss = noise(2 * SR, 0.5 * 10 ** (-50 / 20))
    y = np.concatenate([tone(3), silence(2), hiss, silence(2), tone(3)])
    found = in_seconds(speech.cut_at_pauses(y, SR))
    np.testing.assert_allclose(found, [0, 3 + MARGIN, 9 - MARGIN, 12], atol=0.03)


def test_little_speech_in_a_long_recording_is_found():
    y = noise(300 * SR, 0.001)
    y[100 * SR : 103 * SR] += tone(3, 0.1)
    found = in_seconds(speech.cut_at_pauses(y, SR))
    np.testing.assert_allclose(found, [100 - MARGIN, 103 + MARGIN], atol=0.03)


def test_a_click_does_not_hide_soft_speech():
    y = np.concatenate([tone(3, 0.02), silence(1), tone(3, 0.02), silence(4), tone(3, 0.02)])
    y[9 * SR] = 1
    pieces = speech.cut_at_pauses(y, SR)
    assert len(pieces) == 4
    assert covered(pieces, y.size)[y != 0].all()


def test_spoken_sentences_are_told_apart():
    sentences = [
        speech.speak(text, sr=16000)[0] for text in (TEXT, "And then he went home, alone.")
    ]
    spoken = np.concatenate([sentences[0], np.zeros(16000), sentences[1]])
    y = spoken + noise(spoken.size, 0.001)
    (first, middle), (again, last) = speech.cut_at_pauses(y, 16000)
    assert first < 0.1 * 16000 and last > y.size - 0.4 * 16000
    assert middle < sentences[0].size + 0.25 * 16000
    assert 16000 * 0.7 < again - sentences[0].size < 16000 * 1.1


@pytest.mark.parametrize("samples", [1, 79, 80, 81, 800, 100_000])
def test_silence_has_no_pieces(samples):
    assert speech.cut_at_pauses(np.zeros(samples), SR) == []
    assert speech.cut_at_pauses(np.full(samples, 0.5), SR) == []
    assert speech.cut_at_pauses(tone(samples / SR, 9e-5), SR) == []


@pytest.mark.parametrize("samples", [2, 79, 80, 81, 800, 15 * SR])
def test_a_short_sound_is_one_piece(samples):
    assert speech.cut_at_pauses(noise(samples, 0.1), SR) == [(0, samples)]


bursts = st.lists(
    st.tuples(st.floats(0.02, 2.5), st.floats(0.05, 5), st.floats(0.25, 1)), min_size=1, max_size=12
)


@settings(max_examples=60, deadline=None)
@given(bursts, st.sampled_from([0, 0.002]), st.floats(1, 20))
def test_bursts_are_covered_and_pauses_are_not(bursts, background, longest):
    parts = [(silence(gap), tone(seconds, level)) for gap, seconds, level in bursts]
    y = np.concatenate([part for pair in parts for part in pair])
    loud = y != 0
    y = (y + noise(y.size, background)).astype(np.float32)
    pieces = speech.cut_at_pauses(y, SR, longest)
    check_pieces(pieces, y, longest)
    inside = covered(pieces, y.size)
    assert inside[loud].all()
    assert all(loud[first:last].any() for first, last in pieces)
    end = 0
    for gap, burst in parts:
        start = end + gap.size
        if gap.size > 1.0 * SR:  # silence in the middle of a long gap is left out
            assert not inside[end + SR // 4 : start - SR // 4].any()
        end = start + burst.size
    for (first, last), (after, finish) in zip(pieces, pieces[1:], strict=False):
        if after - last < 0.35 * SR:  # what is near was joined if there was room
            assert finish - first > (longest - 0.03) * SR


def test_long_sound_needs_less_memory_than_its_samples():
    y = np.tile(np.concatenate([tone(0.8), silence(0.7)]).astype(np.float32), 600)
    tracemalloc.start()
    try:
        speech.cut_at_pauses(y, SR)
        assert tracemalloc.get_traced_memory()[1] < y.nbytes
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (dict(y=np.zeros((2, 900))), "2 channels.*mean"),
        (dict(y=np.array([])), "shape"),
        (dict(y=np.array([0.1, np.nan])), "NaN"),
        (dict(y=np.ones(900, np.int16)), "whole numbers"),
        (dict(y="speech.wav"), "real numbers"),
        (dict(sr=0), "sr is 0"),
        (dict(sr=22050.5), "sr is 22050.5"),
        (dict(sr=999), "sr is 999.*1000"),
        (dict(longest=0.9), "longest is 0.9.*1 or more"),
        (dict(longest=-15), "longest is -15"),
        (dict(longest=np.nan), "longest is nan"),
        (dict(longest=np.inf), "longest is inf"),
        (dict(longest=True), "longest is True"),
        (dict(longest="15"), "longest is '15'"),
    ],
)
def test_what_cannot_be_cut_is_named(call, words):
    with pytest.raises(InputError, match=words):
        speech.cut_at_pauses(**({"y": tone(1), "sr": SR} | call))


def test_english_words_have_shares_and_the_letters_of_normalised_texts():
    words = speech.english_words()
    assert len(words) > 80_000
    assert sum(words.values()) == pytest.approx(1)
    assert min(words.values()) > 0
    assert all(speech.normalise_text(word) == word for word in ("house", "children", "don't"))
    assert {"house", "children", "don't", "a", "i"} <= set(words)
    assert words["the"] > words["house"] > words["zebra"]
    assert not [word for word in words if set(word) - set("abcdefghijklmnopqrstuvwxyz'")]
