"""Jazz: a swinging ride cymbal, a walking bass, sevenths and ninths, improvised lines."""

from .sketch import Sketch, choose
from .theory import QUALITIES, altered, fitted, nearest

TEMPO = 122.0
PALETTE = {
    "drums": ("Jazz Kit", "Brush Kit", "Standard Kit"),
    "bass": ("Acoustic Bass", "Acoustic Bass", "Fretless Bass", "Electric Bass (finger)"),
    "chords": (
        "Acoustic Grand Piano",
        "Electric Guitar (jazz)",
        "Vibraphone",
        "Electric Piano 1",
        "Drawbar Organ",
        "Acoustic Guitar (nylon)",
    ),
    "lead": (
        "Tenor Sax",
        "Trumpet",
        "Alto Sax",
        "Electric Guitar (jazz)",
        "Clarinet",
        "Flute",
        "Muted Trumpet",
        "Acoustic Grand Piano",
        "Violin",
        "Trombone",
    ),
    "pad": ("Brass Section", "String Ensemble 1", "Synth Strings 1", "French Horn"),
}
_TUNES = (
    "IIm7 V13 Imaj7 VI7b9",
    "Imaj7:2 VIm7:2 IIm7:2 V13:2 IIIm7:2 VI7b9:2 IIm7:2 V13:2",
    "Imaj9 IVmaj7 VIIm7b5:2 III7b9:2 VIm7",
    "Imaj7 IIm7:2 V7:2 IIIm7:2 bIII7:2 IIm7:2 bII7:2",
    "VIm7 IIm7 V13 Imaj9 IVmaj9 VIIm7b5 III7b9 VIm7",
)
_BLUES = "I13 IV9 I13 Vm7:2 I13:2 IV9 IV9 I13 VI7b9 IIm9 V13 I13:2 VI7b9:2 IIm9:2 V13:2"
_MINOR = (
    "Im7 Im7 IIm7b5 V7b9",
    "Im9 VIm7b5 IIm7b5 V7b9",
    "Im6 IVm7 bVII13 bIIImaj7 bVImaj7 IIm7b5 V7b9 Im6",
)
_SWING = 2 / 3


def _combo(s: Sketch) -> None:
    """Ride, walking bass, piano or guitar that comps, a soloist."""
    _harmony(s)
    _ride(s)
    _walk(s)
    comp = ("x--.x...", "...x...x", ".x...x--", "x--x....", "...x-...", ".....x--")
    s.comp(s.line("chords"), comp, 62, swing=_SWING, hold=0.7, velocity=74)
    _solo(s)


def _band(s: Sketch) -> None:
    """Horns in block chords, in riffs that the drums hit with them."""
    _harmony(s)
    _ride(s)
    _walk(s)
    s.comp(s.line("chords"), ("x.x.x.x.",), 58, hold=0.6, velocity=66)
    riffs = ("...x..xx", "x.x..x--", ".x.x--..", "...x.x--", "x--x....")
    horns = s.line("pad", level=7)
    s.comp(
        horns, (s.rng.choice(riffs), s.rng.choice(riffs), "........"), 66, swing=_SWING, velocity=90
    )
    _solo(s, busy=0.6)


def _ballad(s: Sketch) -> None:
    """Brushes, two long bass notes in a bar, a slow melody."""
    _harmony(s)
    line = s.line("drums", level=4)
    for bar in range(s.bars):
        s.drums(line, bar, ride="x..o..x..o.o", snare="...o.....o..", pedal="...x.....x..")
    s.riff(
        s.line("bass"),
        choose(s.rng, "x---x---", "x--xx---", "x-----x-"),
        (0, 7, 0),
        38,
        swing=_SWING,
    )
    s.comp(s.line("chords"), ("x-------", "x---x---", "..x-----"), 64, velocity=66)
    keys = s.scale(s.mode(), 62, 84)
    rhythms = ("x-----x-", "x---x-x-", "..x-x-x-", "x--xx---", "xxx-----")
    s.melody(
        s.line("lead"), keys, "abac", rhythms, swing=_SWING, bends=("vibrato", "up1"), velocity=84
    )
    if s.rng.random() < 0.5:
        s.comp(s.line("pad"), ("x-------",), 68, velocity=66)


def _bossa(s: Sketch) -> None:
    """From Brazil: even eighths, a clave on the rim, bass on root and fifth."""
    _harmony(s)
    line = s.line("drums", level=4)
    for bar in range(s.bars):
        rim = "x..x..x.....x..." if bar % 2 else "x..x..x...x..x.."
        s.drums(line, bar, hat="xoxoxoxo", kick="x..xx..x", rim=rim)
    s.riff(s.line("bass"), "x--xx--x", (0, 7, 7, 0), 38)
    one = choose(s.rng, "x--x..x-..x-..x-", "..x-..x-x...x-..", "x-..x-...x-..x-.")
    s.comp(s.line("chords"), (one, one, "x-..x-..x-..x-.."), 62, velocity=72)
    _solo(s, busy=0.5, swing=0.5)


def _harmony(s: Sketch) -> None:
    tune = choose(s.rng, *_TUNES, *_MINOR, _BLUES)
    s.minor = tune in _MINOR
    s.harmony(tune)


def _ride(s: Sketch) -> None:
    line = s.line("drums", level=6)
    for bar in range(s.bars):
        ride = "X..x.xX..x.x" if s.rng.random() < 0.8 else "X..x..X..x.x"
        s.drums(line, bar, ride=ride, pedal="...x.....x..", kick="o..o..o..o..")
        # The left hand talks with the soloist.
        for step in (2, 5, 8, 11):
            if s.rng.random() < 0.22:
                line.add(4 * bar + step / 3, 0.2, choose(s.rng, 38, 38, 36), 70)


def _walk(s: Sketch) -> None:
    """Play the root where a chord begins, its tones after that, and a step that leads on."""
    line, place = s.line("bass", level=-1), 36
    for beat in range(int(s.end)):
        chord, following = s.chord(beat), s.chord(beat + 1)
        if chord.beat == beat:
            key = nearest(chord.root, min(max(place, 33), 43))
        elif following.beat == beat + 1:
            key = nearest(following.root, min(max(place, 33), 43)) + choose(s.rng, -1, 1, -2)
        else:
            step = s.rng.choice(QUALITIES[chord.quality][1:4])
            key = nearest(
                (chord.root + fitted(step, chord)) % 12,
                min(max(place + s.rng.choice((-3, 4)), 32), 47),
            )
        line.add(beat, 0.9, key, 92 + 8 * (beat % 2))
        place = key


def _solo(s: Sketch, busy: float = 1.0, swing: float = _SWING) -> None:
    """Improvise in eighths: chord tones on the beat, steps and half-steps between."""
    line, keys, up = s.line("lead"), s.scale(s.mode(), 60, 84), 1
    place = len(keys) // 2
    for bar in range(s.bars):
        density = busy * s.rng.choice((0.35, 0.75, 0.95))
        for step in range(8):
            if s.rng.random() > density:
                continue
            beat = 4 * bar + step // 2 + (swing if step % 2 else 0)
            up = -up if s.rng.random() < 0.25 else up
            place = min(max(place + up, 1), len(keys) - 2)
            up = 1 if place <= 1 else -1 if place >= len(keys) - 2 else up
            key = keys[place]
            if step % 2 == 0:
                tones = s.chord(beat).classes
                key = min(
                    (nearest(tone, key) for tone in tones), key=lambda k: abs(k - keys[place])
                )
            else:
                key = altered(key, keys, s.chord(beat)) - (s.rng.random() < 0.2)
            held = (swing if step % 2 == 0 else 1 - swing) * 0.95
            line.add(beat, held, key, 84 + (8 if step % 2 else 0) + s.rng.uniform(-6, 6))


VARIANTS = {"combo": _combo, "big band": _band, "ballad": _ballad, "bossa": _bossa}
