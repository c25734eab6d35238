"""Scores: read and written, as tokens and back, played on General MIDI instruments, engraved."""

from .pieces import STEPS, Meter, Note, Piece, Tempo, make_piece, transpose
from .playing import general_midi_font, instruments, render
from .reading import read
from .tokens import Reader, contexts, decode, detokenise, encode, tokenise, vocabulary
from .writing import save_midi, to_midi

__all__ = [
    "STEPS",
    "Meter",
    "Note",
    "Piece",
    "Reader",
    "Tempo",
    "contexts",
    "decode",
    "detokenise",
    "encode",
    "general_midi_font",
    "instruments",
    "make_piece",
    "read",
    "render",
    "save_midi",
    "to_midi",
    "tokenise",
    "transpose",
    "vocabulary",
]
