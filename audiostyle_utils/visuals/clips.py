"""Videos that a notebook shows, with the words that stand for them."""

import base64
import html
import io
import os
from itertools import islice
from pathlib import Path

import numpy as np

from ..errors import InputError
from .video import VideoInfo, probe, read_frames

# A page that holds more than this takes too long to load.
_MAX_BYTES = 8_000_000
_KINDS = {".mp4": "video/mp4", ".webm": "video/webm"}


class Clip:
    """A short video that plays inside a notebook's page.

    Make one with `show_video`. It holds the video and a still of it, so that it plays without any
    other file.

    Attributes
    ----------
    description : str
        What is seen and heard, in words.
    seconds : float
        Length of the video.

    Chapter
    -------
    06_lucid_sonic_visuals
    """

    def __init__(self, description: str, seconds: float, markup: str) -> None:
        self.description = description
        self.seconds = seconds
        self._markup = markup

    def __repr__(self) -> str:
        """Return the description, for places without HTML."""
        return f"Video: {self.description} ({self.seconds:.1f} s)"

    def _repr_html_(self) -> str:
        return self._markup

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"text/html": self._markup, "text/plain": repr(self)}


def show_video(path: str | os.PathLike, description: str) -> Clip:
    """Show a short video in a notebook, with controls and a description in words.

    It starts when the reader says so, with its sound. Until then it shows a frame of its middle.

    Parameters
    ----------
    path : str or path
        Video ending in .mp4 or .webm, of at most 8 MB, since the page holds all of it.
    description : str
        What is seen and heard. It is the caption, and what a screen reader says.

    Returns
    -------
    Clip
        Object that a notebook renders as HTML.

    Raises
    ------
    InputError
        The file is missing, too large, of another kind or no video, or the description is missing
        or blank.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    if not (isinstance(description, str) and description.strip()):
        raise InputError(
            "description is missing. Say in words what is seen and heard, for those who can't."
        )
    path, description = _embeddable(path), description.strip()
    info = probe(path)
    middle = next(islice(read_frames(path), info.frames // 2, None))
    return Clip(description, info.seconds, _figure(description, path, info, _jpeg(middle)))


def _embeddable(path: str | os.PathLike) -> Path:
    """Return the path of a file that a page can hold and a browser plays."""
    path = Path(path)
    if path.suffix.lower() not in _KINDS:
        raise InputError(f"{path} must end in one of {', '.join(_KINDS)}: browsers play no other.")
    if not path.is_file():
        raise InputError(f"There is no file {path}. Check the name.")
    size = path.stat().st_size
    if size > _MAX_BYTES:
        raise InputError(
            f"{path} has {size / 1e6:.1f} MB, and a page holds at most {_MAX_BYTES / 1e6:.0f}. "
            "Show a few seconds of it, or write it smaller: width, height, fps or quality."
        )
    return path


def _jpeg(frame: np.ndarray) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(frame).save(stream, "JPEG", quality=80)
    return stream.getvalue()


def _data_address(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _figure(description: str, path: Path, info: VideoInfo, poster: bytes) -> str:
    """Put video and caption into a figure that needs no style sheet."""
    text = html.escape(description, quote=True)
    source = _data_address(_KINDS[path.suffix.lower()], path.read_bytes())
    return (
        f'<figure class="audiostyle-video" aria-label="{text}" style="margin:1em 0">'
        f'<video controls playsinline preload="metadata" aria-label="{text}" '
        f'width="{info.width}" height="{info.height}" '
        f'poster="{_data_address("image/jpeg", poster)}" src="{source}" '
        'style="display:block;max-width:100%;height:auto"></video>'
        '<figcaption style="font-size:0.9em;line-height:1.4">'
        f"{text}</figcaption></figure>"
    )
