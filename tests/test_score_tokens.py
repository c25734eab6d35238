import re
from bisect import bisect_right
from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiostyle_utils import scores
from audiostyle_utils.errors import InputError
from audiostyle_utils.scores import STEPS, Meter, Note, Tempo
from audiostyle_utils.scores.pieces import DRUMS, METERS, TEMPOS

BAR = 4 * STEPS
few = settings(max_examples=60, derandomize=True, deadline=None)
signs = st.sampled_from([(4, 4), (3, 4), (5, 8), (12, 8), (2, 2), (7, 16), (1, 16), (24, 16)])


@st.composite
def pieces(draw, most_parts=4):
    """Any notes, some of them short, long, at once or over one another, in any parts."""
    programs = draw(st.lists(st.integers(0, DRUMS), min_size=1, max_size=most_parts))
    note = st.builds(
        Note,
        onset=st.one_of(st.integers(0, 400), st.integers(0, 12).map(lambda k: k * STEPS)),
        length=st.one_of(st.integers(1, 300), st.sampled_from([1, 12, STEPS])),
        pitch=st.one_of(st.integers(0, 127), st.integers(60, 64)),
        part=st.integers(0, len(programs) - 1),
    )
    meter = st.builds(lambda onset, sign: Meter(onset, *sign), st.integers(0, 500), signs)
    tempo = st.builds(Tempo, st.integers(0, 500), st.floats(1, 1000))
    return scores.make_piece(
        draw(st.lists(note, min_size=1, max_size=25)),
        programs,
        draw(st.lists(meter, max_size=3)),
        draw(st.lists(tempo, max_size=3)),
    )


def piece(notes, parts=(0,), **others):
    """Make a piece of notes given as onset, length in quarters, pitch, and part if not 0."""
    made = [
        Note(int(STEPS * a), int(STEPS * b), pitch, *(part or (0,))) for a, b, pitch, *part in notes
    ]
    return scores.make_piece(made, parts, **others)


def words(*args, **kwargs):
    return " ".join(scores.tokenise(piece(*args, **kwargs)))


# What pieces are


def test_the_vocabulary_is_a_list_without_doubles():
    vocabulary = scores.vocabulary()
    assert len(set(vocabulary)) == len(vocabulary) == 1 + 96 + len(TEMPOS) + 130 + 130 * 16 + 128
    assert vocabulary[0] == "end"
    assert {"C4:1/2", "+E4", "rest:1", "hold:3/2", "part:drums", "voice"} <= set(vocabulary)


@few
@given(pieces())
def test_a_made_piece_stays_as_it_is(made):
    assert scores.make_piece(made.notes, made.parts, made.meters, made.tempos) == made


@few
@given(pieces())
def test_a_made_piece_is_in_order(made):
    assert list(made.notes) == sorted(made.notes, key=lambda n: (n.onset, n.part, n.pitch))
    assert {note.part for note in made.notes} == set(range(len(made.parts)))
    lines = set(made.barlines)
    assert made.meters[0].onset == made.tempos[0].onset == 0
    assert {change.onset for change in (*made.meters, *made.tempos)} <= lines
    assert {tempo.bpm for tempo in made.tempos} <= set(TEMPOS)
    assert {meter[1:] for meter in made.meters} <= METERS
    sounding = defaultdict(int)
    for note in made.notes:
        assert sounding[note.part, note.pitch] <= note.onset
        assert note.length >= 1
        sounding[note.part, note.pitch] = note.onset + note.length


@few
@given(st.lists(st.tuples(st.integers(0, 1000), signs), max_size=5), st.integers(1, 1500))
def test_barlines_follow_the_meters(changes, end):
    meters = [Meter(onset, *sign) for onset, sign in changes]
    made = scores.make_piece([Note(end - 1, 1, 60, 0)], [0], meters)
    lines = made.barlines
    onsets = [meter.onset for meter in made.meters]
    for start, line in zip(lines, lines[1:], strict=False):
        meter = made.meters[bisect_right(onsets, start) - 1]
        assert Fraction(line - start, BAR) == Fraction(meter.count, meter.unit)
    assert lines[-2] < end <= lines[-1]


def test_an_overlap_ends_where_the_same_pitch_begins_again():
    made = piece([(0, 4, 60), (1, 1, 60), (1, 3, 60), (0, 4, 64)])
    assert [note[:3] for note in made.notes] == [(0, 24, 60), (0, 96, 64), (24, 72, 60)]
    both = piece([(0, 4, 60, 0), (1, 1, 60, 1)], parts=(0, 0))
    assert [note.length for note in both.notes] == [96, 24]


@pytest.mark.parametrize(
    ("meters", "expected"),
    [
        ([], [(0, 4, 4)]),
        ([(0, 0, 4)], [(0, 4, 4)]),
        ([(0, 17, 32), (0, 3, 4)], [(0, 3, 4)]),
        ([(0, 3, 4), (0, 2, 4)], [(0, 2, 4)]),
        ([(0, 1, 4)], [(0, 4, 4)]),
        ([(30, 3, 4)], [(0, 4, 4), (96, 3, 4)]),
        ([(0, 3, 4), (10, 2, 4), (60, 5, 8)], [(0, 3, 4), (72, 5, 8)]),
        ([(0, 1, 4), (24, 3, 4)], [(0, 1, 4), (24, 3, 4)]),
        ([(0, 3, 4), (100_000, 1, 4)], [(0, 3, 4)]),
        ([(0, 1, 4), (100_000, 3, 4)], [(0, 4, 4)]),
    ],
)
def test_meters_begin_at_barlines(meters, expected):
    made = piece([(0, 9, 60)], meters=[Meter(*meter) for meter in meters])
    assert list(made.meters) == expected


@pytest.mark.parametrize("bpm", [0, -3, 0.5, 1e6, float("nan"), float("inf"), 1e-320])
def test_an_absurd_tempo_is_none(bpm):
    assert piece([(0, 1, 60)], tempos=[Tempo(0, bpm)]).tempos == (Tempo(0, 120),)
    assert piece([(0, 1, 60)], tempos=[Tempo(0, 60), Tempo(0, bpm)]).tempos == (Tempo(0, 60),)


@few
@given(st.floats(30, 400))
def test_a_tempo_is_at_most_3_2_per_cent_off(bpm):
    (tempo,) = piece([(0, 1, 60)], tempos=[Tempo(0, bpm)]).tempos
    assert abs(tempo.bpm / bpm - 1) <= 1 / 31 + 1e-9  # 30 for 31


def test_a_bar_has_its_mean_tempo():
    changes = [Tempo(0, 60), Tempo(2 * STEPS, 120)]  # two seconds, and one: 80 a minute
    made = piece([(0, 8, 60)], tempos=changes)
    assert made.tempos == (Tempo(0, 80), Tempo(BAR, 120))
    assert piece([(0, 8, 60)], tempos=[Tempo(BAR, 60)]).tempos == (Tempo(0, 120), Tempo(BAR, 60))


def test_thousands_of_changes_are_no_work():
    n = 50_000
    meters = [Meter(k, 3 + k % 2, 4) for k in range(n)]
    made = piece([(0, n / STEPS, 60)], meters=meters, tempos=[Tempo(k, 100) for k in range(n)])
    assert made.tempos == (Tempo(0, 100),)


@pytest.mark.parametrize(
    ("notes", "parts", "reason"),
    [
        ([], [0], "no notes"),
        ([Note(0, 24, 128, 0)], [0], "pitch=128"),
        ([Note(-1, 24, 60, 0)], [0], "onset=-1"),
        ([Note(0, 24, 60, 1)], [0], "1 parts"),
        ([Note(0, 24, 60, 0)], [129], "129 is no program"),
        ([Note(0, 5001 * BAR, 60, 0)], [0], "5,001 bars"),
    ],
)
def test_what_is_no_piece_is_refused(notes, parts, reason):
    with pytest.raises(InputError, match=reason):
        scores.make_piece(notes, parts)


@few
@given(pieces(), st.integers(-40, 40))
def test_transposing_there_and_back_changes_nothing(made, semitones):
    try:
        there = scores.transpose(made, semitones)
    except InputError:
        pitches = [n.pitch + semitones for n in made.notes if made.parts[n.part] != DRUMS]
        assert min(pitches) < 0 or max(pitches) > 127
    else:
        assert scores.transpose(there, -semitones) == made


# There and back


@few
@given(pieces())
def test_tokens_give_the_piece_again(made):
    tokens = scores.tokenise(made)
    assert scores.detokenise(tokens) == made
    assert scores.decode(scores.encode(tokens)) == tokens


@few
@given(pieces(most_parts=20))
def test_a_midi_file_gives_the_tokens_again(tmp_path_factory, made):
    path = scores.save_midi(made, tmp_path_factory.getbasetemp() / "there.mid")
    assert scores.tokenise(scores.read(path, drums=True)) == scores.tokenise(made)


@few
@given(pieces())
def test_no_token_crosses_a_barline_and_all_voices_end_together(made):
    clocks, voice_of, lines = {}, [], made.barlines
    for token, (voice, position, left) in zip(
        tokens := scores.tokenise(made), scores.contexts(tokens), strict=False
    ):
        if token.startswith("part:") or token == "voice":
            voice_of.append(len(voice_of))
            clocks[len(clocks)] = 0
        length = re.fullmatch(r"(?:rest|hold|[A-G]#?-?\d):([\d/]+)", token)
        if not length:
            continue
        behind = min(clocks, key=lambda number: (clocks[number], number))
        line = lines[bisect_right(lines, clocks[behind]) - 1]
        following = lines[bisect_right(lines, clocks[behind])]
        assert (voice, position) == (behind, clocks[behind] - line)
        assert left == following - clocks[behind]
        clocks[behind] += int(Fraction(length[1]) * STEPS)
        assert clocks[behind] <= following
    assert set(clocks.values()) == {lines[-1]}


@few
@given(pieces())
def test_contexts_are_what_a_reader_says(made):
    tokens, reader = scores.tokenise(made), scores.Reader()
    rows = []
    for token in tokens:
        rows.append((reader.voice, reader.position, reader.left))
        reader.push(token)
    found = scores.contexts(tokens)
    assert found.shape == (len(tokens) + 1, 3)
    assert found[:-1].tolist() == [list(row) for row in rows]
    np.testing.assert_array_equal(scores.contexts(tokens[:7]), found[:8])
    assert reader.bars == len(made.barlines) - 1
    assert reader.piece() == made


@few
@given(pieces(), st.data())
def test_any_beginning_of_the_tokens_is_music(made, data):
    tokens = scores.tokenise(made)
    sounds = [k for k, token in enumerate(tokens) if re.match(r"[A-G]", token)]
    cut = data.draw(st.integers(sounds[0] + 1, len(tokens)))
    begun = scores.detokenise(tokens[:cut])
    assert {note[0::2] for note in begun.notes} <= {note[0::2] for note in made.notes}


# Known answers


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (dict(notes=[(0, 4, 60)]), "part:0 C4:4"),
        (dict(notes=[(0, 1, 60), (1, 0.5, 61), (2, 2, 59)]), "part:0 C4:1 C#4:1/2 rest:1/2 B3:2"),
        (dict(notes=[(0, 4, 60), (0, 4, 64), (0, 4, 76)]), "part:0 C4:4 +E4 +E5"),
        (dict(notes=[(3, 2, 60)]), "part:0 rest:3 C4:1 hold:1 rest:3"),
        (dict(notes=[(3, 9, 0), (3, 9, 127)]), "part:0 rest:3 C-1:1 +G9 hold:4 hold:4"),
        (dict(notes=[(0, 2.5, 60)]), "part:0 C4:2 hold:1/2 rest:3/2"),
        (dict(notes=[(0, 4, 60), (2, 2, 72)]), "part:0 voice C4:4 rest:2 C5:2"),
        (dict(notes=[(0, 4, 60), (0, 2, 72)]), "part:0 voice C5:2 C4:4 rest:2"),
        (
            dict(notes=[(0, 4, 60, 1), (0, 4, 72, 0)], parts=(40, DRUMS)),
            "part:40 part:drums C5:4 C4:4",
        ),
        (
            dict(notes=[(k / 3, Fraction(1, 3), 60 + k) for k in range(3)]),
            "part:0 C4:1/3 C#4:1/3 D4:1/3 rest:3",
        ),
    ],
)
def test_tokens_are_these(made, expected):
    assert words(**made) == f"meter:4/4 tempo:120 {expected} end"


def test_changes_stand_at_their_barlines():
    meters = [Meter(0, 3, 4), Meter(72, 5, 8)]
    tempos = [Tempo(0, 60), Tempo(72, 100)]
    assert words([(0, 4, 60)], meters=meters, tempos=tempos) == (
        "meter:3/4 tempo:60 part:0 C4:3 meter:5/8 tempo:100 hold:1 rest:3/2 end"
    )


def test_twenty_parts_take_turns():
    notes = [Note(STEPS * k, STEPS, 40 + part, part) for k in range(4) for part in range(20)]
    made = scores.make_piece(notes, range(20))
    tokens = scores.tokenise(made)
    assert tokens[2:22] == [f"part:{program}" for program in range(20)]
    assert [row[0] for row in scores.contexts(tokens)[22:-2].tolist()] == 4 * list(range(20))
    assert scores.detokenise(tokens) == made


def test_numbers_are_places_in_the_vocabulary():
    vocabulary = scores.vocabulary()
    assert scores.encode(vocabulary).tolist() == list(range(len(vocabulary)))
    assert scores.encode([]).shape == (0,)
    for number in (-1, len(vocabulary)):
        with pytest.raises(InputError, match=f"^{number} is no token's number"):
            scores.decode([0, number])


def test_a_token_is_taken_apart_into_what_and_how_long():
    what, length, pitch = scores.factors()
    vocabulary = scores.vocabulary()
    place = {token: number for number, token in enumerate(vocabulary)}
    for token, number in place.items():
        name, colon, rest = token.partition(":")
        timed = bool(colon) and name not in ("meter", "tempo", "part")
        assert timed == (length[number] < len(scores.LENGTHS))
        if timed:
            assert scores.LENGTHS[length[number]] == Fraction(rest) * STEPS
            assert what[number] == what[place[f"{name}:1"]]
        sounds = re.fullmatch(r"\+?[A-G]#?-?\d", name)
        assert (pitch[number] >= 0) == bool(sounds)
        if sounds:
            assert scores.pitch_name(pitch[number]) == name.lstrip("+")
    apart = {
        name if name[0] in "ABCDEFGrh" else token
        for token in place
        for name in [token.partition(":")[0]]
    }
    assert len(set(what.tolist())) == len(apart)
    np.testing.assert_array_equal(scores.token_ids(what, length), np.arange(len(vocabulary)))


@pytest.mark.parametrize(
    ("parts", "bars", "reason"),
    [(1001, 1, "1,001 voices of 1 bars"), (101, 5000, "101 voices of 5,000 bars")],
)
def test_what_would_be_too_many_tokens_is_refused(parts, bars, reason):
    last = 96 * (bars - 1)
    crowd = scores.make_piece([Note(last, 96, 60, k) for k in range(parts)], [0] * parts)
    with pytest.raises(InputError, match=f"{reason} are too much .* fewer parts"):
        scores.tokenise(crowd)


def test_a_thousand_voices_are_not_too_many():
    crowd = scores.make_piece([Note(0, 96, 60, k) for k in range(1000)], [0] * 1000)
    tokens = scores.tokenise(crowd)
    assert tokens.count("C4:4") == 1000
    assert scores.detokenise(tokens) == crowd


# Tokens that cannot be


@pytest.mark.parametrize(
    ("tokens", "reason"),
    [
        ("part:0 H4:1", "Token 1: 'H4:1' is not a token"),
        ("part:0 C4:5", "'C4:5' is not a token"),
        ("C4:1", "before any part"),
        ("voice", "before a part"),
        ("part:0 C4:1 part:1", "after the first note"),
        ("part:0 C4:1 voice", "after the first note"),
        ("part:0 C4:1 meter:3/4", "inside a bar"),
        ("part:0 C4:1 end", "inside a bar"),
        ("part:0 C4:4 end C4:4", "follows 'end'"),
        ("part:0 C4:3 C4:2", "crosses a barline: 1 is left"),
        ("meter:3/4 part:0 C4:4", "crosses a barline: 3 is left"),
        ("part:0 hold:1", "follows no note"),
        ("part:0 C4:1 rest:1 hold:1", "follows no note"),
        ("part:0 +C4", "no lower note"),
        ("part:0 C4:1 +C4", "no lower note"),
        ("part:0 C4:1 +E4 +D4", "no lower note"),
        ("part:0 C4:1 hold:1 +E4", "no lower note"),
        ("part:0 rest:1 +E4", "no lower note"),
        ("part:0 rest:4 end", "no notes"),
        ("", "no notes"),
    ],
)
def test_tokens_that_cannot_follow_are_refused(tokens, reason):
    with pytest.raises(InputError, match=re.escape(reason)):
        scores.detokenise(tokens.split())


@few
@given(st.lists(st.sampled_from(scores.vocabulary()), max_size=30))
def test_a_refused_token_changes_nothing(tokens):
    reader, taken = scores.Reader(), []
    for token in ["part:0", "voice", "C4:1", *tokens]:
        before = reader.voice, reader.position, reader.left, reader.bars, reader.can_join
        try:
            reader.push(token)
        except InputError:
            after = reader.voice, reader.position, reader.left, reader.bars, reader.can_join
            assert after == before
        else:
            taken.append(token)
    assert scores.detokenise(taken) == reader.piece()
    assert scores.contexts(taken)[-1].tolist() == [reader.voice, reader.position, reader.left]
