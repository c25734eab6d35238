"""Disco: a kick on every beat, open hats between, octaves in the bass, strings that stab."""

from .sketch import Sketch, choose
from .theory import nearest

TEMPO = 116.0
PALETTE = {
    "drums": ("Standard Kit", "Electronic Kit", "Room Kit", "TR-808 Kit"),
    "bass": ("Electric Bass (finger)", "Slap Bass 1", "Synth Bass 1", "Electric Bass (pick)"),
    "chords": (
        "Electric Guitar (clean)",
        "Electric Guitar (muted)",
        "Electric Piano 1",
        "Acoustic Grand Piano",
        "Clavinet",
        "Drawbar Organ",
    ),
    "pad": ("String Ensemble 1", "Synth Strings 1", "String Ensemble 2", "Drawbar Organ"),
    "lead": (
        "String Ensemble 1",
        "Brass Section",
        "Trumpet",
        "Alto Sax",
        "Synth Brass 1",
        "Flute",
        "Lead 2 (sawtooth)",
        "Electric Guitar (jazz)",
    ),
}
_MINOR = (
    "Im7 IV7",
    "Im7 Im7 IVm7 IVm7 bVII7 bVII7 bIIImaj7 V7",
    "Im7 bVII bVImaj7 V7",
    "Im7 Im7 bVImaj7 bVII",
)
_MAJOR = ("Imaj7 VIm7 IIm7 V7", "IVmaj7 IIIm7 IIm7 Imaj7", "IIm7 V7 Imaj7 Imaj7")


def _strings(s: Sketch) -> None:
    """Stabs and runs of a string section over clean guitar."""
    _harmony(s)
    _beat(s)
    _octaves(s)
    _guitar(s)
    stabs = s.line("pad", level=5)
    s.comp(stabs, ("x.....x.x.......", "...x..x.........", "x..x..x....."), 72, hold=0.7, size=3)
    line = s.line("lead", instrument=choose(s.rng, "String Ensemble 1", *s.palette["lead"]))
    scale = s.mode()
    rhythms = {"a": ("x---x---x-x-x---", "x-----x-x---x-x-"), "b": ("x---x---........",)}
    s.melody(line, s.scale(scale, 65, 84), "ab", rhythms)
    keys = s.scale(scale, 62, 88)
    for bar in range(1, s.bars, 2):
        first = s.rng.randrange(len(keys) - 8)
        for step in range(8):
            line.add(4 * bar + 2 + step / 4, 0.3, keys[first + step], 76 + 4 * step)


def _funk(s: Sketch) -> None:
    """Scratching guitar in sixteenths, and horns that answer."""
    _harmony(s)
    _beat(s)
    bass = choose(s.rng, "x..xx.x.x..x.xx.", "x.x...xxx.x..xx.", "x...x..xx..xx.x.")
    s.riff(
        s.line("bass"), bass, choose(s.rng, (0, 0, 12, 0, 10, 12, 0, 7), (0, 12, 0, 7, 12, 10)), 36
    )
    _guitar(s)
    s.comp(
        s.line("lead", level=-2),
        ("......xx.x......", "x..x............", "..........x.x.x-"),
        70,
        size=3,
    )
    s.comp(s.line("pad", level=2), ("x---------------",), 74, velocity=70)
    _percussion(s)


def _machine(s: Sketch) -> None:
    """European: a sequencer in the bass, long strings, a tune."""
    _harmony(s, minor=0.8)
    _beat(s)
    steps = choose(
        s.rng, (0, 0, 12, 0), (0, 12, 0, 12), (0, 0, 12, 12, 7, 7, 12, 12), (0, 7, 12, 7)
    )
    s.riff(s.line("bass"), "x" * 16, steps, 36, hold=0.7, velocity=86)
    s.comp(s.line("chords"), ("..x...x...x...x.", "..xx..xx..xx..xx"), 66, hold=0.7)
    s.comp(s.line("pad", level=4), ("x---------------",), 70, velocity=76)
    keys = s.scale(s.mode(), 64, 84)
    s.melody(s.line("lead"), keys, "abac", ("x-x-x---", "x--x--x-", "x---x-x-", "xxx-x---"))
    _percussion(s)


def _harmony(s: Sketch, minor: float = 0.6) -> None:
    s.minor = s.rng.random() < minor
    s.harmony(s.rng.choice(_MINOR if s.minor else _MAJOR))


def _beat(s: Sketch) -> None:
    line, backbeat = s.line("drums", level=-1), choose(s.rng, "snare", "clap", "snare")
    closed = choose(s.rng, "x...x...x...x...", "xx.xxx.xxx.xxx.x", "x..ox..ox..ox..o")
    for bar in range(s.bars):
        s.drums(line, bar, kick="X...X...X...X...", open="..X...X...X...X.", hat=closed)
        s.drums(line, bar, **{backbeat: "....X.......X..."})
        if bar % 4 == 3:
            s.drums(line, bar, snare="............xxxX")
        if bar % 4 == 0:
            s.drums(line, bar, crash="x")


def _octaves(s: Sketch) -> None:
    line = s.line("bass")
    walks = s.rng.random() < 0.4
    for beat in range(int(s.end)):
        root = nearest(s.chord(beat).root, 35)
        line.add(beat, 0.45, root, 100)
        line.add(beat + 0.5, 0.4, root + 12, 90)
        if walks and s.chord(beat + 1).root != s.chord(beat).root:
            line.add(beat + 0.75, 0.2, nearest(s.chord(beat + 1).root, 35) + 11, 80)


def _guitar(s: Sketch) -> None:
    one = choose(
        s.rng, "x.xx.xx.x.xx.xx.", "..x...x...x..xx.", "xx.x..x.xx.x..x.", "..xx..xx..xx..xx"
    )
    s.comp(
        s.line("chords", level=2),
        (one, one, one[:8] + "..x.x.x."),
        68,
        hold=0.5,
        size=3,
        velocity=84,
    )


def _percussion(s: Sketch) -> None:
    line = s.line("drums 2", level=2, instrument="Standard Kit")
    texts = choose(
        s.rng, {"conga": "x..x..x.", "low_conga": "......xx"}, {"tambourine": "x.x.x.x."}
    )
    for bar in range(s.bars):
        s.drums(line, bar, **texts)


VARIANTS = {"strings": _strings, "funk": _funk, "machine": _machine}
