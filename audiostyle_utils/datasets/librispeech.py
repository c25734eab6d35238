"""LibriSpeech: a thousand hours of English, read aloud for LibriVox by volunteers."""

from pathlib import Path

from ..errors import InputError
from ..settings import cache_dir, data_dir
from ._obtained import obtain
from ._table import pair, unheard, visible
from .catalogue import Dataset, Entry
from .fetch import download

_ADDRESS = "https://www.openslr.org/resources/12/"
# OpenSLR publishes MD5 sums. These SHA-256 sums are those that torchaudio holds for the same files,
# in torchaudio/datasets/librispeech.py; Apple's mlx-data has the same.
_SUMS = {
    "dev-clean": "76f87d090650617fca0cac8f88b9416e0ebf80350acb97b343a85fa903728ab3",
    "dev-other": "12661c48e8c3fe1de2c1caa4c3e135193bfb1811584f11f569dd12645aa84365",
    "test-clean": "39fde525e59672dc6d1551919b1478f724438a95aa55f874b576be21967e6c23",
    "test-other": "d09c181bba5cf717b3dee7d4d592af11a3ee3a09e08ae025c5506f6ebe961c29",
    "train-clean-100": "d4ddd1d5a6ab303066f14971d768ee43278a5f2a0aa43dc716b0e64ecbbbf6e2",
    "train-clean-360": "146a56496217e96c14334a160df97fffedd6e0a04e66b9c5af0d40be3c792ecf",
    "train-other-500": "ddb22f27f96ec163645d53215559df6aa36515f26e01dd70798188350adcb6d2",
}
PARTS = tuple(_SUMS)
_PLACES = ("LibriSpeech", "librispeech/LibriSpeech", "librispeech")  # below AUDIOSTYLE_DATA

ENTRY = Entry(
    name="librispeech",
    title="LibriSpeech: English books read aloud, on which papers report",
    licence="CC BY 4.0",
    source="https://www.openslr.org/12/",
    size="dev-clean (the default): 2,703 recordings, 5.4 hours, 0.3 GB to download; "
    "train-clean-100: 100 hours, 6.4 GB; five other parts; 16 kHz, mono",
    citation="V. Panayotov, G. Chen, D. Povey, S. Khudanpur (2015). Librispeech: an ASR corpus "
    "based on public domain audio books. ICASSP",
    chapters=("04_ctc_transcription",),
    kind="download",
    checksums={f"{part}.tar.gz": total for part, total in _SUMS.items()},
)


def find(part: str = "dev-clean") -> Dataset | None:
    """Find a part on this computer.

    Parameters
    ----------
    part : str
        One of `PARTS`.

    Returns
    -------
    Dataset or None
        As `load`; None where it is neither in the reader's copy nor in the cache.

    Raises
    ------
    InputError
        There is no such part, or the reader's own copy of it holds no recordings.

    Chapter
    -------
    04_ctc_transcription
    """
    if part not in PARTS:
        raise InputError(f"part is {part!r}; LibriSpeech has {', '.join(PARTS)}.")
    data = data_dir()
    own = [data / place / part for place in _PLACES] if data else []
    for root in [*own, _unpacked(part) / "LibriSpeech" / part]:
        if root.is_dir():
            return _dataset(root)
    return None


def load(part: str = "dev-clean") -> Dataset:
    """Find a part, or download it. No sound is read yet.

    Your own copy is found as ``LibriSpeech`` below AUDIOSTYLE_DATA, with a folder for each part as
    in the archives. It may lack speakers.

    Parameters
    ----------
    part : str
        One of `PARTS`: "dev-clean", "dev-other", "test-clean", "test-other", "train-clean-100",
        "train-clean-360" or "train-other-500".

    Returns
    -------
    Dataset
        Files "84-121123-0000" and so on, .flac: speaker, chapter, number. ``labels`` has three
        entries for each: ``"text"``, in capitals as it is published (`speech.normalise_text`
        brings it to small letters), ``"speaker"`` and ``"chapter"``. ``skipped`` names empty files,
        recordings without a text and texts without a recording.

    Raises
    ------
    InputError
        There is no such part, the reader's own copy of it holds no recordings, or the download is
        not possible or not allowed.

    Chapter
    -------
    04_ctc_transcription
    """
    found = find(part)
    if found is not None:
        return found
    archive = f"{part}.tar.gz"
    obtain(
        f"{ENTRY.name}-{part}",
        lambda place: download(_ADDRESS + archive, _SUMS[part], place / archive),
        _unpacked(part),
        own=f"LibriSpeech/{part}",
    )
    return _dataset(_unpacked(part) / "LibriSpeech" / part)


def _unpacked(part: str) -> Path:
    return cache_dir() / ENTRY.name / part


def _dataset(root: Path) -> Dataset:
    files: dict[str, Path] = {}
    labels: dict[str, dict[str, object]] = {}
    skipped: dict[str, str] = {}
    for folder in sorted(root.glob("[0-9]*/[0-9]*")):
        speaker, chapter = folder.parent.name, folder.name
        source = folder / f"{speaker}-{chapter}.trans.txt"
        texts = _transcripts(source)
        recordings = visible(folder, ".flac")
        found, faults = pair(recordings, texts, source, root, "has no transcript in")
        for name, path in found.items():
            files[name] = path
            labels[name] = {"text": texts[name], "speaker": speaker, "chapter": chapter}
        skipped |= faults | unheard(recordings, texts, source, root)
    if not files:
        raise InputError(
            f"{root} holds no recordings with transcripts, as {root}/84/121123/84-121123-0000.flac "
            "with 84-121123.trans.txt beside it. Unpack the archive again, or move the folder away."
        )
    return Dataset(ENTRY.name, ENTRY, root, files, labels, skipped)


def _transcripts(source: Path) -> dict[str, str]:
    """Read lines such as "84-121123-0000 GO DO YOU HEAR"; none where there is no such file."""
    try:
        lines = source.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    parts = [line.split(maxsplit=1) for line in lines]
    return {words[0]: words[1].strip() for words in parts if len(words) == 2}
