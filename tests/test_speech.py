import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
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
