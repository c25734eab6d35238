"""Pop: four chords that go round, straight eighths, claps, a hook that returns."""

from .sketch import Sketch, choose

TEMPO = 112.0
PALETTE = {
    "drums": ("Electronic Kit", "Standard Kit", "Room Kit", "TR-808 Kit"),
    "bass": ("Electric Bass (finger)", "Synth Bass 1", "Electric Bass (pick)", "Synth Bass 2"),
    "chords": (
        "Acoustic Grand Piano",
        "Electric Piano 1",
        "Acoustic Guitar (steel)",
        "Electric Guitar (clean)",
        "Pad 3 (polysynth)",
        "Acoustic Guitar (nylon)",
    ),
    "lead": (
        "Lead 2 (sawtooth)",
        "Voice Oohs",
        "Lead 1 (square)",
        "Flute",
        "Electric Guitar (clean)",
        "Alto Sax",
        "Vibraphone",
        "Violin",
        "Overdriven Guitar",
    ),
    "pad": ("Pad 2 (warm)", "String Ensemble 1", "Synth Strings 1", "Choir Aahs", "Drawbar Organ"),
}
_ROUNDS = (
    "I V VIm IV",
    "VIm IV I V",
    "I VIm IV V",
    "IV I V VIm",
    "I V:2 V:2 VIm IV",
    "I IIIm VIm IV",
    "I:2 V:2 VIm:2 IV:2",
)
_HOOKS = ("x-x-x---", "xx-xx-x-", "x-xx-xx-", "..xxx-x-", "x---xxx-", "xxxxx-x-", ".xx-xxx-")


def _synth(s: Sketch) -> None:
    """Machines: bass in eighths, a pad, a bright hook."""
    s.harmony(s.rng.choice(_ROUNDS))
    kick = choose(s.rng, "X...x...X...x...", "X.....x.X.......", "X...x...X..xx...")
    _beat(s, kick, choose(s.rng, "x.x.x.x.x.x.x.x.", "xxxxxxxxxxxxxxxx"))
    s.riff(s.line("bass"), "xxxxxxxx", choose(s.rng, (0,), (0, 0, 0, 0, 0, 0, 7, 12)), 36, hold=0.8)
    chords = choose(s.rng, "x..x..x.x..x..x.", "x.....x.....x...", "x-----x-----x---")
    s.comp(s.line("chords"), (chords,), 66, hold=0.8, size=3)
    _hook(s)
    _pad(s)


def _piano(s: Sketch) -> None:
    """Chords on each beat or eighth, a melody that sings, strings behind."""
    s.harmony(s.rng.choice(_ROUNDS))
    _beat(
        s, choose(s.rng, "X.......X.x.....", "X......xX......."), "x.x.x.x.x.x.x.x.", clap="snare"
    )
    s.riff(s.line("bass"), choose(s.rng, "x---x---", "x-----x-", "x--xx---"), (0,), 36)
    s.comp(s.line("chords"), (choose(s.rng, "x.x.x.x.", "xxxxxxxx"),), 64, velocity=80, size=3)
    _hook(s, ("x---x-x-", "x-x-x---", "..x-x-x-", "x-----x-"))
    _pad(s)


def _guitars(s: Sketch) -> None:
    """Strummed guitars and a tambourine."""
    s.harmony(s.rng.choice(_ROUNDS))
    _beat(
        s, choose(s.rng, "X...x..xX.......", "X.....xxX......."), "x.x.x.x.x.x.x.x.", clap="snare"
    )
    s.riff(s.line("bass"), "xxxxxxxx", (0,), 36, hold=0.85)
    strum = choose(s.rng, "x---x-xx..xxx-xx", "x---x-x-x-xxx-x-", "x-x-xxx-x-x-xxx-")
    instrument = choose(s.rng, "Acoustic Guitar (steel)", *s.palette["chords"])
    s.comp(s.line("chords", instrument=instrument), (strum,), 58, velocity=82)
    shaker = s.line("drums 2", level=4, instrument="Standard Kit")
    for bar in range(s.bars):
        s.drums(shaker, bar, tambourine="..x...x.")
    _hook(s)


def _dance(s: Sketch) -> None:
    """Dance: a kick on each beat, chords that push, a hook in short notes."""
    s.harmony(s.rng.choice(_ROUNDS))
    _beat(s, "X...X...X...X...", "xxxxxxxxxxxxxxxx")
    push = choose(s.rng, "x..x..x..x..x.x.", "x..x..x...x..x..", "..x...x...x...x.")
    s.comp(s.line("chords", level=2), (push,), 66, velocity=86, size=3)
    s.riff(s.line("bass"), push, (0,), 34, hold=0.8)
    _hook(s, ("x.xx.xx.x.x.x...", "x.x.x.xx.x.x....", "xx.xx.x.x..x..x."))
    _pad(s)


def _beat(s: Sketch, kick: str, hat: str, clap: str | None = None) -> None:
    line, back = s.line("drums"), clap or choose(s.rng, "clap", "clap", "snare")
    for bar in range(s.bars):
        s.drums(line, bar, kick=kick, hat=hat, **{back: "....X.......X..."})
        if bar % 4 == 3:
            s.drums(
                line, bar, **{back: "............xxXX" if back == "snare" else "..............x."}
            )
        if bar % 4 == 0 and s.rng.random() < 0.6:
            s.drums(line, bar, crash="x")


def _hook(s: Sketch, rhythms: tuple[str, ...] = _HOOKS) -> None:
    """Sing two bars that come back."""
    low = choose(s.rng, 62, 65, 67)
    scale = choose(s.rng, "major", "major pentatonic")
    form = choose(s.rng, "abab", "abac", "aaab")
    line, options = s.line("lead"), {"velocity": 94}
    if s.rng.random() < 0.35:
        options["parallel"] = (s.line("lead 2", level=-5), 2)
    s.melody(line, s.scale(scale, low, low + 15), form, rhythms, **options)


def _pad(s: Sketch) -> None:
    s.comp(s.line("pad", level=2), ("x---------------",), 64, velocity=70)


VARIANTS = {"synth": _synth, "piano": _piano, "guitars": _guitars, "dance": _dance}
