"""From a score to notation: as a music21 score, and as a picture of what would be printed."""

from bisect import bisect_right
from typing import Any
from xml.etree import ElementTree as ET

from audiostyle_utils._checks import whole
from audiostyle_utils.errors import InputError
from audiostyle_utils.pictures import Picture

from . import _sources as sources
from ._layout import voices
from ._notation import Staff, staves, written
from .pieces import DRUMS, Piece
from .reading import read

_WIDTH = 640  # pixels: the book's column
_SCALE = 40  # per cent of the engraver's own size: a staff is 29 pixels high
_SVG = "http://www.w3.org/2000/svg"
_MIDDLE_C = 60
# A part that goes below and above these, F3 and G4, stands better on two staves than on one.
_LOW, _HIGH = 53, 67
_KEYBOARDS = 8  # the General MIDI programs below are pianos and their like
_LONGEST = 8000  # pixels: some twelve screens, a megabyte
_OPTIONS = {  # of the engraver, for every score
    "pageWidth": round(_WIDTH * 100 / _SCALE),
    "pageHeight": round(_LONGEST * 100 / _SCALE),
    "scale": _SCALE,
    "adjustPageHeight": True,
    "footer": "none",
    # Names inside follow from the music: the same for the same score, and on a page with several
    # scores no name stands twice.
    "xmlIdChecksum": True,
    "svgViewBox": True,
    "svgFormatRaw": True,
}
# Where drums stand on a staff of five lines, by General MIDI's drum key; others: the middle line.
_DRUM_PLACES = {
    "F4": (35, 36),
    "G4": (41,),
    "A4": (43, 45),
    "C5": (37, 38, 39, 40),
    "D4": (44,),
    "D5": (47,),
    "E5": (48, 50, 56),
    "F5": (51, 53, 59),
    "G5": (42, 46),
    "A5": (49, 52, 55, 57),
}
_CYMBALS = frozenset((42, 44, 46, 49, 51, 52, 53, 55, 57, 59))


def to_music21(piece: Piece, *, key: str | None = None) -> Any:
    """Write a piece as a music21 score: bars, ties, voices, clefs, a key signature.

    Parameters
    ----------
    piece : Piece
        The music.
    key : str, optional
        A key as music21 writes it, major in capitals and minor in small letters: ``"G"``, ``"e"``,
        ``"B-"`` for B flat. None takes the one that fits the notes best, by music21's analysis.
        The key signature and the names of the notes follow from it.

    Returns
    -------
    music21.stream.Score
        A part for each of the piece's, on one staff. `read` reads it as the same piece again. The
        notes of drums have General MIDI's drum keys as pitches.

    Raises
    ------
    InputError
        There is no such key.

    Chapter
    -------
    03_lstm_music
    """
    return written(piece, staves(piece), key)


def engrave(
    score: Any,
    *,
    alt: str | None = None,
    title: str | None = None,
    start_bar: int = 0,
    bars: int | None = None,
    bars_per_line: int | None = None,
    piano: bool | None = None,
    key: str | None = None,
) -> Picture:
    """Draw a score as it would be printed.

    The picture is an SVG of its own: its letters are drawn in it or are the page's, nothing is
    fetched, and it is sharp at any size.

    Parameters
    ----------
    score : Piece, music21 stream, str, path or bytes
        The music: a piece; a music21 stream, drawn with all that stands in it; the path of a MIDI,
        MusicXML, ABC or Humdrum file, the name of a work in music21's corpus ("bach/bwv66.6"), or
        the content of a MIDI file.
    alt : str, optional
        What the score shows, in a sentence, for a reader who cannot see it. Without it the title,
        the parts and the number of bars are said.
    title : str, optional
        A heading above the music.
    start_bar : int
        How many bars to leave out at the beginning.
    bars : int, optional
        How many to draw, those included in which nothing sounds; None draws all that follow. There
        are fewer where the score ends.
    bars_per_line : int, optional
        Bars on a line, 1 or more; None puts on each as many as fit.
    piano : bool, optional
        Whether all parts are joined on two staves: of several parts the higher half goes up, one
        part is split at middle C. None joins a part alone that is too wide for one staff, if the
        score is a piece or a MIDI file.
    key : str, optional
        The key of a piece or a MIDI file, as for `to_music21`; None lets it be found.

    Returns
    -------
    Picture
        Displays itself when it is the last value of a cell. ``data`` is the SVG file.

    Raises
    ------
    InputError
        If the score cannot be read, holds no notes in these bars or is too long for one picture, a
        parameter is out of its range, or the engraver, verovio, is not installed.

    Chapter
    -------
    03_lstm_music
    """
    _check(alt, start_bar, bars, bars_per_line)
    stream = _notation(score, start_bar, bars, piano, key)
    if not stream.recurse().notes:
        raise InputError(f"There is nothing to engrave in these bars of {_name(score)}: no notes.")
    xml = _music_xml(stream)
    _prepare(xml, title, bars_per_line)
    alt = " ".join((alt or _in_words(xml, title)).split())
    svg = _drawn(xml, bool(title), bool(bars_per_line))
    return Picture(alt, "image/svg+xml", *_finished(svg, alt))


def _check(alt: Any, start_bar: Any, bars: Any, bars_per_line: Any) -> None:
    if alt is not None and (not isinstance(alt, str) or not alt.strip()):
        raise InputError("alt is blank: say in a sentence what the score shows.")
    for name, value, least in (
        ("start_bar", start_bar, 0),
        ("bars", bars, 1),
        ("bars_per_line", bars_per_line, 1),
    ):
        if value is not None or not least:
            whole(value, name, least)


def _name(score: Any) -> str:
    return "the piece" if isinstance(score, Piece) else sources.name_of(score)


def _notation(
    score: Any, start_bar: int, bars: int | None, piano: bool | None, key: str | None
) -> Any:
    """Give a score as a music21 stream of the bars asked for."""
    if isinstance(score, Piece):
        return _of_piece(score, start_bar, bars, piano, key)
    opened = sources.opened(score)
    if piano or not sources.is_stream(opened):
        return _of_piece(read(score), start_bar, bars, piano, key)
    return _of_stream(opened, start_bar, bars)


def _of_stream(stream: Any, start_bar: int, bars: int | None) -> Any:
    if not start_bar and bars is None:
        return stream
    if not any(part.hasMeasures() for part in [stream, *getattr(stream, "parts", ())]):
        stream = stream.makeMeasures()
    end = None if bars is None else start_bar + bars
    return stream.measures(start_bar, end, indicesNotNumbers=True)


def _excerpt(piece: Piece, start_bar: int, bars: int | None) -> tuple[Piece, list[int]]:
    """Cut bars out of a piece; give also their barlines, for the last of them may rest."""
    lines = piece.barlines
    if start_bar >= len(lines) - 1:
        raise InputError(
            f"start_bar is {start_bar}, but the piece has {len(lines) - 1} bars; leave out fewer."
        )
    lines = lines[start_bar:] if bars is None else lines[start_bar : start_bar + bars + 1]
    start, end = lines[0], lines[-1]
    notes = [
        note._replace(
            onset=max(note.onset, start) - start,
            length=min(note.onset + note.length, end) - max(note.onset, start),
        )
        for note in piece.notes
        if note.onset < end and note.onset + note.length > start
    ]
    if not notes:
        raise InputError("There is nothing to engrave in these bars of the piece: no notes.")
    changes = [_from(marks, start, end) for marks in (piece.meters, piece.tempos)]
    order = sorted(notes, key=lambda note: (note.onset, note.part, note.pitch))
    return Piece(tuple(order), piece.parts, *changes), [line - start for line in lines]


def _from(changes: tuple, start: int, end: int) -> tuple:
    """Give the changes of meter or tempo that hold between two steps, counted from the first."""
    first = bisect_right([change.onset for change in changes], start) - 1
    held = [change for change in changes[first:] if change.onset < end]
    return tuple(change._replace(onset=max(0, change.onset - start)) for change in held)


def _of_piece(
    whole: Piece, start_bar: int, bars: int | None, piano: bool | None, key: str | None
) -> Any:
    from music21 import layout

    piece, lines = _excerpt(whole, start_bar, bars)
    final = start_bar + len(lines) == len(whole.barlines)
    if piano is None:
        pitches = [note.pitch for note in piece.notes]
        wide = min(pitches) < _LOW and max(pitches) > _HIGH
        piano = len(piece.parts) == 1 and piece.parts[0] != DRUMS and wide
    laid_out = _grand_staff(piece) if piano else staves(piece)
    score = written(piece, laid_out, key, lines=lines, first_bar=start_bar + 1, final=final)
    parts = list(score.parts)
    if len(parts) > 1:
        hands = len(parts) == 2 and max(piece.parts) < _KEYBOARDS
        symbol = "brace" if piano or hands else "bracket"
        score.insert(0, layout.StaffGroup(parts, symbol=symbol, barTogether="yes"))
    return score


def _grand_staff(piece: Piece) -> list[Staff]:
    """Put all parts but drums on two staves, the higher half up; a part alone is split."""
    pitched = [part for part, program in enumerate(piece.parts) if program != DRUMS]
    by_part = [[note for note in piece.notes if note.part == part] for part in pitched]
    if not any(by_part):
        return staves(piece)
    if len(by_part) == 1:
        halves = [
            [[note for note in by_part[0] if note.pitch >= _MIDDLE_C]],
            [[note for note in by_part[0] if note.pitch < _MIDDLE_C]],
        ]
    else:
        by_part.sort(key=lambda notes: -sum(n.pitch for n in notes) / max(1, len(notes)))
        middle = (len(by_part) + 1) // 2
        halves = [by_part[:middle], by_part[middle:]]
    return [
        Staff(piece.parts[pitched[0]], [voice for notes in half for voice in voices(notes)])
        for half in halves
    ]


def _music_xml(stream: Any) -> ET.Element:
    """Write a music21 stream as MusicXML."""
    from music21.exceptions21 import Music21Exception
    from music21.musicxml.m21ToXml import GeneralObjectExporter

    try:
        return ET.fromstring(GeneralObjectExporter().parse(stream))
    except Music21Exception as error:
        raise InputError(f"The score cannot be written as notation: {error}") from error


def _prepare(xml: ET.Element, title: str | None, bars_per_line: int | None) -> None:
    """Leave the title, the music, and names of parts that tell them apart."""
    for tag in ("work", "movement-title", "identification", "defaults", "credit"):
        for element in xml.findall(tag):
            xml.remove(element)
    if title:
        heading = ET.Element("movement-title")
        heading.text = title
        xml.insert(0, heading)
    names = xml.findall("part-list/score-part/part-name")
    tell = len({name.text for name in names}) == len(names) > 1
    for part in xml.findall("part-list/score-part"):
        for tag in ("part-name", "part-abbreviation"):
            for name in part.findall(tag):
                name.text = name.text if tell and tag == "part-name" else None
    _name_parts_by_number(xml)
    for part in xml.findall("part"):
        _break_lines(part.findall("measure"), bars_per_line)
        if part.find("measure/attributes/clef[sign='percussion']") is not None:
            _set_drums(part)


def _name_parts_by_number(xml: ET.Element) -> None:
    """Replace music21's names inside, new in each run: the same score gives the same picture."""
    numbers = {}
    for number, part in enumerate(xml.findall("part-list/score-part"), 1):
        numbers[part.get("id")] = f"P{number}"
        for child in list(part):
            if child.tag not in ("part-name", "part-abbreviation"):
                part.remove(child)
    for part in [*xml.findall("part-list/score-part"), *xml.findall("part")]:
        part.set("id", numbers[part.get("id")])
    for note in xml.iter("note"):
        for instrument in note.findall("instrument"):
            note.remove(instrument)


def _break_lines(measures: list[ET.Element], bars_per_line: int | None) -> None:
    """Begin a new line after so many bars, and nowhere else."""
    for number, measure in enumerate(measures):
        for element in measure.findall("print"):
            measure.remove(element)
        if bars_per_line and number and number % bars_per_line == 0:
            measure.insert(0, ET.Element("print", {"new-system": "yes"}))


def _set_drums(part: ET.Element) -> None:
    """Turn the drum keys of a part into places on the staff, with crosses for cymbals."""
    places = {key: place for place, keys in _DRUM_PLACES.items() for key in keys}
    for note in part.iter("note"):
        for accidental in note.findall("accidental"):
            note.remove(accidental)
        if (pitch := note.find("pitch")) is None:
            continue
        drum = _midi(pitch)
        for child in list(pitch):
            pitch.remove(child)
        pitch.tag = "unpitched"
        step, octave = places.get(drum, "B4")
        ET.SubElement(pitch, "display-step").text = step
        ET.SubElement(pitch, "display-octave").text = octave
        if drum in _CYMBALS:
            before = [k for k, child in enumerate(note) if child.tag in ("type", "dot", "stem")]
            note.insert(before[-1] + 1, ET.Element("notehead"))
            note[before[-1] + 1].text = "x"


def _midi(pitch: ET.Element) -> int:
    """Return the MIDI pitch that MusicXML writes as letter, octave and accidental."""
    within = "C D EF G A B".index(pitch.findtext("step"))
    return 12 * (int(pitch.findtext("octave")) + 1) + within + int(pitch.findtext("alter") or 0)


def _in_words(xml: ET.Element, title: str | None) -> str:
    parts = xml.findall("part")
    bars = len(parts[0].findall("measure"))
    lines = sum(max(1, int(part.findtext("measure/attributes/staves") or 1)) for part in parts)
    return (
        f"Score{f' of {title}' if title else ''}: {bars} bar{'s' if bars > 1 else ''} "
        f"on {lines} {'staves' if lines > 1 else 'staff'}."
    )


def _drawn(xml: ET.Element, titled: bool, breaks: bool) -> str:
    """Draw MusicXML as one page of SVG."""
    try:
        import verovio
    except ImportError as error:
        raise InputError(
            "The engraver is not installed. Install it with: pip install verovio"
        ) from error
    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setOptions(
        _OPTIONS | {"breaks": "line" if breaks else "auto", "header": "auto" if titled else "none"}
    )
    if not toolkit.loadData(ET.tostring(xml, encoding="unicode")):
        raise InputError("The engraver cannot draw this score; give a simpler one, or fewer bars.")
    if toolkit.getPageCount() > 1:
        raise InputError(
            f"The score is too long for one picture, over {_LONGEST:,} pixels; give fewer bars."
        )
    return toolkit.renderToSVG(1)


def _finished(svg: str, alt: str) -> tuple[bytes, tuple[int, int]]:
    """Put a white sheet under a drawing, and its description on it; give also its size."""
    for prefix, space in (("", _SVG), ("xlink", "http://www.w3.org/1999/xlink")):
        ET.register_namespace(prefix, space)
    root = ET.fromstring(svg)
    width, height = (float(number) for number in root.get("viewBox").split()[2:])
    size = round(width), round(height)
    used = {value[1:] for e in root.iter() for name, value in e.items() if name.endswith("href")}
    for element in root.iter(f"{{{_SVG}}}g"):
        if element.get("id") not in used:
            element.attrib.pop("id", None)  # nothing asks for it, and it weighs
    root.set("role", "img")
    root.set("aria-label", alt)
    # As a style, for the drawing's own style sheet outdoes attributes.
    look = {"width": "100%", "height": "100%", "style": "fill:white;stroke:none"}
    sheet = ET.Element(f"{{{_SVG}}}rect", look)
    root.insert(0, sheet)
    return ET.tostring(root, encoding="utf-8"), size
