"""Make the previews: what each chapter will have made by its end, to hear at its beginning.

Run it when a chapter's method has changed: .venv/bin/python -m book._tools.previews 03_lstm_music
(without a name it makes all of them; those of chapter 5 need CMU ARCTIC).
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from audiostyle_utils import audio, load_chapter, load_dataset, scores
from audiostyle_utils.datasets import ensembles, previews


def style_transfer():
    """Return the organ chorale in the sound of the piano rag."""
    clips = load_dataset("style_clips").files
    chapter = load_chapter("01_style_transfer")
    return chapter.transfer_style(clips["chorale"], clips["rag"], alpha=0.1)


def genre_tape():
    """Return four songs by artists that chapter 2's network has not met, four seconds of each."""
    songs = load_dataset("band").files
    names = ("reggae.00006", "classical.00007", "metal.00006", "jazz.00007")
    parts = [audio.load(songs[name], 16_000, offset=3, duration=4)[0] for name in names]
    return np.concatenate([audio.normalise(part) for part in parts]), 16_000


def continued_tune():
    """Return four bars of a tune that chapter 3's network has not met, and its twelve bars."""
    tune = load_dataset("fiddle").files["BostonReel"]
    chapter = load_chapter("03_lstm_music")
    music = chapter.continue_music(tune, bars=12, after=4)
    return scores.render(music, instrument="Fiddle", tempo=110)


def spoken_sentences():
    """Return three sentences for chapter 4 to read: by voices, and with words, of the test only."""
    clips = load_dataset("spoken").files
    first, *others = (
        audio.normalise(audio.load(clips[name], 16_000)[0])
        for name in ("0-00209", "0-00459", "0-00119")
    )
    gap = np.zeros(round(0.6 * 16_000), np.float32)
    return np.concatenate([first, *(part for y in others for part in (gap, y))]), 16_000


def man_reading():
    """Return a sentence that chapter 5's translator of voices has not heard, by bdl."""
    clips = load_dataset("cmu_arctic").files
    y, sr = audio.load(clips["bdl/arctic_b0020"], 16_000)
    return audio.normalise(y), sr


def jazz_excerpt():
    """Return ten seconds of jazz by an artist that chapter 5's translator has not met."""
    y, sr = audio.load(load_dataset("band").files["jazz.00007"], 16_000, offset=2, duration=10)
    return audio.normalise(y), sr


def translated_sentence():
    """Return the sentence by bdl, and the same as chapter 5 translates it."""
    tape = previews.ROOT / "05_melgan_vc_bdl.mp3"
    made, sr = load_chapter("05_melgan_vc").translate_audio(tape, to="slt")
    parts = [audio.normalise(y) for y in (audio.load(tape, sr)[0], made)]
    return np.concatenate([parts[0], np.zeros(sr // 2, np.float32), parts[1]]), sr


def translated_quartet():
    """Return three seconds of a quartet, and the same as chapter 7 plays it with each ensemble."""
    y, sr = ensembles.render_piece("haydn-opus1no1-2_04")
    with TemporaryDirectory() as folder:
        tape = Path(folder) / "quartet.wav"
        audio.save(tape, y[: 3 * sr], sr)
        chapter = load_chapter("07_music_translation")
        made = [chapter.translate_music(tape, kind) for kind in chapter.DOMAINS]
        y, sr = audio.load(tape, made[0][1])
    parts = [audio.normalise(part) for part in (y, *(out for out, _ in made))]
    return np.concatenate(parts), sr


MAKERS = {
    "01_style_transfer": style_transfer,
    "02_genre_cnn": genre_tape,
    "03_lstm_music": continued_tune,
    "04_ctc_transcription": spoken_sentences,
    "05_melgan_vc_bdl": man_reading,
    "05_melgan_vc_jazz": jazz_excerpt,
    "05_melgan_vc": translated_sentence,
    "07_music_translation": translated_quartet,
}


def main() -> None:
    """Write the MP3 files into the package."""
    previews.ROOT.mkdir(exist_ok=True)
    wanted = sys.argv[1:] or MAKERS
    for name in wanted:
        y, sr = MAKERS[name]()
        audio.save(previews.ROOT / f"{name}.mp3", audio.normalise(y), sr)


if __name__ == "__main__":
    main()
