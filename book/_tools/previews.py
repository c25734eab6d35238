"""Make the previews: what each chapter will have made by its end, to hear at its beginning.

Run it when a chapter's method has changed: .venv/bin/python -m book._tools.previews
"""

from audiostyle_utils import audio, load_chapter, load_dataset
from audiostyle_utils.datasets import previews


def style_transfer():
    """Return the organ chorale in the sound of the piano rag."""
    clips = load_dataset("style_clips").files
    chapter = load_chapter("01_style_transfer")
    return chapter.transfer_style(clips["chorale"], clips["rag"], alpha=0.1)


MAKERS = {"01_style_transfer": style_transfer}


def main() -> None:
    """Write one MP3 a chapter into the package."""
    previews.ROOT.mkdir(exist_ok=True)
    for name, make in MAKERS.items():
        y, sr = make()
        audio.save(previews.ROOT / f"{name}.mp3", audio.normalise(y), sr)


if __name__ == "__main__":
    main()
