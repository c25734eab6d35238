"""Rock: a hard backbeat, riffs in power chords, crashes, a pentatonic solo."""

from .sketch import Line, Sketch, choose
from .theory import nearest

TEMPO = 120.0
PALETTE = {
    "drums": ("Standard Kit", "Power Kit", "Room Kit"),
    "bass": ("Electric Bass (pick)", "Electric Bass (finger)", "Slap Bass 1"),
    "chords": (
        "Overdriven Guitar",
        "Distortion Guitar",
        "Overdriven Guitar",
        "Electric Guitar (clean)",
    ),
    "second": (
        "Rock Organ",
        "Drawbar Organ",
        "Acoustic Grand Piano",
        "Acoustic Guitar (steel)",
        "Electric Guitar (clean)",
        "Electric Piano 1",
    ),
    "lead": (
        "Overdriven Guitar",
        "Distortion Guitar",
        "Electric Guitar (clean)",
        "Rock Organ",
        "Tenor Sax",
        "Harmonica",
        "Lead 2 (sawtooth)",
    ),
}
_ROUNDS = (
    "I5 bVII5 IV5 I5",
    "I5 IV5 V5 IV5",
    "I5 bIII5 IV5 I5",
    "I5 I5 IV5 V5",
    "I5 bVI5 bVII5 I5",
)
_STEPS = (
    (0, 0, 3, 0, 5, 3, 0, -2),
    (0, 3, 5, 0, 3, 6, 5, 0),
    (0, 0, 12, 10, 7, 5, 3, 0),
    (0, 0, -2, 0, 3, 0, 5, 3),
)


def _riff(s: Sketch) -> None:
    """Guitar and bass in unison on a figure of the blues scale."""
    s.minor = True
    s.harmony(choose(s.rng, "I5", "I5 I5 IV5 I5", "I5 I5 bVII5 IV5"))
    rhythm = choose(
        s.rng, "x-xx-xx-x-xx-xx-", "x-x-x-xxxxx---", "x--x--x-x-x-xxx-", "x-x-.xx-x-x-..xx"
    )
    rhythm = rhythm.ljust(16, "-")
    steps = s.rng.choice(_STEPS)
    guitar, bass = s.line("chords", level=3), s.line("bass")
    s.riff(bass, rhythm, steps, 36)
    fifths = s.rng.random() < 0.6
    for note in bass.notes:
        guitar.chord(
            note.beat, note.beats, [note.key + 12, *([note.key + 19] * fifths)], note.velocity
        )
    _beat(s, choose(s.rng, "X...x...", "X..xx...", "X...xx.."))
    _solo(s)


def _straight(s: Sketch) -> None:
    """Eighths struck downwards, as fast as the hand can."""
    s.harmony(s.rng.choice(_ROUNDS))
    _power(s, choose(s.rng, ("xxxxxxxx",), ("xxxxxxxx", "x-xxxxxx"), ("x-xxx-xx",)))
    _beat(s, choose(s.rng, "X...X.X.", "X..xX...", "X...XX.."))
    _second(s, ("x-------",))
    _solo(s)


def _arena(s: Sketch) -> None:
    """Long chords, big drums, a tune that everybody can sing."""
    s.harmony(s.rng.choice(_ROUNDS))
    _power(s, choose(s.rng, ("x-----x-",), ("x---x---",), ("x--x--x-",)))
    _beat(s, choose(s.rng, "X.....x.", "X...X..x", "X..X...."))
    _second(s, ("x.x.x.x.", "xxxxxxxx"))
    _solo(s, ("x---x-x-", "x-x-x---", "x-----x-", "x-xxx---"))


def _verse(s: Sketch) -> None:
    """Broken chords on a clean guitar, then the chorus."""
    s.harmony(s.rng.choice(_ROUNDS))
    bars = choose(s.rng, 2, 4)
    clean = s.line("chords 2", instrument="Electric Guitar (clean)")
    order = choose(s.rng, (0, 7, 12, 16, 12, 7, 12, 7), (0, 12, 7, 12, 16, 12, 7, 12))
    for step in range(8 * bars):
        root = nearest(s.chord(step / 2).root, 48)
        clean.add(step / 2, 0.9, root + order[step % 8], 84)
    _power(s, ("x-xx-xxx", "x-xxx-x-"), first=bars)
    _beat(s, choose(s.rng, "X...x...", "X...xx.."))
    _second(s, ("x-------",))
    _solo(s)


def _power(s: Sketch, rhythms: tuple[str, ...], first: int = 0) -> None:
    guitar, bass = s.line("chords", level=3), s.line("bass")
    for bar in range(s.bars):
        rhythm = s.rng.choice(rhythms) if bar >= first else "x---x---"
        for beat, beats in s.onsets(rhythm):
            root, start = nearest(s.chord(4 * bar + beat).root, 36), 4 * bar + beat
            if bar >= first:
                keys = [root + 12, root + 19, root + 24]
                guitar.chord(start, beats * 0.92, keys, 92 + 10 * (beat % 2 == 0))
            bass.add(start, beats * 0.9, root, 98)


def _beat(s: Sketch, kick: str) -> None:
    line, cymbal = s.line("drums", level=2), choose(s.rng, "hat", "hat", "ride", "open")
    for bar in range(s.bars):
        s.drums(line, bar, kick=kick, snare="..X...X.", **{cymbal: "xoxoxoxo"})
        if bar % 4 == 0:
            s.drums(line, bar, crash="X")
        if bar % 4 == 3:
            s.fill(line, bar, choose(s.rng, 1, 2))


def _second(s: Sketch, rhythms: tuple[str, ...]) -> None:
    if s.rng.random() < 0.75:
        s.comp(
            s.line("chords 3", instrument=s.rng.choice(s.palette["second"])),
            rhythms,
            62,
            velocity=80,
        )


def _solo(
    s: Sketch, rhythms: tuple[str, ...] = ("x-xxx-x-", "x---xxxx", "xxxxx---", "..xxx---")
) -> Line:
    line = s.line("lead")
    low = nearest(s.tonic, 66) - 2
    keys = s.scale(choose(s.rng, "minor pentatonic", "minor pentatonic", "blues"), low, low + 20)
    pools = dict.fromkeys("ab", rhythms) | {"c": ("x-------", "........")}
    bends = ("up2", "vibrato", "up1", "")
    s.melody(line, keys, choose(s.rng, "abac", "acab", "abab"), pools, bends=bends, velocity=98)
    return line


VARIANTS = {"riff": _riff, "straight": _straight, "arena": _arena, "verse": _verse}
