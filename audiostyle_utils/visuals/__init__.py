"""Pictures that follow music, after Lucid Sonic Dreams.

The way from a song to a video has five stations, each of which can be used alone:

=================  ===============================================================================
`timeline`         measures what the music does at each frame
`latents`          makes noise and class vectors of it
`styles`           turns vectors into pictures: `stylegan2`, `procedural`, or a function of yours
`effects`          changes finished pictures
`video`            writes pictures and sound to a file
=================  ===============================================================================

`LucidSonicDream` goes all the way. `published` moves as the published code does, `pickles` reads
StyleGAN2 files without running what is in them, and `catalogue` knows published ones by name.
"""

from importlib import import_module

_LAZY = {
    "Clip": "clips",
    "EffectsGenerator": "effects",
    "LatentPath": "latents",
    "LucidSonicDream": "dream",
    "PathSettings": "latents",
    "measure_loudness": "timeline",
    "open_style": "styles",
    "show_styles": "styles",
    "show_video": "clips",
}
_MODULES = (
    "catalogue",
    "clips",
    "drawings",
    "dream",
    "effects",
    "latents",
    "pickles",
    "procedural",
    "published",
    "stylegan2",
    "styles",
    "timeline",
    "video",
)
__all__ = sorted([*_LAZY, *_MODULES])


def __getattr__(name: str):
    if name in _LAZY:
        return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
