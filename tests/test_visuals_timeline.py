"""The timeline says when the music hits and what it plays, whatever the file and its length."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiostyle_utils import InputError, audio
from audiostyle_utils.visuals import published, timeline
from audiostyle_utils.visuals.timeline import HOP, PARTS, SR

from .visuals_helpers import clicks, scale, tone

RATES = [24, 29.97, 43, 60, 120]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("songs")


def measured(folder, y, sr=SR, name="a.wav", **part):
    audio.save(folder / name, y, sr)
    return timeline.measure_loudness(folder / name, **part)


def made(loudness, fps=43, pulse="percussive", motion="harmonic"):
    parts = loudness.parts
    return timeline.make_timeline(parts[pulse], parts[motion], loudness, fps, loudness.seconds)


def band(seconds, seed=0):
    """Make something with drums, tones and noise, which never repeats."""
    random = np.random.default_rng(seed)
    y = clicks(np.sort(random.uniform(0, seconds - 0.1, int(3 * seconds))), seconds, size=0.4)
    for low in np.arange(0, seconds, 0.4):
        part = slice(round(low * SR), round((low + 0.4) * SR))
        y[part] += tone(random.uniform(150, 900), seconds, 0.3)[part]
    return (y + random.normal(0, 0.002, y.size)).astype("f4")


# Streaming


@pytest.mark.parametrize("extra", [-1, 0, 1, 255, 1025])
@pytest.mark.parametrize("blocks", [1, 2.5])
def test_blocks_give_what_one_piece_gives(folder, monkeypatch, blocks, extra):
    small = 40 * timeline.PITCH_HOP
    count = int(blocks * small) + timeline.OVERLAP + extra
    audio.save(folder / "long.wav", band(count / SR + 1)[:count], SR)
    curves = []
    for block in (small, 10**9):
        monkeypatch.setattr(timeline, "BLOCK", block)
        curves.append(timeline.measure_loudness(folder / "long.wav"))
    pieces, whole = curves
    assert pieces.seconds == whole.seconds == count / SR
    assert pieces.peak == whole.peak
    for part in PARTS:
        assert len(pieces.parts[part]) == -(-count // HOP)
        np.testing.assert_allclose(pieces.parts[part], whole.parts[part], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(pieces.chroma, whole.chroma, atol=1e-4)


def test_the_shipped_blocks_give_what_one_piece_gives(folder, monkeypatch):
    audio.save(folder / "long.wav", band(21), SR)
    pieces = timeline.measure_loudness(folder / "long.wav")
    monkeypatch.setattr(timeline, "BLOCK", 10**9)
    whole = timeline.measure_loudness(folder / "long.wav")
    for part in PARTS:
        np.testing.assert_allclose(pieces.parts[part], whole.parts[part], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(pieces.chroma, whole.chroma, atol=1e-4)


def test_start_and_duration_cut_the_recording(folder):
    y = band(4)
    part = measured(folder, y, start=1.2, duration=1.5)
    alone = measured(folder, y[round(1.2 * SR) : round(2.7 * SR)])
    assert part.seconds == alone.seconds == pytest.approx(1.5, abs=1 / SR)
    for name in PARTS:
        np.testing.assert_allclose(part.parts[name], alone.parts[name], atol=1e-4)
    np.testing.assert_allclose(part.chroma, alone.chroma, atol=1e-5)
    assert measured(folder, y, start=3).seconds == pytest.approx(1)
    assert measured(folder, y, duration=99).seconds == pytest.approx(4)


@pytest.mark.parametrize("sr", [8000, 48_000])
def test_rate_and_channels_of_a_file_do_not_matter(folder, sr):
    rates = {}
    for rate in (SR, sr):
        y = clicks([0.5, 1.1, 1.6], 2, sr=rate) * 0.1 + tone(440, 2, 0.4, rate)
        rates[rate] = made(measured(folder, np.stack([y, y]), rate), pulse="all")
    usual, other = rates[SR], rates[sr]
    assert len(usual) == len(other) == 86
    np.testing.assert_allclose(other.motion, usual.motion, atol=0.05)
    np.testing.assert_allclose(other.chroma[9], usual.chroma[9], atol=0.02)


def test_two_equal_channels_are_one(folder):
    y = band(2)
    mono, stereo = measured(folder, y), measured(folder, np.stack([y, y]))
    for name in PARTS:
        np.testing.assert_allclose(stereo.parts[name], mono.parts[name], atol=1e-4)


def test_nothing_left_after_start_is_refused(folder):
    with pytest.raises(InputError, match="start"):
        measured(folder, tone(), start=1.5)


@pytest.mark.parametrize("part", [{"start": -1}, {"duration": 0}, {"duration": -1}])
def test_times_below_zero_are_refused(folder, part):
    with pytest.raises(InputError, match=next(iter(part))):
        measured(folder, tone(), **part)


# What the curves show


@pytest.mark.parametrize("fps", RATES)
def test_the_pulse_peaks_in_the_frame_of_each_click(folder, fps):
    wanted = np.array([0.3, 0.75, 1.21, 1.83, 2.4])
    struck = (np.floor(wanted * fps) + 0.5) / fps  # the middle of a frame
    pulse = made(measured(folder, clicks(struck, 3)), fps).pulse
    for time in struck:
        frame = int(time * fps)
        around = pulse[frame - round(0.15 * fps) : frame + round(0.15 * fps) + 1]
        assert pulse[frame] > 0.7
        # Above 86 frames a second there are fewer moments than frames.
        assert pulse[frame] == around.max() or fps > 86 and pulse[frame] > 0.9 * around.max()
    between = np.abs(np.arange(len(pulse)) / fps - struck[:, None]).min(axis=0) > 0.1
    assert pulse[between].max() < 0.02


@pytest.mark.parametrize("fps", RATES)
def test_a_click_anywhere_in_a_frame_is_at_most_one_frame_away(folder, fps):
    struck = 0.4 + 0.317 * np.arange(8)
    pulse = made(measured(folder, clicks(struck, 3)), fps).pulse
    for time in struck:
        first = int((time - 0.12) * fps)
        found = first + pulse[first : first + round(0.24 * fps)].argmax()
        assert abs(found - int(time * fps)) <= 1


def test_no_click_falls_between_two_frames(folder):
    struck = 0.1 + 0.1 * np.arange(28) + np.linspace(0, 0.05, 28)
    loudness = measured(folder, clicks(struck, 3)).parts["percussive"]
    for fps in (5, 10, 24, 43):
        at = timeline.at_frames(loudness, fps, 3 * fps)
        hit = at > 0.7 * loudness.max()
        near = np.abs(np.floor(struck * fps)[:, None] - np.flatnonzero(hit)).min(axis=1)
        assert near.max() <= 1 and at.max() == loudness.max()


@pytest.mark.parametrize("frequency, factor", [(110, 1.5), (440, 10), (1500, 10)])
def test_a_sine_is_harmonic_and_not_percussive(folder, frequency, factor):
    parts = measured(folder, tone(frequency, 2)).parts
    # Nor is it so where the recording begins and ends.
    assert parts["harmonic"].min() > factor * parts["percussive"].max()
    assert np.median(parts["harmonic"]) > 0.85 * np.median(parts["all"])


def test_a_part_of_a_tone_begins_and_ends_without_a_hit(folder):
    parts = measured(folder, tone(440, 3), start=0.7123, duration=1.3456).parts
    assert parts["percussive"].max() < 0.1 * parts["all"].min()


def test_a_click_is_percussive_and_not_harmonic(folder):
    parts = measured(folder, clicks([1.0], 2)).parts
    hit = parts["percussive"].argmax()
    assert abs(hit - SR / HOP) <= 1
    assert parts["percussive"][hit] > 5 * parts["harmonic"].max()


def test_beat_and_tones_played_together_come_apart(folder):
    struck = [0.5, 1.0, 1.5]
    found = made(measured(folder, clicks(struck, 2, size=0.6) + tone(440, 2, 0.3)))
    hits = [int(time * 43) for time in struck]
    assert min(found.pulse[hit - 1 : hit + 2].max() for hit in hits) > 0.6
    assert found.pulse[[hit + 10 for hit in hits]].max() < 0.1
    assert found.motion[10:-10].min() > 0.9


def test_the_parts_share_the_power_out(folder):
    parts = measured(folder, band(2)).parts
    largest = np.maximum(parts["percussive"], parts["harmonic"])
    assert (largest <= parts["all"] * 1.0001).all()
    assert (parts["percussive"] ** 2 + parts["harmonic"] ** 2 >= 0.999 * parts["all"] ** 2).all()


@pytest.mark.parametrize("gain", [1.8, 0.1, 0.003])
def test_gain_does_not_matter(folder, gain):
    y = band(2) * 0.5
    usual, other = made(measured(folder, y)), made(measured(folder, y * gain, name="a.flac"))
    np.testing.assert_allclose(other.pulse, usual.pulse, atol=0.02)
    np.testing.assert_allclose(other.motion, usual.motion, atol=0.02)
    np.testing.assert_allclose(other.chroma, usual.chroma, atol=0.02)


def test_one_loud_hit_does_not_flatten_the_rest(folder):
    struck = 0.2 + 0.25 * np.arange(36)
    y = clicks(struck, 9.4, size=0.05)
    y += clicks([struck[20]], 9.4, size=0.9)
    pulse = made(measured(folder, y)).pulse
    old = published.loudness(y, 64, published.hop_at(43))
    quiet = [int(time * 43) for time in np.delete(struck, 20)]
    old_quiet = [int(time * SR / published.hop_at(43)) for time in np.delete(struck, 20)]
    assert np.median([pulse[frame : frame + 2].max() for frame in quiet]) > 0.5
    assert np.median([old[frame - 1 : frame + 3].max() for frame in old_quiet]) < 0.05


def test_silence_gives_zeros(folder):
    loudness = measured(folder, np.zeros(SR, np.float32))
    found = made(loudness)
    assert loudness.peak == 0
    assert not found.pulse.any() and not found.motion.any() and not found.chroma.any()


def test_a_scale_gives_its_notes(folder):
    loudness = measured(folder, scale(0.4))
    found = made(loudness)
    middles = ((np.arange(12) + 0.5) * 0.4 * 43).astype(int)
    assert found.chroma[:, middles].argmax(axis=0).tolist() == list(range(12))
    assert found.chroma.max() == pytest.approx(1, abs=0.01) and found.chroma.min() >= 0


@pytest.mark.parametrize("octave", [0.5, 1, 2])
def test_octaves_are_one_pitch_class(folder, octave):
    chroma = made(measured(folder, tone(440 * octave, 1.5))).chroma
    assert (chroma[:, 10:-10].argmax(axis=0) == 9).all()


# Frames


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("seconds", [0.02, 0.5, 2.013])
def test_there_are_as_many_frames_as_the_length_says(folder, fps, seconds):
    loudness = measured(folder, tone(440, seconds))
    found = made(loudness, fps)
    assert len(found) == max(1, round(loudness.seconds * fps)) == found.chroma.shape[1]
    assert found.pulse.dtype == found.motion.dtype == found.chroma.dtype == np.float32
    assert found.fps == fps and found.seconds == loudness.seconds


@settings(max_examples=60, deadline=None)
@given(
    fps=st.floats(1, 120),
    frames=st.integers(1, 400),
    moments=st.integers(1, 900),
    seed=st.integers(0, 99),
)
def test_frames_share_the_moments_out(fps, frames, moments, seed):
    curve = np.random.default_rng(seed).random(moments).astype("f4")
    found = timeline.at_frames(curve, fps, frames)
    borders = np.ceil(np.arange(frames + 1) / fps * SR / HOP - 1e-6).astype(int)
    for value, first, last in zip(found, borders[:-1], borders[1:], strict=True):
        inside = curve[first : max(last, first + 1)]
        assert value == (inside.max() if inside.size else 0)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 999), size=st.floats(1e-6, 1e6), frames=st.integers(1, 300))
def test_an_envelope_keeps_the_order_and_lies_between_0_and_1(seed, size, frames):
    loudness = np.random.default_rng(seed).random(frames) ** 4 * size
    found = timeline.envelope(loudness)
    assert found.dtype == np.float32 and 0 <= found.min() <= found.max() == 1
    order = np.argsort(loudness)
    assert (np.diff(found[order]) >= 0).all()


def test_a_steady_loudness_is_full(folder):
    np.testing.assert_array_equal(timeline.envelope(np.full(50, 0.3)), np.ones(50))


def test_music_goes_as_far_at_any_frame_rate(folder):
    loudness = measured(folder, audio.normalise(band(8)))
    made_at = {fps: made(loudness, fps) for fps in (10, 24, 43, 60, 86, 120)}
    for curve in ("motion", "loudness"):
        far = [getattr(line, curve).sum() / fps for fps, line in made_at.items()]
        assert max(far) < 1.03 * min(far)


def test_each_moment_is_compared_with_those_around_it(folder):
    quiet = np.concatenate([0.05 * np.ones(2000), np.ones(2000)])
    found = timeline.presence(quiet)
    assert found[:1800].min() == found[2000:].min() == 1 and found[1900:2000].max() < 0.1
    beats = np.tile([1.0] * 10 + [0.2] * 90, 20)
    found = timeline.presence(np.concatenate([0.1 * beats, beats]))
    np.testing.assert_allclose(found[:1800], np.tile([1.0] * 10 + [0.0] * 90, 18), atol=1e-6)
    assert not timeline.presence(np.zeros(50)).any()
    faint = np.concatenate([np.full(2000, 1e-4), np.ones(300)])
    assert timeline.presence(faint)[:1500].max() < 0.02


def test_loudness_is_that_of_the_recording_whose_notes_are_followed(folder):
    song, notes = (measured(folder, band(4, seed)) for seed in (0, 1))
    found = timeline.make_timeline(song.parts["all"], song.parts["all"], notes, 43, 4.0)
    power = timeline.presence(notes.parts["all"]) ** 2
    wanted = timeline.at_frames(power, 43, len(found), mean=True)
    np.testing.assert_array_equal(found.loudness, wanted)


def test_a_curve_that_ends_early_goes_on_as_silence(folder):
    short = measured(folder, tone(440, 0.5))
    found = timeline.make_timeline(short.parts["all"], short.parts["all"], short, 20, 2.0)
    assert len(found) == 40
    assert found.motion[2:9].min() > 0.5 and not found.motion[12:].any()
    assert not found.chroma[:, 12:].any()
