"""Blues: twelve bars of seventh chords, a triplet shuffle, blue notes that are bent."""

from .sketch import Line, Sketch, choose
from .theory import nearest

TEMPO = 96.0
PALETTE = {
    "drums": ("Standard Kit", "Room Kit", "Brush Kit"),
    "bass": ("Electric Bass (finger)", "Acoustic Bass", "Electric Bass (pick)", "Fretless Bass"),
    "chords": (
        "Acoustic Grand Piano",
        "Drawbar Organ",
        "Electric Guitar (clean)",
        "Rock Organ",
        "Electric Guitar (jazz)",
        "Acoustic Guitar (steel)",
        "Brass Section",
    ),
    "lead": (
        "Overdriven Guitar",
        "Harmonica",
        "Electric Guitar (clean)",
        "Tenor Sax",
        "Acoustic Guitar (steel)",
        "Trumpet",
        "Acoustic Grand Piano",
    ),
}
_FORMS = (
    "I7 IV7 I7 I7 IV7 IV7 I7 I7 V7 IV7 I7 V7",
    "I7 I7 I7 I7 IV7 IV7 I7 I7 V7 IV7 I7 V7",
    "I7 I7 I7 I7 IV9 IV9 I7 I7 IIm7 V7 I7 V7",
)
_MINOR = "Im7 Im7 Im7 Im7 IVm7 IVm7 Im7 Im7 bVI7 V7 Im7 V7"
_TRIPLET = 2 / 3


def _shuffle(s: Sketch) -> None:
    """Swung quarters in the bass, a long-short ride, and a backbeat."""
    _form(s, _FORMS)
    _beat(s, hat="x.xx.xx.xx.x", kick=choose(s.rng, "X.....X.....", "X....xX....x", "X.....X.x..."))
    walk = choose(s.rng, (0, 4, 7, 9), (0, 0, 7, 7), (0, 4, 7, 9, 10, 9, 7, 4), (0, 12, 10, 7))
    s.riff(s.line("bass"), "x.." * 4 * (len(walk) // 4), walk, 36, bars=len(walk) // 4)
    rhythms = choose(s.rng, ("..xx....xx..", "..x.....x..."), ("...x.....x..", "...x....xx.."))
    s.comp(s.line("chords"), rhythms, hold=0.8)
    _lead(s)


def _boogie(s: Sketch) -> None:
    """Fifth and sixth in turns, on every swung eighth."""
    _form(s, _FORMS[:2])
    _beat(s, hat="x.xx.xx.xx.x", kick="X..x..X..x..")
    s.riff(s.line("bass"), "x.xx.xx.xx.x", choose(s.rng, (0, 0, 4, 4, 7, 7, 9, 9), (0,) * 8), 36)
    line = s.line("chords", level=1)
    for bar in range(s.bars):
        for beat, beats in s.onsets("x.xx.xx.xx.x"):
            root = nearest(s.chord(bar * 4 + beat).root, 50)
            top = root + (9 if beat % 2 >= 1 else 7)
            line.chord(bar * 4 + beat, beats * 0.8, [root, top], 82 + 10 * (beat % 1 == 0))
    _lead(s)


def _slow(s: Sketch) -> None:
    """Twelve eighths in a bar, and much room for the soloist."""
    _form(s, (*_FORMS, _MINOR))
    _beat(s, hat="xooxooxooxoo", kick=choose(s.rng, "X....xX.....", "X.....X....x"))
    s.riff(
        s.line("bass"), "x--x.xx--x.x", choose(s.rng, (0, 0, 4, 7, 7, 9), (0, 0, 0, 7, 7, 10)), 36
    )
    s.comp(s.line("chords"), ("x-----x-----", "xxxx--xxxx--", "xxxxxxxxxxxx"), velocity=68)
    _lead(s)


def _form(s: Sketch, forms: tuple[str, ...]) -> None:
    form = s.rng.choice(forms)
    s.minor = form is _MINOR
    s.harmony(form, first=choose(s.rng, 0, 0, 2, 4, 6, 8))


def _beat(s: Sketch, hat: str, kick: str) -> None:
    line, cymbal = s.line("drums"), choose(s.rng, "ride", "hat", "hat")
    for bar in range(s.bars):
        snare = "...X.....X.x" if s.rng.random() < 0.2 else "...X.....X.."
        s.drums(line, bar, kick=kick, snare=snare, **{cymbal: hat})
        if bar % 4 == 3:
            s.drums(line, bar, snare="........o.xX", tom=".........xx.")
        if bar % 4 == 0 and s.rng.random() < 0.5:
            s.drums(line, bar, crash="x")


def _lead(s: Sketch) -> Line:
    """Sing a call for a bar and a half, then wait."""
    line = s.line("lead")
    low = nearest(s.tonic, 62) - 2
    keys = s.scale("blues", low, low + 19)
    calls = ("..xx.xx.x---", "x.xx.xx-----", "...x.xx.xx--", "x--x.xxx.x--", "xxxx.xx-----")
    form = choose(s.rng, "abac", "abab", "acab")
    pick = {"a": calls, "b": ("x-----......", "x.x---......"), "c": calls}
    rhythms = {letter: (s.rng.choice(pick[letter]),) for letter in "abc"}
    s.melody(line, keys, form, rhythms, bends=("up1", "up2", "vibrato", "vibrato"), velocity=96)
    return line


VARIANTS = {"shuffle": _shuffle, "boogie": _boogie, "slow": _slow}
