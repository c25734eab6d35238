"""The styles that others have trained and published, by name, and how their files are had.

Two kinds of names are known. Those of `CATALOGUE` that have an address are the networks that
NVIDIA publishes for the PyTorch edition of StyleGAN2-ADA: they are downloaded when they are first
asked for. The others are the names that Lucid Sonic Dreams offered in 2021: their files hold
TensorFlow networks of many people, which cannot be read without running their code, so that asking
for one says what to do.

**What is trusted.** NVIDIA publishes no checksums of its files. So the first download is trusted
(over https, and only if it reads as a StyleGAN2 file, which runs nothing in it): its SHA-256 sum is
kept beside the file, and from then on every use and every new download must have the same sum. Who
knows the sum from elsewhere passes it, and then nothing is taken on trust.
"""

import logging
import os
import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urljoin
from uuid import uuid4

from .. import _downloads
from .._kept import content_sum
from ..errors import InputError
from ..settings import cache_dir, offline
from .pickles import read_stylegan2

_MOST_BYTES = 2_000_000_000  # the largest of these files has 0.4 GB
_SUM = re.compile(r"[0-9a-f]{64}")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PublishedStyle:
    """A network that somebody has trained and published.

    Attributes
    ----------
    name : str
        What `style_file` takes.
    title : str
        What it draws.
    resolution : int or None
        Side of its pictures in pixels, where it is known.
    classes : int or None
        How many classes it has; None for one without classes, or where it is not known.
    licence : str
        Under which terms it may be used.
    source : str
        Who published it, and where.
    address : str or None
        Where the file is; None for a TensorFlow file, which cannot be used here.

    Chapter
    -------
    06_lucid_sonic_visuals
    """

    name: str
    title: str
    resolution: int | None
    classes: int | None
    licence: str
    source: str
    address: str | None


_NVIDIA = "NVIDIA Source Code License, non-commercial"
_ADA = "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained"
_LIST = "github.com/justinpinkney/awesome-pretrained-stylegan and -stylegan2"

# Name: what it draws, side in pixels, classes, file.
_DOWNLOADS: dict[str, tuple[str, int, int | None, str]] = {
    "ffhq": ("faces", 1024, None, "ffhq"),
    "metfaces": ("faces in paintings", 1024, None, "metfaces"),
    "afhqcat": ("cats", 512, None, "afhqcat"),
    "afhqdog": ("dogs", 512, None, "afhqdog"),
    "afhqwild": ("wild animals", 512, None, "afhqwild"),
    "cifar10": ("animals and vehicles", 32, 10, "cifar10"),
    "brecahad": ("breast tissue under the microscope", 512, None, "brecahad"),
    "ffhq256": (
        "faces, to start training from",
        256,
        None,
        "transfer-learning-source-nets/ffhq-res256-mirror-paper256-noaug",
    ),
    "ffhq512": (
        "faces, to start training from",
        512,
        None,
        "transfer-learning-source-nets/ffhq-res512-mirror-stylegan2-noaug",
    ),
    "ffhq1024": (
        "faces, to start training from",
        1024,
        None,
        "transfer-learning-source-nets/ffhq-res1024-mirror-stylegan2-noaug",
    ),
    "celebahq256": (
        "faces of celebrities, to start training from",
        256,
        None,
        "transfer-learning-source-nets/celebahq-res256-mirror-paper256-kimg100000-ada-target0.5",
    ),
    "lsundog256": (
        "dogs, to start training from",
        256,
        None,
        "transfer-learning-source-nets/lsundog-res256-paper256-kimg100000-noaug",
    ),
}

# Name: who trained it, side in pixels, licence.
_TENSORFLOW: dict[str, tuple[str, int | None, str]] = {
    "abstract art": ("Derrick Schultz", 1024, "not stated"),
    "abstract photos": ("Michael Friesen", 512, "not stated"),
    "anime faces": ("gwern", 512, "not stated"),
    "anime portraits": ("Aaron Gokaslan", 512, "not stated"),
    "beetles": ("Bernat Cuni", 1024, "not stated"),
    "butterflies": ("Marian Kleineberg", 256, "not stated"),
    "cakes": ("Justin Pinkney", 256, "CC BY-NC-SA 4.0"),
    "car (config-e)": ("NVIDIA", 512, _NVIDIA),
    "car (config-f)": ("NVIDIA", 512, _NVIDIA),
    "cat": ("NVIDIA", 256, _NVIDIA),
    "celeba hq faces": ("NVIDIA", 1024, _NVIDIA),
    "church": ("NVIDIA", 256, _NVIDIA),
    "cifar 10": ("mit-han-lab", 32, "not stated"),
    "cifar 100": ("mit-han-lab", 32, "not stated"),
    "doors": ("Vasily Korf", 256, "not stated"),
    "faces (ffhq config-e 256x256)": ("Justin Pinkney", 256, "CC BY-NC-SA 4.0"),
    "faces (ffhq config-e)": ("NVIDIA", 1024, _NVIDIA),
    "faces (ffhq config-f 512x512)": ("aydao", 512, "public domain"),
    "faces (ffhq config-f)": ("NVIDIA", 1024, _NVIDIA),
    "faces (ffhq slim 256x256)": ("mit-han-lab", 256, "not stated"),
    "ffhq faces": ("NVIDIA", 1024, _NVIDIA),
    "figure drawings": ("Krrrl", 1024, "not stated"),
    "fireworks": ("Jonathan Fly", 512, "not stated"),
    "floor plans": ("Mayur Mistry", 1024, "not stated"),
    "flowers": ("Justin Pinkney", 256, "CC BY-NC-SA 4.0"),
    "fursona": ("arfa", 512, "not stated"),
    "grumpy cat": ("mit-han-lab", 256, "not stated"),
    "horse": ("NVIDIA", 256, _NVIDIA),
    "imagenet": ("Shawn Presser", 512, "not stated"),
    "lsun bedrooms": ("NVIDIA", 256, _NVIDIA),
    "lsun cars": ("NVIDIA", 512, _NVIDIA),
    "lsun cats": ("NVIDIA", 256, _NVIDIA),
    "maps": ("Topi Tjukanov", 1024, "not stated"),
    "microscope images": ("Michael Friesen", 512, "not stated"),
    "modern art": ("Michael Friesen", None, "not stated"),
    "more abstract art": ("Nick Saraev", 512, "not stated"),
    "my little pony": ("arfa", 1024, "not stated"),
    "obama": ("mit-han-lab", 256, "not stated"),
    "painting faces": ("AK", 1024, "not stated"),
    "panda": ("mit-han-lab", 256, "not stated"),
    "pokemon": ("Michael Friesen", 256, "not stated"),
    "textures": ("Bernat Cuni", 1024, "not stated"),
    "trypophobia": ("Sid Black", 1024, _NVIDIA),
    "ukiyo-e faces": ("Justin Pinkney", 512, "not stated"),
    "ukiyoe faces": ("Justin Pinkney", 256, "CC BY-NC-SA 4.0"),
    "vases": ("Derek Philip Au", 1024, "not stated"),
    "wikiart": ("Peter Baylies", None, "not stated"),
    "wikiart faces": ("ak9250", 512, "not stated"),
    "wildlife": ("Michael Friesen", None, "not stated"),
}

# What has much the same subject and can be downloaded.
_INSTEAD = {
    "cat": "afhqcat",
    "lsun cats": "afhqcat",
    "grumpy cat": "afhqcat",
    "wildlife": "afhqwild",
    "cifar 10": "cifar10",
    "celeba hq faces": "celebahq256",
    "faces (ffhq config-e)": "ffhq",
    "faces (ffhq config-e 256x256)": "ffhq256",
    "faces (ffhq config-f)": "ffhq",
    "faces (ffhq config-f 512x512)": "ffhq512",
    "faces (ffhq slim 256x256)": "ffhq256",
    "ffhq faces": "ffhq",
    "microscope images": "brecahad",
    "painting faces": "metfaces",
    "wikiart faces": "metfaces",
}

CATALOGUE: dict[str, PublishedStyle] = {
    **{
        name: PublishedStyle(
            name, title, side, classes, _NVIDIA, "NVIDIA, StyleGAN2-ADA", f"{_ADA}/{file}.pkl"
        )
        for name, (title, side, classes, file) in _DOWNLOADS.items()
    },
    **{
        name: PublishedStyle(name, name, side, None, licence, f"{author}; {_LIST}", None)
        for name, (author, side, licence) in _TENSORFLOW.items()
    },
}


def check_available(name: str) -> PublishedStyle:
    """Find a published style that can be had, without asking for its file.

    Parameters
    ----------
    name : str
        One of `CATALOGUE`; capitals do not matter.

    Returns
    -------
    PublishedStyle
        What is known of it.

    Raises
    ------
    InputError
        The name is unknown or that of a TensorFlow file, or the network may not be used and the
        file is not in the cache.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    style = _find(name)
    target = _place(style)
    if not target.is_file():
        _check_online(style.address, target)
    return style


def style_file(name: str, sha256: str | None = None) -> Path:
    """Return the file of a published style; it is downloaded on first use.

    Without `sha256` the first download is trusted: see the head of this module.

    Parameters
    ----------
    name : str
        One of `CATALOGUE`; capitals do not matter.
    sha256 : str, optional
        The SHA-256 sum that the file must have, in hexadecimal, if you know it from a source that
        you trust.

    Returns
    -------
    pathlib.Path
        A StyleGAN2-ADA ``.pkl`` file in the cache.

    Raises
    ------
    InputError
        The name is unknown or that of a TensorFlow file; the network may not be used; the file
        cannot be had, is no StyleGAN2 file, or is another than the first time; or the cache cannot
        be written. Nothing wrong is left under the final name.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    style = _find(name)
    target = _place(style)
    kept = style_checksum(style.name)
    wanted = _checked_sum(sha256) or kept
    if target.is_file():
        _check(target, wanted)
    else:
        _download(style.address, target, wanted)
    if kept is None or kept != wanted:
        _keep_sum(target)
    return target


def style_checksum(name: str) -> str | None:
    """Return the SHA-256 sum that was kept when a published style was first downloaded.

    Parameters
    ----------
    name : str
        One of `CATALOGUE` that can be downloaded.

    Returns
    -------
    str or None
        64 hexadecimal digits; None before the first download.

    Raises
    ------
    InputError
        The name is unknown or that of a TensorFlow file, or what is kept is no such sum.

    Chapter
    -------
    06_lucid_sonic_visuals
    """
    record = _record(_place(_find(name)))
    try:
        kept = record.read_text(encoding="ascii").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        kept = ""
    if not _SUM.fullmatch(kept):
        raise InputError(
            f"{record} does not hold the checksum that was kept there. If you trust the file "
            "beside it, delete the record; if not, delete both."
        )
    return kept


def _find(name: str) -> PublishedStyle:
    key = name.strip().lower() if isinstance(name, str) else name
    if not isinstance(key, str) or key not in CATALOGUE:
        usable = [style.name for style in CATALOGUE.values() if style.address]
        near = get_close_matches(str(key), usable, n=1)
        advice = f" Did you mean {near[0]}?" if near else ""
        raise InputError(
            f"There is no published style {name!r}.{advice} Give one of {', '.join(usable)}, or "
            "the path of a .pkl file."
        )
    if CATALOGUE[key].address is None:
        raise InputError(_unusable(key))
    return CATALOGUE[key]


def _unusable(name: str) -> str:
    """Say what to do about a style that was a TensorFlow file."""
    instead = f"the similar {_INSTEAD[name]}, " if name in _INSTEAD else ""
    return (
        f"style {name!r} was a TensorFlow file from a third party ({_TENSORFLOW[name][0]}), which "
        "cannot be read without running the code in it, and no PyTorch file of it is known. Give "
        f"{instead}a built-in style, or the path of a .pkl file of your own: if you have this one "
        "and trust it, legacy.py of NVIDIA's stylegan2-ada-pytorch converts a StyleGAN2 file in an "
        "environment of its own. show_styles() lists what there is."
    )


def _place(style: PublishedStyle) -> Path:
    return cache_dir() / "styles" / f"{style.name}.pkl"


def _record(target: Path) -> Path:
    return target.with_name(f"{target.name}.sha256")


def _checked_sum(sha256: str | None) -> str | None:
    if sha256 is None:
        return None
    if not isinstance(sha256, str) or not _SUM.fullmatch(sha256.strip().lower()):
        raise InputError(f"sha256 is {sha256!r}: give 64 hexadecimal digits, or nothing.")
    return sha256.strip().lower()


def _check(file: Path, wanted: str | None) -> None:
    """Check that a file has the sum, or, where none is known yet, that it is a StyleGAN2 file."""
    if wanted is None:
        read_stylegan2(file)
    elif (found := content_sum(file)) != wanted:
        raise InputError(
            f"{file} is not the file that was expected: its SHA-256 sum is {found} and not "
            f"{wanted}. Delete it to download it again; if you know why it has changed, delete "
            f"{_record(file).name} beside it, too."
        )


def _keep_sum(target: Path) -> None:
    found = content_sum(target)
    _log.info("%s: SHA-256 %s is kept; later uses must have the same.", target, found)
    temporary = target.with_name(f".{uuid4().hex}")
    try:
        temporary.write_text(f"{found}\n", encoding="ascii")
    except OSError as error:
        raise _unwritable(target, error) from error
    _rename(temporary, _record(target))


def _download(address: str, target: Path, wanted: str | None) -> None:
    """Fetch a file, and give it its name once it is known to be right."""
    _check_online(address, target)
    part = target.with_name(f"{target.name}.part")
    had_some = part.is_file()
    _fetch(address, part)
    try:
        read_stylegan2(part)
        if wanted and (found := content_sum(part)) != wanted:
            raise InputError(f"its SHA-256 sum is {found} and not {wanted}.")
    except InputError as error:
        part.unlink(missing_ok=True)
        if had_some:  # its beginning may have been of another file, so once more from the start
            return _download(address, target, wanted)
        raise InputError(
            f"What {address} sent is not the file that is expected, and was thrown away: {error}"
        ) from error
    _rename(part, target)


def _check_online(address: str, target: Path) -> None:
    if offline():
        raise InputError(
            f"{target} is missing, and AUDIOSTYLE_OFFLINE=1 forbids the download of {address}. "
            "Remove the variable once, or put the file there yourself."
        )


def _rename(file: Path, target: Path) -> None:
    try:
        os.replace(file, target)
    except OSError as error:
        raise _unwritable(target, error) from error


def _fetch(address: str, part: Path) -> None:
    import requests

    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        _downloads.fill(address, part, most=_MOST_BYTES, look=_refuse_detours)
    except requests.RequestException as error:
        raise InputError(
            f"{address} could not be downloaded ({type(error).__name__}). Check the connection and "
            "try again: it goes on where it stopped. Or download it with a browser and put it at "
            f"{part.with_suffix('')} yourself."
        ) from error
    except OSError as error:
        raise _unwritable(part, error) from error


def _refuse_detours(answer, **_) -> None:
    """Stop before a request goes on to an address that is not encrypted."""
    if answer.is_redirect:
        further = urljoin(answer.url, answer.headers["location"])
        if not further.startswith("https://"):
            raise InputError(
                f"{answer.url} leads on to {further}, which is no https address: nothing was "
                "downloaded. Try again later, or get the file with a browser."
            )


def _unwritable(place: Path, error: OSError) -> InputError:
    return InputError(
        f"{place} cannot be written: {error.strerror or error}. Make room, or set AUDIOSTYLE_CACHE "
        "to a folder that you may write to."
    )
