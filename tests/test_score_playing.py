import numpy as np
import pytest

from audiostyle_utils import scores, soundfont
from audiostyle_utils.errors import InputError

A4 = 69
RATE = soundfont.RATE


def stream_of(*keys, quarters=2.0, together=False):
    from music21 import chord, note, stream

    made = stream.Stream()
    if together:
        made.append(chord.Chord(list(keys), quarterLength=quarters))
    for key in () if together else keys:
        made.append(note.Note(key, quarterLength=quarters))
    return made


def midi_file(path, notes, *, tempo=120.0, bends=(), controls=(), drums=False):
    """Write notes of (start, length, key, velocity) in quarters."""
    from symusic import ControlChange, Note, PitchBend, Score, Tempo, Track

    score, track = Score(480), Track("test", 0, drums)
    score.tempos.append(Tempo(0, tempo))
    for start, length, key, velocity in notes:
        track.notes.append(Note(round(480 * start), round(480 * length), key, velocity))
    for start, value in bends:
        track.pitch_bends.append(PitchBend(round(480 * start), value))
    for start, number, value in controls:
        track.controls.append(ControlChange(round(480 * start), number, value))
    score.tracks.append(track)
    path.write_bytes(score.dumps_midi())
    return path


def pitch(y, sr, near):
    """Strongest frequency within a fifth of `near`, from a long, padded spectrum."""
    n = 1 << 19
    level = np.abs(np.fft.rfft(y * np.hanning(y.size), n))
    f = np.fft.rfftfreq(n, 1 / sr)
    level[(f < near / 1.5) | (f > near * 1.5)] = 0
    return f[level.argmax()]


def centroid(y, sr):
    level = np.abs(np.fft.rfft(y))
    return (np.fft.rfftfreq(y.size, 1 / sr) * level).sum() / level.sum()


@pytest.mark.parametrize("sr", [8000, 22050, 44100, 48000])
def test_a4_sounds_at_440_hz_at_every_rate(sr):
    y, rate = scores.render(stream_of(A4), sr, instrument="Acoustic Grand Piano")
    assert rate == sr
    assert pitch(y, sr, 440) == pytest.approx(440, rel=0.01)


@pytest.mark.parametrize(
    "instrument", ["Honky-tonk Piano", "Church Organ", "Violin", "Flute", "Orchestral Harp", 6, 56]
)
@pytest.mark.parametrize("key", [57, 69, 76])
def test_instruments_are_in_tune(instrument, key):
    y, sr = scores.render(stream_of(key), instrument=instrument)
    expected = 440 * 2 ** ((key - A4) / 12)
    assert pitch(y, sr, expected) == pytest.approx(expected, rel=0.01)


def test_a_semitone_is_a_semitone():
    low, sr = scores.render(stream_of(A4), instrument="Recorder")
    high, _ = scores.render(stream_of(A4 + 1), instrument="Recorder")
    assert pitch(high, sr, 466) / pitch(low, sr, 440) == pytest.approx(2 ** (1 / 12), rel=0.004)


def test_chorale_has_the_pitch_classes_of_its_score():
    import librosa
    from music21 import corpus

    y, sr = scores.render("bach/bwv66.6", instrument="Church Organ")
    heard = librosa.feature.chroma_cqt(y=y, sr=sr, norm=None).sum(axis=1)
    written = np.zeros(12)
    for note in corpus.parse("bach/bwv66.6").flatten().notes:
        for p in note.pitches:
            written[p.pitchClass] += note.quarterLength
    assert np.corrcoef(heard, written)[0, 1] > 0.95


def test_duration_follows_tempo():
    def sounding(tempo):
        y, sr = scores.render(stream_of(60, 62, 64, 65), instrument="Percussive Organ", tempo=tempo)
        return np.flatnonzero(np.abs(y) > 0.1)[-1] / sr

    slow, fast = sounding(60), sounding(120)
    assert slow == pytest.approx(8.0, abs=0.15)
    assert fast == pytest.approx(4.0, abs=0.15)


def test_offset_and_duration_cut_the_same_sound():
    whole, sr = scores.render("bach/bwv66.6", 44100)
    part, _ = scores.render("bach/bwv66.6", 44100, offset=3.0, duration=2.0)
    assert part.size == 2 * sr
    expected = whole[3 * sr : 5 * sr]
    np.testing.assert_allclose(part / 0.9, expected / np.abs(expected).max(), atol=1e-5)


def test_same_call_gives_the_same_samples():
    first, _ = scores.render("bach/bwv66.6", duration=4)
    second, _ = scores.render("bach/bwv66.6", duration=4)
    np.testing.assert_array_equal(first, second)


def test_result_is_float32_with_its_peak_at_nine_tenths():
    y, _ = scores.render(stream_of(60, 64, 67, together=True), instrument=48)
    assert y.dtype == np.float32
    assert y.ndim == 1
    assert np.abs(y).max() == pytest.approx(0.9, abs=1e-6)


def test_instrument_changes_the_spectrum():
    flute, sr = scores.render(stream_of(A4), instrument="Flute", duration=1)
    trumpet, _ = scores.render(stream_of(A4), instrument="Trumpet", duration=1)
    assert centroid(trumpet, sr) > 1.3 * centroid(flute, sr)


def test_none_plays_what_is_written(tmp_path):
    from music21 import instrument

    written = stream_of(A4)
    written.insert(0, instrument.Flute())
    as_written, _ = scores.render(written)
    np.testing.assert_array_equal(as_written, scores.render(written, instrument="flute")[0])
    assert not np.array_equal(as_written[:1000], scores.render(written, instrument=0)[0][:1000])


def test_the_content_of_a_midi_file_sounds_as_the_file(tmp_path):
    path = midi_file(tmp_path / "two.mid", [(0, 1, A4, 90), (1, 1, A4 + 2, 90)])
    from_bytes, _ = scores.render(path.read_bytes())
    np.testing.assert_array_equal(from_bytes, scores.render(path)[0])
    with pytest.raises(InputError, match="the score is not a readable MIDI file"):
        scores.render(b"MThd")


def test_rest_at_the_beginning_is_kept(tmp_path):
    y, sr = scores.render(midi_file(tmp_path / "late.mid", [(2, 1, A4, 90)]))
    assert np.flatnonzero(np.abs(y) > 0.01)[0] / sr == pytest.approx(1.0, abs=0.02)


def test_a_struck_string_dies_away_and_a_pipe_does_not():
    def fall(instrument):
        y, sr = scores.render(stream_of(A4, quarters=4), instrument=instrument)
        early, late = (y[round(t * sr) : round((t + 0.2) * sr)].std() for t in (0.2, 1.6))
        return 20 * np.log10(late / early)

    assert fall("Acoustic Grand Piano") < -12
    assert abs(fall("Church Organ")) < 3


def test_last_note_rings_out_without_a_click():
    y, _ = scores.render(stream_of(60, quarters=1), instrument="Orchestral Harp")
    assert np.abs(y[-50:]).max() < 1e-3


def test_velocity_is_loudness(tmp_path):
    path = midi_file(tmp_path / "two.mid", [(0, 0.5, A4, 40), (4, 0.5, A4, 80)])
    y, sr = scores.render(path, instrument="Flute")
    ratio = np.abs(y[2 * sr :]).max() / np.abs(y[:sr]).max()
    assert ratio == pytest.approx((80 / 40) ** 2, rel=0.02)


def test_volume_controller_is_obeyed(tmp_path):
    notes = [(0, 0.5, A4, 80), (4, 0.5, A4, 80)]
    path = midi_file(tmp_path / "fade.mid", notes, controls=[(0, 7, 127), (3, 7, 64)])
    y, sr = scores.render(path, instrument="Flute")
    ratio = np.abs(y[2 * sr :]).max() / np.abs(y[:sr]).max()
    assert ratio == pytest.approx((64 / 127) ** 2, rel=0.02)


def test_pedal_holds_a_note(tmp_path):
    dry = midi_file(tmp_path / "dry.mid", [(0, 0.5, A4, 80)])
    wet = midi_file(
        tmp_path / "wet.mid", [(0, 0.5, A4, 80)], controls=[(0.25, 64, 127), (4.25, 64, 0)]
    )
    short, sr = scores.render(dry, instrument="Church Organ")
    long, _ = scores.render(wet, instrument="Church Organ")
    assert (long.size - short.size) / sr == pytest.approx(4.25 / 2 - 0.25, abs=0.02)


def test_pitch_wheel_bends_by_up_to_two_semitones(tmp_path):
    path = midi_file(tmp_path / "bent.mid", [(0, 4, A4, 80)], bends=[(0, 4096), (2, -4096)])
    y, sr = scores.render(path, instrument="Recorder")
    assert pitch(y[:sr], sr, 466) == pytest.approx(440 * 2 ** (1 / 12), rel=0.01)
    assert pitch(y[sr : 2 * sr], sr, 415) == pytest.approx(440 * 2 ** (-1 / 12), rel=0.01)


def test_drums_stay_drums(tmp_path):
    path = midi_file(tmp_path / "drums.mid", [(k, 0.5, 38, 100) for k in range(4)], drums=True)
    as_written, _ = scores.render(path)
    np.testing.assert_array_equal(as_written, scores.render(path, instrument="Flute")[0])


def test_musicxml_sounds_as_the_stream_it_holds(tmp_path):
    made = stream_of(60, 64, 67)
    path = tmp_path / "three.musicxml"
    made.write("musicxml", path)
    from_file, sr = scores.render(path, instrument=0)
    from_stream, _ = scores.render(made, instrument=0)
    assert from_file.size == pytest.approx(from_stream.size, abs=sr // 100)
    for second, frequency in enumerate((261.6, 329.6, 392.0)):
        part = from_file[second * sr : (second + 1) * sr]
        assert pitch(part, sr, frequency) == pytest.approx(frequency, rel=0.01)


def test_table_is_that_of_general_midi():
    from pretty_midi import program_to_instrument_name

    def plain(name):
        return "".join(c for c in name.casefold() if c.isalnum())

    table = scores.instruments()
    assert sorted(table.values()) == list(range(128))
    for name, program in table.items():
        assert plain(name) == plain(program_to_instrument_name(program))


def test_every_instrument_sounds():
    font = soundfont.open_soundfont(scores.general_midi_font())
    silent = [p for p in range(128) if np.abs(font.note(p, 60, 90, 0.3)).max(initial=0) < 1e-3]
    assert silent == []


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (dict(instrument="Chruch Organ"), "Church Organ"),
        (dict(instrument=128), "0 to 127"),
        (dict(instrument=-1), "0 to 127"),
        (dict(tempo=0), "tempo is 0"),
        (dict(tempo=float("nan")), "tempo is nan"),
        (dict(tempo="fast"), "tempo is 'fast'"),
        (dict(offset=-1.0), "offset is -1.0"),
        (dict(offset=100.0), "22.5 s"),
        (dict(duration=0), "duration is 0"),
        (dict(sr=0), "sr is 0"),
        (dict(sr=22050.5), "sr is 22050.5"),
        (dict(soundfont="missing.sf2"), "missing.sf2"),
    ],
)
def test_bad_parameter_is_named(call, words):
    with pytest.raises(InputError, match=words):
        scores.render("bach/bwv66.6", **call)


def test_unknown_work_comes_with_suggestions():
    with pytest.raises(InputError, match=r"bach/bwv66\.6"):
        scores.render("bach/bwv66.66")


@pytest.mark.parametrize("content", [b"", b"MThd", b"not music at all", b"MThd\0\0\0\6\0\1\0\1\0"])
def test_damaged_midi_is_refused(tmp_path, content):
    path = tmp_path / "bad.mid"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.mid"):
        scores.render(path)


def test_unusable_files_are_refused(tmp_path):
    (tmp_path / "bad.xml").write_text("<score-partwise>")
    (tmp_path / "song.txt").write_text("la la la")
    for path in (tmp_path / "bad.xml", tmp_path / "song.txt", tmp_path / "no.mid", tmp_path):
        with pytest.raises(InputError, match=path.name):
            scores.render(path)


def test_score_without_notes_is_refused(tmp_path):
    with pytest.raises(InputError, match="no notes"):
        scores.render(midi_file(tmp_path / "empty.mid", []))
    with pytest.raises(InputError, match="int"):
        scores.render(42)


def test_endless_score_is_refused(tmp_path):
    path = midi_file(tmp_path / "long.mid", [(0, 1, A4, 90), (20000, 1, A4, 90)])
    with pytest.raises(InputError, match="hours"):
        scores.render(path)


@pytest.mark.parametrize("keep", [4, 100, 3_000_000, -50])
def test_damaged_soundfont_is_refused(tmp_path, keep):
    path = tmp_path / "cut.sf2"
    path.write_bytes(scores.general_midi_font().read_bytes()[:keep])
    with pytest.raises(InputError, match=r"cut\.sf2"):
        scores.render(stream_of(A4), soundfont=path)


def test_loop_repeats_the_recording_without_a_seam():
    """A sine of a whole number of periods, looped, is a longer sine."""
    period = 100
    sine = np.sin(2 * np.pi * np.arange(3 * period) / period).astype(np.float32)
    voice = soundfont.Voice(sine, RATE, 69.0, (period, 2 * period), dict(soundfont._DEFAULTS))
    y = soundfont._play(voice, 0.5, 4000)
    assert y.size == 4000
    expected = np.sin(np.pi * np.arange(4000) / period)
    np.testing.assert_allclose(y[2:], expected[2:], atol=1e-3)  # the first has silence before it


def test_low_pass_is_a_butterworth_filter():
    from scipy.signal import freqz

    cutoff, f = 1000.0, np.array([50.0, 1000.0, 2000.0, 8000.0])
    b, a = soundfont._low_pass(np.array([cutoff]), 0.0)
    _, h = freqz(b[:, 0], a[:, 0], worN=f, fs=RATE)
    warped = np.tan(np.pi * f / RATE) / np.tan(np.pi * cutoff / RATE)
    np.testing.assert_allclose(np.abs(h) ** 2, 1 / (1 + warped**4), rtol=2e-3)


def test_transposing_moves_the_pitch_by_semitones_and_leaves_drums(tmp_path):
    y, sr = scores.render(stream_of(A4), instrument="Flute", transpose=3)
    assert pitch(y, sr, 440 * 2 ** (3 / 12)) == pytest.approx(440 * 2 ** (3 / 12), rel=0.01)
    beat = midi_file(tmp_path / "beat.mid", [(0, 1, 38, 100)], drums=True)
    np.testing.assert_array_equal(scores.render(beat, transpose=5)[0], scores.render(beat)[0])


@pytest.mark.parametrize("transpose", [1.5, True, 49, "3", None])
def test_a_wrong_transposition_is_refused(transpose):
    with pytest.raises(InputError, match="transpose"):
        scores.render(stream_of(A4), transpose=transpose)


def test_a_transposition_out_of_the_keyboard_is_refused():
    with pytest.raises(InputError, match="smaller step"):
        scores.render(stream_of(120), transpose=12)


@pytest.mark.parametrize(("program", "key"), [(0, 60), (48, 67), (38, 36)])
def test_a_note_at_a_lower_rate_has_the_same_spectrum(program, key):
    font = soundfont.open_soundfont(scores.general_midi_font())
    high = font.note(program, key, 100, 1.0, limit=1.0)
    low = font.note(program, key, 100, 1.0, rate=16000, limit=1.0)
    assert (high.size, low.size) == (44100, 16000)
    energy = [
        [np.sum(spectrum[a:b] ** 2) for a, b in ((50, 1000), (1000, 2500), (2500, 5000))]
        for spectrum in (np.abs(np.fft.rfft(high)) / 44100, np.abs(np.fft.rfft(low)) / 16000)
    ]
    assert np.all(np.abs(10 * np.log10(np.divide(*energy))) < 1)
