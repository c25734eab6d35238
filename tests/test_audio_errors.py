import os
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from audiostyle_utils import InputError, audio

TONE = (0.5 * np.sin(np.arange(44100) * 0.1)).astype(np.float32)


@pytest.fixture
def wav(tmp_path):
    audio.save(tmp_path / "a.wav", TONE, 22050)
    return tmp_path / "a.wav"


def refuses(path, words, **arguments):
    with pytest.raises(InputError, match=words) as caught:
        audio.load(path, **arguments)
    assert str(path) in str(caught.value)


def test_a_missing_file(tmp_path):
    refuses(tmp_path / "none.wav", "no file")


def test_a_folder(tmp_path):
    refuses(tmp_path, "is a folder")


def test_an_empty_file(tmp_path):
    (tmp_path / "a.mp3").touch()
    refuses(tmp_path / "a.mp3", "is empty")


@pytest.mark.parametrize("path", [None, 3, "", " ", b"a.wav", "a\0.wav"])
def test_what_is_no_path(path):
    with pytest.raises(InputError, match="not a path"):
        audio.load(path)


CONTENTS = {
    "text": b"This is a letter and no sound.\n" * 50,
    "zeros": bytes(5000),
    "noise": np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8).tobytes(),
}


@pytest.mark.parametrize("suffix", [*audio.FORMATS, ".m4a", ".raw", ".txt", ""])
@pytest.mark.parametrize("content", CONTENTS)
def test_no_sound_whatever_its_name(tmp_path, content, suffix):
    (tmp_path / f"a{suffix}").write_bytes(CONTENTS[content])
    refuses(tmp_path / f"a{suffix}", "Convert it to WAV, FLAC, OGG or MP3")


@pytest.mark.parametrize("suffix", sorted(audio.FORMATS))
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(share=st.floats(0.002, 0.999))
def test_a_file_that_is_cut_short(tmp_path, suffix, share):
    whole, cut = tmp_path / f"whole{suffix}", tmp_path / f"cut{suffix}"
    if not whole.exists():
        noise = np.random.default_rng(0).uniform(-0.5, 0.5, 44100)
        audio.save(whole, noise, 22050)
    content = whole.read_bytes()
    cut.write_bytes(content[: int(share * len(content))])
    # Two frames of MP3 more or less are within what encoders disagree on.
    assume(suffix != ".mp3" or share < 0.9)
    refuses(cut, "cut short|damaged|no samples|Convert it")


@pytest.mark.parametrize("duration", [None, 0.1])
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_a_cut_file_is_refused_even_for_its_sound_part(tmp_path, suffix, duration):
    audio.save(tmp_path / f"a{suffix}", TONE, 22050)
    content = (tmp_path / f"a{suffix}").read_bytes()
    (tmp_path / f"a{suffix}").write_bytes(content[: len(content) // 2])
    refuses(tmp_path / f"a{suffix}", "cut short", duration=duration)


def test_a_streamed_wav_that_does_not_know_its_size_loads(wav):
    content = bytearray(wav.read_bytes())
    content[4:8] = content[40:44] = b"\xff\xff\xff\xff"
    wav.write_bytes(content)
    assert audio.load(wav)[0].size == TONE.size


def without_length(path):
    """Drop the first frame of an MP3, which states the length."""
    content = path.read_bytes()
    path.write_bytes(content[content.index(b"\xff\xfb", 4) :])


def test_an_mp3_with_a_length_guessed_too_short_is_refused_unless_a_part_will_do(tmp_path):
    loud = np.random.default_rng(0).uniform(-0.9, 0.9, 5 * 44100)
    audio.save(tmp_path / "a.mp3", np.concatenate([loud, np.zeros(5 * 44100)]), 44100)
    without_length(tmp_path / "a.mp3")
    refuses(tmp_path / "a.mp3", "does not say how long")
    assert audio.load(tmp_path / "a.mp3", 44100, duration=0.5)[0].size == 22050


def test_an_mp3_with_a_length_guessed_too_long_loads(tmp_path):
    loud = np.random.default_rng(0).uniform(-0.9, 0.9, 5 * 44100)
    audio.save(tmp_path / "a.mp3", np.concatenate([np.zeros(5 * 44100), loud]), 44100)
    without_length(tmp_path / "a.mp3")
    assert audio.load(tmp_path / "a.mp3", 44100)[0].size == pytest.approx(441000, rel=0.01)


def test_an_mp3_with_a_tag_in_front_is_still_held_to_its_length(tmp_path):
    path = tmp_path / "a.mp3"
    audio.save(path, np.random.default_rng(0).uniform(-0.9, 0.9, 88200), 22050)
    content = b"ID3\x03\x00\x00\x00\x00\x20\x00" + bytes(4096) + path.read_bytes()
    path.write_bytes(content)
    assert audio.load(path)[0].size == 88200
    path.write_bytes(content[: len(content) // 2])
    refuses(path, "cut short")


def test_a_flac_that_does_not_know_its_length(tmp_path):
    audio.save(tmp_path / "a.flac", TONE, 22050)
    content = bytearray((tmp_path / "a.flac").read_bytes())
    content[21] &= 0xF0  # the last 36 bits of the total, in the first block
    content[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(content)
    refuses(tmp_path / "a.flac", "does not say how long")


def test_a_file_without_samples(tmp_path):
    sf.write(tmp_path / "a.wav", np.zeros(0), 22050)
    refuses(tmp_path / "a.wav", "no samples")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("sr", [None, 8000])
def test_samples_that_are_no_numbers(tmp_path, bad, sr):
    y = TONE.copy()
    y[100] = bad
    sf.write(tmp_path / "a.wav", y, 22050, subtype="FLOAT")
    refuses(tmp_path / "a.wav", "NaN or infinite", sr=sr)


@pytest.mark.parametrize("sr", [0, -22050, np.nan, np.inf, 22050.5, "22050", True, 10**9, [1]])
def test_a_rate_that_is_none(wav, sr):
    for call in (
        lambda: audio.load(wav, sr),
        lambda: audio.save(wav, TONE, sr),
        lambda: audio.play(TONE, sr, "A tone"),
        lambda: audio.excerpt(TONE, sr, 0, 1),
    ):
        with pytest.raises(InputError, match="sr is .*such as 22050"):
            call()
    assert audio.load(wav)[0].size == TONE.size


@pytest.mark.parametrize("offset", [-0.1, np.nan, np.inf, "1", None, True])
def test_an_offset_that_is_none(wav, offset):
    with pytest.raises(InputError, match="offset is"):
        audio.load(wav, offset=offset)


@pytest.mark.parametrize("duration", [0, -1, np.nan, np.inf, "1", True])
def test_a_duration_that_is_none(wav, duration):
    with pytest.raises(InputError, match="duration is"):
        audio.load(wav, duration=duration)
    with pytest.raises(InputError, match="duration is"):
        audio.excerpt(TONE, 22050, 0, duration)


@pytest.mark.parametrize("offset", [2.0, 2.5, 1e9, 1e300])
def test_an_offset_past_the_end_says_how_long_the_file_is(wav, offset):
    refuses(wav, "lasts 2.00 s", offset=offset)
    with pytest.raises(InputError, match="lasts 2.00 s.*smaller start"):
        audio.excerpt(TONE, 22050, offset, 1)


def test_a_duration_below_one_sample(wav):
    with pytest.raises(InputError, match="shorter than one sample"):
        audio.load(wav, duration=1e-9)


BAD_SIGNALS = {
    "empty": (np.zeros(0), r"shape \(0,\)"),
    "no channels": (np.zeros((0, 5)), "shape"),
    "a number": (np.float32(0.5), r"shape \(\)"),
    "three dimensions": (np.zeros((2, 2, 2)), "shape"),
    "nan": (np.array([0, np.nan]), "NaN or infinite"),
    "inf": (np.array([0, np.inf]), "NaN or infinite"),
    "beyond float32": (np.array([0, 1e300]), "NaN or infinite"),
    "whole numbers": (np.arange(5, dtype=np.int16), "32768"),
    "complex": (np.zeros(5, complex), "real numbers"),
    "words": (np.array(["a", "b"]), "real numbers"),
    "objects": ([None, 1.0], "real numbers"),
    "truths": (np.zeros(5, bool), "real numbers"),
    "transposed": (np.zeros((44100, 2)), r"pass y\.T"),
}


@pytest.mark.parametrize("case", BAD_SIGNALS)
def test_a_signal_that_is_none(tmp_path, case):
    y, words = BAD_SIGNALS[case]
    for call in (
        lambda: audio.check_signal(y),
        lambda: audio.normalise(y),
        lambda: audio.excerpt(y, 22050, 0, 1),
        lambda: audio.play(y, 22050, "A tone"),
        lambda: audio.save(tmp_path / "a.wav", y, 22050),
    ):
        with pytest.raises(InputError, match=words):
            call()
    assert not list(tmp_path.iterdir())


def test_silent_and_short_signals_are_refused_on_request():
    with pytest.raises(InputError, match="content is silent"):
        audio.check_signal(np.zeros(10), "content", allow_silence=False)
    with pytest.raises(InputError, match="style has 10 samples and needs at least 11"):
        audio.check_signal(np.zeros(10), "style", min_samples=11)
    assert audio.check_signal(np.full(10, 0.1), allow_silence=False, min_samples=10).size == 10


@pytest.mark.parametrize("peak", [0, -1, 1.5, np.nan, "1"])
def test_a_peak_that_is_none(peak):
    with pytest.raises(InputError, match="peak is"):
        audio.normalise(TONE, peak)


def listing(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("name", "y", "sr", "words"),
    [
        ("a.wav", 2.6 * TONE, 22050, "peaks at 1.3, .*call normalise"),
        ("a.aac", TONE, 22050, "must end in one of .wav, .flac, .ogg, .mp3"),
        ("a", TONE, 22050, "must end in one of"),
        ("none/a.wav", TONE, 22050, "no folder"),
        ("kept.wav/a.wav", TONE, 22050, "no folder"),
        ("folder.wav", TONE, 22050, "is a folder"),
        ("a.mp3", TONE, 12345, "MP3 has no rate of 12345 Hz.*44100"),
        ("a.mp3", np.zeros((3, 50)), 22050, "at most 2 channels"),
        ("a.ogg", np.zeros((9, 50)), 22050, "at most 8 channels"),
        ("a.ogg", TONE, 384000, "no rate of 384000"),
        ("a.flac", TONE, 65537, "no rate of 65537"),
        ("a" * 300 + ".wav", TONE, 22050, "too long"),
        ("kept.wav", 3 * TONE, 22050, "call normalise"),
    ],
)
def test_a_save_that_fails_leaves_all_as_it_was(tmp_path, name, y, sr, words):
    (tmp_path / "folder.wav").mkdir()
    audio.save(tmp_path / "kept.wav", TONE, 22050)
    before = listing(tmp_path)
    with pytest.raises(InputError, match=words):
        audio.save(tmp_path / name, y, sr)
    assert listing(tmp_path) == before


def test_a_write_that_breaks_off_keeps_the_old_file(tmp_path, monkeypatch):
    audio.save(tmp_path / "a.wav", TONE, 22050)
    before = listing(tmp_path)

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(InputError, match="cannot be written"):
        audio.save(tmp_path / "a.wav", TONE[:100], 22050)
    assert listing(tmp_path) == before


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder no one may write to")
@pytest.mark.parametrize("suffix", sorted(audio.FORMATS))
def test_a_folder_that_no_one_may_write_to(suffix):
    with pytest.raises(InputError, match="cannot be written"):
        audio.save(f"/proc/self/a{suffix}", TONE, 22050)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_protected_target(wav):
    wav.chmod(0o444)
    with pytest.raises(InputError, match="write-protected"):
        audio.save(wav, TONE, 22050)


@pytest.mark.parametrize("path", [None, 3, "", "a\0.wav"])
def test_a_target_that_is_no_path(path):
    with pytest.raises(InputError, match="not a path"):
        audio.save(path, TONE, 22050)
