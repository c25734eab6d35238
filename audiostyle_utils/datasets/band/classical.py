"""Classical: voices that lead into each other, cadences, broken chords, no backbeat, free time."""

from itertools import product

from .sketch import Line, Sketch, choose
from .theory import Chord, fitted, nearest, voicing

TEMPO = 104.0
_KEYBOARDS = ("Acoustic Grand Piano", "Harpsichord", "Acoustic Guitar (nylon)", "Orchestral Harp")
PALETTE = {
    "drums": ("Orchestra Kit",),
    "bass": ("Cello", "Contrabass", "Acoustic Bass", "Bassoon"),
    "keyboard": (*_KEYBOARDS, "Acoustic Grand Piano", "Church Organ", "Acoustic Guitar (steel)"),
    "lead": (
        "Violin",
        "Flute",
        "Oboe",
        "Clarinet",
        "Trumpet",
        "Acoustic Grand Piano",
        "Soprano Sax",
        "Recorder",
    ),
    "chords": ("String Ensemble 1", "Pizzicato Strings", "String Ensemble 2", "Brass Section"),
    "pad": ("French Horn", "String Ensemble 1", "Choir Aahs", "Church Organ"),
    "choir": ("String Ensemble 1", "Church Organ", "Choir Aahs", "Brass Section", "Reed Organ"),
}
_MAJOR = (
    "I V7 I V7 I IV:2 IIm:2 V7 I",
    "I VIm IV V7 I IIm:2 V7:2 I V7",
    "I:2 IV:2 V7:2 I:2 VIm:2 IIm:2 V7:2 I:2",
    "I V VIm IIIm IV I IV V7",
    "I IIm V7 I II7 V II7:2 V:2 V7",
)
_MINOR = (
    "Im V7 Im IVm V7 Im IVm:2 V7:2 Im",
    "Im IVm bVII bIII bVI IIdim V7 Im",
    "Im:2 Vm:2 bVI:2 bIII:2 IVm:2 Im:2 IIdim:2 V7:2",
    "Im V7 Im:2 IVm:2 V7 Im bVI IVm:2 V7:2 Im",
)
_GROUNDS = (
    "I V VIm IIIm IV I IV V",
    "Im V bVI bIII IVm Im IVm V7",
    "I:2 V:2 VIm:2 V:2",
    "Im:2 bVII:2 bVI:2 V7:2",
)
_VOICES = ((43, 58), (50, 67), (55, 73), (60, 79))  # bass, tenor, alto, soprano


def _alberti(s: Sketch) -> None:
    """Sonata: the left hand breaks the chords low-high-middle-high, the right hand sings."""
    _harmony(s)
    hand = s.line("keyboard", level=3)
    figure = choose(s.rng, (0, 2, 1, 2), (0, 1, 2, 1))
    width = choose(s.rng, 0.25, 0.5, 0.5)
    keys: list[int] = []
    for step in range(int(s.end / width)):
        beat = step * width
        if step % 4 == 0:
            chord = s.chord(beat)
            low = nearest(chord.root, 50)
            root = [low, low + fitted(4, chord), low + 7]
            # The tonic stands on its root, so that one knows where home is.
            keys = root if chord.root == s.tonic else voicing(chord, keys, 53, 3)
        hand.add(
            beat, width * 1.1, keys[min(figure[step % 4], len(keys) - 1)], 70 + 10 * (step % 4 == 0)
        )
    _melody(s, choose(s.rng, hand.instrument, *s.palette["lead"]))
    _phrasing(s)


def _chorale(s: Sketch) -> None:
    """Four voices, one chord a beat or two, without parallel fifths and octaves."""
    _harmony(s)
    instrument = s.rng.choice(s.palette["choir"])
    parts = [s.line(role, 2, instrument) for role in ("bass", "chords", "chords 2", "lead")]
    width = choose(s.rng, 1.0, 2.0)
    keys: tuple[int, ...] = ()
    places = [step * width for step in range(int(s.end / width))]
    for beat in places:
        keys = _lead_voices(s.chord(beat), keys, s.rng)
        for line, key in zip(parts, keys, strict=True):
            line.add(beat, width * 0.97, key, 84)
    _passing_notes(s, parts[3])
    if s.rng.random() < 0.3:
        s.comp(s.line("pad"), ("x---" if s.meter == 4 else "x--",), 55, velocity=60)
    _phrasing(s, 0.08)


def _canon(s: Sketch) -> None:
    """Three voices, each with what the one before has just played, over a returning bass."""
    ground = s.rng.choice(_GROUNDS)
    s.minor = ground.startswith("Im")
    s.harmony(ground)
    s.riff(s.line("bass"), "x-x-", (0,), 43)
    voice = s.line("lead")
    keys = s.scale("minor" if s.minor else "major", 62, 84)
    s.melody(voice, keys, "abcd", ("x-x-x-x-", "xxxxxxxx", "x--xx-xx", "x---xxxx"), hold=0.95)
    delay = 4.0 * choose(s.rng, 1, 2)
    for turn, level in ((1, -1), (2, -2)):
        other = s.line(
            f"lead {turn + 1}", level, choose(s.rng, voice.instrument, *s.palette["lead"])
        )
        for note in voice.notes:
            _answer(s, other, note.beat + turn * delay, note.beats, note.key - 5 * turn, keys)
    _phrasing(s, 0.03)


def _answer(s: Sketch, line: Line, beat: float, beats: float, key: int, keys: list[int]) -> None:
    """Imitate a note; on the beat it bends to the chord that has come meanwhile."""
    tones = s.chord(beat).classes
    if beat % 1 == 0:
        key = min((nearest(tone, key) for tone in tones), key=lambda k: abs(k - key))
    else:
        key = min((k - 12 * (key < keys[0]) for k in keys), key=lambda k: abs(k - key))
    line.add(beat, beats, key, 80)


def _orchestra(s: Sketch) -> None:
    """Strings in eighths, a wind solo, horns, and the timpani at the cadences."""
    _harmony(s)
    figure = choose(s.rng, "xxxxxxxx", "x.xxx.xx", "x-xxx-xx") if s.meter == 4 else "x.xxxx"
    s.comp(s.line("chords", level=4), (figure,), 60, hold=0.8, velocity=76)
    _bass(s)
    _melody(s)
    s.comp(
        s.line("pad", level=3), ("x-------" if s.meter == 4 else "x-----",), 58, velocity=74, size=3
    )
    drums = s.line("pad 2", level=15, instrument="Timpani")
    for bar in range(s.bars):
        chord = s.chord(bar * s.meter)
        if chord.root in (s.tonic, (s.tonic + 7) % 12):
            drums.add(bar * s.meter, 1, nearest(chord.root, 43), 100)
            if bar % 4 == 3:
                for step in range(8):
                    drums.add(
                        (bar + 1) * s.meter - 1 + step / 8,
                        0.2,
                        nearest(chord.root, 43),
                        60 + 5 * step,
                    )
    if s.rng.random() < 0.6:
        _march(s)
    _phrasing(s)


def _march(s: Sketch) -> None:
    line = s.line("drums", level=2)
    for bar in range(s.bars):
        if bar % 4 == 0:
            s.drums(line, bar, crash="o", kick="x")
        if s.meter == 4:
            s.drums(line, bar, snare="o..oo..oo.ooo.o.")


def _prelude(s: Sketch) -> None:
    """Nothing but broken chords, each note left to ring."""
    _harmony(s)
    line = s.line("keyboard", level=3)
    order = choose(
        s.rng, (0, 1, 2, 3, 4, 2, 3, 4), (0, 2, 1, 3, 2, 4, 3, 2), (0, 1, 2, 3, 4, 3, 2, 1)
    )
    upper: list[int] = []
    for step in range(int(s.end * 4)):
        beat = step / 4
        if step % 8 == 0:
            chord = s.chord(beat)
            upper = voicing(chord, upper, 66, 3)
            keys = [nearest(chord.root, 43), nearest(chord.classes[-1], 54), *upper]
        line.add(beat, 1.2, keys[order[step % 8]], 92 if step % 8 == 0 else 74)
    if s.rng.random() < 0.6:
        _melody(s, slow=True)
    _phrasing(s, 0.06)


def _minuet(s: Sketch) -> None:
    """Three in a bar, for the ballroom."""
    s.set_meter(3)
    _harmony(s)
    _bass(s)
    s.comp(
        s.line("chords", level=2), ("..x.x.", "..x.x.", "x-x.x."), 60, hold=0.7, velocity=70, size=3
    )
    _melody(s)
    _phrasing(s)


def _harmony(s: Sketch) -> None:
    if s.meter == 4 and s.rng.random() < 0.2:
        s.set_meter(3)
    s.minor = s.rng.random() < 0.5
    text = s.rng.choice(_MINOR if s.minor else _MAJOR)
    s.harmony(text.replace(":2", "") if s.meter == 3 else text)


def _bass(s: Sketch) -> None:
    """Play roots, or a third where that is the shorter way."""
    line, before = s.line("bass"), 45
    for chord in s.chords:
        tones = chord.classes[: 1 if chord.root == s.tonic else 2]
        key = min((nearest(tone, 43) for tone in tones), key=lambda k: abs(k - before))
        line.add(chord.beat, chord.beats * 0.9, key, 88)
        before = key


def _melody(s: Sketch, instrument: str | None = None, slow: bool = False) -> None:
    line = s.line("lead", instrument=instrument)
    scale = "minor" if s.minor else "major"
    if s.meter == 3:
        rhythms = ("x---x-", "x-x-x-", "x-xxxx", "x-----", "xxxxxx")
    else:
        rhythms = ("x---x-x-", "x-x-xxxx", "xxxxx---", "x--xx-x-", "x-----xx", "xxxxxxxx")
    rhythms = tuple("x".ljust(len(rhythms[0]), "-") for _ in range(1)) if slow else rhythms
    form = choose(s.rng, "abac", "abab", "abcb")
    s.melody(line, s.scale(scale, 65, 86), form, rhythms, hold=0.95, velocity=86)


def _lead_voices(chord: Chord, before: tuple[int, ...], rng) -> tuple[int, ...]:
    """Set a chord for four voices: the root low, all tones there, short ways, no parallels."""
    low, high = _VOICES[0]
    bass = nearest(chord.root, before[0] if before else 48)
    bass = bass + 12 if bass < low else bass - 12 if bass > high else bass
    ranges = [[key for key in range(a, b + 1) if key % 12 in chord.classes] for a, b in _VOICES[1:]]
    old = before or (48, 58, 64, rng.choice((67, 72)))
    settings = (
        (bass, *upper)
        for upper in product(*ranges)
        if upper[0] < upper[1] < upper[2]
        and upper[2] - upper[1] <= 12
        and all(abs(a - b) <= 7 for a, b in zip(upper, old[1:], strict=True))
    )
    return min(settings, key=lambda keys: _cost(chord, keys, old), default=old)


def _cost(chord: Chord, keys: tuple[int, ...], old: tuple[int, ...]) -> float:
    missing = len(set(chord.classes) - {key % 12 for key in keys})
    way = sum(abs(a - b) for a, b in zip(keys[1:], old[1:], strict=True))
    parallels = sum(
        (keys[j] - keys[i]) % 12 in (0, 7)
        and (old[j] - old[i]) % 12 == (keys[j] - keys[i]) % 12
        and keys[i] != old[i]
        for i in range(4)
        for j in range(i + 1, 4)
    )
    return way + 12 * missing + 30 * parallels + 0.3 * abs(keys[3] - 70) + (keys[1] < keys[0]) * 50


def _passing_notes(s: Sketch, line: Line) -> None:
    """Fill thirds of a voice with the note between."""
    keys = s.scale("minor" if s.minor else "major", 40, 90)
    notes = list(line.notes)
    for one, other in zip(notes, notes[1:], strict=False):
        between = [key for key in keys if min(one.key, other.key) < key < max(one.key, other.key)]
        if len(between) == 1 and s.rng.random() < 0.7:
            line.notes.remove(one)
            line.add(one.beat, one.beats / 2, one.key, one.velocity)
            line.add(one.beat + one.beats / 2 / 0.97, one.beats / 2, between[0], one.velocity - 6)


def _phrasing(s: Sketch, amount: float = 0.05) -> None:
    """Let time and loudness rise into the middle of each phrase and fall back."""
    s.phrasing(4 * s.meter, amount * s.rng.uniform(0.7, 1.5), s.rng.uniform(0.1, 0.3))


VARIANTS = {
    "alberti": _alberti,
    "chorale": _chorale,
    "canon": _canon,
    "orchestra": _orchestra,
    "prelude": _prelude,
    "minuet": _minuet,
}
