"""Country: the bass on root and fifth, a train beat or two-step, fiddle and sliding guitar."""

from .sketch import Sketch, choose
from .theory import nearest

TEMPO = 112.0
PALETTE = {
    "drums": ("Brush Kit", "Standard Kit", "Room Kit"),
    "bass": ("Acoustic Bass", "Electric Bass (finger)", "Electric Bass (pick)"),
    "chords": (
        "Acoustic Guitar (steel)",
        "Acoustic Guitar (steel)",
        "Electric Guitar (clean)",
        "Acoustic Grand Piano",
        "Acoustic Guitar (nylon)",
    ),
    "lead": (
        "Fiddle",
        "Electric Guitar (clean)",
        "Harmonica",
        "Acoustic Guitar (steel)",
        "Violin",
        "Overdriven Guitar",
        "Banjo",
        "Acoustic Grand Piano",
    ),
    "pad": ("Drawbar Organ", "String Ensemble 1", "Accordion", "Electric Guitar (clean)"),
}
_SONGS = (
    "I I IV I I I V V I I IV I I V I I",
    "I IV V I I IV V I",
    "I I V V V V I I IV IV I I V V I I",
    "I VIm IV V",
    "I IV I V I IV I:2 V:2 I",
    "IV IV I I II7 II7 V V",
)
_SLIDES = ("slide", "up2", "slide", "vibrato")


def _train(s: Sketch) -> None:
    """Sixteenths on the snare like a train, accents off the beat."""
    s.harmony(s.rng.choice(_SONGS))
    line = s.line("drums", level=-2)
    for bar in range(s.bars):
        accents = choose(s.rng, "ooXoooXoooXoooXo", "ooXoooXoooXoooXX")
        s.drums(line, bar, snare=accents, kick="X...x...X...x...")
    _boom_chick(s)
    _tune(s, ("x.xxx.x.", "x-xxx-x-", "xxxxx-x-", "x---x-xx"))


def _two_step(s: Sketch) -> None:
    """Kick on one and three, snare on two and four."""
    s.harmony(s.rng.choice(_SONGS))
    line, swing = s.line("drums"), choose(s.rng, 0.5, 0.5, 0.62)
    for bar in range(s.bars):
        s.drums(line, bar, swing, kick="X...X...", hat="x.xxx.xx", rim="..X...X.")
        if bar % 4 == 3:
            s.fill(line, bar)
    _boom_chick(s)
    _tune(s, ("x-x-x---", "x---x-x-", "x-xxx---", "..x-x-x-"), swing)
    s.comp(s.line("pad", level=5), ("x-------",), 60, velocity=60)


def _waltz(s: Sketch) -> None:
    """Three in a bar: bass, chick, chick."""
    s.set_meter(3)
    s.harmony(s.rng.choice(_SONGS[:4]))
    line = s.line("drums", level=0)
    for bar in range(s.bars):
        s.drums(line, bar, kick="X.....", rim="..x.x.", hat="x.x.x.")
    s.riff(s.line("bass"), "x-...." * 2, (0, -5), 38, bars=2)
    s.comp(s.line("chords"), ("..x-x-", "..x-x-", "..x-xx"), hold=0.6)
    _tune(s, ("x---x-", "x-x-x-", "x-----", "x--xx-"))
    s.comp(s.line("pad", level=5), ("x-----",), 60, velocity=60)


def _roll(s: Sketch) -> None:
    """Bluegrass: three fingers that roll over the strings in sixteenths."""
    s.harmony(s.rng.choice(_SONGS))
    _boom_chick(s)
    roll = s.line("chords 2", level=3, instrument=choose(s.rng, "Banjo", "Acoustic Guitar (steel)"))
    order = choose(
        s.rng, (0, 1, 3, 2, 1, 3, 0, 3), (0, 1, 2, 3, 2, 1, 0, 3), (1, 0, 3, 1, 0, 3, 0, 3)
    )
    for step in range(int(s.end * 4)):
        chord = s.chord(step / 4)
        keys = [nearest(chord.classes[i], 62 + 4 * i) for i in range(3)] + [
            nearest(s.tonic + 7, 74)
        ]
        key = keys[order[step % 8]]
        roll.add(step / 4, 0.3, key, 92 if step % 4 == 0 else 78)
    _tune(s, ("x-xxx-x-", "xxxxxxx-", "x-x-x-x-"))


def _boom_chick(s: Sketch) -> None:
    """Give root and fifth to the bass, and the beats between them to the guitar."""
    runs = s.rng.random() < 0.5
    bass = s.line("bass")
    for bar in range(s.bars):
        root = nearest(s.chord(4 * bar).root, 36)
        half = nearest(s.chord(4 * bar + 2).root, 36)
        bass.add(4 * bar, 0.9, root, 100)
        bass.add(4 * bar + 2, 0.9, half - 5 if half == root else half, 92)
        # On the way to another chord the bass walks.
        if runs and s.chord(4 * bar + 4).root != s.chord(4 * bar + 2).root:
            goal = nearest(s.chord(4 * bar + 4).root, 36)
            bass.add(4 * bar + 3, 0.9, goal - 2 if goal > root else goal + 2, 88)
    chick = choose(s.rng, ("..x...x.",), ("..x...x.", "..xx..xx"), ("..xx..x.", "..x...xx"))
    s.comp(s.line("chords"), chick, 62, hold=0.6, velocity=84)


def _tune(s: Sketch, rhythms: tuple[str, ...], swing: float = 0.5) -> None:
    low = nearest(s.tonic, 66) - 3
    keys = s.scale("major pentatonic", low, low + 19)
    form = choose(s.rng, "aaba", "abac", "abcb")
    line, options = s.line("lead"), {"swing": swing, "bends": _SLIDES, "velocity": 94}
    if s.rng.random() < 0.4:
        options["parallel"] = (s.line("lead 2", level=-3, instrument=line.instrument), 2)
    s.melody(line, keys, form, rhythms, **options)


VARIANTS = {"train": _train, "two-step": _two_step, "waltz": _waltz, "roll": _roll}
