import json
import os
import time
from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest

from audiostyle_utils import audio, load_dataset
from audiostyle_utils.datasets import band
from audiostyle_utils.datasets.band.sketch import swung
from audiostyle_utils.datasets.band.songs import DRUMS
from audiostyle_utils.datasets.band.theory import KEYS, Chord, altered, nearest, voicing
from audiostyle_utils.errors import InputError
from audiostyle_utils.scores import instruments

FAMILY = {name: program // 8 for name, program in instruments().items()}


@pytest.fixture(scope="module")
def songs():
    return {genre: [band.compose(genre, index) for index in range(40)] for genre in band.GENRES}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """One track a genre, made by other processes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIOSTYLE_CACHE", str(tmp_path_factory.mktemp("band")))
        yield load_dataset("band", tracks=1)


def strokes(song, drum):
    """Give the beats at which a drum of the first kit is struck."""
    return {note.beat for note in song.part("drums").notes if note.key == DRUMS[drum]}


def beats(song, *places):
    """Give the same places in every bar."""
    bars = int(song.chords[-1].beat + song.chords[-1].beats) // song.meter
    return {bar * song.meter + place for bar in range(bars) for place in places}


def of(songs, genre, *variants):
    found = [song for song in songs[genre] if song.variant in variants or not variants]
    assert len(found) >= 3
    return found


# What is common to all genres


def test_the_same_number_gives_the_same_song_and_no_two_are_alike(songs):
    assert band.compose("jazz", 7) == songs["jazz"][7]
    assert len({song.parts for genre in songs.values() for song in genre}) == 400


def test_every_genre_has_variants_keys_and_all_artists(songs):
    for genre, some in songs.items():
        assert len({song.variant for song in some}) >= 3, genre
        assert len({song.key for song in some}) >= 6, genre
        assert [song.artist for song in some] == [f"{genre}-{i % 8}" for i in range(40)]
        assert [song.name for song in some[:2]] == [f"{genre}.00000", f"{genre}.00001"]


def test_notes_are_playable_and_the_piece_covers_the_recording(songs):
    for song in (song for some in songs.values() for song in some):
        notes = [note for part in song.parts for note in part.notes]
        assert all(20 <= note.key <= 100 and 1 <= note.velocity <= 127 for note in notes)
        assert all(note.beats > 0 and note.beat >= 0 for note in notes)
        at, seconds = np.array(song.clock).T
        assert np.all(np.diff(at) > 0) and np.all(np.diff(seconds) > 0)
        assert seconds[-1] - np.interp(song.start, at, seconds) > 15
        for one, other in pairwise(song.chords):
            assert one.beat + one.beats == other.beat


def test_the_bass_plays_the_chord_where_a_bar_begins(songs):
    for song in (song for some in songs.values() for song in some):
        for part in (part for part in song.parts if part.role == "bass"):
            for note in part.notes:
                if note.beat % song.meter == 0:
                    assert note.key % 12 in song.chord(note.beat).classes, song.name


def test_long_notes_of_the_tunes_seldom_rub_against_the_chord(songs):
    # Blue notes over the major third are what blues is about.
    for genre in set(band.GENRES) - {"blues"}:
        long = [
            (note.key, song.chord(note.beat).classes)
            for song in songs[genre]
            for part in song.parts
            for note in part.notes
            if part.role.startswith("lead") and note.beats >= 0.6
        ]
        rub = [key % 12 not in tones and (key - 1) % 12 in tones for key, tones in long]
        assert len(long) > 50 and np.mean(rub) < 0.12, genre


def test_no_cue_outside_the_music_is_kept_for_one_genre(songs):
    tempi = {genre: [song.tempo for song in some] for genre, some in songs.items()}
    for one, other in combinations(tempi.values(), 2):
        assert min(one) < np.median(other) < max(one)
    used = {
        genre: {FAMILY[p.instrument] for song in some for p in song.parts if not p.drums}
        for genre, some in songs.items()
    }
    for family in (0, 2, 3, 4):  # pianos, organs, guitars, basses
        assert sum(family in families for families in used.values()) >= 9
    assert all(any(part.drums for song in some for part in song.parts) for some in songs.values())


# What makes each genre


def test_blues_is_in_triplets_on_seventh_chords(songs):
    for song in of(songs, "blues"):
        assert {chord.quality for chord in song.chords} <= {"7", "9", "m7"}
        assert all(abs(b * 3 - round(b * 3)) < 0.01 for b in strokes(song, "snare"))
        assert beats(song, 1, 3) <= strokes(song, "snare")
        tonic = KEYS.index(song.key.rstrip("m"))
        assert any((note.key - tonic) % 12 in (3, 6, 10) for note in song.part("lead").notes)


def test_classical_has_no_backbeat_and_breathes(songs):
    for song in of(songs, "classical"):
        assert not {"Standard Kit", "Power Kit"} & {part.instrument for part in song.parts}
        beat, seconds = np.array(song.clock).T
        pace = np.diff(beat) / np.diff(seconds)
        assert 1.02 < pace.max() / pace.min() < 1.5
        assert {(b.root - a.root) % 12 for a, b in pairwise(song.chords)} & {5, 7}  # cadences


def test_chorale_voices_move_a_little_and_hardly_ever_in_parallel_fifths(songs):
    moved, parallel = [], []
    for song in (band.compose("classical", index) for index in range(120)):
        if song.variant != "chorale":
            continue
        parts = [song.part(role).notes for role in ("bass", "chords", "chords 2")]
        moved += [abs(a.key - b.key) for notes in parts[1:] for a, b in pairwise(notes)]
        for one, other in combinations(parts, 2):
            for (a, a2), (b, b2) in zip(pairwise(one), pairwise(other), strict=True):
                before, after = (b.key - a.key) % 12, (b2.key - a2.key) % 12
                parallel.append(before == after and after in (0, 7) and a.key != a2.key)
    assert len(parallel) > 300
    assert np.mean(moved) < 3 and max(moved) <= 7 and np.mean(parallel) < 0.01


def test_country_bass_alternates_root_and_fifth(songs):
    for song in of(songs, "country", "train", "two-step", "roll"):
        for note in song.part("bass").notes:
            root = song.chord(note.beat).root
            if note.beat % 4 in (0, 2):
                assert (note.key - root) % 12 == (0 if note.beat % 4 == 0 else 7) or (
                    song.chord(note.beat).beat == note.beat
                )
    assert {song.meter for song in songs["country"]} == {3, 4}


def test_disco_has_a_kick_on_every_beat_and_open_hats_between(songs):
    for song in of(songs, "disco"):
        assert beats(song, 0, 1, 2, 3) <= strokes(song, "kick")
        assert beats(song, 0.5, 1.5, 2.5, 3.5) <= strokes(song, "open")


def test_disco_octaves_in_the_bass(songs):
    for song in of(songs, "disco", "strings"):
        notes = {note.beat: note.key for note in song.part("bass").notes}
        assert all(notes[beat + 0.5] - notes[beat] == 12 for beat in range(int(max(notes))))


def test_hiphop_repeats_its_loop(songs):
    for song in of(songs, "hiphop"):
        loop = {(n.beat % 8, n.key) for n in song.part("chords").notes if n.beat < 8}
        later = [(round(n.beat % 8, 4), n.key) for n in song.part("chords").notes if n.beat >= 8]
        first = {(round(beat, 4), key) for beat, key in loop}
        assert later and set(later) <= first


def test_jazz_swings_walks_and_has_sevenths(songs):
    for song in of(songs, "jazz", "combo", "big band"):
        assert {round(beat % 1, 2) for beat in strokes(song, "ride")} == {0, 0.67}
        assert [note.beat for note in song.part("bass").notes] == list(
            range(len(song.part("bass").notes))
        )
        assert all(len(chord.classes) >= 4 for chord in song.chords)
        steps = [abs(a.key - b.key) for a, b in pairwise(song.part("bass").notes)]
        assert np.mean(steps) < 6


def test_metal_mutes_sixteenths_and_doubles_the_kick(songs):
    for song in of(songs, "metal", "thrash", "power"):
        guitar = song.part("chords").notes
        assert np.mean([note.beats < 0.15 for note in guitar]) > 0.4
        assert len(strokes(song, "kick")) > 2 * len(beats(song, 0, 1, 2, 3)) / 1.5
        assert {chord.quality for chord in song.chords} == {"5"}
    dark = of(songs, "metal", "thrash", "doom")
    tonics = [KEYS.index(song.key.rstrip("m")) for song in dark]
    for song, tonic in zip(dark, tonics, strict=True):
        assert {(chord.root - tonic) % 12 for chord in song.chords} & {1, 6}


def test_pop_goes_round_four_chords_and_its_hook_returns(songs):
    for song in of(songs, "pop"):
        tonic = KEYS.index(song.key)
        assert {(chord.root - tonic) % 12 for chord in song.chords} <= {0, 4, 5, 7, 9}
        rhythm = [
            tuple(n.beat % 4 for n in song.part("lead").notes if n.beat // 4 == bar)
            for bar in range(3)
        ]
        assert rhythm[0] in rhythm[1:]


def test_reggae_leaves_the_first_beat_and_drops_on_the_third(songs):
    for song in of(songs, "reggae"):
        assert not strokes(song, "kick") & beats(song, 0)
        assert beats(song, 2) <= strokes(song, "kick")
    for song in of(songs, "reggae", "one drop", "rocksteady"):
        assert not {note.beat for note in song.part("chords").notes} & beats(song, 0, 2)


def test_rock_has_a_backbeat_and_fifths(songs):
    for song in of(songs, "rock"):
        assert beats(song, 1, 3) <= strokes(song, "snare")
        assert {chord.quality for chord in song.chords} == {"5"}


# The grammar


def test_chords_and_voicings():
    chord = Chord(0, 4, 7, "7")
    assert (chord.classes, chord.name) == ((7, 11, 2, 5), "G7")
    home = voicing(Chord(0, 4, 0, ""), [], 62, 3)
    assert {key % 12 for key in home} == {0, 4, 7}
    following = voicing(chord, home, 62, 4)
    assert {key % 12 for key in following} == set(chord.classes)
    assert abs(np.mean(following) - np.mean(home)) <= 3
    assert all(abs(nearest(pitch, 60) - 60) <= 6 for pitch in range(12))
    assert [nearest(pitch, 60) % 12 for pitch in range(12)] == list(range(12))


def test_a_note_gives_way_where_the_chord_leaves_the_scale():
    minor = [57, 59, 60, 62, 64, 65, 67, 69]
    assert altered(67, minor, Chord(0, 4, 4, "7")) == 68  # G sharp over E7 in A minor
    assert altered(65, minor, Chord(0, 4, 4, "7")) == 65
    assert altered(60, [57, 60, 62, 64, 67], Chord(0, 4, 9, "7")) == 60  # a blue note stays


def test_swing_moves_the_weak_steps():
    assert [swung(step, 8, 4) for step in range(3)] == [0, 0.5, 1]
    assert swung(1, 8, 4, 2 / 3) == pytest.approx(2 / 3)
    assert swung(5, 16, 4, 0.6) == pytest.approx(1.3)


# Sound


def test_sound_is_within_bounds(rendered):
    for name, path in rendered.files.items():
        y, sr = audio.load(path, sr=None)
        assert (y.size, sr) == (15 * band.SR, band.SR), name
        level = 10 * np.log10(np.mean(y**2))
        assert -27 < level < -14 and np.abs(y).max() <= 0.95, name
        assert abs(y.mean()) < 2e-3 and abs(y[0]) < 1e-3 and abs(y[-1]) < 1e-3, name
        parts = np.sqrt(np.mean(y.reshape(-1, sr // 2) ** 2, axis=1))
        quiet = parts < 0.02 * np.sqrt(np.mean(y**2))
        assert not (quiet[:-2] & quiet[1:-1] & quiet[2:]).any(), name


def held(instrument, key, artist, seconds=16.0):
    """Hold one note for an artist; the rest of the song does not matter."""
    song = band.compose("classical", 0)
    note = band.Note(0.0, seconds, key, 100)
    part = band.Part("lead", instrument, instruments()[instrument], False, 0.0, (note,))
    return replace(song, artist=artist, parts=(part,), start=0.0, clock=((0.0, 0.0), (20.0, 20.0)))


def peak_hertz(song):
    y, sr = band.perform(song)
    part = y[sr // 2 : 4 * sr] * np.hanning(3.5 * sr)
    spectrum = np.abs(np.fft.rfft(part, 16 * part.size))
    hertz = np.arange(spectrum.size) * sr / (16 * part.size)
    near = (hertz > 400) & (hertz < 480)
    return hertz[near][spectrum[near].argmax()]


def test_an_artist_is_in_tune_with_itself():
    numbers = [f"pop-{k}" for k in range(8)]
    low = min(numbers, key=lambda name: band.artist(name).tuning)
    high = max(numbers, key=lambda name: band.artist(name).tuning)
    heard = peak_hertz(held("Drawbar Organ", 69, high)) / peak_hertz(held("Drawbar Organ", 69, low))
    meant = band.artist(high).tuning / band.artist(low).tuning
    assert meant > 1.03
    assert 1200 * abs(np.log2(heard / meant)) < 2  # cents


def test_tuning_leaves_the_tempo_alone():
    song = held("Woodblock", 69, "pop-0")
    notes = tuple(band.Note(float(beat), 0.2, 76, 100) for beat in range(15))
    for name in ("pop-0", "pop-1", "pop-2"):
        quiet = replace(song, artist=name, parts=(replace(song.parts[0], notes=notes),))
        y, sr = band.perform(quiet)
        first, last = (
            np.abs(y[round(t * sr) : round((t + 0.4) * sr)]).argmax() / sr + t for t in (0.9, 13.9)
        )
        assert last - first == pytest.approx(13, abs=0.06)


def test_artists_cover_tuning_and_differ():
    for genre in band.GENRES:
        artists = [band.artist(f"{genre}-{k}") for k in range(8)]
        tunings = sorted(artist.tuning for artist in artists)
        assert 427.5 < tunings[0] < 432 and 448 < tunings[-1] < 452.5
        assert len({artist.equaliser for artist in artists}) == 8
        assert len({round(artist.room, 6) for artist in artists}) == 8


# The data set


def test_labels_say_what_was_composed(rendered):
    assert list(rendered.files) == [f"{genre}.00000" for genre in band.GENRES]
    for name, label in rendered.labels.items():
        song = band.compose(name.partition(".")[0], 0)
        assert (label["genre"], label["artist"]) == (song.genre, song.artist)
        assert (label["tempo"], label["key"]) == (song.tempo, song.key)
        assert label["instruments"] == tuple(sorted({part.instrument for part in song.parts}))


def test_a_stopped_rendering_goes_on_and_gives_the_same_bytes(rendered, monkeypatch, tmp_path):
    monkeypatch.setenv("AUDIOSTYLE_CACHE", str(tmp_path))
    folder = tmp_path / rendered.root.name
    folder.mkdir()
    kept = list(rendered.files.values())[2:]
    for path in kept:
        (folder / path.name).write_bytes(path.read_bytes())
    times = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    again = load_dataset("band", tracks=1)
    assert again.root == folder
    for name, path in rendered.files.items():
        assert again.files[name].read_bytes() == path.read_bytes()
    after = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert times.items() <= after.items() and len(after) == 10


def test_your_own_copy_is_used_if_it_is_whole(rendered, monkeypatch, tmp_path):
    monkeypatch.setenv("AUDIOSTYLE_DATA", str(tmp_path))
    own = tmp_path / "band"
    own.mkdir()
    for path in rendered.files.values():
        (own / path.name).write_bytes(path.read_bytes())
    mine = load_dataset("band", tracks=1)
    assert mine.root == own and mine.labels == rendered.labels
    (own / "metal.00000.flac").unlink()
    with pytest.raises(InputError, match=r"lacks 1, metal\.00000\.flac"):
        load_dataset("band", tracks=1)


def test_a_file_without_labels_is_named(rendered, monkeypatch, tmp_path):
    monkeypatch.setenv("AUDIOSTYLE_DATA", str(tmp_path))
    own = tmp_path / "band"
    own.mkdir()
    for path in rendered.files.values():
        (own / path.name).write_bytes(path.read_bytes())
    audio.save(own / "pop.00000.flac", np.full(100, 0.1), band.SR)
    with pytest.raises(InputError, match=r"pop\.00000\.flac is not a track of the band"):
        load_dataset("band", tracks=1)


def test_what_other_processes_say_is_passed_on(tmp_path):
    names = [f"polka.{index:05d}" for index in range(8)]
    with pytest.raises(InputError, match="(?s)A helper stopped.*There is no track 'polka.0000"):
        band._render_all(tmp_path, names)
    assert list(tmp_path.iterdir()) == []


def test_a_helper_that_talks_much_and_dies_early_is_heard(tmp_path, monkeypatch):
    (tmp_path / "broken").mkdir()
    (tmp_path / "root").mkdir()
    # More than a pipe holds, and then an end before the names of the tracks are read.
    code = "import sys\nsys.stderr.write('word\\n' * 200_000)\nraise ImportError('no numbers')\n"
    (tmp_path / "broken" / "numpy.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"))
    with pytest.raises(InputError, match="(?s)A helper stopped with:.*ImportError: no numbers"):
        band._render_all(tmp_path / "root", [f"jazz.{index:05d}" for index in range(8)])
    assert list((tmp_path / "root").iterdir()) == []


@pytest.mark.parametrize("count", [3, 12])
def test_a_folder_that_cannot_be_written_is_named(tmp_path, count):
    names = [f"jazz.{index:05d}" for index in range(count)]
    with pytest.raises(InputError, match="missing cannot be written"):
        band._render_all(tmp_path / "missing", names)


def test_nothing_unfinished_stays_after_an_interruption(tmp_path, monkeypatch):
    def interrupted(tracks, *_, **__):
        next(iter(tracks))
        raise KeyboardInterrupt

    monkeypatch.setattr(band, "progress", interrupted)
    names = [f"jazz.{index:05d}" for index in range(30)]
    with pytest.raises(KeyboardInterrupt):
        band._render_all(tmp_path, names)
    left = {path.name for path in tmp_path.iterdir()}
    assert left and left < {f"{name}.flac" for name in names}


def test_what_a_killed_rendering_left_is_removed_and_a_running_one_is_not(
    rendered, monkeypatch, tmp_path
):
    monkeypatch.setenv("AUDIOSTYLE_CACHE", str(tmp_path))
    folder = tmp_path / rendered.root.name
    for name in (".part-old", ".part-new"):
        (folder / name).mkdir(parents=True)
        (folder / name / "half.flac").write_bytes(b"fLaC")
    long_ago = time.time() - 2 * 3600
    os.utime(folder / ".part-old", (long_ago, long_ago))
    for path in rendered.files.values():
        (folder / path.name).write_bytes(path.read_bytes())
    load_dataset("band", tracks=1)
    others = {path.name for path in folder.iterdir()} - {p.name for p in rendered.files.values()}
    assert others == {".part-new"}


def test_rendering_leaves_tracks_and_nothing_else(rendered):
    names = {path.name for path in rendered.root.iterdir()}
    assert names == {f"{genre}.00000.flac" for genre in band.GENRES}


@pytest.mark.parametrize(
    "name", ["blues", "blues.", "blues.7", "blues.-0001", "polka.00000", "../jazz.00000", ""]
)
def test_a_name_that_is_no_tracks_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="There is no track.*such as 'blues.00007'"):
        band.render(tmp_path, [name])
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_made_is_named(monkeypatch):
    monkeypatch.setenv("AUDIOSTYLE_CACHE", "/dev/null/cache")
    with pytest.raises(InputError, match="Set AUDIOSTYLE_CACHE"):
        load_dataset("band", tracks=1)


@pytest.mark.parametrize("tracks", [0, -1, 1001, True, 2.0, "40", None])
def test_a_wrong_number_of_tracks_is_refused(tracks):
    with pytest.raises(InputError, match="tracks is .* 1 to 1000"):
        load_dataset("band", tracks=tracks)


def test_options_belong_to_their_data_set():
    with pytest.raises(InputError, match="no option 'tracks'; it has none"):
        load_dataset("style_clips", tracks=3)
    with pytest.raises(InputError, match="no option 'track'; it has tracks"):
        load_dataset("band", track=3)


def test_wrong_genres_numbers_and_artists_are_refused():
    for genre, index in (("polka", 0), ("jazz", -1), ("jazz", 1.5), ("jazz", True)):
        with pytest.raises(InputError):
            band.compose(genre, index)
    for name in ("jazz-8", "polka-1", "jazz", ""):
        with pytest.raises(InputError, match="There is no artist"):
            band.artist(name)


def test_labels_are_plain_json(rendered):
    assert json.loads(json.dumps(rendered.labels))["jazz.00000"]["artist"] == "jazz-0"
