"""Scores as notation: the same music, on paper as in print, in a picture for every reader."""

import re
import sys
from collections import Counter
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiostyle_utils import scores
from audiostyle_utils.errors import InputError
from audiostyle_utils.scores import STEPS, Meter, Note, Piece, Tempo, make_piece

CHORALE = "bach/bwv66.6"
TUNES = [
    "ryansMammoth/SleepingOnADoorStepJig",  # with a bar of 10/16
    "ryansMammoth/MaidOnTheGreenJig",
    CHORALE,
    "bach/bwv120.6",
]
SVG = "{http://www.w3.org/2000/svg}"


def scale(*pitches, length=STEPS, program=40, meters=(), tempos=()):
    notes = [Note(k * length, length, pitch, 0) for k, pitch in enumerate(pitches)]
    return make_piece(notes, [program], meters, tempos)


def one(onset, length, pitch=60, meters=()):
    return scores.to_music21(make_piece([Note(onset, length, pitch, 0)], [0], meters))


def bars(score, part=0):
    return list(score.parts[part].getElementsByClass("Measure"))


def played(score):
    """Onset in quarters, pitch and length of all notes; tied ones are one."""
    return sorted(
        (Fraction(note.offset), pitch.midi, Fraction(note.duration.quarterLength))
        for part in score.parts
        for note in part.stripTies().flatten().notes
        for pitch in note.pitches
    )


def drawn(picture):
    """The drawing, and how often each class of thing stands in it."""
    root = ET.fromstring(picture.data)
    classes = Counter(
        word for element in root.iter(f"{SVG}g") for word in element.get("class", "").split()
    )
    return root, classes


@st.composite
def pieces(draw):
    meters = draw(st.lists(st.sampled_from([(4, 4), (3, 4), (6, 8), (5, 8), (2, 2)]), min_size=1))
    bpm = draw(st.sampled_from([60, 96, 120, 200]))
    notes = draw(
        st.lists(
            st.builds(
                Note,
                st.integers(0, 8 * STEPS),
                st.integers(1, 5 * STEPS),
                st.integers(30, 90),
                st.integers(0, 2),
            ),
            min_size=1,
            max_size=25,
        )
    )
    signs = [Meter(4 * STEPS * k, *sign) for k, sign in enumerate(meters[:4])]
    return make_piece(notes, [0, 40, 128], signs, [Tempo(0, bpm), Tempo(4 * STEPS, 60)])


@settings(max_examples=40, deadline=None)
@given(pieces())
def test_notation_holds_the_same_music(piece):
    again = scores.read(scores.to_music21(piece), drums=True)
    assert again == piece
    assert scores.tokenise(again) == scores.tokenise(piece)


@pytest.mark.parametrize("name", TUNES)
def test_tunes_and_chorales_are_written_and_read_without_loss(name):
    piece = scores.read(name)
    assert scores.tokenise(scores.read(scores.to_music21(piece))) == scores.tokenise(piece)


def test_music21_hears_the_notes_of_the_piece():
    piece = scores.read(CHORALE)
    expected = sorted(
        (Fraction(note.onset, STEPS), note.pitch, Fraction(note.length, STEPS))
        for note in piece.notes
    )
    assert played(scores.to_music21(piece)) == expected


@settings(max_examples=30, deadline=None)
@given(pieces())
def test_every_note_is_one_that_can_be_printed_and_every_bar_is_full(piece):
    score = scores.to_music21(piece)
    lines = piece.barlines
    for part in range(len(piece.parts)):
        lengths = [Fraction(b - a, STEPS) for a, b in zip(lines, lines[1:], strict=False)]
        assert [Fraction(bar.duration.quarterLength) for bar in bars(score, part)] == lengths
        for bar in bars(score, part):
            for voice in list(bar.voices) or [bar]:
                sounding = list(voice.notesAndRests)
                filled = sum(Fraction(element.duration.quarterLength) for element in sounding)
                assert filled == Fraction(bar.duration.quarterLength)
                for element in sounding:
                    whole_bar = element.isRest and element.fullMeasure is True
                    assert whole_bar or element.duration.type != "complex"


@pytest.mark.parametrize(
    ("onset", "length", "meter", "lengths"),
    [
        (0, 60, (4, 4), [2, Fraction(1, 2)]),
        (12, 30, (4, 4), [Fraction(1, 2), Fraction(3, 4)]),
        (12, 24, (4, 4), [1]),  # a syncopation keeps its own sign
        (24, 24, (6, 8), [Fraction(1, 2), Fraction(1, 2)]),  # the second beat is seen
        (0, 72, (6, 8), [3]),
        (0, 20, (4, 4), [Fraction(2, 3), Fraction(1, 6)]),
        (72, 48, (4, 4), [1, 1]),  # across the barline
    ],
)
def test_long_notes_are_tied_where_the_beats_are(onset, length, meter, lengths):
    score = one(onset, length, meters=[Meter(0, *meter)])
    notes = list(score.flatten().notes)
    assert [Fraction(note.duration.quarterLength) for note in notes] == lengths
    ties = [note.tie and note.tie.type for note in notes]
    expected = ["start", *["continue"] * (len(lengths) - 2), "stop"] if len(lengths) > 1 else [None]
    assert ties == expected


def test_voices_of_a_part_stand_apart():
    piece = make_piece([Note(0, 96, 55, 0), Note(0, 48, 72, 0), Note(48, 48, 74, 0)], [0])
    (bar,) = bars(scores.to_music21(piece))
    upper, lower = bar.voices
    assert [note.pitch.midi for note in upper.notes] == [72, 74]
    assert [note.pitch.midi for note in lower.notes] == [55]
    assert {note.stemDirection for note in upper.notes} == {"up"}
    assert {note.stemDirection for note in lower.notes} == {"down"}


def test_rests_of_a_second_voice_are_not_printed():
    piece = make_piece([Note(0, 96, 72, 0), Note(24, 24, 55, 0), Note(96, 48, 60, 0)], [0])
    first, second = bars(scores.to_music21(piece))
    upper, lower = first.voices
    hidden = [rest.style.hideObjectOnPrint for rest in lower.getElementsByClass("Rest")]
    assert hidden and all(hidden)
    (rest,) = second.getElementsByClass("Rest")
    assert not rest.style.hideObjectOnPrint


@pytest.mark.parametrize(
    ("tonic", "mode", "sharps", "names"),
    [
        (67, "major", 1, "G A B C D E F# G"),
        (62, "minor", -1, "D E F G A B- C# D"),
        (63, "major", -3, "E- F G A- B- C D E-"),
        (64, "minor", 1, "E F# G A B C D# E"),
        (61, "major", -5, "D- E- F G- A- B- C D-"),
    ],
)
def test_the_key_gives_the_signature_and_the_names(tonic, mode, sharps, names):
    steps = (0, 2, 4, 5, 7, 9, 11, 12) if mode == "major" else (0, 2, 3, 5, 7, 8, 11, 12)
    third = 4 if mode == "major" else 3
    cadence = [tonic, tonic + third, tonic + 7, tonic] * 2
    piece = scale(*(tonic + step for step in steps), *cadence)
    score = scores.to_music21(piece)
    assert bars(score)[0].keySignature.sharps == sharps
    notes = list(score.flatten().notes)
    assert [note.name for note in notes[:8]] == names.split()
    assert [note.pitch.midi for note in notes] == [note.pitch for note in piece.notes]


@pytest.mark.parametrize("key", ["C", "a", "B-", "F#", "g#", "C#", "C-"])
@pytest.mark.parametrize("pitch", range(54, 72))
def test_a_key_can_be_given_and_no_pitch_changes(key, pitch):
    from music21 import key as keys

    score = scores.to_music21(scale(pitch), key=key)
    sharps = bars(score)[0].keySignature.sharps
    assert abs(sharps) <= 6 and (sharps - keys.Key(key).sharps) % 12 == 0
    (note,) = score.flatten().notes
    assert note.pitch.midi == pitch
    assert abs(note.pitch.alter) <= 2


@pytest.mark.parametrize("key", ["", "H", "G major", 3])
def test_a_key_that_is_none_is_refused(key):
    with pytest.raises(InputError, match="key is"):
        scores.to_music21(scale(60), key=key)


def test_instruments_meters_and_tempi_are_written():
    piece = make_piece(
        [Note(0, 24, 60, 0), Note(72, 24, 60, 1)],
        [73, 128],
        [Meter(0, 3, 4), Meter(72, 2, 4)],
        [Tempo(0, 96), Tempo(72, 60)],
    )
    score = scores.to_music21(piece)
    flute, drums = (part.getInstrument() for part in score.parts)
    assert (flute.midiProgram, flute.partName) == (73, "Flute")
    assert drums.midiChannel == 9
    for part in range(2):
        assert [bar.timeSignature.ratioString for bar in bars(score, part)] == ["3/4", "2/4"]
    marks = [mark.number for mark in score.recurse().getElementsByClass("MetronomeMark")]
    assert marks == [96, 60]
    assert bars(score)[-1].rightBarline.type == "final"


@pytest.mark.parametrize(
    ("program", "pitch", "clef"),
    [(0, 72, "TrebleClef"), (0, 40, "BassClef"), (24, 55, "Treble8vbClef"), (128, 38, "Perc")],
)
def test_a_part_has_the_clef_that_suits_it(program, pitch, clef):
    shown = bars(scores.to_music21(scale(pitch, program=program)))[0].clef
    assert type(shown).__name__.startswith(clef)


def test_a_picture_shows_every_note_bar_and_staff():
    piece = scores.read(CHORALE)
    score = scores.to_music21(piece)
    root, classes = drawn(scores.engrave(piece))
    assert classes["note"] == sum(len(part.flatten().notes) for part in score.parts)
    assert classes["measure"] == len(piece.barlines) - 1
    assert classes["staff"] == 4 * classes["measure"]


def test_on_two_staves_all_four_voices_stay():
    piece = scores.read(CHORALE)
    score = scores.to_music21(piece)
    root, classes = drawn(scores.engrave(piece, piano=True))
    assert classes["staff"] == 2 * (len(piece.barlines) - 1)
    assert classes["note"] == sum(len(part.flatten().notes) for part in score.parts)


def test_a_part_alone_gets_the_staves_that_it_needs():
    wide, narrow = scale(40, 76), scale(60, 72)
    assert drawn(scores.engrave(wide))[1]["staff"] == 2
    assert drawn(scores.engrave(narrow))[1]["staff"] == 1
    assert drawn(scores.engrave(wide, piano=False))[1]["staff"] == 1
    assert drawn(scores.engrave(narrow, piano=True))[1]["staff"] == 2


def test_some_bars_can_be_drawn():
    piece = scale(*range(60, 76), meters=[Meter(0, 3, 4)])
    root, classes = drawn(scores.engrave(piece, start_bar=1, bars=2))
    assert (classes["measure"], classes["note"]) == (2, 6)
    stream = scores.to_music21(piece)
    root, classes = drawn(scores.engrave(stream, start_bar=1, bars=2))
    assert (classes["measure"], classes["note"]) == (2, 6)
    assert drawn(scores.engrave(piece, start_bar=5, bars=9))[1]["measure"] == 1


def last_barlines(monkeypatch, score, **options):
    """What stands right of the last bar, and how many bars and rests of whole bars there are."""
    from audiostyle_utils.scores import engraving

    seen = []
    with monkeypatch.context() as patch:
        prepare = engraving._prepare
        patch.setattr(
            engraving, "_prepare", lambda xml, *rest: seen.append(xml) or prepare(xml, *rest)
        )
        scores.engrave(score, **options)
    (part,) = seen[0].findall("part")
    measures = part.findall("measure")
    rests = part.findall("measure/note/rest[@measure='yes']")
    return measures[-1].findtext("barline/bar-style"), len(measures), len(rests)


def test_bars_that_rest_at_the_end_are_drawn(monkeypatch):
    meters = [Meter(0, 4, 4), Meter(192, 3, 4)]
    notes = [Note(0, 24, 60, 0), Note(96, 24, 62, 0), Note(4 * 96 + 192, 24, 64, 0)]
    gap = make_piece(notes, [40], meters)
    count = len(gap.barlines) - 1
    assert last_barlines(monkeypatch, gap, bars=5) == (None, 5, 3)
    assert last_barlines(monkeypatch, gap, start_bar=1, bars=2) == (None, 2, 1)
    assert last_barlines(monkeypatch, gap, start_bar=1) == ("light-heavy", count - 1, count - 3)
    assert last_barlines(monkeypatch, gap, bars=count) == ("light-heavy", count, count - 3)
    assert drawn(scores.engrave(gap, bars=5))[1]["measure"] == 5
    assert drawn(scores.engrave(gap, bars=5, piano=True))[1]["measure"] == 5
    assert scores.engrave(gap, bars=5).alt == "Score: 5 bars on 1 staff."


def test_a_note_that_sounds_into_the_first_bar_drawn_is_kept():
    piece = make_piece([Note(0, 192, 60, 0), Note(192, 24, 62, 0)], [0])
    assert drawn(scores.engrave(piece, start_bar=1, bars=1))[1]["note"] == 1


@pytest.mark.parametrize("count", [1, 3, 4])
def test_lines_have_the_bars_asked_for(count):
    piece = scale(*[60] * 32)
    assert drawn(scores.engrave(piece, bars_per_line=count))[1]["system"] == -(-8 // count)


def test_drums_stand_on_a_staff_of_their_own():
    notes = [Note(k * 12, 12, 42, 0) for k in range(8)] + [Note(0, 24, 35, 0), Note(48, 24, 38, 0)]
    root, classes = drawn(scores.engrave(make_piece(notes, [128])))
    assert classes["note"] == 10 and not classes["accid"]
    heights = {re.match(r"translate\(\d+, (\d+)\)", use.get("transform"))[1] for use in heads(root)}
    assert len(heights) == 3  # a hi-hat, a bass drum, a snare


def heads(root):
    """The heads of the notes, as they are put on the page."""
    groups = [g for g in root.iter(f"{SVG}g") if "notehead" in g.get("class", "")]
    return [use for group in groups for use in group.iter(f"{SVG}use")]


def test_what_stands_in_a_stream_is_drawn():
    from music21 import dynamics, note, stream

    bare = stream.Stream([note.Note(60 + step) for step in (0, 2, 4, 5, 7)])
    bare.notes[0].lyric = "la"
    bare.insert(0, dynamics.Dynamic("p"))
    root, classes = drawn(scores.engrave(bare, bars=1))
    assert (classes["note"], classes["dynam"]) == (4, 1)
    assert "la" in "".join(root.itertext())


def test_a_stream_is_left_as_it_was():
    score = scores.to_music21(scores.read(CHORALE))
    before = [(element, element.offset) for element in score.recurse()]
    scores.engrave(score, title="Another", bars=3)
    assert [(element, element.offset) for element in score.recurse()] == before


def test_files_can_be_drawn_and_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = scores.save_midi(scale(60, 64, 67), tmp_path / "tune.mid")
    assert drawn(scores.engrave(path))[1]["note"] == 3
    assert scores.engrave(path.read_bytes()).data == scores.engrave(path).data
    xml = tmp_path / "tune.musicxml"
    scores.to_music21(scale(60, 64)).write("musicxml", xml)
    assert drawn(scores.engrave(str(xml)))[1]["note"] == 2
    assert {file.name for file in tmp_path.iterdir()} == {"tune.mid", "tune.musicxml"}


def test_a_picture_describes_itself():
    piece = scores.read(CHORALE)
    picture = scores.engrave(piece, title="A <chorale>")
    assert picture.alt == "Score of A <chorale>: 10 bars on 4 staves."
    assert 'alt="Score of A &lt;chorale&gt;: 10 bars on 4 staves."' in picture._repr_html_()
    root, _ = drawn(picture)
    assert (root.get("role"), root.get("aria-label")) == ("img", picture.alt)
    assert "A <chorale>" in "".join(root.itertext())
    assert scores.engrave(scale(60)).alt == "Score: 1 bar on 1 staff."
    assert scores.engrave(piece, alt=" Four\nvoices ").alt == "Four voices"


def test_no_heading_but_the_one_asked_for():
    written = "".join(drawn(scores.engrave(CHORALE))[0].itertext())
    assert "music21" not in written.lower() and "bwv" not in written.lower()
    assert "Soprano" in written


def test_names_of_parts_stand_there_only_where_they_tell_them_apart():
    notes = [Note(0, 24, 60, 0), Note(0, 24, 48, 1)]
    other = "".join(drawn(scores.engrave(make_piece(notes, [40, 42])))[0].itertext())
    same = "".join(drawn(scores.engrave(make_piece(notes, [0, 0])))[0].itertext())
    assert "Violin" in other and "Cello" in other
    assert "Piano" not in same


def test_a_picture_is_whole_light_and_fits_any_width():
    picture = scores.engrave(scores.read(CHORALE), bars=8)
    text = picture.data.decode()
    assert len(picture.data) < 200_000
    root, _ = drawn(picture)
    width, height = picture.size
    assert root.get("viewBox") == f"0 0 {width} {height}"
    html = picture._repr_html_()
    assert f'width="{width}" height="{height}"' in html and "max-width:100%" in html
    loads = re.findall(r"""(?:href|src)=["']([^"']*)|url\(["']?([^"')]*)""", text)
    assert {a or b for a, b in loads if not (a or b).startswith(("#", "data:"))} == set()


def test_the_same_score_gives_the_same_bytes_and_two_scores_share_no_names():
    first, again = (scores.engrave(scale(60, 62, 64)).data for _ in range(2))
    assert first == again
    other = scores.engrave(scale(60, 62, 65)).data
    ids = [set(re.findall(rb' id="([^"]+)"', data)) for data in (first, other)]
    assert ids[0] and not ids[0] & ids[1]


def test_pictures_have_a_white_sheet_under_them():
    root, _ = drawn(scores.engrave(scale(60)))
    first = root[0]
    assert first.tag == f"{SVG}rect" and "fill:white" in first.get("style")
    assert (first.get("width"), first.get("height")) == ("100%", "100%")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: scores.engrave(scale(60), alt=" "), "alt is blank"),
        (lambda: scores.engrave(scale(60), bars=0), "bars is 0"),
        (lambda: scores.engrave(scale(60), bars=1.5), "bars is 1.5"),
        (lambda: scores.engrave(scale(60), bars_per_line=0), "bars_per_line is 0"),
        (lambda: scores.engrave(scale(60), start_bar=-1), "start_bar is -1"),
        (lambda: scores.engrave(scale(60), start_bar=None), "start_bar is None"),
        (lambda: scores.engrave(scale(60), start_bar=1), "the piece has 1 bars"),
        (lambda: scores.engrave(scale(60), key="H"), "key is 'H'"),
        (lambda: scores.engrave(make_piece([Note(96, 9, 60, 0)], [0]), bars=1), "no notes"),
        (lambda: scores.engrave(empty_stream()), "no notes"),
        (lambda: scores.engrave(scores.to_music21(scale(60)), start_bar=9), "no notes"),
        (lambda: scores.engrave(scale(*[60] * 600), bars_per_line=1), "fewer bars"),
        (lambda: scores.engrave(Path("nothing.mid")), "nothing.mid"),
        (lambda: scores.engrave(7), "int"),
    ],
)
def test_what_cannot_be_drawn_is_said(call, said):
    with pytest.raises(InputError, match=said):
        call()


def empty_stream():
    from music21 import stream

    return stream.Score()


def test_a_missing_engraver_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "verovio", None)
    with pytest.raises(InputError, match="pip install verovio"):
        scores.engrave(scale(60))


def test_a_piece_stays_as_it_is():
    piece = scores.read(CHORALE)
    copy = Piece(piece.notes, piece.parts, piece.meters, piece.tempos)
    scores.engrave(piece, piano=True)
    assert piece == copy
