"""Chapter 7: each part beside its formula, training that stops and goes on, any recording in."""

import copy
import hashlib
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import soundfile as sf
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audiostyle_utils import InputError, audio, load_chapter, metrics, pretrained, spectra, wavenet
from audiostyle_utils.datasets.ensembles import DOMAINS, SR, render_piece

ROOT = Path(__file__).resolve().parents[1]
CHAPTER = "07_music_translation"
# All networks here are tiny, and hear sound of few samples: it is the formulas that count.
SIZE = {"sr": 2400, "encoder": "notes", "channels": 8, "blocks": 2, "layers": 3}
SIZE |= {"emphasis": 0.85}
HOP = SIZE["sr"] // 20
BANDS = 155  # a third of a semitone apart, from 55 Hz to 0.45 of so few samples a second
ORDER = 256  # samples that a filter looks back
WIDE = BANDS + 1 + ORDER  # what decoders play from
REACH = 8  # frames that the ear for notes hears to either side of one
MARGIN = REACH + 3  # the pencil looks at three codes to either side
# What the shipped weights must keep of the chords of a piece, from -1 to 1. Whoever ships others
# sets it a little below what these reach.
KEPT_CHROMA = 0.4


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Sums depend on the number of threads in their last digits; the processes here have one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def chapter():
    return load_chapter(CHAPTER)


def fresh(chapter, kinds=2, one=True, held=False, **changed):
    """Return a tiny translator, always the same one; its ear may have learned already."""
    torch.manual_seed(0)
    translator = chapter.new_translator(SIZE | changed, kinds, one)
    if held:
        translator.encoder.eval().requires_grad_(False)
    return translator


def random_codes(frames, batch, latent=64, seed=0):
    return torch.randn(frames, batch, latent, generator=torch.Generator().manual_seed(seed))


def random_levels(time, batch, seed=0):
    return torch.randint(256, (time, batch), generator=torch.Generator().manual_seed(seed))


def sine(hertz, seconds, sr, level=0.3):
    t = np.arange(round(seconds * sr)) / sr
    return (level * np.sin(2 * np.pi * hertz * t)).astype(np.float32)


def tone(note, seconds, sr, overtones=0, level=0.1, fall=0.6):
    """Return a MIDI note with overtones, each `fall` times as strong as the one below it."""
    hertz = 440 * 2 ** ((note - 69) / 12)
    heights = [h for h in range(1, overtones + 2) if h * hertz < 0.5 * sr]
    return sum(sine(h * hertz, seconds, sr, level * fall ** (h - 1)) for h in heights)


def music(seconds=2.0, sr=16_000):
    """Return chords that die away, with many overtones."""
    t = np.arange(round(seconds * sr)) / sr
    chords = [(48, 64, 67), (53, 60, 69), (55, 62, 71), (48, 60, 64)]
    y, size = np.zeros(t.size), t.size // len(chords)
    for k, chord in enumerate(chords):
        here = t[: t.size - k * size]
        for note in chord:
            hertz = 440 * 2 ** ((note - 69) / 12)
            tones = (0.6**h * np.sin(2 * np.pi * h * hertz * here + h) for h in range(1, 9))
            y[k * size :] += np.exp(-4 * here) * sum(tones)
    return (0.1 * y / np.sqrt(np.mean(y**2))).astype(np.float32)


def decibels(y, error):
    return 10 * np.log10(np.sum(np.float64(y) ** 2) / np.sum(np.float64(error) ** 2))


def same_weights(first, second):
    ours, theirs = first.state_dict(), second.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


# Knobs


@pytest.mark.parametrize("value", [0, -1, 1.5, "3", True, None])
def test_a_number_that_cannot_be_is_refused_by_its_name(chapter, value):
    chapter.check_numbers(1, this=1, that=7)
    with pytest.raises(InputError, match="that is .*: give a whole number from 1 on"):
        chapter.check_numbers(1, this=1, that=value)


@pytest.mark.parametrize("value", [-0.1, "fast", None, True, math.nan, math.inf])
def test_an_amount_that_cannot_be_is_refused_by_its_name(chapter, value):
    chapter.check_amounts(0, this=0, that=0.5)
    with pytest.raises(InputError, match="that is .*: give a number from 0 on"):
        chapter.check_amounts(0, this=1, that=value)


def test_words_and_files_that_are_not_known_are_refused(chapter, tmp_path):
    chapter.check_words("schedule", "paper", ("cosine", "paper"))
    with pytest.raises(InputError, match="schedule is 'linear': give one of cosine, paper"):
        chapter.check_words("schedule", "linear", ("cosine", "paper"))
    chapter.check_files(None, None)
    chapter.check_files("a.safetensors", recordings(tmp_path / "some", 1) / "00.wav")
    with pytest.raises(InputError, match=r"weights_file is 'a\.pt': end it in \.safetensors"):
        chapter.check_files("a.pt", None)
    with pytest.raises(InputError, match="my_recording is .*nothing.wav.*: there is no such file"):
        chapter.check_files(None, tmp_path / "nothing.wav")


def test_a_rate_that_codes_do_not_divide_is_refused(chapter):
    chapter.check_lengths(4, 8000, 2, 6, 256)
    for sr in (11_025, 3980, 8000.0, "8000", True):
        with pytest.raises(InputError, match="sr is .*: give a multiple of 20, and 4000 or more"):
            chapter.check_lengths(4, sr, 2, 6, 256)


@pytest.mark.parametrize(
    ("sr", "blocks", "layers", "order", "back"),
    [(8000, 2, 9, 256, 1278), (8000, 2, 9, 0, 1023), (16_000, 4, 10, 0, 4093), (8000, 1, 4, 0, 16)],
)
def test_pieces_are_longer_than_a_decoder_looks_back(chapter, sr, blocks, layers, order, back):
    least = next(n for n in range(1, 99) if n * sr // 20 > back)
    chapter.check_lengths(least, sr, blocks, layers, order)
    if least > 1:
        words = f"frames is {least - 1}: give {least} or more, to pass {back} samples"
        with pytest.raises(InputError, match=words):
            chapter.check_lengths(least - 1, sr, blocks, layers, order)
    torch.manual_seed(0)
    hand = chapter.folded(chapter.WaveNet(4, blocks, layers, order=order))
    assert hand.past in (back, back + 1)


def test_processes_share_kinds_out_evenly_or_not_at_all(chapter):
    for count in (1, 2, 3, 6):
        shares = [chapter.shared_out(6, process, count) for process in range(count)]
        assert sorted(k for share, _ in shares for k in range(6)[share]) == list(range(6))
        assert {len(range(6)[share]) for share, _ in shares} == {6 // count}
        assert {times for _, times in shares} == {1}
    for count in (7, 8, 16):  # each takes them all, so a step has that many times the pieces
        share, times = chapter.shared_out(6, 1, count)
        assert list(range(6)[share]) == list(range(6)) and times == count
    for count in (4, 5):
        with pytest.raises(InputError, match=f"processes is {count}: give .* divides the 6 kinds"):
            chapter.shared_out(6, 0, count)


# Eight bits


def companded(y):
    return np.sign(y) * np.log(1 + 255 * np.abs(y)) / np.log(256)


def test_noise_is_in_decibels_below_the_signal(chapter):
    y = np.array([1.0, -1.0, 1.0, 1.0])
    assert chapter.signal_to_noise(y, 0.9 * y) == pytest.approx(20)
    assert chapter.signal_to_noise(y, y + np.array([2.0, 0, 0, 0])) == pytest.approx(0)


def test_the_published_round_trip_loses_eleven_decibels(chapter):
    y = music()
    back = spectra.mu_law_decode(spectra.mu_law_encode(y))
    assert chapter.signal_to_noise(y, back) == pytest.approx(37.6, abs=0.6)
    assert chapter.signal_to_noise(y, chapter.published_round_trip(y)) == pytest.approx(
        26.3, abs=0.6
    )


def test_the_published_round_trip_adds_a_constant(chapter):
    y = music()
    # floor takes half a step of 2/255 on average, and (q - 128) / 128 half a step more.
    error = companded(chapter.published_round_trip(y)) - companded(y) * 127.5 / 128
    assert error.mean() == pytest.approx(-1 / 128, rel=0.03)
    ours = companded(spectra.mu_law_decode(spectra.mu_law_encode(y))) - companded(y)
    assert abs(ours.mean()) < 0.03 / 128
    # It is the steps of floor that the published decoder misses: the codes do not come again.
    again = chapter.published_round_trip(chapter.published_round_trip(y))
    assert np.abs(again - chapter.published_round_trip(y)).max() > 1e-3


def test_emphasis_is_its_formula_along_the_last_axis(chapter):
    y = np.random.default_rng(0).normal(0, 0.1, (2, 50)).astype(np.float32)
    wanted = [[row[t] - 0.85 * (row[t - 1] if t else 0) for t in range(50)] for row in y]
    found = chapter.emphasised(y, 0.85)
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert found.dtype == np.float32
    np.testing.assert_allclose(chapter.undone(found, 0.85), y, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 0.9))
def test_levels_come_again_from_their_own_sound(chapter, seed, emphasis):
    q = np.random.default_rng(seed).integers(0, 256, 400)
    y = chapter.undone(spectra.mu_law_decode(q), emphasis)
    np.testing.assert_array_equal(chapter.levels_of(y, emphasis), q)


@pytest.mark.parametrize("emphasis", [0.0, 0.5, 0.85])
def test_the_noise_of_levels_is_that_of_eight_bits_through_the_filter(chapter, emphasis):
    y = music()
    back = chapter.undone(spectra.mu_law_decode(chapter.levels_of(y, emphasis)), emphasis)
    # The error is white and 37.6 dB below the emphasised sound; undoing makes it louder.
    louder = -10 * np.log10(1 - emphasis**2)
    slope = decibels(y, chapter.emphasised(y, emphasis))
    assert chapter.signal_to_noise(y, back) == pytest.approx(37.6 + slope - louder, abs=1.0)


def test_with_emphasis_there_is_less_noise_where_it_is_heard(chapter):
    y, high = music(), []
    for emphasis in (0.0, 0.85):
        back = chapter.undone(spectra.mu_law_decode(chapter.levels_of(y, emphasis)), emphasis)
        high.append((np.abs(np.fft.rfft(back - y))[len(y) // 8 :] ** 2).sum())  # above 2 kHz
    assert high[1] < high[0] / 4


def test_levels_of_too_loud_a_sound_are_the_outermost(chapter):
    q = chapter.levels_of(np.array([0.0, 3.0, -3.0, 3.0]), 0.85)
    assert q.tolist() == [chapter.SILENCE, 255, 0, 255]


# Recordings


def test_recordings_come_to_one_level_without_being_cut(chapter):
    y = chapter.levelled(sine(100, 1, 8000, level=0.01))
    assert np.sqrt(np.mean(y**2)) == pytest.approx(chapter.LEVEL, rel=1e-4)
    click = np.zeros(8000, np.float32)
    click[100] = 0.02
    assert np.abs(chapter.levelled(click)).max() == pytest.approx(0.9)
    assert not chapter.levelled(np.zeros(80, np.float32)).any()


def test_recordings_are_read_until_there_is_enough(chapter, tmp_path):
    for k, level in enumerate((0.01, 0.2, 0.4)):
        sf.write(tmp_path / f"{k}.wav", sine(100 * (k + 1), 1, 8000, level), 8000)
    paths = [tmp_path / f"{k}.wav" for k in range(3)]
    y = chapter.sound_of(paths, 8000, 1.5 / 60)
    assert y.size == 16_000
    loudness = [np.sqrt(np.mean(part**2)) for part in np.split(y, 2)]
    np.testing.assert_allclose(loudness, chapter.LEVEL, rtol=0.01)


def recordings(folder, count):
    folder.mkdir()
    for k in range(count):
        sf.write(folder / f"{k:02}.wav", sine(100 + k, 0.1, 8000), 8000)
    return folder


def test_the_name_of_a_kind_is_short(chapter, tmp_path, monkeypatch):
    (tmp_path / "genres").mkdir()
    for genre in ("blues", "jazz"):
        recordings(tmp_path / "genres" / genre, 3)
    monkeypatch.setenv("AUDIOSTYLE_DATA", str(tmp_path))
    kind = chapter.kind_of("gtzan:jazz")
    assert kind.name == "jazz" and len(kind.learn) == 2 and len(kind.test) == 1
    assert chapter.kind_of(f"{recordings(tmp_path / 'mine', 2)}/").name == "mine"


@pytest.mark.parametrize(("count", "test"), [(2, [1]), (3, [2]), (10, [9]), (25, [9, 19])])
def test_every_tenth_recording_is_for_the_test(chapter, tmp_path, count, test):
    kind = chapter.kind_of(recordings(tmp_path / "mine", count))
    assert [path.name for path in kind.test] == [f"{k:02}.wav" for k in test]
    assert len(kind.learn) == count - len(test) and not set(kind.learn) & set(kind.test)


def test_a_kind_that_is_all_for_the_test_is_split_anew(chapter, tmp_path, monkeypatch):
    """NSynth's test split holds nothing else: none of it would be left to learn from."""
    root = tmp_path / "nsynth" / "nsynth-test"
    names = [f"guitar_acoustic_010-0{k}-100" for k in (60, 61, 62)]
    note = {"instrument_family_str": "guitar", "instrument_source_str": "acoustic"}
    (root / "audio").mkdir(parents=True)
    for name in names:
        sf.write(root / "audio" / f"{name}.wav", sine(440, 0.1, 16_000), 16_000)
    rows = {name: note | {"pitch": 60, "velocity": 100} for name in names}
    (root / "examples.json").write_text(json.dumps(rows))
    monkeypatch.setenv("AUDIOSTYLE_DATA", str(tmp_path))
    kind = chapter.kind_of("nsynth:guitar")
    assert [path.stem for path in kind.learn] == names[:2]
    assert [path.stem for path in kind.test] == names[2:]


def test_a_kind_of_one_recording_is_refused(chapter, tmp_path):
    with pytest.raises(InputError, match="holds one recording. Give two or more"):
        chapter.kind_of(recordings(tmp_path / "lonely", 1))


# The ear of the paper


@pytest.mark.parametrize(("blocks", "layers"), [(1, 4), (2, 3), (3, 1)])
def test_the_waveform_ear_hears_as_far_as_its_dilations_add_up_to(chapter, blocks, layers):
    torch.manual_seed(1)
    ear = chapter.WaveEncoder(20, 16, blocks, layers).double().eval()  # a code for each sample
    y = torch.randn(1, 120, dtype=torch.float64)
    other = y.clone()
    other[0, 60] += 5
    with torch.no_grad():
        changed = (ear(y) != ear(other)).any(dim=2).flatten().nonzero().flatten()
    side = 1 + blocks * (2**layers - 1)
    assert changed.tolist() == list(range(60 - side, 60 + side + 1))


def test_the_published_ear_has_the_published_size(chapter):
    ear = chapter.WaveEncoder(16_000)
    dilations = [conv.dilation[0] for conv in ear.dilated]
    assert dilations == 3 * [2**k for k in range(10)]
    assert 3 + 2 * sum(dilations) == 6141
    assert sum(p.numel() for p in ear.parameters()) == 1_982_528  # "1.98 million"


def unit(codes):
    """Return codes without their size: an encoder may come to normalise them."""
    return codes / np.sqrt(np.mean(np.square(codes), axis=-1, keepdims=True))


def convolved(x, conv, dilation):
    """Convolve (channels, time) with three taps, zeros around."""
    weight, bias = (p.detach().numpy() for p in (conv.weight, conv.bias))
    padded = np.pad(x, ((0, 0), (dilation, dilation)))
    taps = (padded[:, k * dilation : k * dilation + x.shape[1]] for k in range(3))
    return sum(weight[:, :, k] @ tap for k, tap in enumerate(taps)) + bias[:, None]


def mixed(x, conv):
    return conv.weight.detach().numpy()[:, :, 0] @ x + conv.bias.detach().numpy()[:, None]


def test_the_waveform_ear_is_its_formula(chapter):
    torch.manual_seed(0)
    ear = chapter.WaveEncoder(160, 4, 2, 2).double().eval()
    y = np.random.default_rng(0).normal(size=40)
    x = convolved(y[None], ear.first, 1)
    for dilated, mix, dilation in zip(ear.dilated, ear.mix, [1, 2, 1, 2], strict=True):
        x = x + mixed(np.maximum(convolved(np.maximum(x, 0), dilated, dilation), 0), mix)
    codes = mixed(x, ear.last).reshape(64, 5, 8).mean(axis=2).T
    with torch.no_grad():
        found = ear(torch.from_numpy(y)[None])[:, 0].numpy()
    np.testing.assert_allclose(unit(found), unit(codes), atol=1e-9)


@pytest.mark.parametrize(("length", "frames"), [(8, 1), (15, 1), (16, 2), (80, 10), (161, 20)])
def test_the_waveform_ear_gives_a_code_for_each_whole_frame(chapter, length, frames):
    codes = chapter.WaveEncoder(160, 4, 1, 2)(torch.zeros(3, length))
    assert codes.shape == (frames, 3, 64)


# The spectrum


@pytest.mark.parametrize(("sr", "n_fft"), [(8000, 2048), (16_000, 4096)])
def test_bands_are_means_a_third_of_a_semitone_apart(chapter, sr, n_fft):
    bands = chapter.tone_bands(sr, n_fft).numpy()
    assert bands.shape == (217, n_fft // 2 + 1) and bands.min() >= 0  # six octaves from 55 Hz
    np.testing.assert_allclose(bands.sum(axis=1), 1, rtol=1e-5)
    bins = np.arange(n_fft // 2 + 1) * sr / n_fft
    centres = 55 * 2 ** (np.arange(217) / 36)
    np.testing.assert_allclose(bands @ bins, centres, atol=0.3 * sr / n_fft)


@pytest.mark.parametrize("sr", [8000, 16_000])
@pytest.mark.parametrize("hertz", [110, 220, 261.63, 440, 880, 1760, 3300])
def test_a_tone_lands_in_its_band(chapter, sr, hertz):
    hearing = chapter.Spectrum(sr)
    picture = hearing(torch.tensor(sine(hertz, 1, sr))[None])[0][0].T
    wanted = 36 * math.log2(hertz / 55)
    # Low down, bands lie closer than the bins of the spectrum.
    near = max(0.5, 36 * math.log2(1 + 0.5 * sr / hearing.n_fft / hertz))
    assert picture[:, 5:15].argmax(dim=0).numpy() == pytest.approx(wanted, abs=near + 0.5)


def test_whitening_is_its_formula(chapter):
    L = torch.randn(2, 70, 3)
    wanted = np.empty((2, 70, 3))
    for k in range(70):
        around = np.clip(np.arange(k - 25, k + 26), 0, 69)
        wanted[:, k] = L[:, k] - L[:, around].mean(dim=1)
    np.testing.assert_allclose(chapter.whitened(L), wanted, atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.floats(-20, 20), st.floats(-0.3, 0.3), st.integers(1, 30))
def test_whitening_leaves_no_gain_and_no_tilt(chapter, seed, gain, tilt, around):
    L = torch.randn(1, 100, 4, generator=torch.Generator().manual_seed(seed))
    found = chapter.whitened(L, around)
    torch.testing.assert_close(chapter.whitened(L + gain, around), found, atol=2e-4, rtol=0)
    tilted = chapter.whitened(L + tilt * torch.arange(100.0)[:, None], around)
    inner = slice(around, 100 - around)  # at the ends there is nothing beyond to compare with
    torch.testing.assert_close(tilted[:, inner], found[:, inner], atol=2e-4, rtol=0)


@pytest.mark.parametrize("sr", [2400, 8000, 16_000])
def test_power_is_that_of_each_frame_by_itself(chapter, sr):
    hop = sr // 20
    y = np.random.default_rng(0).normal(0, 0.1, sr + hop - 1).astype(np.float32)
    y[5 * hop : 6 * hop] = 0
    _, power = chapter.Spectrum(sr)(torch.from_numpy(y)[None])
    frames = np.float64(y[:sr]).reshape(20, hop)  # what is no whole frame is left out
    np.testing.assert_allclose(power[0, :, 0], np.log((frames**2).mean(axis=1) + 1e-6), atol=1e-4)


@pytest.mark.parametrize("sr", [2400, 8000, 16_000])
@pytest.mark.parametrize("frame", [3, 9, 15])
def test_bands_belong_to_the_frame_in_whose_middle_they_are_strongest(chapter, sr, frame):
    hop, y = sr // 20, np.zeros((1, sr), np.float32)
    y[0, (frame - 1) * hop : (frame + 2) * hop] = sine(440, 0.15, sr)  # its middle frame
    bands = chapter.Spectrum(sr)(torch.from_numpy(y))[0][0]
    assert bands[:, 108].argmax() == frame and bands.argmax() // bands.shape[1] == frame


def test_recordings_in_a_batch_know_nothing_of_each_other(chapter):
    hearing, y = chapter.Spectrum(2400), 0.1 * torch.randn(3, 2400)
    together = hearing(y)
    for k in range(3):
        for ours, alone in zip(together, hearing(y[k : k + 1]), strict=True):
            torch.testing.assert_close(ours[k : k + 1], alone, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("sr", "frames"), [(8000, 1), (8000, 7), (16_000, 5), (2400, 20)])
def test_there_is_a_picture_for_each_frame(chapter, sr, frames):
    hearing = chapter.Spectrum(sr)
    W, power = hearing(torch.randn(2, frames * sr // 20))
    assert W.shape == (2, frames, len(chapter.tone_bands(sr, hearing.n_fft)))
    assert power.shape == (2, frames, 1)


# What stands out


def peaks_by_hand(W):
    """Return the strongest peak of each semitone of bands (bands,)."""
    peaks = np.zeros(len(W))
    for k, height in enumerate(W):
        if height > 0.3 and height == W[max(0, k - 1) : k + 2].max():
            peaks[k] = height
    # A semitone is the band at its place and one to either side; the lowest has none below it.
    return np.array([peaks[max(0, k - 1) : k + 2].max() for k in range(0, len(W) + 1, 3)])


def marks_by_hand(heights, count):
    """Give a one to the strongest heights that are above zero."""
    least = max(sorted(heights)[-count], 1e-9)
    return [float(height >= least) for height in heights]


def tones_by_hand(W):
    """Say which semitones and which pitch classes of bands (bands,) stand out."""
    S = peaks_by_hand(W)
    weakened = [
        S[k] - 0.8 * sum(S[k - d] for d in (12, 19, 24, 28) if k >= d)  # the overtones' distances
        for k in range(50)
    ]
    classes = [S[k:48:12].max() for k in range(12)]
    return np.array(marks_by_hand(weakened, 3) + marks_by_hand(classes, 4))


@pytest.mark.parametrize("bands", [155, 156, 157, 217])
def test_what_stands_out_is_its_formula(chapter, bands):
    W = 2 * torch.randn(2, 8, bands, generator=torch.Generator().manual_seed(bands))
    semitones, tones = chapter.semitones_of(W), chapter.tones_of(W)
    assert tones.shape == (2, 8, 62)
    for piece in range(2):
        for frame in range(8):
            heights = W[piece, frame].double().numpy()
            np.testing.assert_allclose(semitones[piece, frame], peaks_by_hand(heights), atol=1e-5)
            np.testing.assert_array_equal(tones[piece, frame], tones_by_hand(heights))


def standing_out(chapter, y, sr):
    """Return the MIDI notes that stand out in the middle of a sound, and the classes from A on."""
    tones = chapter.tones_of(chapter.Spectrum(sr)(torch.tensor(y)[None])[0])[0]
    middle = tones[tones.shape[0] // 2]
    return (33 + middle[:50].nonzero().flatten()).tolist(), middle[50:].nonzero().flatten().tolist()


CHORDS = [[33], [45], [57], [69], [80], [60, 64, 67], [48, 64, 72], [57, 69], [53, 60, 69]]


@pytest.mark.parametrize("sr", [2400, 8000, 16_000])
@pytest.mark.parametrize("notes", CHORDS)
def test_sines_are_marked_at_their_semitones(chapter, sr, notes):
    marked, classes = standing_out(chapter, sum(tone(note, 1, sr) for note in notes), sr)
    assert marked == notes
    assert classes == sorted({(note - 33) % 12 for note in notes})


@pytest.mark.parametrize("sr", [2400, 8000])
@pytest.mark.parametrize("weakest", range(5))
def test_of_five_tones_three_semitones_and_four_classes_are_marked(chapter, sr, weakest):
    notes = [50, 57, 63, 71, 80]  # none is an overtone of another
    order = np.roll(notes, -weakest)  # from the weakest to the strongest
    y = sum(tone(note, 1, sr, level=0.004 * 2.5**k) for k, note in enumerate(order))
    marked, classes = standing_out(chapter, y, sr)
    assert marked == sorted(order[2:].tolist())
    assert classes == sorted(((order[1:] - 33) % 12).tolist())


@pytest.mark.parametrize("sr", [2400, 8000])
@pytest.mark.parametrize("fall", [0.2, 0.4, 0.6])
def test_a_chord_is_the_same_with_few_and_with_many_overtones(chapter, sr, fall):
    for notes in ([60, 64, 67], [52, 59, 68], [53, 57, 60]):
        y = sum(tone(note, 1, sr, 5, fall=fall) for note in notes)
        assert standing_out(chapter, y, sr)[0] == notes


@pytest.mark.parametrize("note", [45, 48, 52, 57])
def test_a_weak_tone_comes_before_the_overtones_of_a_strong_one(chapter, note):
    sr, weak = 4000, [note + 14, note + 17]
    y = tone(note, 1, sr, 5) + sum(tone(other, 1, sr, level=0.01) for other in weak)
    S = chapter.semitones_of(chapter.Spectrum(sr)(torch.tensor(y)[None])[0])[0, 10]
    octave = S[note + 12 - 33]
    assert octave > max(S[other - 33] for other in weak) + 1  # it is stronger than both of them
    assert standing_out(chapter, y, sr)[0] == [note, *weak]


def test_where_nothing_stands_out_nothing_is_marked(chapter):
    assert not chapter.tones_of(torch.zeros(1, 3, 217)).any()
    assert not chapter.tones_of(torch.full((1, 3, 217), 0.29)).any()
    assert not chapter.tones_of(chapter.Spectrum(8000)(torch.zeros(1, 8000))[0]).any()


def test_tones_and_classes_hardly_depend_on_loudness(chapter):
    y = torch.from_numpy(music(2, 8000))[None]
    hearing = chapter.Spectrum(8000)
    wanted, found = (chapter.tones_of(hearing(gain * y)[0])[0] for gain in (0.3, 3.0))
    for part in (slice(50), slice(50, None)):
        assert (wanted[:, part] == found[:, part]).float().mean() > 0.98
        assert wanted[:, part].sum() > 80


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(0, 20))
def test_the_strongest_are_as_many_as_asked_for_where_enough_is_positive(chapter, seed, count, n):
    rng = np.random.default_rng(seed)
    heights = rng.permutation(20) + 1.0  # no two are the same
    heights[rng.permutation(20)[n:]] *= -1
    found = chapter.strongest(torch.from_numpy(heights)[None], count)[0].numpy()
    wanted = sorted(np.flatnonzero(heights > 0), key=lambda k: -heights[k])[:count]
    assert np.flatnonzero(found).tolist() == sorted(wanted) and set(found) <= {0.0, 1.0}
    assert found.sum() == min(count, n)


# The page


def page(chapter, y, sr=8000):
    return chapter.page_of(*chapter.Spectrum(sr)(torch.tensor(y, dtype=torch.float32)[None]))[0]


def test_a_page_begins_with_the_tones(chapter):
    y = music(1, 8000)
    found = page(chapter, y)
    assert found.shape == (20, 64)
    tones = chapter.tones_of(chapter.Spectrum(8000)(torch.from_numpy(y)[None])[0])[0]
    assert torch.equal(found[:, :62], tones)


def test_loudness_is_told_in_steps_of_six_decibels(chapter):
    decibels = np.repeat(np.arange(-50.0, 0, 0.5), 400)  # half a decibel more each frame
    noise = np.random.default_rng(0).choice([-1.0, 1.0], decibels.size)  # of power one
    told = page(chapter, 10 ** (decibels / 20) * noise)[:, 62].numpy()
    steps = np.diff(told)
    up = np.flatnonzero(steps)
    np.testing.assert_allclose(steps[up], 0.35, atol=1e-5)
    assert set(np.diff(up)) == {12, 13}  # 6.08 dB
    assert told[-1] == pytest.approx(1) and page(chapter, np.zeros(800))[0, 62] == -2.5


def test_a_tone_that_begins_or_becomes_louder_is_flagged(chapter):
    levels = np.zeros(40)
    levels[3:], levels[12:], levels[20:], levels[25:], levels[30:] = 0.05, 0.08, 0.02, 0.024, 0.04
    y = np.repeat(levels, 400) * sine(440, 2, 8000, level=1.0)
    # 4.1 and 4.4 dB more at frames 12 and 30; less at frame 20, and 1.6 dB more at frame 25.
    assert page(chapter, y)[:, 63].nonzero().flatten().tolist() == [3, 12, 30]
    loud_from_the_start = page(chapter, sine(440, 1, 8000))
    assert not loud_from_the_start[:, 63].any()


# The ear that begins with notes


def stack_by_hand(stack, x):
    """Restate a stack: (frames, inputs) becomes (frames, outputs)."""
    x = mixed(x.T, stack.first)
    for wide, mix in zip(stack.wide, stack.mix, strict=True):
        x = x + mixed(np.maximum(convolved(np.maximum(x, 0), wide, 1), 0), mix)
    return mixed(x, stack.last).T


@pytest.mark.parametrize(("layers", "frames"), [(3, 9), (1, 4), (2, 1)])
def test_a_stack_is_its_formula(chapter, layers, frames):
    torch.manual_seed(0)
    stack = chapter.Stack(5, 7, channels=6, layers=layers).double()
    x = torch.randn(2, frames, 5).double()
    with torch.no_grad():
        found = stack(x)
    assert found.shape == (2, frames, 7)
    for k in range(2):
        np.testing.assert_allclose(found[k], stack_by_hand(stack, x[k].numpy()), atol=1e-12)


def ear_of(chapter, sr=SIZE["sr"], seed=0):
    torch.manual_seed(seed)
    return chapter.NoteEncoder(sr)


def writers(chapter, seed=0):
    """Return an ear and a pencil, which have not learned."""
    return ear_of(chapter, seed=seed), chapter.Sketcher(2, BANDS)


def with_statistics(ear):
    """Give an ear means and variances, as if it had learned."""
    ear.norm.running_mean.copy_(torch.randn(64))
    ear.norm.running_var.copy_(torch.rand(64) + 0.1)
    return ear.eval()


def test_codes_are_a_page_through_the_stack_and_normalised(chapter):
    ear, page = with_statistics(ear_of(chapter)), torch.randn(2, 6, 64)
    mean, variance = ear.norm.running_mean.numpy(), ear.norm.running_var.numpy()
    with torch.no_grad():
        found = ear.written(page)
    assert found.shape == (6, 2, 64)
    for k in range(2):
        codes = stack_by_hand(ear.stack, page[k].numpy())
        wanted = (codes - mean) / np.sqrt(variance + 1e-5)
        np.testing.assert_allclose(found[:, k], wanted, atol=1e-4)


def test_an_ear_that_learns_gives_numbers_of_one_size(chapter):
    ear = ear_of(chapter)
    with torch.no_grad():
        codes = ear(torch.from_numpy(np.stack([*toy(3).values()])))
    torch.testing.assert_close(codes.mean(dim=(0, 1)), torch.zeros(64), atol=1e-4, rtol=0)
    power = codes.square().mean(dim=(0, 1))
    torch.testing.assert_close(power, torch.ones(64), atol=0.02, rtol=0)
    assert not [*ear.norm.parameters()] and ear.norm.running_mean.abs().max() > 1e-4


def test_the_ear_reads_the_page_of_what_it_hears(chapter):
    ear, y = with_statistics(ear_of(chapter)), torch.from_numpy(toy()["pulses"])[None]
    with torch.no_grad():
        assert torch.equal(ear(y), ear.written(chapter.page_of(*ear.spectrum(y))))
        assert (ear(y) - ear(y.flip(1))).abs().max() > 0.1


@pytest.mark.parametrize(("sr", "frames"), [(8000, 1), (8000, 7), (16_000, 5), (2400, 20)])
def test_the_ear_gives_a_code_for_each_frame(chapter, sr, frames):
    codes = ear_of(chapter, sr).eval()(torch.randn(2, frames * sr // 20))
    assert codes.shape == (frames, 2, 64) and torch.isfinite(codes).all()


def test_the_ear_hears_silence(chapter):
    assert torch.isfinite(ear_of(chapter)(torch.zeros(1, 1200))).all()


def test_the_page_keeps_its_bits_in_mixed_precision(chapter):
    ear, seen = ear_of(chapter).eval(), []
    ear.stack.register_forward_hook(lambda _, inputs, output: seen.append(inputs[0]))
    y = torch.from_numpy(toy()["pulses"])[None]
    plain = ear(y)
    with torch.autocast("cpu", torch.bfloat16):
        codes = ear(y)
    assert torch.equal(*seen) and seen[1].dtype == codes.dtype == torch.float32
    assert 0 < (plain - codes).abs().max() < 0.1  # the stack itself may take sixteen


@pytest.mark.parametrize("sr", [11_025, 22_050, 8010, 50])
@pytest.mark.parametrize("encoder", ["notes", "waveform"])
def test_a_rate_that_cannot_be_cut_into_frames_is_refused(chapter, sr, encoder):
    with pytest.raises(InputError, match=f"sr is {sr}: give a multiple of 20"):
        fresh(chapter, sr=sr, encoder=encoder)


@pytest.mark.parametrize("sr", [800, 2000, 2180])
def test_a_rate_too_low_for_the_notes_is_refused(chapter, sr):
    with pytest.raises(InputError, match=f"sr is {sr}: give .* 2200 or more"):
        fresh(chapter, sr=sr)


@pytest.mark.parametrize("sr", [2200, 2400, 8040, 44_100, 48_000])
def test_a_recording_of_any_other_rate_has_codes(chapter, sr):
    y = 0.1 * np.random.default_rng(0).normal(size=4 * sr).astype(np.float32)
    assert chapter.codes_of(fresh(chapter, sr=sr).eval(), y).shape == (80, 64)


def noise(frames, hop, seed=0):
    """Return noise (1, time) that comes and goes."""
    rng = np.random.default_rng(seed)
    swell = 0.05 * (1.2 + np.sin(np.arange(frames * hop) / (1.3 * hop)))
    return torch.from_numpy((swell * rng.normal(size=frames * hop)).astype(np.float32))[None]


@pytest.mark.parametrize("sr", [2200, 2400, 5800, 8000, 16_000, 44_100])
def test_the_ear_for_notes_has_a_margin_for_itself_and_the_pencil(chapter, sr):
    ear, hop = with_statistics(ear_of(chapter, sr)), sr // 20
    assert ear.margin == MARGIN
    y, other = noise(33, hop), noise(33, hop, seed=1)
    here = slice((16 - REACH) * hop, (16 + 1 + REACH) * hop)
    other[:, here] = y[:, here]
    with torch.no_grad():
        codes, changed = ear(y)[:, 0], ear(other)[:, 0]
    torch.testing.assert_close(changed[16], codes[16], atol=1e-5, rtol=0)
    for away in (16 - REACH, 16 + REACH):  # their own margins are not the same
        assert (changed[away] - codes[away]).abs().max() > 0.1


def test_without_a_margin_the_ends_of_a_piece_would_sound_otherwise(chapter):
    ear, y = with_statistics(ear_of(chapter)), noise(20 + 2 * MARGIN, HOP)
    with torch.no_grad():
        around = ear(y)[MARGIN:-MARGIN, 0]
        alone = ear(y[:, MARGIN * HOP : -MARGIN * HOP])[:, 0]
    off = (around - alone).abs().amax(dim=1)
    assert off[0] > 0.1 and off[-1] > 0.1
    assert off[REACH:-REACH].max() < 1e-4


# The hands


def numbers(linear):
    bias = 0 if linear.bias is None else linear.bias.detach().numpy()
    return linear.weight.detach().numpy(), bias


@pytest.mark.parametrize(("dilation", "reads"), [(1, 64), (4, 64), (16, 64), (1, 7), (4, 156)])
def test_a_layer_is_its_formula_sample_by_sample(chapter, dilation, reads):
    torch.manual_seed(0)
    layer = chapter.GatedLayer(5, dilation, *([] if reads == 64 else [reads])).double()
    x, codes = torch.randn(12, 2, 5).double(), random_codes(3, 2, reads).double()
    with torch.no_grad():
        onward, skip = layer(x, codes)
    (now, _), (past, _), (code, bias), (mix, mix_bias) = map(
        numbers, (layer.now, layer.past, layer.code, layer.mix)
    )
    x, codes = x.numpy(), codes.numpy()
    for t in range(12):
        for b in range(2):
            a = now @ x[t, b] + code @ codes[t // 4, b] + bias
            if t >= dilation:
                a = a + past @ x[t - dilation, b]
            h = np.tanh(a[:5]) / (1 + np.exp(-a[5:]))
            m = mix @ h + mix_bias
            np.testing.assert_allclose(onward[t, b], x[t, b] + m[:5], atol=1e-12)
            np.testing.assert_allclose(skip[t, b], m[5:], atol=1e-12)


def test_codes_are_held_until_the_next_one(chapter):
    codes = torch.tensor([[1.0], [2.0], [3.0]])
    assert chapter.held(codes, 9).flatten().tolist() == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert chapter.held(codes, 3).flatten().tolist() == [1, 2, 3]
    assert chapter.held(codes, 8).flatten().tolist() == [1, 1, 1, 2, 2, 2, 3, 3]
    assert chapter.held(codes[:1], 4).flatten().tolist() == [1, 1, 1, 1]


SHAPES = [(1, 4), (2, 3), (3, 1), (1, 6)]


def changed_at(first, second):
    return (first != second).any(dim=2).any(dim=1).nonzero().flatten().tolist()


@pytest.mark.parametrize(("blocks", "layers"), SHAPES)
def test_a_sample_changes_later_logits_only_and_as_far_as_stated(chapter, blocks, layers):
    torch.manual_seed(0)
    net = chapter.WaveNet(8, blocks, layers).double()
    q, codes = random_levels(140, 2), random_codes(7, 2).double()
    other = q.clone()
    other[40] = 255 - other[40]
    with torch.no_grad():
        changed = changed_at(net(q, codes), net(other, codes))
    reach = 1 + blocks * (2**layers - 1)
    assert changed == list(range(41, 41 + reach))
    # That is the number that the chapter prints, and that the compiled generator goes by.
    assert reach == 1 + sum(layer.dilation for layer in net.layers)
    assert chapter.folded(net).past in (reach, reach + 1)


def test_a_sample_changes_forecasts_as_far_as_their_filter_reaches(chapter):
    torch.manual_seed(0)
    net = chapter.WaveNet(8, 2, 3, order=20).double()
    filters = torch.full((7, 1, 20), 0.1)  # of each of the last twenty samples
    q = torch.full((140, 1), 128)
    other, codes = q.clone(), torch.cat([random_codes(7, 1), filters], dim=2).double()
    other[40] = 255
    with torch.no_grad():
        changed = changed_at(net(q, codes), net(other, codes))
    assert changed == list(range(41, 41 + 20 + 2 * 7))
    assert chapter.folded(net).past in (20 + 2 * 7, 20 + 2 * 7 + 1)


@pytest.mark.parametrize(("blocks", "layers"), SHAPES)
def test_a_code_changes_no_logits_before_it(chapter, blocks, layers):
    torch.manual_seed(0)
    net = chapter.WaveNet(8, blocks, layers).double()
    q, codes = random_levels(140, 1), random_codes(7, 1).double()
    other = codes.clone()
    other[2] += 1
    with torch.no_grad():
        changed = changed_at(net(q, codes), net(q, other))
    # It enters at each layer, so that all dilations but the first carry it on.
    last = 59 + blocks * (2**layers - 1) - 1
    assert changed == list(range(40, last + 1))


def test_streams_know_nothing_of_each_other(chapter):
    torch.manual_seed(0)
    net = chapter.WaveNet(8, 2, 3)
    q, codes = random_levels(60, 3), random_codes(3, 3)
    with torch.no_grad():
        together = net(q, codes)
        alone = net(q[:, 1:2], codes[:, 1:2])
    torch.testing.assert_close(together[:, 1:2], alone, atol=1e-5, rtol=1e-5)


def test_the_published_decoder_looks_back_a_quarter_of_a_second(chapter):
    net = chapter.WaveNet(2, 4, 10)
    assert 1 + sum(layer.dilation for layer in net.layers) == 4093


def test_all_tables_begin_as_smooth_curves(chapter):
    torch.manual_seed(0)
    net = chapter.WaveNet(64, 1, 1, order=4)
    tables = ((net.first.weight, 25), (net.second.weight, 25), (net.last.weight, 26))
    for table, curves in tables:
        rows = table.detach().double().numpy()
        values = np.linalg.svd(rows, compute_uv=False)
        assert (values > 1e-4 * values[0]).sum() <= curves  # any table of 64 has rank 64
        steps = np.linalg.norm(np.diff(rows, axis=0), axis=1)
        far = np.linalg.norm(rows[64:] - rows[:-64], axis=1)
        assert steps.max() < 0.5 * far.min()
    assert not net.last.bias.any()


# The judge


def test_the_judge_is_its_formula(chapter):
    torch.manual_seed(0)
    judge, codes = chapter.Judge(6).double(), random_codes(7, 3).double()
    x = codes.numpy()
    for k in (0, 2, 4):
        weight, bias = numbers(judge.layers[k])
        x = x @ weight.T + bias
        x = np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
        assert x.shape[-1] == 100
    weight, bias = numbers(judge.last)
    with torch.no_grad():
        np.testing.assert_allclose(judge(codes), (x @ weight.T + bias).mean(axis=0), atol=1e-12)


def test_to_the_judge_the_order_of_codes_is_nothing(chapter):
    torch.manual_seed(0)
    judge, codes = chapter.Judge(4), random_codes(30, 2)
    turned = codes[torch.randperm(30)]
    torch.testing.assert_close(judge(turned), judge(codes))
    torch.testing.assert_close(judge(torch.cat([codes, codes])), judge(codes))


@pytest.mark.parametrize("weight", [0.01, 1.0, 0.0])
def test_the_reversal_gives_on_what_it_gets_and_turns_the_gradient_round(chapter, weight):
    x = torch.randn(4, 3, requires_grad=True)
    y = chapter.Reverse.apply(x, weight)
    assert torch.equal(y, x)
    given = torch.randn(4, 3)
    y.backward(given)
    torch.testing.assert_close(x.grad, -weight * given)


# A pencil first


def test_the_pencil_draws_codes_with_the_token_of_a_kind(chapter):
    torch.manual_seed(0)
    sketcher = chapter.Sketcher(3, 10).double()
    codes, kinds = random_codes(7, 4).double(), torch.tensor([2, 0, 1, 2])
    with torch.no_grad():
        drawn = sketcher(codes, kinds)
        assert drawn.shape == (4, 7, 11)  # bands and power
        for k, kind in enumerate(kinds):
            told = (codes[:, k] + sketcher.tokens.weight[kind]).numpy()
            np.testing.assert_allclose(drawn[k], stack_by_hand(sketcher.stack, told), atol=1e-10)


# All together


def toy(kinds=2):
    """Return a sound of each kind, five seconds: a sine, pulses, noise."""
    t = np.arange(5 * SIZE["sr"]) / SIZE["sr"]
    rng = np.random.default_rng(0)
    swell = 0.06 * (1.2 + np.sin(2 * np.pi * 0.7 * t))
    made = {"sine": np.sin(2 * np.pi * 90 * t), "pulses": np.sign(np.sin(2 * np.pi * 40 * t))}
    made["noise"] = rng.normal(size=t.size)
    return {k: (swell * y).astype(np.float32) for k, y in list(made.items())[:kinds]}


def batch(chapter, kinds=2, frames=4, per_kind=2, key=(0, 0, 0), sounds=None, **changed):
    return chapter.batch_of(sounds or toy(kinds), SIZE | changed, frames, per_kind, key)


def sketch_by_hand(sketcher, kind, codes):
    """Restate what is drawn for a kind: codes (frames, 64) become (frames, bands + 1)."""
    token = sketcher.tokens.weight[kind].detach().cpu().numpy()
    return stack_by_hand(sketcher.stack, np.asarray(codes) + token)


def filters_by_hand(foreteller, kind, sketch, emphasis=0.85):
    """Restate the filters of a sketch (frames, bands + 1): oldest sample first, (frames, ORDER)."""
    sketch = np.asarray(sketch, np.float64)
    L = sketch[:, :-1] + foreteller.envelopes[kind].numpy() + sketch[:, -1:]
    centres, w = 55 * 2 ** (np.arange(BANDS) / 36), np.linspace(0, np.pi, 2049)
    hertz = np.maximum(w / np.pi * SIZE["sr"] / 2, 55)
    found = []
    for row in L:
        power = np.exp(2 * np.interp(np.log(hertz), np.log(centres), row))
        power *= np.abs(1 - emphasis * np.exp(-1j * w)) ** 2
        r = np.fft.irfft(power)[: ORDER + 1]
        r[0] *= 1.001
        found.append(scipy.linalg.solve_toeplitz(r[:-1], r[1:])[::-1])
    return np.array(found)


def read_by_hand(translator, kind, codes):
    """Restate what decoders play from: the sketch, and the filters that follow from it."""
    sketch = sketch_by_hand(translator.sketcher, kind, codes)
    filters = filters_by_hand(translator.foreteller, kind, sketch)
    return np.concatenate([sketch, filters], axis=1).astype(np.float32)


def test_decoders_play_from_the_sketch_for_their_kind_and_its_filters(chapter):
    translator = fresh(chapter, kinds=3)
    translator.foreteller.envelopes.copy_(torch.randn(3, BANDS) - 2)
    codes, kinds = random_codes(7, 4), torch.tensor([2, 0, 1, 2])
    with torch.no_grad():
        read = translator.read(codes, kinds)
    assert read.shape == (7, 4, WIDE)
    for k, kind in enumerate(kinds):
        wanted = read_by_hand(translator, kind, codes[:, k])
        np.testing.assert_allclose(read[:, k], wanted, atol=2e-5)


@pytest.mark.parametrize("lags", [1, 2, 7, 40])
def test_levinson_solves_the_equations(chapter, lags):
    rng = np.random.default_rng(lags)
    r = np.fft.irfft(rng.random((5, 2, 129)) + 0.05)[..., : lags + 1]
    a, off = chapter.levinson(torch.from_numpy(r))
    for place in np.ndindex(5, 2):
        wanted = scipy.linalg.solve_toeplitz(r[place][:-1], r[place][1:])
        np.testing.assert_allclose(a[place], wanted, atol=1e-9)
        assert off[place].item() == pytest.approx(r[place][0] - wanted @ r[place][1:])


def test_a_sine_follows_from_two_samples(chapter):
    w = 2 * np.pi * 440 / 8000
    a, off = chapter.levinson(torch.from_numpy(np.cos(w * np.arange(3))))
    np.testing.assert_allclose(a, [2 * np.cos(w), -1], atol=1e-9)
    assert abs(off.item()) < 1e-9
    n = 200
    levels = spectra.mu_law_encode(0.5 * np.sin(w * np.arange(n)))
    before = torch.tensor(np.r_[128, levels[:-1]])[:, None]
    found = chapter.foretold(before, a.flip(0).repeat(5, 1, 1))[:, 0].numpy()
    heights = spectra.mu_law_decode(np.stack([levels, found])).astype(np.float64)
    assert np.abs(heights[0] - heights[1])[2:].max() < 0.05  # of the levels' rounding, twice


@pytest.mark.parametrize(
    ("time", "frames", "order"), [(60, 3, 7), (50, 3, 1), (7, 7, 4), (5, 1, 9)]
)
def test_forecasts_are_sums_over_the_last_samples(chapter, time, frames, order):
    rng = np.random.default_rng(0)
    before = rng.integers(0, 256, (time, 2))
    filters = rng.standard_normal((frames, 2, order)) / order
    found = chapter.foretold(torch.from_numpy(before), torch.from_numpy(filters)).numpy()
    heights, hop = spectra.mu_law_decode(before).astype(np.float64), -(-time // frames)
    for t, column in np.ndindex(time, 2):
        last = heights[max(0, t + 1 - order) : t + 1, column]
        y = last @ filters[t // hop, column][order - last.size :]
        assert found[t, column] == spectra.mu_law_encode(np.clip([y], -1, 1))[0]


def test_filters_foretell_the_music_whose_picture_they_are_made_of(chapter):
    y, sr = (0.1 * toy()["sine"]).astype(np.float32), SIZE["sr"]
    y = y + 0.003 * np.random.default_rng(0).standard_normal(y.size).astype(np.float32)
    spectrum = chapter.Spectrum(sr)
    tool = chapter.Foreteller(sr, 1, BANDS, 0.85)
    tool.envelopes.copy_(chapter.envelopes_of(spectrum, {"one": y}, sr))
    W, power = spectrum(torch.from_numpy(y)[None])
    filters = tool(torch.cat([W, power / 2], dim=2), torch.zeros(1, dtype=torch.long))
    q = torch.from_numpy(chapter.levels_of(y, 0.85).astype(np.int64))[:, None]
    before = torch.nn.functional.pad(q[:-1], (0, 0, 1, 0), value=128)
    guess = chapter.foretold(before, filters.transpose(0, 1))
    heights = [spectra.mu_law_decode(x.numpy()).astype(np.float64) for x in (q, before, guess)]
    off = [np.mean((heights[0] - x) ** 2) for x in heights[1:]]
    assert off[1] < 0.5 * off[0]


def test_what_is_breathed_has_the_tones_of_its_picture(chapter):
    sr = SIZE["sr"]
    spectrum, tool = chapter.Spectrum(sr), chapter.Foreteller(sr, 1, BANDS, 0.85)
    for hertz in (220.0, 330.0):
        y = (0.1 * np.sin(2 * np.pi * hertz * np.arange(2 * sr) / sr)).astype(np.float32)
        tool.envelopes.copy_(chapter.envelopes_of(spectrum, {"one": y}, sr))
        W, power = spectrum(torch.from_numpy(y)[None])
        made = chapter.breathed(tool, torch.cat([W, power / 2], dim=2)[0], 0, sr)
        assert made.shape == y.shape and np.abs(made).max() == pytest.approx(0.5)
        peak = np.abs(np.fft.rfft(made)).argmax() * sr / made.size
        assert abs(peak / hertz - 1) < 0.03


def test_each_kind_has_its_own_sketch_of_the_same_codes(chapter):
    translator = fresh(chapter, kinds=3)
    codes, kinds = random_codes(7, 1).expand(7, 4, 64), torch.tensor([0, 1, 2, 1])
    with torch.no_grad():
        read = translator.read(codes, kinds)
    torch.testing.assert_close(read[:, 1], read[:, 3], atol=1e-5, rtol=0)
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert (read[:, first] - read[:, second]).abs().amax(dim=1).min() > 0.01  # in each frame


def test_without_a_pencil_decoders_play_from_the_codes(chapter):
    torch.manual_seed(0)
    published = fresh(chapter, encoder="waveform", sr=160)
    unsketched = chapter.Translator(ear_of(chapter), [chapter.WaveNet(4, 1, 2)], 2)
    codes = random_codes(7, 4)
    for translator in (published, unsketched):
        assert translator.sketcher is None
        for kinds in ([0, 1, 1, 0], [1, 0, 0, 1]):
            assert torch.equal(translator.read(codes, torch.tensor(kinds)), codes)


@pytest.mark.parametrize(
    ("encoder", "sr", "reads"),
    [("notes", 2400, WIDE), ("notes", 8000, 218 + ORDER), ("waveform", 8000, 64)],
)
def test_the_hands_are_as_wide_as_what_they_read(chapter, encoder, sr, reads):
    for decoder in fresh(chapter, one=False, encoder=encoder, sr=sr).decoders:
        entries = [layer.code for layer in decoder.layers] + [decoder.hidden_code]
        assert [entry.in_features for entry in entries] == 7 * [reads - decoder.order]
        assert decoder.order == (ORDER if encoder == "notes" else 0)
        with torch.no_grad():
            assert decoder(random_levels(40, 3), random_codes(2, 3, reads)).shape == (40, 3, 256)
        with pytest.raises(RuntimeError, match="shapes"):
            decoder(random_levels(40, 3), random_codes(2, 3, reads + 1))


@pytest.mark.parametrize("one", [True, False])
@pytest.mark.parametrize(
    ("encoder", "sr", "margin"), [("notes", 2400, MARGIN), ("waveform", 160, 0)]
)
def test_the_losses_are_those_by_hand(chapter, one, encoder, sr, margin):
    translator = fresh(chapter, 3, one, encoder=encoder, sr=sr).eval()
    heard, before, q, kinds = batch(chapter, 3, encoder=encoder, sr=sr)
    with torch.no_grad():
        found = translator(heard, before, q, kinds)
        sound, verdict = [], []
        for column, kind in enumerate(kinds.tolist()):  # each piece by itself
            codes, inner = translator.encoder(heard[column : column + 1]), slice(margin, margin + 4)
            scores = torch.log_softmax(translator.judge(codes[inner])[0], dim=0)
            verdict.append(-scores[kind].item())
            if encoder == "notes":
                codes = read_by_hand(translator, kind, codes[:, 0])
                codes = torch.from_numpy(codes)[:, None]
            decoder = translator.decoders[0 if one else kind]
            logits = decoder(before[:, column : column + 1], codes[inner])[:, 0]
            scores = torch.log_softmax(logits, dim=-1)
            sound += [-scores[t, level].item() for t, level in enumerate(q[:, column].tolist())]
    assert found[0].item() == pytest.approx(np.mean(sound), rel=1e-5)
    assert found[1].item() == pytest.approx(np.mean(verdict), rel=1e-5)


def signed_noise(frames=100):
    """Return a sound of each of two kinds that comes and goes, each place with its own signs."""
    rng = np.random.default_rng(0)
    swell = 0.1 + 0.04 * np.sin(np.arange(frames * HOP) / (2 * HOP))
    return {k: (swell * rng.choice([-1, 1], swell.size)).astype(np.float32) for k in "ab"}


def place_of(y, levels):
    """Return where in such a sound the levels of a piece come from."""
    signs = np.where(levels > 127, 1, -1)
    [place] = np.flatnonzero(np.correlate(np.sign(y), signs) == len(levels))
    return int(place)


def told_and_true(chapter, frames, key):
    """Return the sketches that the decoders get, and those of the codes of whole recordings there.

    Beside them: how much what was heard differs, in each frame, from what was recorded.
    """
    translator = fresh(chapter, one=False).eval()
    with_statistics(translator.encoder)
    told, true, differs = [], [], []
    for decoder in translator.decoders:
        decoder.register_forward_hook(lambda _, inputs, output: told.append(inputs[1]))
    sounds, around = signed_noise(), (frames + 2 * MARGIN) * HOP
    heard, before, q, kinds = batch(chapter, frames=frames, key=key, sounds=sounds)
    with torch.no_grad():
        translator(heard, before, q, kinds)
        for column, kind in enumerate(kinds):
            y = sounds["ab"[kind]]
            start = place_of(y, q[:, column].numpy())
            recorded = torch.from_numpy(y[start - MARGIN * HOP :][:around])
            gain = (heard[column] / recorded).median()  # most of it is not shifted
            whole = translator.encoder(gain * torch.from_numpy(y[start % HOP :])[None])[:, 0]
            sketch = read_by_hand(translator, kind, whole)
            true.append(torch.from_numpy(sketch[start // HOP :][:frames]))
            off = (heard[column] - gain * recorded).abs()
            differs.append(off.view(-1, HOP).amax(dim=1))
    return torch.cat(told, dim=1).transpose(0, 1), torch.stack(true), torch.stack(differs)


def test_the_decoders_get_the_sketch_of_the_place_in_the_recording(chapter, monkeypatch):
    monkeypatch.setattr(chapter, "pitch_shifted", lambda y, rng, sr: y.copy())
    for step in range(3):
        told, true, differs = told_and_true(chapter, 6, (0, 0, step))
        assert told.shape == (4, 6, WIDE) and differs.max() < 1e-6
        torch.testing.assert_close(told, true, atol=1e-4, rtol=0)
        assert (told[0] - told[1]).abs().max() > 0.1


def test_away_from_the_shifted_stretch_the_sketch_is_that_of_the_recording(chapter):
    away, near = [], []
    for step in range(3):
        told, true, differs = told_and_true(chapter, 40, (0, 0, step))
        off = (told - true).abs().amax(dim=2)
        for column in range(4):
            shifted = differs[column] > 1e-6
            assert 5 <= shifted.sum() <= 11  # a quarter to half a second
            for frame in range(40):
                within = shifted[frame : frame + 2 * MARGIN + 1].any()
                (near if within else away).append(off[column, frame].item())
    assert len(away) > 30 and max(away) < 1e-4
    assert max(near) > 0.01


def test_the_judge_is_helped_and_the_encoder_turned_against_it(chapter):
    confusion = 0.05
    torch.manual_seed(0)
    translator = chapter.new_translator(SIZE, 2, True, confusion).eval()
    heard, before, q, kinds = batch(chapter)
    encoder, judge = (list(part.parameters()) for part in (translator.encoder, translator.judge))
    codes = translator.encoder(heard)[MARGIN:-MARGIN]
    plain = torch.nn.functional.cross_entropy(translator.judge(codes), kinds)
    wanted = torch.autograd.grad(plain, encoder + judge)
    _, verdict = translator(heard, before, q, kinds)
    found = torch.autograd.grad(verdict, encoder + judge)
    assert max(g.abs().max() for g in wanted[: len(encoder)]) > 1e-3
    for k, (ours, theirs) in enumerate(zip(found, wanted, strict=True)):
        share = -confusion if k < len(encoder) else 1
        torch.testing.assert_close(ours, share * theirs, atol=1e-7, rtol=1e-4)


def test_the_sound_teaches_encoder_pencil_and_decoders_and_not_the_judge(chapter):
    translator = fresh(chapter, one=False)
    sound, _ = translator(*batch(chapter))
    sound.backward()
    assert all(p.grad is None for p in translator.judge.parameters())
    for part in (translator.encoder, translator.sketcher, *translator.decoders):
        assert all(p.grad is not None for p in part.parameters())
        assert max(p.grad.abs().max() for p in part.parameters()) > 0


def test_a_translator_has_one_decoder_or_one_for_each(chapter):
    for one, count in ((True, 1), (False, 4)):
        translator = fresh(chapter, 4, one)
        assert len(translator.decoders) == count
        assert translator.sketcher.tokens.weight.shape == (4, 64)  # whose turn it is, either way
    with pytest.raises(InputError, match="encoder is 'ear': give one of notes, waveform"):
        fresh(chapter, encoder="ear")


@pytest.mark.parametrize(("name", "sr", "margin"), [("notes", 2400, MARGIN), ("waveform", 160, 0)])
def test_either_ear_can_be_chosen(chapter, name, sr, margin):
    translator = fresh(chapter, encoder=name, sr=sr).eval()
    assert type(translator.encoder) is chapter.EARS[name]
    assert translator.encoder.margin == margin
    assert chapter.codes_of(translator, sine(20, 1, sr)).shape == (20, 64)


# One decoder that can be many


@pytest.mark.parametrize(("encoder", "sr"), [("notes", SIZE["sr"]), ("waveform", 160)])
def test_at_the_moment_of_the_change_nothing_changes(chapter, encoder, sr):
    torch.manual_seed(0)
    size = SIZE | {"encoder": encoder, "sr": sr}
    one = chapter.new_translator(size, 3, confusion=0.3).eval()
    before = copy.deepcopy(one)
    many = chapter.one_for_each(one, 3).eval()
    assert len(many.decoders) == 3 and many.confusion == 0.3
    assert many.encoder is one.encoder and many.judge is one.judge
    assert many.sketcher is one.sketcher and (many.sketcher is None) == (encoder == "waveform")
    given = batch(chapter, kinds=3, encoder=encoder, sr=sr)
    with torch.no_grad():
        torch.testing.assert_close(many(*given), one(*given))
        read = one.read(random_codes(2, 1), torch.tensor([2]))
        q = random_levels(30, 1)
        for decoder in many.decoders:
            assert torch.equal(decoder(q, read), one.decoders[0](q, read))
    assert same_weights(one, before)


def test_after_the_change_each_decoder_learns_by_itself(chapter, tmp_path):
    one = fresh(chapter, kinds=3, held=True)
    shared = {name: getattr(one, name) for name in ("encoder", "sketcher", "judge")}
    before = copy.deepcopy(one)
    many = chapter.one_for_each(one, 3)
    hands = [one.decoders[0], *many.decoders]
    owned = [{x.data_ptr() for x in hand.state_dict().values()} for hand in hands]
    assert len(set().union(*owned)) == sum(map(len, owned))  # no two have a table in common
    chapter.train(many, toy(3), plan_of(chapter, steps=2), tmp_path)
    assert same_weights(one.decoders[0], before.decoders[0])
    for k, hand in enumerate(many.decoders):
        assert not any(same_weights(hand, other) for other in hands[: k + 1])
    for name, part in shared.items():
        assert getattr(many, name) is part
        assert same_weights(part, getattr(before, name)) == (name == "encoder")  # which is held


# The lesson


def random_pictures(kinds=2, frames=60, bands=156, seed=0):
    """Return pictures of which no frame is like another; the last of each row is the power."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(frames, bands + 1, generator=generator) for _ in range(kinds)]


def lesson_of(chapter, **changed):
    lesson = {"steps": 8, "secrecy": 1.0, "per_kind": 2, "frames": 20, "round_of": 3}
    return chapter.Lesson(**lesson | changed)


@pytest.mark.parametrize(
    ("seconds", "frames"), [(150, 3000), (60, 1200), (0.6, 12), (120.04, 2400)]
)
def test_pictures_of_long_sounds_are_taken_minute_by_minute(chapter, seconds, frames):
    sr, hearing = 400, chapter.Spectrum(400)
    y = np.random.default_rng(0).normal(0, 0.1, round(seconds * sr)).astype(np.float32)
    pictures = chapter.pictures_of(hearing, y, sr)
    assert pictures.shape == (frames, hearing.bands.shape[0] + 1) and not pictures.requires_grad
    for first in range(0, frames, 1200):
        minute = torch.from_numpy(y[first * 20 : (first + 1200) * 20])[None]
        W, power = hearing(minute)
        found = pictures[first : first + 1200]
        torch.testing.assert_close(found[:, :-1], W[0], atol=1e-5, rtol=0)
        torch.testing.assert_close(found[:, -1], power[0, :, 0], atol=1e-5, rtol=0)


@settings(max_examples=30, deadline=None)
@given(st.integers(-11, 11), st.integers(12, 20))
def test_what_is_moved_leaves_nothing_behind(chapter, by, bands):
    W = 1.0 + torch.rand(2, 3, bands)
    moved = chapter.moved_by(W, by)
    for k in range(bands):
        there = W[..., k - by] if 0 <= k - by < bands else torch.zeros(2, 3)
        assert torch.equal(moved[..., k], there)
    back = chapter.moved_by(moved, -by)
    inside = slice(max(0, -by), bands - max(0, by))
    assert torch.equal(back[..., inside], W[..., inside])
    assert (back != 0).sum() == 6 * (bands - abs(by))


def test_pictures_to_sketch_are_their_kinds_own_in_another_key_and_louder_or_softer(chapter):
    lesson, pictures = lesson_of(chapter, per_kind=3), random_pictures(frames=23, bands=40)
    keys, starts, gains = [], set(), []
    for seed in range(40):
        W, power, kinds = chapter.sketch_batch(pictures, lesson, np.random.default_rng(seed))
        assert W.shape == (6, 20, 40) and power.shape == (6, 20, 1) and W.dtype == power.dtype
        assert W.dtype == torch.float32 and kinds.tolist() == [0, 0, 0, 1, 1, 1]
        places, keys_here = [], []
        for k, kind in enumerate(kinds):
            for start in range(4):
                wanted = pictures[kind][start : start + 20]
                gain = power[k] - wanted[:, -1:]
                if gain.std() < 1e-5:  # the same for all frames
                    places.append((k, start))
                    gains.append(gain.mean().item())
                    keys_here += [
                        semitones
                        for semitones in range(-6, 7)
                        if torch.equal(chapter.moved_by(wanted[:, :-1], 3 * semitones), W[k])
                    ]
        assert [k for k, _ in places] == list(range(6)) and len(keys_here) == 6
        starts.update(start for _, start in places)
        keys.append(keys_here)
    assert starts == {0, 1, 2, 3}
    assert set(np.ravel(keys)) == set(range(-4, 5))
    assert all(len(set(some)) > 1 for some in keys)  # each piece has a key of its own
    assert -0.9 <= min(gains) < -0.8 and 0.4 < max(gains) <= 0.5


def test_what_is_sketched_follows_from_the_numbers_drawn(chapter):
    lesson, pictures = lesson_of(chapter), random_pictures()
    drawn = [
        chapter.sketch_batch(pictures, lesson, np.random.default_rng(seed)) for seed in (3, 3, 4)
    ]
    assert all(torch.equal(a, b) for a, b in zip(*drawn[:2], strict=True))
    assert not torch.equal(drawn[0][0], drawn[2][0])


def learners(chapter, judges=3):
    torch.manual_seed(0)
    ear = with_statistics(chapter.NoteEncoder(SIZE["sr"]))
    jury = torch.nn.ModuleList(chapter.Judge(2) for _ in range(judges))
    return ear, chapter.Sketcher(2, 156), jury


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_losses_of_a_sketch_are_those_by_hand(chapter, seed):
    ear, sketcher, jury = learners(chapter)
    lesson = lesson_of(chapter, frames=40, noise=0.3)
    batch = chapter.sketch_batch(random_pictures(), lesson, np.random.default_rng(5))
    W, power, kinds = batch
    with torch.no_grad():
        rng = np.random.default_rng(seed)
        found = chapter.sketch_losses(ear, sketcher, jury, batch, lesson, 0.7, rng)
        rng = np.random.default_rng(seed)
        out_of_tune = chapter.moved_by(W, int(rng.integers(-1, 2)))
        noise = torch.from_numpy(rng.standard_normal((40, 4, 64))).float()
        off, verdict = [], []
        for k, kind in enumerate(kinds):  # each piece by itself
            one = slice(k, k + 1)
            codes = ear.written(chapter.page_of(out_of_tune[one], power[one]))
            drawn = sketcher(codes + 0.3 * noise[:, one], kinds[one])[0]
            off.append((drawn[:, :-1] - W[k]).square())
            off[-1] = torch.cat([off[-1], (drawn[:, -1:] - power[k] / 2).square()], dim=1)
            for judge in jury:
                for second in (codes[:20], codes[20:]):  # without the noise
                    verdict.append(-torch.log_softmax(judge(second)[0], dim=0)[kind].item())
    assert found[0].item() == pytest.approx(torch.stack(off).mean().item(), rel=1e-4)
    assert found[1].item() == pytest.approx(np.mean(verdict), rel=1e-4)


def test_the_ear_is_turned_against_the_jury_and_the_jury_is_helped(chapter):
    ear, sketcher, jury = learners(chapter)
    lesson = lesson_of(chapter)
    batch = chapter.sketch_batch(random_pictures(), lesson, np.random.default_rng(5))
    ours, theirs = [*ear.parameters()], [*jury.parameters()]

    def gradients(strength):
        rng = np.random.default_rng(1)
        _, verdict = chapter.sketch_losses(ear, sketcher, jury, batch, lesson, strength, rng)
        return torch.autograd.grad(verdict, ours + theirs)

    W, power, kinds = batch
    tuned = chapter.moved_by(W, int(np.random.default_rng(1).integers(-1, 2)))
    codes = ear.written(chapter.page_of(tuned, power))
    plain = sum(torch.nn.functional.cross_entropy(judge(codes), kinds) for judge in jury) / 3
    wanted = torch.autograd.grad(plain, ours + theirs)
    assert max(g.abs().max() for g in wanted[: len(ours)]) > 1e-3
    for strength in (0.0, 1.0, 5.0):
        for k, (found, straight) in enumerate(zip(gradients(strength), wanted, strict=True)):
            share = -strength if k < len(ours) else 1
            torch.testing.assert_close(found, share * straight, atol=1e-6, rtol=1e-4)


def test_the_sketch_teaches_ear_and_pencil_and_not_the_jury(chapter):
    ear, sketcher, jury = learners(chapter)
    lesson = lesson_of(chapter)
    batch = chapter.sketch_batch(random_pictures(), lesson, np.random.default_rng(5))
    rng = np.random.default_rng(0)
    off, _ = chapter.sketch_losses(ear, sketcher, jury, batch, lesson, 1.0, rng)
    off.backward()
    assert all(p.grad is None for p in jury.parameters())
    for part in (ear, sketcher):
        assert all(p.grad is not None for p in part.parameters())
        assert max(p.grad.abs().max() for p in part.parameters()) > 0


def test_after_some_steps_another_juror_forgets_its_weights(chapter):
    # Where nobody learns, since the rates are zero, forgetting is all that changes the jury.
    ear, sketcher, jury = learners(chapter)
    lesson = lesson_of(chapter, steps=20, rate=0.0, round_of=1, renewed=6)
    start = copy.deepcopy(jury)
    adams = [torch.optim.Adam(group, 0.0) for group in ([*ear.parameters()], [*jury.parameters()])]
    forgets = {0: 0, 1: None, 2: None, 3: None, 6: 1, 7: None, 12: 2, 16: None, 18: 0}
    for number, juror in forgets.items():
        former = copy.deepcopy(jury)
        given = (lesson, number, ear, sketcher, jury, adams, random_pictures())
        chapter.sketch_round(*given)
        kept = [same_weights(now, before) for now, before in zip(jury, former, strict=True)]
        assert kept == [k != juror for k in range(3)]
        again = copy.deepcopy(jury)
        chapter.sketch_round(*given)  # what it begins with follows from the number of the step
        assert same_weights(jury, again)
    assert not any(same_weights(now, before) for now, before in zip(jury, start, strict=True))


def test_secrecy_grows_in_the_first_quarter(chapter, tmp_path, monkeypatch):
    strengths, losses = [], chapter.sketch_losses

    def watched(ear, sketcher, jury, batch, lesson, strength, rng):
        strengths.append(strength)
        return losses(ear, sketcher, jury, batch, lesson, strength, rng)

    monkeypatch.setattr(chapter, "sketch_losses", watched)
    lesson = lesson_of(chapter, secrecy=6.0)
    chapter.learn_to_write(*writers(chapter), toy(), SIZE["sr"], lesson, tmp_path)
    assert strengths == [0.0, 3.0] + 6 * [6.0]  # no step more than asked for, in rounds of three


def test_sketching_is_what_it_is_by_hand(chapter, tmp_path):
    lesson, found = lesson_of(chapter, steps=4, round_of=4, seed=5), writers(chapter)
    history = chapter.learn_to_write(*found, toy(), SIZE["sr"], lesson, tmp_path)
    ear, sketcher = writers(chapter)
    pictures = [chapter.pictures_of(ear.spectrum, y, SIZE["sr"]) for y in toy().values()]
    jury = torch.nn.ModuleList(chapter.Judge(2, 200) for _ in range(3))
    torch.manual_seed(5000)
    jury[0] = chapter.Judge(2, 200)  # the first one begins anew
    learning, losses = [*ear.parameters(), *sketcher.parameters()], []
    adam = torch.optim.Adam(learning, betas=(0.5, 0.99))
    its = torch.optim.Adam(jury.parameters(), 2e-3, betas=(0.5, 0.99))
    for step, strength in enumerate((0.0, 1.0, 1.0, 1.0)):
        rng = np.random.default_rng((5, step))
        adam.param_groups[0]["lr"] = chapter.rate_at(step, 4, 2e-3, "cosine", 1)
        pieces = chapter.sketch_batch(pictures, lesson, rng)
        both = chapter.sketch_losses(ear, sketcher, jury, pieces, lesson, strength, rng)
        losses.append([loss.item() for loss in both])
        adam.zero_grad()
        its.zero_grad()
        sum(both).backward()
        length = torch.stack([p.grad.norm() for p in learning]).norm().item()
        for p in learning:
            p.grad /= max(1, length)
        adam.step()
        its.step()
    found_losses = [history[0]["sketch"], history[0]["jury"]]
    np.testing.assert_allclose(found_losses, np.mean(losses, axis=0), rtol=1e-4)
    for made, by_hand, begun in zip(found, (ear, sketcher), writers(chapter), strict=True):
        now, wanted, start = (pretrained.torch_arrays(part) for part in (made, by_hand, begun))
        if by_hand is ear:  # a bias of it is normalised away
            now, wanted, start = (
                x | {"stack.last.bias": np.zeros(1)} for x in (now, wanted, start)
            )
        now, wanted, start = map(flat, (now, wanted, start))
        assert np.linalg.norm(now - wanted) < 1e-3 * np.linalg.norm(wanted - start)


@pytest.fixture(scope="module")
def drafted(chapter, tmp_path_factory):
    """Return an ear and a pencil that learned without a stop, their history, and the folder."""
    folder, learned = tmp_path_factory.mktemp("drafted"), writers(chapter)
    history = chapter.learn_to_write(*learned, toy(), SIZE["sr"], lesson_of(chapter), folder)
    return learned, history, folder


def test_sketches_come_nearer_to_the_pictures(chapter, tmp_path):
    lesson = lesson_of(chapter, steps=40, round_of=10, secrecy=0.2)
    history = chapter.learn_to_write(*writers(chapter), toy(), SIZE["sr"], lesson, tmp_path)
    assert len(history) == 4 and history[-1]["sketch"] < 0.8 * history[0]["sketch"]
    assert all(means["jury"] > 0 and means["seconds"] > 0 for means in history)


def test_ear_and_pencil_that_learned_are_held(chapter, drafted):
    (ear, sketcher), history, _ = drafted
    start = writers(chapter)
    assert len(history) == 3
    assert not same_weights(ear, start[0]) and not same_weights(sketcher, start[1])
    for network in (ear, sketcher):
        assert not network.training
        assert all(p.grad is None and not p.requires_grad for p in network.parameters())
    assert ear.norm.num_batches_tracked == 8


def test_sketching_that_was_stopped_goes_on_bit_for_bit(chapter, drafted, tmp_path, monkeypatch):
    batches, sketch_batch = [], chapter.sketch_batch

    def stopping(pictures, lesson, rng):
        batches.append(sketch_batch(pictures, lesson, rng))
        if len(batches) == 5:  # in the middle of the second round
            raise KeyboardInterrupt
        return batches[-1]

    given = (toy(), SIZE["sr"], lesson_of(chapter), tmp_path)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(chapter, "sketch_batch", stopping)
        chapter.learn_to_write(*writers(chapter), *given)
    resumed = writers(chapter, seed=9)
    history = chapter.learn_to_write(*resumed, *given)
    assert without_seconds(history) == without_seconds(drafted[1])
    assert all(map(same_weights, resumed, drafted[0]))


def test_an_ear_that_has_learned_already_is_only_read(chapter, drafted):
    learned, history, folder = drafted
    before = (folder / "checkpoint.safetensors").read_bytes()
    again = writers(chapter, seed=9)
    found = chapter.learn_to_write(*again, toy(), SIZE["sr"], lesson_of(chapter), folder)
    assert without_seconds(found) == without_seconds(history)
    assert all(map(same_weights, again, learned))
    for network in again:
        assert not network.training and not any(p.requires_grad for p in network.parameters())
    assert (folder / "checkpoint.safetensors").read_bytes() == before


def test_after_a_lesson_that_was_only_read_training_is_the_same(chapter, tmp_path):
    trained = []
    for folder in ("learned", "read"):  # the second finds the lesson in its checkpoint
        translator = fresh(chapter)
        given = (toy(), SIZE["sr"], lesson_of(chapter), tmp_path / "ear")
        chapter.learn_to_write(translator.encoder, translator.sketcher, *given)
        chapter.train(translator, toy(), plan_of(chapter), tmp_path / folder)
        trained.append(translator)
    assert same_weights(*trained)


def test_a_lesson_with_other_settings_is_refused(chapter, drafted):
    folder, lesson = drafted[2], lesson_of(chapter)
    changes = ({"secrecy": 2.0}, "secrecy was 1.0 and is 2.0"), ({"steps": 9}, "steps was 8")
    for changed, words in (*changes, ({"seed": 1}, "seed was 0 and is 1")):
        other = lesson._replace(**changed)
        with pytest.raises(InputError, match=words):
            chapter.learn_to_write(*writers(chapter), toy(), SIZE["sr"], other, folder)
    for other in (toy()["sine"][:-1], -toy()["sine"]):  # shorter, and as long
        with pytest.raises(InputError, match="music was"):
            given = toy() | {"sine": other}, SIZE["sr"], lesson, folder
            chapter.learn_to_write(*writers(chapter), *given)


def test_a_kind_with_less_sound_than_is_sketched_is_named(chapter, tmp_path):
    given = SIZE["sr"], lesson_of(chapter, steps=1, frames=40), tmp_path
    enough = {name: y[: 40 * HOP] for name, y in toy().items()}
    with pytest.raises(InputError, match="pulses has 1.5 s of sound: give 2.0 or more"):
        chapter.learn_to_write(
            *writers(chapter), enough | {"pulses": toy()["pulses"][: 30 * HOP]}, *given
        )
    with pytest.raises(InputError, match="pulses has"):
        chapter.learn_to_write(
            *writers(chapter), enough | {"pulses": toy()["pulses"][: 40 * HOP - 1]}, *given
        )
    assert not any(tmp_path.iterdir())
    assert len(chapter.learn_to_write(*writers(chapter), enough, *given)) == 1


def test_a_kind_with_hardly_any_sound_is_named(chapter, tmp_path):
    sounds = toy() | {"pulses": toy()["pulses"][: HOP - 1]}
    with pytest.raises(InputError, match="pulses has 0.0 s of sound: give"):
        chapter.learn_to_write(*writers(chapter), sounds, SIZE["sr"], lesson_of(chapter), tmp_path)


# What the encoder hears


def shifted(chapter, y, seed, sr=8000):
    return chapter.pitch_shifted(y, np.random.default_rng(seed), sr)


def test_pitch_is_shifted_by_up_to_half_a_semitone_both_ways(chapter):
    sr, found = 8000, []
    tone = sine(440, 1, sr, level=1.0)
    for seed in range(60):
        y = shifted(chapter, tone, seed)
        different = np.flatnonzero(y != tone)
        inner = y[different[0] + sr // 50 : different[-1] - sr // 50]
        zeros = np.flatnonzero(np.diff(np.signbit(inner)))
        at = zeros + inner[zeros] / (inner[zeros] - inner[zeros + 1])  # between two samples
        found.append(0.5 * sr * (len(at) - 1) / (at[-1] - at[0]))
    semitones = 12 * np.log2(np.array(found) / 440)
    assert np.abs(semitones).max() < 0.51
    assert semitones.min() < -0.42 and semitones.max() > 0.42
    assert 0.2 < np.abs(semitones).mean() < 0.3  # any shift is as likely as another


def test_a_high_tone_stays_as_strong_and_as_pure(chapter):
    high = sine(2000, 1, 8000, level=1.0)
    for seed in range(10):
        y = shifted(chapter, high, seed)
        different = np.flatnonzero(y != high)
        inner = y[different[0] + 160 : different[-1] - 160]
        assert np.sqrt(2 * np.mean(inner**2)) == pytest.approx(1, abs=0.005)
        power = np.abs(np.fft.rfft(inner * np.blackman(inner.size), 2**15)) ** 2
        near = slice(power.argmax() - 80, power.argmax() + 81)  # 20 Hz
        # Splines of the fifth degree leave the mirror of the tone 57 dB lower; cubic ones, 38 dB.
        assert power.sum() - power[near].sum() < 10**-5 * power.sum()


def test_only_a_stretch_of_a_quarter_to_half_a_second_is_changed(chapter):
    sr, spans, starts = 8000, [], []
    y = np.random.default_rng(0).normal(0, 0.1, 2 * sr).astype(np.float32)
    for seed in range(60):
        different = np.flatnonzero(shifted(chapter, y, seed) != y)
        spans.append(different[-1] - different[0] + 1)
        starts.append(different[0])
    assert sr // 4 - 5 <= min(spans) < 0.3 * sr and 0.45 * sr < max(spans) <= sr // 2
    assert min(starts) < 0.2 * sr and max(starts) > 1.3 * sr


@pytest.mark.parametrize("seed", range(8))
def test_a_shifted_stretch_has_no_hard_edges(chapter, seed):
    tone = sine(100, 1, 8000, level=1.0)
    y = shifted(chapter, tone, seed)
    # In the cross-fades of 80 samples there is, beside the tone's own steps, the way over.
    assert np.abs(np.diff(y)).max() < 1.03 * np.abs(np.diff(tone)).max() + 2 / 80
    assert y[0] == tone[0] and y[-1] == tone[-1]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3000), st.integers(0, 2**32 - 1))
def test_a_shift_keeps_length_and_ends_and_follows_from_the_seed(chapter, size, seed):
    y = np.random.default_rng(1).normal(0, 0.1, size).astype(np.float32)
    kept = y.copy()
    found = shifted(chapter, y, seed, sr=4000)  # up to 1000 samples are shorter than the stretch
    assert found.shape == y.shape and found.dtype == np.float32
    assert found[0] == y[0] and found[-1] == y[-1]
    np.testing.assert_array_equal(y, kept)
    np.testing.assert_array_equal(found, shifted(chapter, y, seed, sr=4000))


# Batches


def test_a_batch_follows_from_its_key(chapter):
    first, again = batch(chapter, key=(3, 1, 7)), batch(chapter, key=(3, 1, 7))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    for key in ((4, 1, 7), (3, 0, 7), (3, 1, 8)):
        assert not torch.equal(batch(chapter, key=key)[2], first[2])


@pytest.mark.parametrize(("encoder", "margin"), [("notes", MARGIN), ("waveform", 0)])
def test_a_batch_has_time_first_and_a_column_for_each_piece(chapter, encoder, margin):
    heard, before, q, kinds = batch(chapter, 3, frames=5, per_kind=4, encoder=encoder)
    assert kinds.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
    assert heard.shape == (12, (5 + 2 * margin) * HOP) and heard.dtype == torch.float32
    assert q.shape == before.shape == (5 * HOP, 12)
    assert q.dtype == before.dtype == torch.int64
    assert min(q.min(), before.min()) >= 0 and max(q.max(), before.max()) <= 255


@pytest.mark.parametrize(("encoder", "margin"), [("notes", MARGIN), ("waveform", 0)])
def test_pieces_lie_in_the_recording_of_their_kind(chapter, encoder, margin):
    sounds, found, size = signed_noise(frames=32), set(), SIZE | {"encoder": encoder}
    for step in range(12):
        _, _, q, kinds = chapter.batch_of(sounds, size, 4, 3, (0, 0, step))
        found |= {
            place_of(sounds["ab"[kind]], q[:, column].numpy()) for column, kind in enumerate(kinds)
        }
    first, last = margin * HOP, (32 - 4 - margin) * HOP
    assert len(found) > 60
    assert first <= min(found) < first + 150 and last - 150 < max(found) <= last


@pytest.mark.parametrize("margin", [0, 100])
def test_a_piece_is_heard_with_what_lies_around_it(chapter, margin):
    y = (0.1 * np.random.default_rng(0).choice([-1, 1], 302 + 2 * margin)).astype(np.float32)
    starts, decibels, stretches = set(), [], []
    for seed in range(40):
        played, heard = chapter.piece_of(y, 300, margin, np.random.default_rng(seed), 400)
        assert played.shape == (300,) and heard.shape == (300 + 2 * margin,)
        assert played.dtype == heard.dtype == np.float32
        gain = np.abs(played).max() / 0.1
        [start] = [
            k for k in range(3) if np.array_equal(np.sign(y[margin + k :][:300]), np.sign(played))
        ]
        around = gain * y[start:][: 300 + 2 * margin]
        np.testing.assert_allclose(played, around[margin:][:300], rtol=1e-5)  # never shifted
        changed = np.flatnonzero(np.abs(heard - around) > 1e-6)
        assert changed[-1] - changed[0] < 200  # half a second
        starts.add(start)
        decibels.append(20 * np.log10(gain))
        stretches += [changed[0], changed[-1]]
    assert starts == {0, 1, 2}
    assert -4.01 < min(decibels) < -3.5 and 1.5 < max(decibels) < 2.01
    assert min(stretches) < 30 and max(stretches) > len(heard) - 30  # in the margins, too


@pytest.mark.parametrize(("encoder", "frames"), [("notes", 26), ("waveform", 4)])
def test_a_recording_lasts_as_long_as_what_is_heard_of_it(chapter, encoder, frames):
    sounds = {k: y[: frames * HOP] for k, y in toy().items()}
    _, _, q, _ = batch(chapter, sounds=sounds, encoder=encoder)
    assert q.shape == (4 * HOP, 4)
    for shorter in (1, 12):
        sounds["pulses"] = sounds["pulses"][:-shorter]
        seconds = f"{sounds['pulses'].size / SIZE['sr']:.2f}"
        with pytest.raises(
            InputError, match=f"pulses has {seconds} s of sound: give {frames / 20:.2f} or more"
        ):
            batch(chapter, sounds=sounds, encoder=encoder)


def test_pieces_are_louder_or_softer_by_a_few_decibels(chapter):
    sounds = {"a": sine(20, 5, SIZE["sr"], 0.1)}
    heard = torch.cat([batch(chapter, key=(k, 0, 0), sounds=sounds)[0] for k in range(40)])
    gain = 10 * torch.log10(heard.square().mean(dim=1) / 0.005)
    assert -4.1 < gain.min() < -3 and 1 < gain.max() < 2.1


def test_what_the_decoder_hears_of_the_past_is_near_the_truth(chapter):
    noises = []
    for step in range(40):
        _, before, q, _ = batch(chapter, key=(0, 0, step))
        noises += (before - q).double().std(dim=0).tolist()
        assert (before - q).abs().max() <= 12
    # Each piece has a spread of its own, from none to two levels.
    assert min(noises) < 0.2 and 1.8 < max(noises) < 2.3
    assert 0.8 < np.mean(noises) < 1.2


# The learning rate


def test_the_rate_of_the_paper_falls_by_two_per_cent_in_ten_thousand_pieces(chapter):
    for step, per_step, pieces in ((0, 6, 0), (625, 16, 10_000), (5000, 48, 240_000)):
        found = chapter.rate_at(step, 10**6, 1e-3, "paper", per_step)
        assert found == pytest.approx(1e-3 * 0.98 ** (pieces / 10_000))


def test_the_other_rate_rises_stays_and_falls_along_a_half_cosine(chapter):
    rates = [chapter.rate_at(k, 1000, 2.0, "cosine", 1) for k in range(1000)]
    np.testing.assert_allclose(rates[:50], 2.0 * np.arange(1, 51) / 50)
    np.testing.assert_allclose(rates[50:301], 2.0)
    angle = np.pi * (np.arange(300, 1000) - 300) / 700
    np.testing.assert_allclose(rates[300:], 2 * (0.02 + 0.98 * np.cos(angle / 2) ** 2))
    assert (np.diff(rates[300:]) < 0).all() and rates[-1] < 0.0401


def test_an_unknown_schedule_is_refused(chapter):
    with pytest.raises(InputError, match="schedule is 'linear': give 'cosine' or 'paper'"):
        chapter.rate_at(0, 10, 1e-3, "linear", 1)


# Training


def plan_of(chapter, **changed):
    plan = {"size": SIZE, "steps": 6, "frames": 4, "per_kind": 1, "rate": 2e-3, "round_of": 2}
    return chapter.Plan(**plan | {"schedule": "paper"} | changed)


def fingerprints():
    return {name: hashlib.sha256(y.tobytes()).hexdigest()[:16] for name, y in toy().items()}


def without_seconds(history):
    return [{k: v for k, v in means.items() if k != "seconds"} for means in history]


@pytest.fixture(scope="module")
def unbroken(chapter, tmp_path_factory):
    """Return a translator that was trained without a stop, and its history."""
    translator = fresh(chapter)
    folder = tmp_path_factory.mktemp("unbroken")
    return translator, chapter.train(translator, toy(), plan_of(chapter), folder)


@pytest.mark.parametrize("one", [True, False])
def test_the_loss_falls(chapter, tmp_path, one):
    plan = plan_of(chapter, steps=60, round_of=10, rate=4e-3)
    history = chapter.train(fresh(chapter, one=one), toy(), plan, tmp_path)
    assert len(history) == 6 and set(history[0]) == {"sound", "judge", "seconds"}
    assert history[-1]["sound"] < history[0]["sound"] - 0.3
    assert history[-1]["sound"] < math.log(256) and all(m["seconds"] > 0 for m in history)


def test_the_last_round_takes_what_is_left(chapter, tmp_path, monkeypatch):
    keys, batch_of = [], chapter.batch_of
    monkeypatch.setattr(chapter, "batch_of", lambda *a: keys.append(a[4]) or batch_of(*a))
    plan = plan_of(chapter, steps=5, seed=4)
    assert len(chapter.train(fresh(chapter), toy(), plan, tmp_path)) == 3
    assert keys == [(4, 0, k) for k in range(5)]


def test_a_stopped_training_goes_on_bit_for_bit(chapter, unbroken, tmp_path, monkeypatch):
    batch_of = chapter.batch_of

    def stopping(sounds, size, frames, per_kind, key, share):
        if key[-1] == 5:  # in the middle of the third round
            raise KeyboardInterrupt
        return batch_of(sounds, size, frames, per_kind, key, share)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(chapter, "batch_of", stopping)
        chapter.train(fresh(chapter), toy(), plan_of(chapter), tmp_path)
    torch.manual_seed(9)  # a new session is at another place in its random numbers
    resumed = chapter.new_translator(SIZE, 2)
    history = chapter.train(resumed, toy(), plan_of(chapter), tmp_path)
    assert without_seconds(history) == without_seconds(unbroken[1])
    assert same_weights(resumed, unbroken[0]) and not same_weights(resumed, fresh(chapter))


def test_a_training_that_is_done_is_only_read(chapter, unbroken, tmp_path):
    chapter.train(fresh(chapter), toy(), plan_of(chapter), tmp_path)
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    torch.manual_seed(9)
    again = chapter.new_translator(SIZE, 2)
    assert len(chapter.train(again, toy(), plan_of(chapter), tmp_path)) == 3
    assert same_weights(again, unbroken[0])
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before


def test_a_checkpoint_with_other_settings_is_refused(chapter, tmp_path):
    plan = plan_of(chapter, steps=1)
    chapter.train(fresh(chapter), toy(), plan, tmp_path)
    for changed, words in (({"rate": 1e-3}, "rate was 0.002 and is 0.001"), ({"seed": 1}, "seed")):
        with pytest.raises(InputError, match=words):
            chapter.train(fresh(chapter), toy(), plan._replace(**changed), tmp_path)
    for sounds in ({"x": toy()["sine"], **toy()}, toy() | {"sine": -toy()["sine"]}):
        with pytest.raises(InputError, match="music was"):
            chapter.train(fresh(chapter), sounds, plan, tmp_path)
    torch.manual_seed(0)
    with pytest.raises(InputError, match="confusion was 0.01 and is 0.5"):
        chapter.train(chapter.new_translator(SIZE, 2, True, 0.5), toy(), plan, tmp_path)
    with pytest.raises(InputError, match="another model"):
        chapter.train(fresh(chapter, one=False), toy(), plan, tmp_path)


def test_a_held_ear_stays_as_it_is_and_the_pencil_learns_along(chapter, tmp_path):
    translator = fresh(chapter, held=True)
    with_statistics(translator.encoder)
    before = copy.deepcopy(translator)
    chapter.train(translator, toy(), plan_of(chapter), tmp_path)
    assert same_weights(translator.encoder, before.encoder)  # the statistics, too
    assert not translator.encoder.training and not translator.encoder.norm.training
    assert translator.judge.training and translator.decoders[0].training
    for part in ("decoders", "judge"):
        assert not same_weights(getattr(translator, part), getattr(before, part))
    now, then = (one.sketcher.state_dict() for one in (translator, before))
    assert not [name for name in now if torch.equal(now[name], then[name])]


@pytest.mark.parametrize(("encoder", "sr"), [("notes", SIZE["sr"]), ("waveform", 160)])
def test_an_ear_that_is_not_held_learns_with_the_decoders(chapter, tmp_path, encoder, sr):
    translator = fresh(chapter, encoder=encoder, sr=sr).eval()
    before = copy.deepcopy(translator)
    plan = plan_of(chapter, size=SIZE | {"encoder": encoder, "sr": sr}, steps=2)
    chapter.train(translator, toy(), plan, tmp_path)
    assert translator.encoder.training
    now, then = translator.encoder.state_dict(), before.encoder.state_dict()
    kept = [name for name in now if torch.equal(now[name], then[name])]
    assert set(kept) <= {"stack.last.bias"}  # which is normalised away


def test_another_precision_may_follow_in_one_session(chapter, unbroken, tmp_path):
    plan = plan_of(chapter, steps=2)
    trained = {}
    for precision in ("bf16", "no"):
        trained[precision] = fresh(chapter)
        plan = plan._replace(precision=precision)
        (means,) = chapter.train(trained[precision], toy(), plan, tmp_path / precision)
        assert np.isfinite(means["sound"])
    assert not same_weights(*trained.values())
    again = fresh(chapter)
    chapter.train(again, toy(), plan, tmp_path / "again")
    assert same_weights(again, trained["no"])


def held_ear(chapter, seed):
    """Return a tiny translator whose ear learned in another way for each seed."""
    translator = fresh(chapter)
    translator.encoder = ear_of(chapter, seed=seed).eval().requires_grad_(False)
    return translator


def test_a_checkpoint_of_an_ear_that_learned_otherwise_is_refused(chapter, tmp_path):
    makers = {
        "free": lambda: fresh(chapter),
        "held": lambda: fresh(chapter, held=True),
        "another": lambda: held_ear(chapter, 7),
    }
    plan = plan_of(chapter, steps=1)
    for made, make in makers.items():
        chapter.train(make(), toy(), plan, tmp_path / made)
        for other in makers.keys() - {made}:
            translator, before = makers[other](), makers[other]()
            with pytest.raises(InputError, match="made with other settings: held ear was"):
                chapter.train(translator, toy(), plan, tmp_path / made)
            assert same_weights(translator, before)


def test_training_with_a_held_ear_goes_on_bit_for_bit(chapter, tmp_path, monkeypatch):
    plan, batch_of = plan_of(chapter, steps=4), chapter.batch_of
    whole = held_ear(chapter, 7)
    wanted = chapter.train(whole, toy(), plan, tmp_path / "whole")

    def stopping(*given):
        if given[4][-1] == 3:
            raise KeyboardInterrupt
        return batch_of(*given)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(chapter, "batch_of", stopping)
        chapter.train(held_ear(chapter, 7), toy(), plan, tmp_path / "stopped")
    torch.manual_seed(9)
    resumed = chapter.new_translator(SIZE, 2)
    resumed.encoder = held_ear(chapter, 7).encoder
    found = chapter.train(resumed, toy(), plan, tmp_path / "stopped")
    assert without_seconds(found) == without_seconds(wanted) and same_weights(resumed, whole)


def test_a_single_process_needs_no_others(chapter, unbroken, tmp_path):
    translator = fresh(chapter)
    history = chapter.train_side_by_side(1, translator, toy(), plan_of(chapter), tmp_path)
    assert without_seconds(history) == without_seconds(unbroken[1])
    assert same_weights(translator, unbroken[0])


@pytest.mark.parametrize("held", [True, False])
def test_training_is_what_it_is_by_hand(chapter, tmp_path, held):
    translator = fresh(chapter, held=held)
    history = chapter.train(translator, toy(), plan_of(chapter), tmp_path)
    wanted, losses = trained_by_hand(chapter, 1, held)
    np.testing.assert_allclose(learned(pretrained.torch_arrays(translator)), wanted, atol=1e-5)
    for key, column in (("sound", 0), ("judge", 1)):
        means = losses[:, column].reshape(3, 2).mean(axis=1)  # of rounds of two steps
        np.testing.assert_allclose([round_[key] for round_ in history], means, rtol=1e-4)


PROCESSES = """
import os, signal, sys
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState, debug_launcher

from audiostyle_utils import load_chapter, pretrained
from tests.test_07_music_translation import fresh, plan_of, toy

torch.set_num_threads(1)
chapter, folder = load_chapter("07_music_translation"), Path(sys.argv[1])


def apart(work):
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    return os.waitpid(child, 0)[1]


def killed():
    flush, files = os.fsync, []

    def fsync(file):
        flush(file)
        files.append(file)
        if len(files) == 2:  # the second checkpoint is written, and not yet in its place
            os.kill(os.getpid(), signal.SIGKILL)

    os.fsync = fsync
    chapter.train(fresh(chapter), toy(), plan_of(chapter), folder / "killed")


def half():
    translator, plan = fresh(chapter), plan_of(chapter, precision="bf16", steps=20, round_of=10)
    chapter.train(translator, toy(), plan, folder / "half")
    np.savez(folder / "half.npz", **pretrained.torch_arrays(translator))


def together():
    for held in (True, False):
        translator = fresh(chapter, held=held)
        chapter.train(translator, toy(), plan_of(chapter), folder / f"together, {held}")
        name = f"{PartialState().process_index} of {PartialState().num_processes}, {held}.npz"
        np.savez(folder / name, **pretrained.torch_arrays(translator))


(folder / "signal").write_text(str(os.WTERMSIG(apart(killed))))
assert apart(half) == 0
debug_launcher(together, num_processes=2)
for name in ("side by side", "once more"):
    translator = fresh(chapter, held=True)
    given = (translator, toy(), plan_of(chapter), folder / name)
    np.savetxt(folder / "rounds", [len(chapter.train_side_by_side(2, *given))])
    np.savez(folder / f"{name}.npz", **pretrained.torch_arrays(translator))
"""


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    """Train in a process that is killed, in two together, and with 16 bits; return the folder."""
    folder = tmp_path_factory.mktemp("processes")
    command = [sys.executable, "-c", PROCESSES, folder]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_a_killed_training_leaves_the_former_checkpoint_and_goes_on(chapter, unbroken, processes):
    assert (processes / "signal").read_text() == "9"
    left = sorted(path.name for path in (processes / "killed").iterdir())
    assert left == ["checkpoint.part", "checkpoint.safetensors"]
    torch.manual_seed(9)
    resumed = chapter.new_translator(SIZE, 2)
    adam = torch.optim.Adam(resumed.parameters())
    settings = plan_of(chapter)._asdict() | {
        "music": fingerprints(),
        "confusion": 0.01,
        "held ear": None,
    }
    checkpoint = chapter.au.training.TorchCheckpoint(processes / "killed", settings)
    assert len(checkpoint.restore({"translator": resumed, "adam": adam})) == 1  # of three rounds
    history = chapter.train(resumed, toy(), plan_of(chapter), processes / "killed")
    assert without_seconds(history) == without_seconds(unbroken[1])
    assert same_weights(resumed, unbroken[0])
    assert [path.name for path in (processes / "killed").iterdir()] == ["checkpoint.safetensors"]


def trained_by_hand(chapter, processes, held):
    """Train as so many processes would: share the kinds out, and average the gradients.

    Return the weights that learned, and the losses of each step in the first of the processes.
    """
    translator, plan, losses = fresh(chapter, held=held), plan_of(chapter), []
    parameters = [p for p in translator.parameters() if p.requires_grad]
    adam = torch.optim.Adam(parameters, plan.rate, betas=(0.9, 0.99))
    for step in range(plan.steps):
        rate = plan.rate * 0.98 ** (step * 2 / 10_000)
        adam.param_groups[0]["lr"] = rate
        adam.zero_grad()
        for process in range(processes):
            key, share = (plan.seed, process, step), slice(process, None, processes)
            both = translator(*chapter.batch_of(toy(), SIZE, plan.frames, 1, key, share))
            (sum(both) / processes).backward()
            losses += [[loss.item() for loss in both]] if process == 0 else []
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        adam.step()
    return learned(pretrained.torch_arrays(translator)), np.array(losses)


def flat(arrays):
    return np.concatenate([arrays[name].ravel() for name in sorted(arrays)])


def learned(arrays):
    """Leave out the statistics, which each process has of its own batches."""
    return flat({name: arrays[name] for name in arrays if ".norm." not in name})


@pytest.mark.parametrize("held", [True, False])
def test_two_processes_average_their_gradients_and_stay_the_same(chapter, processes, held):
    made = [np.load(processes / f"{k} of 2, {held}.npz") for k in (0, 1)]
    np.testing.assert_array_equal(learned(made[0]), learned(made[1]))
    if held:
        np.testing.assert_array_equal(flat(made[0]), flat(made[1]))
    start = learned(pretrained.torch_arrays(fresh(chapter)))
    way, alone = (trained_by_hand(chapter, count, held)[0] - start for count in (2, 1))
    found = learned(made[0]) - start
    assert np.linalg.norm(found - way) < 0.01 * np.linalg.norm(way)
    assert np.linalg.norm(found - alone) > 0.2 * np.linalg.norm(way)  # the second does count


def test_what_was_trained_side_by_side_comes_back(processes):
    assert np.loadtxt(processes / "rounds") == 3
    wanted = flat(np.load(processes / "0 of 2, True.npz"))
    for name in ("side by side", "once more"):  # the second follows a training in the same process
        np.testing.assert_array_equal(flat(np.load(processes / f"{name}.npz")), wanted)


def test_sixteen_bits_learn_and_stay_finite(chapter, processes):
    made = flat(np.load(processes / "half.npz"))
    assert np.isfinite(made).all()
    plan = plan_of(chapter, precision="bf16", steps=20, round_of=10)
    settings = plan._asdict() | {"music": fingerprints(), "confusion": 0.01, "held ear": None}
    translator = fresh(chapter)
    parts = {"translator": translator, "adam": torch.optim.Adam(translator.parameters())}
    checkpoint = chapter.au.training.TorchCheckpoint(processes / "half", settings)
    first, last = checkpoint.restore(parts)
    assert last["sound"] < first["sound"]
    np.testing.assert_array_equal(flat(pretrained.torch_arrays(translator)), made)


# Sample by sample


def logits_of(chances):
    logits = torch.full((256,), -torch.inf)
    for level, chance in chances.items():
        logits[level] = math.log(chance)
    return logits


def test_a_level_is_chosen_where_the_summed_chances_pass_the_number(chapter):
    logits = logits_of({3: 0.25, 100: 0.25, 200: 0.5})
    wanted = {0.0: 3, 0.1: 3, 0.2499: 3, 0.2501: 100, 0.4999: 100, 0.5001: 200, 0.9999: 200}
    found = chapter.chosen(logits.expand(len(wanted), 256), torch.tensor([*wanted]))
    assert found.tolist() == [*wanted.values()]


def test_the_outermost_numbers_choose_levels_that_can_be(chapter):
    uniform = torch.tensor([0.0, np.nextafter(1, 0)], dtype=torch.float64)
    assert chapter.chosen(torch.zeros(2, 256), uniform).tolist() == [0, 255]
    narrow = logits_of({7: 0.5, 9: 0.5}).expand(2, 256)
    assert chapter.chosen(narrow, uniform).tolist() == [7, 9]
    assert chapter.chosen(torch.zeros(1, 256), torch.ones(1)).tolist() == [255]


def test_levels_come_as_often_as_their_chances_say(chapter):
    logits = torch.randn(256, generator=torch.Generator().manual_seed(0))
    uniform = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    found = chapter.chosen(logits.expand(20_000, 256), uniform)
    counts = torch.bincount(found, minlength=256)
    torch.testing.assert_close(
        counts.double(), 20_000 * logits.double().softmax(0), atol=1.01, rtol=0
    )


@pytest.mark.parametrize("length", [150, 146])  # the last code may last less long
@pytest.mark.parametrize("shape", [(8, 2, 3), (12, 1, 6, 156)])
def test_cached_teacher_forced_and_compiled_are_the_same(chapter, shape, length):
    torch.manual_seed(0)
    net = chapter.WaveNet(*shape)
    codes, hop = random_codes(6, 3, *shape[3:]), 25
    uniforms = torch.rand(
        length, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    drawn = chapter.draw_cached(net, codes, uniforms)
    assert drawn.shape == (length, 3) and len(drawn.unique()) > 20
    with torch.no_grad():
        logits = net(drawn, codes)
    assert torch.equal(chapter.chosen(logits, uniforms), drawn)
    hand = chapter.folded(net)
    if length < 6 * hop:  # the compiled one plays whole codes
        return
    found = wavenet.logits(hand, codes.numpy(), drawn.numpy(), hop)
    np.testing.assert_allclose(found, logits, atol=1e-4)
    again = wavenet.draw(hand, codes.numpy(), hop, uniforms.numpy())
    np.testing.assert_array_equal(again, drawn)


@pytest.mark.parametrize(("size", "frames"), [(HOP, 1), (HOP + 1, 2), (10 * HOP, 10), (1199, 10)])
@pytest.mark.parametrize("encoder", ["notes", "waveform"])
def test_codes_are_as_many_as_begun_frames(chapter, encoder, size, frames):
    ear = ear_of(chapter) if encoder == "notes" else chapter.WaveEncoder(SIZE["sr"], 4, 1, 2)
    translator = chapter.Translator(ear, [chapter.WaveNet(4, 1, 2)], 2).eval()
    codes = chapter.codes_of(translator, toy()["pulses"][:size])
    assert codes.shape == (frames, 64) and codes.dtype == np.float32


@pytest.mark.parametrize("higher", [0, 1, 2])
def test_what_lies_too_high_for_the_ear_is_heard_octaves_lower(chapter, higher):
    y = chapter.levelled(chapter.whistled([60 + 12 * higher, 64 + 12 * higher], 8000, beat=1.0))
    W, power = chapter.Spectrum(8000)(torch.tensor(y)[None])
    assert chapter.octaves_above(W) == higher
    lower = chapter.moved_by(W, -36 * higher)
    tones = chapter.tones_of(lower)[0]
    for frames, note in ((slice(5, 15), 60), (slice(25, 35), 64)):
        assert tones[frames, note - 33].all()  # semitones are counted from an A of 55 Hz
        assert tones[frames, 50 + (note - 33) % 12].all()
    translator = fresh(chapter, sr=8000).eval()
    with torch.no_grad():
        wanted = translator.encoder.written(chapter.page_of(lower, power))[:, 0]
    np.testing.assert_allclose(chapter.codes_of(translator, y), wanted, atol=1e-3)


def test_music_in_the_range_of_the_ear_and_silence_stay_where_they_are(chapter):
    spectrum = chapter.Spectrum(8000)
    for y in (music(2, 8000), np.zeros(8000, np.float32)):
        assert chapter.octaves_above(spectrum(torch.tensor(y)[None])[0]) == 0


@pytest.mark.parametrize("gain", [1e-3, 0.2, 5.0])
def test_codes_do_not_depend_on_the_level(chapter, gain):
    translator, y = fresh(chapter).eval(), toy()["pulses"]
    codes = chapter.codes_of(translator, y)
    np.testing.assert_allclose(chapter.codes_of(translator, gain * y), codes, atol=1e-4)
    assert np.abs(chapter.codes_of(translator, toy()["sine"]) - codes).max() > 0.01


@pytest.mark.parametrize("frames", [1, 5, 13, 40])
@pytest.mark.parametrize("part", [1, 7, 60])
def test_the_published_ear_hears_the_same_in_parts(chapter, frames, part):
    torch.manual_seed(0)
    ear = chapter.WaveEncoder(400, 8, blocks=2, layers=5).eval()
    sound = torch.randn(1, frames * ear.hop)
    with torch.no_grad():
        whole, found = ear(sound), chapter.heard_in_parts(ear, sound, part)
    np.testing.assert_allclose(found, whole, atol=1e-5)


def test_codes_of_a_part_are_those_of_the_batch(chapter):
    translator = fresh(chapter).eval()
    y = chapter.levelled(toy()["sine"])
    with torch.no_grad():
        wanted = translator.encoder(torch.from_numpy(y)[None])[:, 0]
    np.testing.assert_allclose(chapter.codes_of(translator, y), wanted, atol=1e-4)


def player(chapter, kinds=3):
    """Return a translator with a decoder for each kind, which have not learned yet."""
    return chapter.one_for_each(fresh(chapter, kinds), kinds).eval()


@pytest.mark.parametrize("frames", [1, 9])
def test_what_is_sketched_is_the_stack_on_codes_and_the_token_of_the_kind(chapter, frames):
    translator, codes = player(chapter), random_codes(frames, 1)[:, 0].numpy()
    kept = codes.copy()
    for kind in range(3):
        found = chapter.sketched(translator, kind, codes)
        assert found.shape == (frames, WIDE) and found.dtype == np.float32
        wanted = read_by_hand(translator, kind, codes)
        np.testing.assert_allclose(found, wanted, atol=2e-5)
    np.testing.assert_array_equal(codes, kept)


def test_without_a_pencil_what_is_sketched_are_the_codes(chapter):
    translator = fresh(chapter, one=False, encoder="waveform", sr=160)
    codes = random_codes(9, 1)[:, 0].numpy()
    for kind in range(2):
        np.testing.assert_array_equal(chapter.sketched(translator, kind, codes), codes)


@pytest.mark.parametrize("frames", [1, 7, 20])
def test_what_is_played_lasts_as_long_as_the_codes(chapter, frames):
    translator, codes = player(chapter), random_codes(frames, 1)[:, 0].numpy()
    y = chapter.played(translator, 1, codes, SIZE)
    assert y.shape == (frames * HOP,) and y.dtype == np.float32 and np.isfinite(y).all()
    np.testing.assert_array_equal(y, chapter.played(translator, 1, codes, SIZE, seed=0))
    assert not np.array_equal(y, chapter.played(translator, 1, codes, SIZE, seed=1))


@pytest.mark.parametrize(
    "given",
    [
        {"temperature": 0.5, "streams": 1},
        {"streams": 3, "warm_up": 0},
        {"streams": 3, "warm_up": 700},
        {},
    ],
)
def test_what_is_played_is_what_was_drawn_with_the_slope_undone(chapter, given):
    translator, codes = fresh(chapter, 3, one=False), random_codes(40, 1)[:, 0].numpy()
    for kind in (0, 2):  # a decoder and a sketch of its own
        y = chapter.played(translator, kind, codes, SIZE, 3, **given)
        hand, read = translator.decoders[kind], chapter.sketched(translator, kind, codes)
        knobs = {"temperature": 0.85} | given
        drawn = wavenet.generate(chapter.folded(hand), read, HOP, seed=3, **knobs)
        wanted = np.zeros(len(drawn), np.float32)
        for t, sample in enumerate(drawn):
            wanted[t] = sample + 0.85 * (wanted[t - 1] if t else 0)
        for _ in range(2):  # the desk
            wanted = chapter.equalised(wanted, translator, kind, read[:, : BANDS + 1], SIZE["sr"])
        np.testing.assert_allclose(y, wanted, atol=1e-4 * np.abs(wanted).max())


def test_the_desk_raises_what_is_too_soft_and_lowers_what_is_too_loud(chapter):
    sr, translator = SIZE["sr"], player(chapter, 2)
    t = np.arange(4 * sr) / sr
    tones = [np.sin(2 * np.pi * hertz * t) for hertz in (220, 440)]
    wanted = (0.1 * tones[0] + 0.01 * tones[1]).astype(np.float32)
    spectrum, tool = translator.encoder.spectrum, translator.foreteller
    tool.envelopes.copy_(chapter.envelopes_of(spectrum, {"a": wanted, "b": wanted}, sr))
    W, power = spectrum(torch.from_numpy(wanted)[None])
    sketch = torch.cat([W, power / 2], dim=2)[0].numpy()
    played = (0.03 * tones[0] + 0.05 * tones[1]).astype(np.float32)
    mended = chapter.equalised(played, translator, 1, sketch, sr)
    assert mended.shape == played.shape and mended.dtype == np.float32
    for hertz, height in ((220, 0.1), (440, 0.01)):
        for y, off in ((played, 1.5), (mended, 0.7)):
            found = 2 * abs(np.mean(y * np.exp(-2j * np.pi * hertz * t)))
            assert (abs(20 * np.log10(found / height)) > 6) == (off > 1)


def test_the_desk_leaves_what_is_as_it_was_asked_for(chapter):
    sr, translator = SIZE["sr"], player(chapter, 2)
    y = (0.1 * np.random.default_rng(0).standard_normal(3 * sr)).astype(np.float32)
    spectrum, tool = translator.encoder.spectrum, translator.foreteller
    W, power = spectrum(torch.from_numpy(y)[None])
    L = spectrum.heights(torch.from_numpy(y)[None]).transpose(1, 2)
    sketch = torch.cat([L - tool.envelopes[0] - power / 2, power / 2], dim=2)[0].numpy()
    np.testing.assert_allclose(chapter.equalised(y, translator, 0, sketch, sr), y, atol=1e-4)


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_few_frames_can_be_equalised(chapter, frames):
    translator, y = player(chapter), np.full(frames * HOP, 0.1, np.float32)
    sketch = np.zeros((frames, BANDS + 1), np.float32)
    mended = chapter.equalised(y, translator, 2, sketch, SIZE["sr"])
    assert mended.shape == y.shape and np.isfinite(mended).all()


def test_noise_is_rougher_than_a_tone(chapter):
    sr = SIZE["sr"]
    tone = np.sin(2 * np.pi * 300 * np.arange(2 * sr) / sr).astype(np.float32)
    noise = np.random.default_rng(0).standard_normal(2 * sr).astype(np.float32)
    rough = [chapter.roughness(y, sr) for y in (tone, 0.1 * tone, tone + 0.1 * noise)]
    assert rough[0] == pytest.approx(rough[1], rel=1e-3)
    assert rough[2] > 2 * rough[0]


def test_with_the_same_decoders_it_is_the_sketch_that_makes_the_difference(chapter):
    translator, codes = player(chapter), random_codes(20, 1)[:, 0].numpy()

    def all_played():
        return {chapter.played(translator, kind, codes, SIZE).tobytes() for kind in range(3)}

    assert len(all_played()) == 3
    with torch.no_grad():
        translator.sketcher.tokens.weight[:] = translator.sketcher.tokens.weight[0].clone()
    assert len(all_played()) == 1


def test_the_published_decoders_play_the_codes_themselves(chapter):
    size = SIZE | {"encoder": "waveform", "sr": 160}
    translator = fresh(chapter, one=False, encoder="waveform", sr=160)
    codes = random_codes(40, 1)[:, 0].numpy()
    y = chapter.played(translator, 1, codes, size, seed=3, streams=1)
    hand = chapter.folded(translator.decoders[1])
    drawn = wavenet.generate(hand, codes, 8, seed=3, temperature=0.85, streams=1)
    np.testing.assert_array_equal(y, chapter.undone(drawn, 0.85))


def test_a_warm_up_changes_what_is_played_in_more_than_one_stream(chapter):
    translator, codes = player(chapter), random_codes(40, 1)[:, 0].numpy()
    for streams, same in ((1, True), (3, False)):
        short, long = (
            chapter.played(translator, 1, codes, SIZE, streams=streams, warm_up=warm_up)
            for warm_up in (0, 700)
        )
        assert np.array_equal(short, long) == same


# Measures


def test_a_sound_is_all_that_it_should_be_to_itself(chapter):
    y = chapter.whistled([69, 72, 76, 74], 8000)
    measures = chapter.measures_of(y, y, y, 8000)
    assert measures.pop("distance to truth") == pytest.approx(0, abs=1e-6)
    assert len(measures) == 5
    assert all(value == pytest.approx(1, abs=1e-6) for value in measures.values()), measures


def test_the_truth_and_the_source_are_not_mixed_up(chapter):
    source, truth = chapter.whistled([60, 62, 64, 65], 8000), music(1.6, 8000)
    measures = chapter.measures_of(source, truth, truth, 8000)
    assert measures["chroma, truth"] == pytest.approx(1) and measures["chroma"] < 0.9
    assert measures["distance to truth"] == pytest.approx(0, abs=1e-6)


def test_timbre_does_not_depend_on_level_and_length(chapter):
    y = music(2, 8000)
    timbre = chapter.timbre_of(y, 8000)
    assert timbre.shape == (80,) and np.isfinite(timbre).all()
    for gain in (0.01, 3.0):
        np.testing.assert_allclose(chapter.timbre_of(gain * y, 8000), timbre, atol=1e-3)
    assert chapter.timbre_of(y[:4000], 8000).shape == (80,)


def test_pieces_are_whole_but_one_that_is_short(chapter):
    y = np.arange(100)
    assert [p.tolist() for p in chapter.pieces(y[:9], 2, 2)] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert [p.tolist() for p in chapter.pieces(y[:3], 2, 2)] == [[0, 1, 2]]


def test_the_listener_tells_apart_what_sounds_apart(chapter):
    def sounds(seed):
        rng = np.random.default_rng(seed)
        t = np.arange(16 * 4000) / 4000
        pitch = 200 * 2 ** (rng.integers(0, 12, 64) / 12).repeat(1000)
        phase = 2 * np.pi * np.cumsum(pitch) / 4000
        flute, wind = np.sin(phase), rng.normal(size=t.size)
        return {"flute": flute, "reed": np.sign(flute), "wind": wind}

    listener = chapter.listener_of(sounds(0), 4000)
    for name, y in sounds(1).items():
        pieces = chapter.pieces(0.1 * y, 4000)
        assert [chapter.called(listener, piece, 4000) for piece in pieces] == 4 * [name]
        assert chapter.called(listener, 0.2 * pieces[0], 4000) == name


def test_a_kind_is_called_by_the_timbre_of_the_whole_piece(chapter):
    class Listener:
        def predict(self, timbres):
            [timbre] = timbres
            np.testing.assert_array_equal(timbre, chapter.timbre_of(music(2, 8000), 8000))
            return np.array(["choir"])

    assert chapter.called(Listener(), music(2, 8000), 8000) == "choir"


# Do the codes keep the secret?


def heard_codes(leak, seed, pieces=12, seconds=2):
    """Return codes of the same pieces by six kinds, who leave `leak` of themselves in them."""
    rng = np.random.default_rng(seed)
    music = rng.normal(size=(20 * seconds, pieces, 64))
    own = np.random.default_rng(0).normal(size=(6, 64))
    return {
        name: (music + leak * own[k] + 0.5 * rng.normal(size=music.shape)).astype(np.float32)
        for k, name in enumerate(DOMAINS)
    }


def test_a_fresh_judge_finds_a_leak(chapter):
    judge = chapter.fresh_judge(heard_codes(0.5, 1))
    assert chapter.share_right(judge, heard_codes(0.5, 2)) > 0.95


def test_a_fresh_judge_finds_nothing_where_nothing_is(chapter):
    judge = chapter.fresh_judge(heard_codes(0.0, 1))
    share = chapter.share_right(judge, heard_codes(0.0, 2, pieces=40))
    assert share == pytest.approx(1 / 6, abs=0.08)


def test_the_share_is_that_of_seconds_that_are_called_right(chapter):
    class First(torch.nn.Module):
        def forward(self, codes):
            assert codes.shape[0] == chapter.FRAMES
            return torch.nn.functional.one_hot((codes[0, :, 0] > 0).long(), 2)

    codes = np.zeros((45, 4, 64), np.float32)  # two whole seconds
    heard = {"a": codes - 1, "b": codes + np.array([1, 1, 1, -1])[:, None].astype(np.float32)}
    assert chapter.share_right(First(), heard) == pytest.approx((8 + 6) / 16)


def test_all_kinds_play_the_same_pieces_to_the_ear(chapter):
    names = ["haydn-opus1no1-2_00", "haydn-opus74no1-2_00"]
    translator = fresh(chapter, kinds=6).eval()
    heard = chapter.codes_by_kind(translator, names, SIZE["sr"], seconds=2)
    assert tuple(heard) == DOMAINS
    assert all(codes.shape == (40, 2, 64) for codes in heard.values())
    y = audio.resample(render_piece(names[1], "organ")[0], SR, SIZE["sr"])[: 2 * SIZE["sr"]]
    np.testing.assert_allclose(heard["organ"][:, 1], chapter.codes_of(translator, y), atol=1e-4)


# The reader's own recording


@pytest.mark.parametrize("sr", [8000, 44_100])
def test_a_whistle_has_the_pitch_of_each_beat(chapter, sr):
    notes = [76, 72, 79, 67]
    y = chapter.whistled(notes, sr, beat=0.3)
    assert y.size == 4 * round(0.3 * sr) and y.dtype == np.float32 and np.abs(y).max() < 1
    for note, part in zip(notes, np.split(y, 4), strict=True):
        inner = part[len(part) // 4 : -len(part) // 6]
        spectrum = np.abs(np.fft.rfft(inner * np.hanning(inner.size), 2**18))
        hertz = spectrum.argmax() * sr / 2**18
        assert 12 * np.log2(hertz / 440) + 69 == pytest.approx(note, abs=0.3)


@pytest.mark.parametrize("sr", [8000, 11_025])
def test_notes_are_counted_whose_tone_is_the_strongest(chapter, sr):
    notes = [60, 62, 64, 65, 67, 69, 71, 72]
    parts = [tone(note, 0.3, sr, overtones=3) for note in notes]
    assert chapter.notes_kept(np.concatenate(parts), notes, sr) == 8
    octaves = [note + 12 * (k % 2) for k, note in enumerate(notes)]
    assert chapter.notes_kept(np.concatenate(parts), octaves, sr) == 8
    assert chapter.notes_kept(np.concatenate(parts[1:] + parts[:1]), notes, sr) == 1  # 72 for 60
    beside = [note + 1 for note in notes[:3]] + notes[3:]
    assert chapter.notes_kept(np.concatenate(parts), beside, sr) == 5


MEASURES = [{"metric": "chroma", "value": 0.5, "low": 0.4, "high": 0.6, "data": "a test"}]


@pytest.fixture
def save(chapter, tmp_path):
    def save(translator, names=("this", "that"), **changed):
        path = tmp_path / "mine.safetensors"
        card = chapter.card_of(SIZE, names, MEASURES, "two sounds", {"steps": 3}) | changed
        arrays = pretrained.torch_arrays(translator)
        halves = {name: array.astype(np.float16) for name, array in arrays.items()}
        return pretrained.save(path, halves, card)

    return save


def test_own_weights_come_back_with_their_card(chapter, save, monkeypatch):
    monkeypatch.setenv("AUDIOSTYLE_COMMAND", "make me")
    translator = fresh(chapter, one=False).eval()
    found, card = chapter.load_translator(save(translator))
    assert card["classes"] == ["this", "that"] and card["command"] == "make me"
    assert card["settings"] == {"steps": 3, "size": SIZE} and card["measures"] == MEASURES
    statistics = 2 * 64 + 1 + 2 * BANDS  # of the norm, and the envelopes, beside the weights
    assert card["parameters"] == sum(p.numel() for p in translator.parameters()) + statistics
    assert not found.training
    y = toy()["pulses"]
    wanted = chapter.codes_of(translator, y)
    np.testing.assert_allclose(chapter.codes_of(found, y), wanted, atol=0.02)  # of 16 bits
    for kind in range(2):
        sketches = [chapter.sketched(one, kind, wanted) for one in (found, translator)]
        np.testing.assert_allclose(*sketches, atol=0.02)


def test_weights_that_were_saved_anew_are_read_anew(chapter, save):
    path = save(fresh(chapter, one=False))
    first, _ = chapter.load_translator(path)
    torch.manual_seed(5)
    other = chapter.new_translator(SIZE, 2, shared=False)
    save(other)
    os.utime(path, ns=(1, 1))  # so that the time differs, however coarse the file system's is
    second, _ = chapter.load_translator(path)
    assert not same_weights(first, second)


@pytest.fixture
def recording(chapter, tmp_path):
    def make(name="tune.wav", sr=16_000, seconds=0.3, gain=1.0, channels=1):
        tune = chapter.whistled([72, 76], sr, beat=seconds / 2)
        y = np.clip(gain * tune[: round(seconds * sr)], -1, 1)
        audio.save(tmp_path / name, y if channels == 1 else np.stack([y, 0.3 * y]), sr)
        return tmp_path / name

    return make


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ({"channels": 2}, 0.3),
        ({"sr": 44_100, "name": "a.flac", "seconds": 0.31}, 0.31),
        ({"sr": 8000, "seconds": 0.22}, 0.22),
        ({"sr": 11_025, "seconds": 0.4}, 0.4),
        ({"sr": 44_100, "name": "a.mp3"}, None),
        ({"gain": 8.0}, 0.3),
        ({"name": "my_tune_2.wav"}, 0.3),
        ({"seconds": 0.05}, 0.05),
        ({"seconds": 0.05, "sr": 44_100}, 0.05),
        ({"gain": 0.001}, 0.3),
    ],
)
def test_a_translation_lasts_as_long_as_the_recording(chapter, recording, given, seconds):
    path = recording(**given)
    y, sr = chapter.translate_music(path, "organ")
    assert y.size == audio.load(path, sr)[0].size
    if seconds:
        assert y.size == round(seconds * sr)
    assert y.ndim == 1 and np.isfinite(y).all() and np.abs(y).max() <= 1
    assert y.std() > 1e-4
    assert sr == pretrained.load(chapter.WEIGHTS).card["settings"]["size"]["sr"]


def test_a_translation_follows_from_its_seed(chapter, recording):
    path = recording()
    first, again, other = (chapter.translate_music(path, "piano", seed=s)[0] for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    organ, _ = chapter.translate_music(path, "organ", seed=1)
    assert not np.array_equal(first, organ)
    dull, _ = chapter.translate_music(path, "piano", seed=1, temperature=0.3)
    assert not np.array_equal(first, dull)


def test_all_six_kinds_play(chapter, recording):
    assert chapter.DOMAINS == DOMAINS
    made = [chapter.translate_music(recording(seconds=0.1), kind)[0] for kind in chapter.DOMAINS]
    assert len({y.tobytes() for y in made}) == 6


def test_own_weights_play(chapter, recording, save):
    path = save(fresh(chapter, one=False))
    y, sr = chapter.translate_music(recording(), "that", path, temperature=1)
    assert sr == 2400 and y.size == 720 and np.isfinite(y).all()
    with pytest.raises(InputError, match="no kind 'organ'. Give one of this, that"):
        chapter.translate_music(recording(), "organ", path)


def test_a_translation_is_the_codes_of_the_recording_played(chapter, recording, save):
    path, weights = recording(seconds=0.31, sr=SIZE["sr"]), save(fresh(chapter, one=False))
    translator, _ = chapter.load_translator(weights)
    source, _ = audio.load(path, SIZE["sr"])
    codes = chapter.codes_of(translator, source)
    for knobs in ({}, {"temperature": 0.5}):
        y, _ = chapter.translate_music(path, "that", weights, seed=3, **knobs)
        wanted = chapter.played(translator, 1, codes, SIZE, 3, **knobs)[: source.size]
        np.testing.assert_array_equal(y, chapter.levelled(wanted))


def test_a_translation_is_as_loud_as_the_recordings_of_the_lesson(chapter, recording, save):
    weights = save(fresh(chapter, one=False))
    y, _ = chapter.translate_music(recording(seconds=1.0, gain=0.01), "that", weights)
    peak, level = np.abs(y).max(), np.sqrt(np.mean(y**2))
    assert level == pytest.approx(0.1, rel=1e-4) or peak == pytest.approx(0.9, rel=1e-4)
    assert level < 0.1001 and peak < 0.9001


def test_what_cannot_be_translated_is_said(chapter, recording, tmp_path):
    with pytest.raises(InputError, match="lasts 49 ms. Give 50 or more"):
        chapter.translate_music(recording(seconds=0.049), "organ")
    with pytest.raises(InputError, match="is silent"):
        chapter.translate_music(recording(gain=0.0), "organ")
    with pytest.raises(InputError, match="no kind 'kazoo'. Give one of .*organ"):
        chapter.translate_music(recording(), "kazoo")
    with pytest.raises(InputError, match="no_such.wav"):
        chapter.translate_music(tmp_path / "no_such.wav", "organ")
    (tmp_path / "text.wav").write_text("not a sound")
    with pytest.raises(InputError, match="text.wav"):
        chapter.translate_music(tmp_path / "text.wav", "organ")
    for knob in ({"temperature": 0}, {"seed": -1}):
        with pytest.raises(InputError, match=next(iter(knob))):
            chapter.translate_music(recording(), "organ", **knob)


def test_weights_that_do_not_fit_are_refused(chapter, recording, save):
    for other in ("03_lstm_music_fiddle", "05_melgan_vc_slt"):
        with pytest.raises(InputError, match="another chapter"):
            chapter.translate_music(recording(), "organ", other)
    with pytest.raises(InputError, match="no weights 'nothing'"):
        chapter.translate_music(recording(), "organ", "nothing")
    path = save(fresh(chapter, one=False), settings={"size": SIZE | {"channels": 16}})
    with pytest.raises(InputError, match="do not fit the model: .* is "):
        chapter.translate_music(recording(), "this", path)
    path = save(fresh(chapter, one=False), names=("this", "that", "more"))
    os.utime(path, ns=(2, 2))
    with pytest.raises(InputError, match="do not fit the model"):
        chapter.translate_music(recording(), "this", path)
    path = save(fresh(chapter, one=True))  # one decoder for both is no translator yet
    os.utime(path, ns=(3, 3))
    with pytest.raises(InputError, match="do not fit the model"):
        chapter.translate_music(recording(), "this", path)


# The weights that come with the book


def test_the_compiled_decoders_of_the_book_are_its_networks(chapter):
    translator, card = chapter.load_translator()
    assert tuple(card["classes"]) == DOMAINS and not translator.training
    hop = card["settings"]["size"]["sr"] // 20
    codes = chapter.codes_of(translator, chapter.whistled([72], 20 * hop, 0.1))
    for kind in (0, 3):
        decoder, q = translator.decoders[kind], random_levels(2 * hop, 1)
        read = chapter.sketched(translator, kind, codes)[:, None]
        with torch.no_grad():
            wanted = decoder(q, torch.from_numpy(read))
        found = wavenet.logits(chapter.folded(decoder), read, q.numpy(), hop)
        np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_the_book_plays_the_chords_that_it_hears(chapter, tmp_path):
    names = ("haydn-opus1no1-2_04", "bwv248.42-s_01")  # of the test
    sources = [render_piece(name, "quartet")[0][: 4 * SR] for name in names]
    audio.save(tmp_path / "source.wav", sources[0], SR)
    for kind in ("organ", "piano"):
        y, sr = chapter.translate_music(tmp_path / "source.wav", kind)
        kept, other = (
            metrics.chroma_correlation(y, audio.resample(source, SR, sr), sr) for source in sources
        )
        assert kept > KEPT_CHROMA and kept > other + 0.3, (kind, kept, other)
