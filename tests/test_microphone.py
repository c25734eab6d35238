import base64
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile as sf
from hypothesis import assume, given
from hypothesis import strategies as st

from audiostyle_utils import InputError, microphone

VOICE = np.round(9000 * np.sin(np.arange(48000) * 0.05)).astype("<i2")


def answer(samples, sr=48000, count=None):
    text = base64.b64encode(np.asarray(samples, "<i2").tobytes()).decode()
    return f"{sr} {len(samples) if count is None else count} {text}"


@pytest.fixture
def colab(monkeypatch):
    """Stand in for Colab's side: a window that answers as it is told, and what it was asked."""
    asked = []

    def says(words):
        def eval_js(script, timeout_sec):
            asked.append(script)
            if part := re.fullmatch(r"audiostyleAnswer\.slice\((\d+), (\d+)\)", script):
                return words[int(part[1]) : int(part[2])]
            return None if words is None or script.startswith("delete") else len(words)

        output = SimpleNamespace(eval_js=eval_js)
        monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace(output=output))
        return asked

    return says


@pytest.fixture
def elsewhere(monkeypatch):
    """Make the import of google.colab fail, on Colab too."""
    monkeypatch.setitem(sys.modules, "google.colab", None)


@given(
    values=st.lists(st.integers(-32768, 32767), min_size=1, max_size=500),
    sr=st.sampled_from([8000, 44100, 48000, 192000]),
)
def test_samples_come_back_as_they_were(values, sr):
    assume(np.ptp(values) > 100)
    y, rate = microphone._decoded(answer(values, sr))
    assert (rate, y.dtype, y.shape) == (sr, np.float32, (len(values),))
    np.testing.assert_array_equal(y * 32768, values)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("NotAllowedError", "Allow it in the bar of the browser"),
        ("NotFoundError", "Connect one"),
        ("NotReadableError", "Close other programs"),
        ("TimeoutError", "switched on"),
    ],
)
def test_a_refusal_says_what_to_do(name, advice):
    with pytest.raises(InputError, match=f"{advice}.*run the cell again"):
        microphone._decoded(f"error {name} Something in the browser's own words")


@pytest.mark.parametrize("words", ["TypeError x is undefined", "TypeError ", "TypeError", ""])
def test_any_other_error_is_told_with_another_way(words):
    with pytest.raises(InputError, match=re.escape(f"({words.strip()})") + ".*Audacity"):
        microphone._decoded(f"error {words}")


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_answer(nothing):
    with pytest.raises(InputError, match="sent nothing back"):
        microphone._decoded(nothing)


@pytest.mark.parametrize(
    "broken",
    [
        answer(VOICE)[:-400],
        answer(VOICE)[:-401],
        answer(VOICE)[:4],
        answer(VOICE, count=VOICE.size + 1),
        answer(VOICE, count=-VOICE.size),
        answer(VOICE, sr="fast"),
        answer([]),
        "48000 1 AAAA",
        "48000 1 ????",
        "48000 1 AAA= AAA=",
        "hello",
    ],
)
def test_what_did_not_arrive_whole(broken):
    with pytest.raises(InputError, match="did not arrive whole"):
        microphone._decoded(broken)


@pytest.mark.parametrize("rest", [0, 3000, -32768])
@pytest.mark.parametrize("noise", [0, 20])
def test_a_microphone_that_is_switched_off(rest, noise):
    hiss = np.random.default_rng(0).integers(-noise, noise + 1, 48000)
    with pytest.raises(InputError, match="is silent.*speak up"):
        microphone._decoded(answer(np.clip(rest + hiss, -32768, 32767)))


def test_a_faint_voice_passes():
    y, _ = microphone._decoded(answer(VOICE // 100))
    assert np.abs(y).max() < 0.003


@pytest.mark.parametrize(
    "seconds", [0, 0.49, 120.1, -1, float("nan"), float("inf"), None, "5", True, [5], 5j]
)
def test_bad_seconds(tmp_path, elsewhere, seconds):
    with pytest.raises(InputError, match="seconds is .* from 0.5 to 120"):
        microphone.record(tmp_path / "a.wav", seconds)


@pytest.mark.parametrize("path", [None, 3, "", "voice", "voice.mp3", b"a.wav", "wav"])
def test_bad_names(elsewhere, path):
    with pytest.raises(InputError, match="no name of a WAV file"):
        microphone.record(path)


def test_a_missing_folder_is_told_before_anybody_speaks(tmp_path, colab):
    asked = colab(answer(VOICE))
    with pytest.raises(InputError, match="no folder"):
        microphone.record(tmp_path / "none" / "a.wav")
    assert asked == []


@pytest.mark.parametrize("seconds", [0.5, 5, np.float32(2), np.int64(3), 120])
def test_elsewhere_there_is_another_way(tmp_path, elsewhere, seconds):
    with pytest.raises(InputError, match="works in Colab.*phone, Audacity.*path"):
        microphone.record(tmp_path / "a.wav", seconds)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["voice.wav", "Größe ♪.WAV"])
def test_a_recording_becomes_a_file(tmp_path, colab, name):
    asked = colab(answer(VOICE, 44100))
    path = microphone.record(str(tmp_path / name), 1)
    assert path == tmp_path / name and list(tmp_path.iterdir()) == [path]
    info = sf.info(path)
    assert (info.samplerate, info.channels, info.subtype) == (44100, 1, "PCM_16")
    np.testing.assert_allclose(sf.read(path)[0], VOICE / 32768, atol=1e-4)
    assert asked[0].endswith(")(1.0)")


def test_a_path_may_begin_at_home(tmp_path, colab, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    colab(answer(VOICE))
    assert microphone.record("~/a.wav") == tmp_path / "a.wav"
    assert (tmp_path / "a.wav").is_file()


def test_a_long_recording_comes_in_pieces(tmp_path, colab):
    samples = np.tile(VOICE, 20)
    asked = colab(answer(samples))
    path = microphone.record(tmp_path / "a.wav", 20)
    assert sf.info(path).frames == samples.size
    assert sum(script.startswith("audiostyleAnswer.slice") for script in asked) == 6
    assert asked[-1] == "delete globalThis.audiostyleAnswer"


@pytest.mark.parametrize(
    "words", ["error NotAllowedError no", answer(VOICE * 0), "48000 9 AA", None]
)
def test_a_failure_leaves_the_file_that_was_there(tmp_path, colab, words):
    (tmp_path / "a.wav").write_bytes(b"an earlier one")
    colab(words)
    with pytest.raises(InputError):
        microphone.record(tmp_path / "a.wav")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"an earlier one"]
