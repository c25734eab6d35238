"""What the chapters of the audio-style book rely on and do not teach.

The names below are loaded when they are first used, so that the import itself takes no time and
pulls in neither TensorFlow nor PyTorch.
"""

from importlib import import_module

__version__ = "1.0.0"

_LAZY = {
    "InputError": "errors",
    "check": "exercises",
    "load_chapter": "chapters",
    "load_dataset": "datasets",
}
_MODULES = (
    "audio",
    "chapters",
    "datasets",
    "errors",
    "exercises",
    "features",
    "metrics",
    "microphone",
    "ngrams",
    "pictures",
    "plots",
    "pretrained",
    "results",
    "scores",
    "settings",
    "soundfont",
    "spectra",
    "speech",
    "training",
    "visuals",
    "wavenet",
)
__all__ = sorted([*_LAZY, *_MODULES])


def __getattr__(name: str):
    if name in _LAZY:
        return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
