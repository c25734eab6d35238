import random
import re
import struct
import zipfile
from pathlib import Path

import pytest

from audiostyle_utils import scores
from audiostyle_utils.errors import InputError
from audiostyle_utils.scores import STEPS

END = b"\0\xff\x2f\0"


def number(value):
    """Write a number as MIDI files do, seven bits a byte."""
    rest, digits = value >> 7, [value & 127]
    while rest:
        digits.append(rest & 127 | 128)
        rest >>= 7
    return bytes(reversed(digits))


def sound(pitch=60, ticks=480, wait=0, channel=0):
    on, off = bytes([0x90 | channel, pitch, 80]), bytes([0x80 | channel, pitch, 0])
    return number(wait) + on + number(ticks) + off


def meta(kind, *data):
    return bytes([0, 0xFF, kind, len(data), *data])


def header(kind=1, tracks=1, division=480):
    return b"MThd" + struct.pack(">IHHH", 6, kind, tracks, division)


def track(*events, end=END):
    data = b"".join(events) + end
    return b"MTrk" + struct.pack(">I", len(data)) + data


def midi(*events, **kwargs):
    return header(**kwargs) + track(*events)


def tokens_of(tmp_path, content, name="some.mid", **options):
    path = tmp_path / name
    path.write_bytes(content) if isinstance(content, bytes) else path.write_text(content)
    return " ".join(scores.tokenise(scores.read(path, **options)))


# MIDI files, byte by byte


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([sound()], "part:0 C4:1 rest:3"),
        ([sound(wait=480, ticks=1920)], "part:0 rest:1 C4:3 hold:1 rest:3"),
        ([sound(ticks=160, pitch=k) for k in (60, 62, 64)], "part:0 C4:1/3 D4:1/3 E4:1/3 rest:3"),
        ([sound(ticks=1)], "part:0 C4:1/24 rest:3 rest:3/4 rest:1/6 rest:1/24"),
        ([b"\0\xc0\x28", sound()], "part:40 C4:1 rest:3"),
        ([b"\0\x90\x3c\x50\0\x40\x50\x83\x60\x3c\0\0\x40\0"], "part:0 C4:1 +E4 rest:3"),
        ([b"\0\x90\x3c\x50", meta(1, 65), b"\x83\x60\x3c\0"], "part:0 C4:1 rest:3"),
        ([b"\0\xf0\3\1\2\xf7", sound()], "part:0 C4:1 rest:3"),
        ([meta(3, 0xE9, 0xFF, 0x80), sound()], "part:0 C4:1 rest:3"),
    ],
)
def test_events_are_these_tokens(tmp_path, events, expected):
    assert tokens_of(tmp_path, midi(*events)) == f"meter:4/4 tempo:120 {expected} end"


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (meta(0x51, 0x0F, 0x42, 0x40), "meter:4/4 tempo:60"),
        (meta(0x51, 0, 0, 0), "meter:4/4 tempo:120"),
        (meta(0x51, 0, 0, 1), "meter:4/4 tempo:120"),
        (meta(0x51, 255, 255, 255), "meter:4/4 tempo:20"),
        (meta(0x58, 3, 2, 24, 8), "meter:3/4 tempo:120"),
        (meta(0x58, 5, 3, 24, 8), "meter:5/8 tempo:120"),
        (meta(0x58, 0, 2, 24, 8), "meter:4/4 tempo:120"),
        (meta(0x58, 17, 5, 24, 8), "meter:4/4 tempo:120"),
        (meta(0x58, 4, 255, 24, 8), "meter:4/4 tempo:120"),
        (meta(0x58, 1, 2, 24, 8), "meter:4/4 tempo:120"),
    ],
)
def test_meter_and_tempo_are_those_that_make_sense(tmp_path, event, expected):
    found = tokens_of(tmp_path, midi(event, sound(ticks=7200)))
    assert found.startswith(f"{expected} part:0 C4:")


@pytest.mark.parametrize("division", [1, 5, 24, 96, 480, 32767])
def test_any_division_of_the_quarter_is_read(tmp_path, division):
    content = midi(sound(ticks=division), sound(ticks=2 * division), division=division)
    assert tokens_of(tmp_path, content).endswith("part:0 C4:1 C4:2 rest:1 end")


def test_tracks_are_parts_and_other_chunks_are_passed_over(tmp_path):
    content = header(tracks=2) + b"XFIH\0\0\0\2ab" + track(sound()) + track(sound(72)) + b"more"
    assert tokens_of(tmp_path, content).endswith("part:0 part:0 C4:1 C5:1 rest:3 rest:3 end")


def test_drums_are_kept_on_request(tmp_path):
    content = header(tracks=2) + track(sound()) + track(sound(38, channel=9))
    assert tokens_of(tmp_path, content).endswith("part:0 C4:1 rest:3 end")
    kept = tokens_of(tmp_path, content, drums=True)
    assert kept.endswith("part:0 part:drums C4:1 D2:1 rest:3 rest:3 end")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"MThd", "does not begin as MIDI"),
        (b"a text that was named .mid\n" * 9, "does not begin as MIDI"),
        (header(), "breaks off"),
        (header(tracks=2) + track(sound()), "breaks off"),
        (midi(sound())[:-1], "breaks off"),
        (header() + b"MTrk\xff\xff\xff\xf0" + sound(), "breaks off"),
        (midi(sound(), kind=2), "type 2"),
        (midi(sound(), division=0), "parts of a quarter"),
        (midi(sound(), division=0xE728), "parts of a quarter"),
        (midi(b"\0\x90\xc8\x50\x60\x80\xc8\0"), "damaged"),
        (midi(b"\0\x3c\x50"), "damaged"),
        (midi(b"\0\xf4\0"), "damaged"),
        (midi(b"\0\xf0\1\xf7\0\x3c\x50"), "damaged"),
        (midi(b"\xff\xff\xff\xff\x7f\x90\x3c\x50"), "damaged"),
        (header() + track(sound(), b"\0\xff\x01\x7f", end=b""), "damaged"),
        (header() + track(sound(), b"\0\x90\x3c", end=b""), "damaged"),
        (header() + track(sound(), b"\x80", end=b""), "damaged"),
        (midi(*[sound(ticks=0xFFFFFFF)] * 9), "damaged"),
        (midi(sound(ticks=0xFFFFFFF)), "139,810 bars"),
        (midi(), "no notes"),
        (header(tracks=0), "no notes"),
        (midi(b"\0\x90\x3c\x50"), "no notes"),
        (midi(b"\0\x90\x3c\0\x60\x80\x3c\0"), "no notes"),
        (midi(sound(38, channel=9)), "only drums"),
    ],
)
def test_bad_midi_is_refused(tmp_path, content, reason):
    with pytest.raises(InputError, match=rf"some\.mid .*{reason}"):
        tokens_of(tmp_path, content)


def test_a_huge_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"some\.mid has 5\.0 MB"):
        tokens_of(tmp_path, midi(sound()) + bytes(5_000_000))


def test_damaged_bytes_give_an_error_or_music(tmp_path):
    sounds = [sound(60 + k % 12, 120, channel=k % 3) for k in range(60)]
    whole = header(tracks=2) + track(meta(0x58, 3, 2, 24, 8), *sounds) + track(*sounds)
    chance = random.Random(0)
    refused = 0
    for _ in range(500):
        content = bytearray(whole)
        for _ in range(chance.randrange(4)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        try:
            tokens_of(tmp_path, bytes(content[: chance.choice([len(whole), len(whole), 300])]))
        except InputError:
            refused += 1
    assert 100 < refused < 450


# Performed music


def performed(tmp_path, snap, *times):
    events, now = [], 0
    for start, end in times:
        events.append(sound(60, end - start, start - now))
        now = end
    path = tmp_path / "performed.mid"
    path.write_bytes(midi(*events))
    return [note[:2] for note in scores.read(path, snap=snap).notes]


def test_snapping_moves_onsets_and_ends_to_the_nearest(tmp_path):
    times = [(13, 250), (228 + 30, 461), (490, 500), (719, 960), (1019, 1021)]
    # A quarter has 480 ticks, a step 20, a sixteenth 120.
    assert performed(tmp_path, "1/4", *times) == [(0, 12), (12, 12), (24, 6), (36, 12), (48, 6)]
    assert performed(tmp_path, 1, *times) == [(0, 24), (24, 24), (48, 24)]
    assert performed(tmp_path, None, *times) == [(1, 12), (13, 10), (25, 1), (36, 12), (51, 1)]


def test_a_snapped_score_of_whole_lengths_stays(tmp_path):
    straight = [(480 * k, 480 * k + 240) for k in range(8)]
    assert performed(tmp_path, "1/2", *straight) == performed(tmp_path, None, *straight)


@pytest.mark.parametrize("snap", ["1/5", "1/48", 0, -1, 5, "x", "1/0", float("nan"), [1], 0.1])
def test_a_wrong_snap_is_refused(tmp_path, snap):
    with pytest.raises(InputError, match="snap is"):
        performed(tmp_path, snap, (0, 480))


# ABC


def abc(sign, notes, number=1):
    return f"X:{number}\nT:A tune\nM:{sign}\nL:1/4\nQ:1/4=100\nK:C\n{notes}\n"


@pytest.mark.parametrize(
    ("sign", "notes", "expected"),
    [
        ("4/4", "C ^C E2|", "C4:1 C#4:1 E4:2"),
        ("3/4", "G|C D E|C3|", "rest:2 G4:1 C4:1 D4:1 E4:1 C4:3"),
        ("2/4", "C D-|D E|", "C4:1 D4:1 hold:1 E4:1"),
        ("2/4", "C2-|C2-|C2|D2|", "C4:2 hold:2 hold:2 D4:2"),
        ("2/4", "[CEc] z|", "C4:1 +E4 +C5 rest:1"),
        ("2/4", "(3C/D/E/ F|", "C4:1/3 D4:1/3 E4:1/3 F4:1"),
        ("2/4", "{ag}C D|", "C4:1 D4:1"),
        ("2/4", '"Am"C "G7"D|', "C4:1 D4:1"),
        ("2/4", "|:C D:|", "C4:1 D4:1"),
        ("6/8", "C/D/E/ F3/|", "C4:1/2 D4:1/2 E4:1/2 F4:3/2"),
        ("5/8", "C2 D/|E2 F/|", "C4:2 D4:1/2 E4:2 F4:1/2"),
        ("12/8", "C3 D3|", "C4:3 D4:3"),
        ("3/4", "C D|", "C4:1 D4:1 rest:1"),
        ("4/4", "C4|DEF|G4|A4|", "C4:4 meter:3/4 D4:1 E4:1 F4:1 meter:4/4 G4:4 A4:4"),
        ("4/4", "C4|D3D/|G4|", "C4:4 meter:7/8 D4:3 D4:1/2 meter:4/4 G4:4"),
        ("3/4", "C2|D2|E3|", "rest:1 C4:2 meter:2/4 D4:2 meter:3/4 E4:3"),
        ("3/4", "C2D2|E3|F3|", "C4:2 D4:1 meter:1/4 hold:1 meter:3/4 E4:3 F4:3"),
        ("4/4", "F|C4|DEF:|F|C4|", "rest:3 F4:1 C4:4 D4:1 E4:1 F4:1 F4:1 C4:4"),
    ],
)
def test_a_tune_is_these_tokens(tmp_path, sign, notes, expected):
    found = tokens_of(tmp_path, abc(sign, notes), "a.abc")
    assert found == f"meter:{sign} tempo:100 part:0 {expected} end"


def test_a_book_of_tunes_is_refused_and_each_of_them_can_be_read(tmp_path):
    from music21 import converter

    path = tmp_path / "book.abc"
    path.write_text(abc("2/4", "C2|") + "\n" + abc("3/4", "D3|", 2))
    for use in (scores.read, scores.render):
        with pytest.raises(InputError, match=r"book\.abc holds 2 tunes"):
            use(path)
    second = converter.parse(path, forceSource=True).scores[1]
    assert scores.tokenise(scores.read(second))[-2:] == ["D4:3", "end"]


# MusicXML


def xml(*measures, instrument=""):
    inner = "".join(f'<measure number="{k}">{text}</measure>' for k, text in enumerate(measures))
    name = "<part-name>Any</part-name>"
    return (
        '<?xml version="1.0"?><score-partwise version="4.0"><part-list>'
        f'<score-part id="P1">{name}{instrument}</score-part></part-list>'
        f'<part id="P1">{inner}</part></score-partwise>'
    )


def written(step, length, octave=4, *, voice=1, inside="", tied=()):
    """Write a note of a length in 12ths of a quarter; None is a rest."""
    pitch = f"<pitch><step>{step}</step><octave>{octave}</octave></pitch>" if step else "<rest/>"
    ties = "".join(f'<tie type="{kind}"/>' for kind in tied)
    duration = f"<duration>{length}</duration>" if length else ""
    return f"<note>{inside}{pitch}{duration}{ties}<voice>{voice}</voice></note>"


def attributes(beats, unit):
    time = f"<beats>{beats}</beats><beat-type>{unit}</beat-type>"
    return f"<attributes><divisions>12</divisions><time>{time}</time></attributes>"


MARK = """<direction><direction-type><metronome><beat-unit>half</beat-unit>
<per-minute>60</per-minute></metronome></direction-type></direction>"""
BACK = "<backup><duration>36</duration></backup>"
VIOLIN = """<score-instrument id="I1"><instrument-name>Violin</instrument-name></score-instrument>
<midi-instrument id="I1"><midi-program>41</midi-program></midi-instrument>"""


@pytest.mark.parametrize(
    ("measures", "expected"),
    [
        ([MARK + written("C", 36)], "meter:3/4 tempo:120 part:40 C4:3"),
        (
            [written("G", 12), MARK + written("C", 24) + written("D", 12), written("E", 36)],
            "meter:3/4 tempo:120 part:40 rest:2 G4:1 C4:2 D4:1 E4:3",
        ),
        (
            [written("C", 36, tied=["start"]), written("C", 12, tied=["stop"]) + written("D", 24)],
            "meter:3/4 tempo:120 part:40 C4:3 hold:1 D4:2",
        ),
        (
            [written("C", 12) + written("G", 12, inside="<chord/>") + written(None, 24)],
            "meter:3/4 tempo:120 part:40 C4:1 +G4 rest:2",
        ),
        (
            [written("A", 0, inside="<grace/>") + written("C", 36)],
            "meter:3/4 tempo:120 part:40 C4:3",
        ),
        (
            [
                "<harmony><root><root-step>A</root-step></root><kind>minor</kind></harmony>"
                + written("C", 36)
            ],
            "meter:3/4 tempo:120 part:40 C4:3",
        ),
        (
            [written("C", 36, 5) + BACK + written("E", 12, voice=2) + written("F", 24, voice=2)],
            "meter:3/4 tempo:120 part:40 voice C5:3 E4:1 F4:2",
        ),
        (
            [written("C", 36), written("D", 36), written("E", 24), written("F", 36)],
            "meter:3/4 tempo:120 part:40 C4:3 D4:3 meter:2/4 E4:2 meter:3/4 F4:3",
        ),
        (
            [written("C", 36), attributes(2, 4) + written("D", 24), written("E", 24)],
            "meter:3/4 tempo:120 part:40 C4:3 meter:2/4 D4:2 E4:2",
        ),
    ],
)
def test_musicxml_is_these_tokens(tmp_path, measures, expected):
    content = xml(attributes(3, 4) + measures[0], *measures[1:], instrument=VIOLIN)
    assert tokens_of(tmp_path, content, "some.musicxml") == f"{expected} end"


# Whatever else is given


def test_a_piece_is_returned_as_it_is():
    made = scores.make_piece([scores.Note(3, 7, 60, 0), scores.Note(0, 24, 38, 1)], [0, 128])
    assert scores.read(made) is made
    with pytest.raises(InputError, match="snap is given for a Piece"):
        scores.read(made, snap="1/4")
    with pytest.raises(InputError, match="snap is 'x'"):
        scores.read(made, snap="x")


def test_the_content_of_a_midi_file_is_a_score():
    made = scores.make_piece([scores.Note(0, 24, 60, 0), scores.Note(36, 12, 64, 0)], [40])
    assert scores.read(scores.to_midi(made)) == made


def test_every_file_that_is_read_has_one_of_the_endings(tmp_path):
    assert {".mid", ".midi", ".xml", ".musicxml", ".mxl", ".krn", ".abc"} == set(scores.SUFFIXES)
    path = tmp_path / "tune.txt"
    path.write_text("X:1\nK:C\nCDE\n")
    with pytest.raises(InputError, match=re.escape(" ".join(sorted(scores.SUFFIXES)))):
        scores.read(path)


@pytest.mark.parametrize("name", ["a.musicxml", "a.abc", "a.krn", "a.mxl"])
def test_a_huge_score_is_refused_before_it_is_parsed(tmp_path, name):
    path, blank = tmp_path / name, b" " * 21_000_000
    if name.endswith(".mxl"):  # packed it is small
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("a.xml", blank)
        assert path.stat().st_size < 100_000
    else:
        path.write_bytes(blank)
    with pytest.raises(InputError, match=rf"{re.escape(name)} has 21\.0 MB.* 20 MB. Split"):
        scores.read(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.abc", ""),
        ("a.abc", "no tune"),
        ("a.abc", bytes(range(256))),
        ("a.xml", ""),
        ("a.xml", "<html></html>"),
        ("a.musicxml", "<score-partwise>"),
        ("a.mxl", b"PK\3\4nothing"),
        ("a.krn", ""),
        ("a.krn", "hello"),
        ("a.txt", "la la la"),
    ],
)
def test_other_unreadable_files_are_refused(tmp_path, name, content):
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        tokens_of(tmp_path, content, name)


@pytest.mark.parametrize(
    ("score", "reason"),
    [
        (None, "NoneType"),
        (42, "int"),
        (b"MThd", "the score .* does not begin as MIDI"),
        ([], "list"),
        ("", "path of the score is empty"),
        ("https://example.org/tune.mid", "is an address"),
        (".", "is a folder"),
        (Path("missing.abc"), "does not exist"),
        ("missing.mid", "does not exist"),
        ("x" * 5000, "no path"),
        ("a\0b", "no work"),
        ("X:1\nK:C\nCDE", "no work"),
        ("bach", r"no work .* Did you mean bach/"),
        ("bach/bwv66.66", r"Did you mean .*bach/bwv66\.6"),
        ("movement1", "no work"),
    ],
)
def test_what_is_no_score_is_refused(score, reason):
    with pytest.raises(InputError, match=reason):
        scores.read(score)


def test_a_work_is_found_by_its_path_or_its_name():
    chorale = scores.read("bach/bwv66.6")
    assert chorale.parts == (0, 0, 0, 0)
    assert chorale == scores.read("BWV66.6") == scores.read("bach/bwv66.6.mxl")
    assert chorale.meters == ((0, 4, 4),)
    first = [note[1:] for note in chorale.notes if note.onset == 3 * STEPS]  # the upbeat
    assert first == [(12, 73, 0), (24, 64, 1), (12, 57, 2), (12, 57, 3)]


@pytest.mark.parametrize("kind", ["Stream", "Score", "Opus", "Part", "Measure"])
def test_an_empty_stream_has_no_notes(kind):
    from music21 import stream

    with pytest.raises(InputError, match="no notes"):
        scores.read(getattr(stream, kind)())


@pytest.mark.parametrize("kind", ["Stream", "Part", "Measure", "Voice"])
def test_any_stream_is_read(kind):
    from music21 import note, stream

    made = getattr(stream, kind)([note.Note("C4"), note.Rest(), note.Note("G9"), note.Note("C10")])
    assert scores.tokenise(scores.read(made))[3:] == ["C4:1", "rest:1", "G9:1", "rest:1", "end"]


def test_meter_and_tempo_of_a_stream_without_bars_are_where_they_stand():
    from music21 import meter, note, stream, tempo

    made = stream.Stream()
    for element in (meter.TimeSignature("2/4"), note.Note("C4", quarterLength=2)):
        made.append(element)
    for element in (meter.TimeSignature("3/4"), tempo.MetronomeMark(number=60)):
        made.append(element)
    made.append(note.Note("D4", quarterLength=3))
    assert " ".join(scores.tokenise(scores.read(made))) == (
        "meter:2/4 tempo:120 part:0 C4:2 meter:3/4 tempo:60 D4:3 end"
    )


@pytest.mark.parametrize("symbol", ["percussion", "unpitched"])
def test_drums_of_a_stream_are_kept_on_request(symbol):
    from music21 import instrument, note, stream

    tune = stream.Part([note.Note("C4", quarterLength=4)])
    drum = instrument.Woodblock() if symbol == "percussion" else instrument.UnpitchedPercussion()
    beat = note.Unpitched(quarterLength=4)
    beat.storedInstrument = instrument.Woodblock()
    drums = stream.Part([drum, beat])
    both = stream.Score([tune, drums])
    assert scores.read(both).parts == (0,)
    assert scores.read(both, drums=True).parts == (0, 128)
    with pytest.raises(InputError, match="only drums"):
        scores.read(stream.Score([drums]))


# Saved


def test_a_path_that_is_no_midi_file_is_refused(tmp_path):
    made = scores.make_piece([scores.Note(0, 24, 60, 0)], [0])
    for path, reason in (
        (tmp_path / "a.txt", "end in .mid"),
        (tmp_path / "none" / "a.mid", "cannot be written"),
    ):
        with pytest.raises(InputError, match=reason):
            scores.save_midi(made, path)
    assert scores.save_midi(made, tmp_path / "a.MID").read_bytes() == scores.to_midi(made)
    assert [path.name for path in tmp_path.iterdir()] == ["a.MID"]
