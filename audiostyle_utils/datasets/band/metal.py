"""Metal: muted sixteenths on the lowest string, power chords, a double kick, dark scales."""

from .sketch import Line, Sketch, choose
from .theory import nearest

TEMPO = 126.0
PALETTE = {
    "drums": ("Power Kit", "Room Kit", "Standard Kit"),
    "bass": ("Electric Bass (pick)", "Electric Bass (finger)", "Synth Bass 2"),
    "chords": ("Distortion Guitar", "Distortion Guitar", "Overdriven Guitar"),
    "lead": ("Distortion Guitar", "Overdriven Guitar", "Lead 2 (sawtooth)", "Violin"),
    "clean": ("Electric Guitar (clean)", "Acoustic Guitar (nylon)", "Acoustic Grand Piano"),
    "pad": ("String Ensemble 1", "Choir Aahs", "Church Organ", "Synth Strings 1"),
}
_DARK = ("I5 I5 bII5 I5", "I5 I5 bV5 bII5", "I5 bII5 I5 bIII5", "I5 I5 bVI5 bII5", "I5 bV5 I5 bII5")
_HEROIC = ("I5 bVI5 bIII5 bVII5", "I5 bVII5 bVI5 bVII5", "I5 bIII5 bVII5 bVI5", "I5 IV5 bVI5 V5")
_GALLOPS = (
    "x.xxx.xxx.xxx.xx",
    "xxxxxxxxxxxxxxxx",
    "xxx.xxx.xxx.xxxx",
    "x.xxxxxxx.xxxxxx",
    "xxxxxx.xxxxx.xxx",
)


def _thrash(s: Sketch) -> None:
    """Muted sixteenths, the double kick with them, accents on power chords."""
    _key(s, _DARK)
    gallop = s.rng.choice(_GALLOPS)
    accents = choose(s.rng, (0, 6, 12), (0, 10), (0, 3, 6, 12), (0, 14))
    _muted(s, gallop, accents)
    line = s.line("drums", level=1)
    for bar in range(s.bars):
        kick = gallop if bar % 4 < 3 else "x" * 16
        s.drums(line, bar, kick=kick, snare="....X.......X...", hat="x...x...x...x...")
        _crashes(s, line, bar)
    _solo(s, 0.6)


def _doom(s: Sketch) -> None:
    """Half-time: long chords that grind against each other by half-steps."""
    _key(s, _DARK)
    rhythm = choose(s.rng, "x-------x--xx-x-", "x-----x-x-----xx", "x--x--x---x-x-x-")
    _chords(s, rhythm)
    line = s.line("drums", level=1)
    kick = choose(s.rng, "x.xx....x.xx..xx", "xxxx..x...xxxxxx", "x..x..x...x.x.x.")
    for bar in range(s.bars):
        s.drums(line, bar, kick=kick, snare="........X.......", china="x...x...x...x...")
        _crashes(s, line, bar)
    _pad(s, 0.4)
    _solo(s, 0.3)


def _power(s: Sketch) -> None:
    """Two guitars: a heroic tune in thirds, over a double kick."""
    _key(s, _HEROIC)
    _muted(s, "xxxxxxxxxxxxxxxx", (0, 8))
    line = s.line("drums", level=1)
    for bar in range(s.bars):
        s.drums(line, bar, kick="x" * 16, snare="....X.......X...", ride="x.x.x.x.x.x.x.x.")
        _crashes(s, line, bar)
    keys = s.scale("harmonic minor", 62, 84)
    lead = s.line("lead", level=1)
    other = s.line("lead 2", level=-1, instrument=lead.instrument)
    rhythms = ("x-x-x-x-x-xxx-x-", "xxxxxxxxx---x---", "x---x---x-x-x-x-")
    s.melody(lead, keys, "abac", rhythms, parallel=(other, 2), velocity=100, bends=("vibrato",))
    _pad(s, 0.5)


def _intro(s: Sketch) -> None:
    """Broken chords on a clean instrument, then the band breaks in."""
    _key(s, _HEROIC)
    bars = choose(s.rng, 2, 2, 3)
    line = s.line("lead 3", instrument=s.rng.choice(s.palette["clean"]))
    order = choose(s.rng, (0, 1, 2, 3, 2, 1, 2, 1), (0, 2, 1, 3, 2, 3, 1, 2))
    for step in range(8 * bars):
        root = nearest(s.chord(step / 2).root, 50)
        line.add(step / 2, 0.9, root + (0, 7, 12, 15)[order[step % 8]], 80)
    _muted(s, s.rng.choice(_GALLOPS), (0, 8), first=bars)
    drums = s.line("drums", level=1)
    s.fill(drums, bars - 1, 2)
    for bar in range(bars, s.bars):
        s.drums(
            drums, bar, kick="x.xxx.xxx.xxx.xx", snare="....X.......X...", hat="x...x...x...x..."
        )
        _crashes(s, drums, bar, bars)
    _solo(s, 0.5, first=bars)


def _key(s: Sketch, progressions: tuple[str, ...]) -> None:
    # Guitars like the keys of their lowest strings.
    s.tonic, s.minor = s.rng.choice((2, 4, 4, 5, 6, 9, 11, 0)), True
    s.harmony(s.rng.choice(progressions))


def _guitars(s: Sketch) -> tuple[Line, Line, Line]:
    left = s.line("chords", level=3)
    right = s.line("chords 2", level=1, instrument=s.rng.choice(s.palette["chords"]))
    return left, right, s.line("bass")


def _muted(s: Sketch, rhythm: str, accents: tuple[int, ...], first: int = 0) -> None:
    guitars = _guitars(s)
    for bar in range(first, s.bars):
        for step, mark in enumerate(rhythm):
            beat = 4 * bar + step / 4
            root = nearest(s.chord(beat).root, 43)
            if step in accents:
                _strike(guitars, beat, 0.45, root, 112)
            elif mark == "x":
                # The heel of the hand on the strings: the root of the key, short and dull.
                _strike(guitars, beat, 0.13, nearest(s.tonic, 40), 84, muted=True)


def _chords(s: Sketch, rhythm: str) -> None:
    guitars = _guitars(s)
    for bar in range(s.bars):
        for beat, beats in s.onsets(rhythm):
            root = nearest(s.chord(4 * bar + beat).root, 41)
            _strike(guitars, 4 * bar + beat, beats * 0.95, root, 108)


def _strike(
    guitars: tuple[Line, Line, Line],
    beat: float,
    beats: float,
    root: int,
    velocity: int,
    muted: bool = False,
) -> None:
    left, right, bass = guitars
    for line in (left, right):
        line.chord(
            beat, beats, [root, root + 7] if muted else [root, root + 7, root + 12], velocity
        )
    bass.add(beat, max(beats, 0.2), root - 12, velocity)


def _crashes(s: Sketch, line: Line, bar: int, first: int = 0) -> None:
    if (bar - first) % 2 == 0:
        s.drums(line, bar, crash="X")
    if bar % 4 == 3:
        s.fill(line, bar, choose(s.rng, 1, 2))


def _pad(s: Sketch, chance: float) -> None:
    if s.rng.random() < chance:
        s.comp(s.line("pad", level=7), ("x---------------",), 66, velocity=72)


def _solo(s: Sketch, chance: float, first: int = 0) -> None:
    """Play fast runs and long bends high up."""
    if s.rng.random() < chance:
        keys = s.scale(choose(s.rng, "phrygian", "harmonic minor", "minor"), 66, 90)
        rhythms = ("xxxxxxxxxxxxxxxx", "x---x---xxxxxxxx", "x-------xxxxxxxx", "xxxxxxxxx-------")
        bends = ("vibrato", "up2", "up1")
        s.melody(s.line("lead"), keys, "abac", rhythms, bends=bends, velocity=100, first=first)


VARIANTS = {"thrash": _thrash, "doom": _doom, "power": _power, "intro": _intro}
