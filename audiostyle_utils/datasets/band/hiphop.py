"""Hip hop: a loop of a bar or two that comes back unchanged, a swung half-time beat, deep bass."""

from .sketch import Line, Sketch, choose, swung
from .theory import nearest, voicing

TEMPO = 94.0
PALETTE = {
    "drums": ("Room Kit", "TR-808 Kit", "Standard Kit", "Electronic Kit", "Power Kit"),
    "bass": (
        "Synth Bass 2",
        "Fretless Bass",
        "Electric Bass (finger)",
        "Acoustic Bass",
        "Synth Bass 1",
    ),
    "chords": (
        "Electric Piano 1",
        "Acoustic Grand Piano",
        "Electric Guitar (jazz)",
        "Vibraphone",
        "Electric Piano 2",
        "Acoustic Guitar (nylon)",
        "Electric Guitar (clean)",
        "Drawbar Organ",
    ),
    "lead": (
        "Flute",
        "Trumpet",
        "String Ensemble 1",
        "Lead 1 (square)",
        "Alto Sax",
        "Muted Trumpet",
        "Choir Aahs",
        "Music Box",
    ),
    "pad": ("String Ensemble 1", "Synth Strings 1", "Choir Aahs", "Drawbar Organ"),
}
_LOOPS = (
    "Im9 IVm9",
    "Im7 bVImaj7",
    "Im9:2 bVII9:2",
    "IIm9 V13",
    "Im7:2 IVm7:2 bVImaj7:2 V7:2",
    "Imaj9:2 IVmaj9:2",
    "Im9",
    "Im bVI:2 V7:2",
)


def _boom_bap(s: Sketch) -> None:
    """Dusty drums, a chopped phrase, an upright or electric bass."""
    swing = s.rng.uniform(0.56, 0.64)
    s.minor = True
    s.harmony(s.rng.choice(_LOOPS))
    kick = choose(
        s.rng, "X..x......Xx....", "X......x..X.....", "X.x....x.xX.....", "X..x...x..x....x"
    )
    _beat(
        s,
        swing,
        kick=kick,
        snare="....X.......X...",
        hat=choose(s.rng, "x.x.x.x.x.x.x.x.", "x.xxx.x.x.xxx.x."),
    )
    _loop(s, s.line("chords"), _chop(s, s.line("chords 3", instrument="Electric Piano 1"), swing))
    _sub(s, kick, swing)
    _phrase(s, swing)


def _trap(s: Sketch) -> None:
    """Half-time: one snare in a bar, rolls on the hat, a bass that slides."""
    s.minor = True
    s.harmony(s.rng.choice(("Im", "Im bVI", "Im:2 bVI:2 V7:4", "Im bII", "Im IVm")))
    kick = choose(s.rng, "X.....x...x.....", "X..x......X...x.", "X.......x.x....x")
    line = s.line("drums")
    for bar in range(s.bars):
        s.drums(line, bar, kick=kick, clap="........X.......", hat="x.x.x.x.x.x.x.x.")
        start = 4 * bar + s.rng.choice((1, 3, 3.5))
        for step in range(s.rng.choice((3, 4, 6))):
            line.add(start + step / s.rng.choice((6, 8)), 0.1, 42, 70 + 5 * step)
        if bar % 2:
            s.drums(line, bar, open="..............x.")
    _sub(s, kick, 0.5, slide=True)
    arpeggio = s.line("chords")
    order = [s.rng.randrange(3) for _ in range(8)]
    _loop(s, arpeggio, [
        (i / 2, 0.5, voicing(s.chord(i / 2), [], 74, 3)[order[i % 8]], 84) for i in range(16)
        if i % 8 not in (3, 6)
    ])  # fmt: skip
    _pad(s)


def _lazy(s: Sketch) -> None:
    """West coast: a high whistle that glides, clean guitar, a funk bass."""
    swing = s.rng.uniform(0.52, 0.6)
    s.minor = True
    s.harmony(s.rng.choice(_LOOPS[:6]))
    kick = choose(s.rng, "X.....x.x.x.....", "X..x....X.x.....")
    _beat(
        s,
        swing,
        kick=kick,
        clap="....X.......X...",
        hat="x.x.x.x.x.x.x.x.",
        tambourine="....x.......x...",
    )
    _sub(s, "X..x..x...x..xx.", swing)
    _loop(s, s.line("chords"), _chop(s, s.line("chords 3", instrument="Electric Piano 2"), swing))
    line = s.line(
        "lead", level=-3, instrument=choose(s.rng, "Lead 1 (square)", "Lead 2 (sawtooth)", "Flute")
    )
    s.melody(
        line,
        s.scale("minor pentatonic", 74, 93),
        "aa",
        ("x---x-x-", "x--x----", "x-------"),
        bends=("slide",),
    )


def _beat(s: Sketch, swing: float, **texts: str) -> None:
    line = s.line("drums", level=2)
    for bar in range(s.bars):
        own = dict(texts)
        if bar % 4 == 3 and s.rng.random() < 0.7:
            own["hat"] = "x.x.x.x.x......."
            own["open"] = "..............x."
        s.drums(line, bar, swing, **own)


def _chop(s: Sketch, spare: Line, swing: float) -> list[tuple[float, float, int, int]]:
    """Make two bars of a phrase, in pieces, as a sampler cuts it."""
    s.lines.remove(spare)
    rhythm = choose(
        s.rng, "x---..x-x--.....", "x-....x-..x---..", "x--x--..x-----..", "x-----x-..x-x-.."
    )
    phrase = []
    for bar in range(2):
        for beat, beats in s.onsets(rhythm, swing):
            keys = voicing(s.chord(4 * bar + beat), [], 64, 4)
            phrase += [(4 * bar + beat, beats, key, 82) for key in keys]
    scale = s.scale("minor pentatonic", 70, 84)
    for _ in range(s.rng.choice((2, 3, 4))):
        start = s.rng.randrange(16) / 2
        phrase.append((start, 0.4, s.rng.choice(scale), 88))
    return phrase


def _loop(s: Sketch, line: Line, phrase: list[tuple[float, float, int, int]]) -> None:
    """Repeat two bars; now and then the last beats are left out."""
    for start in range(0, int(s.end), 8):
        cut = 6 if start % 16 == 8 and s.rng.random() < 0.4 else 8
        for beat, beats, key, strength in phrase:
            if beat < cut:
                line.add(start + beat, beats, key, strength)


def _sub(s: Sketch, kick: str, swing: float, slide: bool = False) -> None:
    line = s.line("bass", level=1)
    steps = choose(s.rng, (0, 0, 0), (0, 0, 10, 0), (0, 7, 0, 0), (0, 0, 3))
    for bar in range(s.bars):
        places = [i for i, mark in enumerate(kick) if mark in "Xx"]
        for index, (place, following) in enumerate(zip(places, [*places[1:], 16], strict=True)):
            beat = 4 * bar + swung(place, 16, 4, swing)
            length = min((following - place) / 4, 1.6) * 0.9
            root = nearest(s.chord(beat).root, 31)
            bend = "fall" if slide and index == len(places) - 1 and bar % 2 else ""
            line.add(beat, length, root + (steps[index % len(steps)] if index else 0), 104, bend)


def _phrase(s: Sketch, swing: float) -> None:
    """Let a second instrument answer in every other bar."""
    if s.rng.random() < 0.6:
        keys = s.scale("minor pentatonic", 67, 84)
        s.melody(
            s.line("lead", level=-3),
            keys,
            "ab",
            (".." * 8, "....x-x-x---....", "x--x--x-........"),
            swing=swing,
        )
    else:
        _pad(s)


def _pad(s: Sketch) -> None:
    s.comp(s.line("pad", level=2), ("x---------------",), 64, velocity=66)


VARIANTS = {"boom bap": _boom_bap, "trap": _trap, "lazy": _lazy}
