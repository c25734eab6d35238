"""Scores: read and written, as tokens and back, played on General MIDI instruments, engraved."""

from ._sources import SUFFIXES
from .engraving import engrave, to_music21
from .files import Tokenised, tokenise_files
from .general_midi import general_midi_font, instruments
from .pieces import STEPS, Meter, Note, Piece, Tempo, make_piece, transpose
from .playing import render
from .reading import read
from .tokens import (
    LENGTHS,
    Factors,
    Reader,
    contexts,
    decode,
    detokenise,
    encode,
    factors,
    pitch_name,
    token_ids,
    tokenise,
    transpose_ids,
    vocabulary,
)
from .variants import families
from .writing import save_midi, to_midi

__all__ = [
    "LENGTHS",
    "STEPS",
    "SUFFIXES",
    "Factors",
    "Meter",
    "Note",
    "Piece",
    "Reader",
    "Tempo",
    "Tokenised",
    "contexts",
    "decode",
    "detokenise",
    "encode",
    "engrave",
    "factors",
    "families",
    "general_midi_font",
    "instruments",
    "make_piece",
    "pitch_name",
    "read",
    "render",
    "save_midi",
    "to_midi",
    "to_music21",
    "token_ids",
    "tokenise",
    "tokenise_files",
    "transpose",
    "transpose_ids",
    "vocabulary",
]
