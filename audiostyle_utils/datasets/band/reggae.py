"""Reggae: chords off the beat, the drop on the third beat, a bass that sings."""

from .sketch import Sketch, choose

TEMPO = 108.0
PALETTE = {
    "drums": ("Standard Kit", "Room Kit", "Electronic Kit"),
    "bass": ("Electric Bass (finger)", "Fretless Bass", "Synth Bass 2", "Acoustic Bass"),
    "chords": (
        "Electric Guitar (clean)",
        "Electric Guitar (muted)",
        "Acoustic Grand Piano",
        "Drawbar Organ",
        "Electric Guitar (jazz)",
        "Electric Piano 1",
    ),
    "pad": ("Drawbar Organ", "Rock Organ", "Percussive Organ", "Clavinet", "Electric Piano 1"),
    "lead": (
        "Harmonica",
        "Trombone",
        "Brass Section",
        "Electric Guitar (clean)",
        "Tenor Sax",
        "Flute",
        "Accordion",
        "Trumpet",
        "Voice Oohs",
    ),
}
_ROUNDS = (
    "I IV",
    "I I IV IV",
    "I VIm IV V",
    "I V VIm IV",
    "I IIm",
    "I IIm IIIm IIm",
    "VIm IIm",
)
_MINOR = ("Im IVm", "Im Im IVm IVm", "Im bVII", "Im bVI IVm Vm", "Im Vm")
_BASSES = (
    ("..x-x-x-x--.....x-x-x---..x-....", (0, 4, 7, 0, 7, 4, 0, 0)),
    ("x--.x-x-..x-x---", (0, 0, 4, 7, 4)),
    ("....x-x-x-x-x---....x-x-x---....", (0, 4, 7, 9, 7, 7, 4, 0)),
    ("x-x-x---..x-x-x-", (0, 0, 7, 4, 7, 0)),
    ("..xxx---..xxx-x-", (0, 0, 0, 7, 7, 7, 4)),
    ("x---..x-x-x-....", (0, 7, 9, 7)),
)


def _one_drop(s: Sketch) -> None:
    """Nothing on the first beat; kick and rim together on the third."""
    _harmony(s)
    _drop(s, choose(s.rng, "xoxoxoxo", "x.x.x.x.", "xoxxxoxo"))
    _bass(s)
    _skank(s)
    _bubble(s)
    _horns(s)


def _dub(s: Sketch) -> None:
    """Few notes: bass, drop, and chords that echo away."""
    _harmony(s, minor=0.8)
    _drop(s, choose(s.rng, "x...x...", "..x...x.", "x.x.x.x."))
    _bass(s, level=2)
    line = s.line("chords")
    s.comp(line, ("..x...x.", "..x.....", "......x."), 64, hold=0.35, velocity=92, size=3)
    # An echo of three quarters of a beat, as from a tape.
    for note in list(line.notes):
        for turn in (1, 2, 3):
            line.add(note.beat + 0.75 * turn, note.beats, note.key, note.velocity * 0.68**turn)
    _horns(s, ("x---....", "........", "..x-x---"))


def _rocksteady(s: Sketch) -> None:
    """Quick chords on every off-beat eighth, and a tune on top."""
    _harmony(s, minor=0.2)
    _drop(s, "x.x.x.x.")
    _bass(s)
    s.comp(s.line("chords"), (".x.x.x.x",), 64, hold=0.5, velocity=90, size=3)
    s.comp(s.line("pad", level=6), (".x.x.x.x",), 60, hold=0.5, velocity=70, size=3)
    _horns(s, ("x-x-x---", "..x-x-x-", "x---x-x-"))


def _harmony(s: Sketch, minor: float = 0.45) -> None:
    s.minor = s.rng.random() < minor
    s.harmony(s.rng.choice(_MINOR if s.minor else _ROUNDS))


def _drop(s: Sketch, hat: str) -> None:
    line, back = s.line("drums", level=3), choose(s.rng, "rim", "rim", "snare")
    for bar in range(s.bars):
        s.drums(line, bar, hat=hat, kick="....X...", **{back: "....X..."})
        if bar % 4 == 3:
            roll = choose(s.rng, "..........x.xxX.", "............xxxx", "..........xxx.x.")
            s.drums(line, bar, **{choose(s.rng, "timbale", "high_tom", "snare"): roll})
        elif s.rng.random() < 0.25:
            s.drums(line, bar, rim="......x.......x.")


def _bass(s: Sketch, level: float = 0.0) -> None:
    rhythm, steps = s.rng.choice(_BASSES)
    s.riff(s.line("bass", level + 1.5), rhythm, steps, 34, bars=len(rhythm) // 16, velocity=100)


def _skank(s: Sketch) -> None:
    """Cut the chords short: on two and four, or between all beats when the tempo is low."""
    low = s.tempo < 100 or s.rng.random() < 0.35
    rhythm = choose(s.rng, ".x.x.x.x", ".x.x.x.x", "..xx..xx..xx..xx") if low else "..x...x."
    s.comp(s.line("chords", level=2), (rhythm,), 66, hold=0.4, velocity=96, size=3)


def _bubble(s: Sketch) -> None:
    """Let the organ fill what the guitar leaves, hand by hand."""
    rhythm = choose(s.rng, "..xx..xx..xx..xx", ".xx..xx..xx..xx.", "..x.x...x.x...x.")
    s.comp(s.line("pad", level=8), (rhythm,), 60, hold=0.6, velocity=72, size=3)


def _horns(
    s: Sketch, rhythms: tuple[str, ...] = ("x-x-x---", "..x-x---", "........", "x---xxx-")
) -> None:
    keys = s.scale(s.mode() if s.minor else "major pentatonic", 62, 79)
    form, line, options = choose(s.rng, "abab", "aab."), s.line("lead", level=-1), {}
    pools = {"a": rhythms, "b": rhythms, ".": ("........",)}
    if s.rng.random() < 0.4:
        options["parallel"] = (s.line("lead 2", level=-4), 2)
    s.melody(line, keys, form, pools, bends=("", "vibrato"), **options)


VARIANTS = {"one drop": _one_drop, "dub": _dub, "rocksteady": _rocksteady}
