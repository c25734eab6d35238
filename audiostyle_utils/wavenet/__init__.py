"""Sound from a WaveNet decoder, sample by sample, as fast as a processor allows.

A WaveNet predicts a sample from those before it. Its layers look back 1, 2, 4 ... samples, so all
that a new sample needs of the past is what each layer worked out before. That is kept in rings (Le
Paine et al., 2016). What depends on the codes alone is worked out once for each code. A recording
is cut into stretches that are made side by side, since weights that have been fetched from memory
once then serve them all.
"""

from .decoder import Decoder
from .drawing import draw, logits
from .graphs import on_torch
from .stretches import generate, generate_many

__all__ = ["Decoder", "draw", "generate", "generate_many", "logits", "on_torch"]
