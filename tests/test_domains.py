"""A domain is a speaker, a genre or a folder, and says what it is not."""

import numpy as np
import pytest
import soundfile as sf

from audiostyle_utils import InputError, audio, load_dataset
from audiostyle_utils.datasets import domains, load_domain, voices


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIOSTYLE_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("AUDIOSTYLE_DATA", raising=False)
        yield load_dataset("voices", clips=4)


def test_the_voices_say_different_sentences_but_for_the_test(made):
    said = {part: {"low": [], "high": []} for part in ("training", "test")}
    for label in made.labels.values():
        said[label["part"]][label["speaker"]].append(label["text"])
    assert len(said["training"]["low"]) == len(said["training"]["high"]) == 4
    learned = said["training"]["low"] + said["training"]["high"]
    assert len(set(learned)) == 8
    assert said["test"]["low"] == said["test"]["high"] and len(said["test"]["low"]) == voices.TESTS
    assert not set(learned) & set(said["test"]["low"])


def pitch(path):
    import librosa

    y, sr = audio.load(path, 16000)
    f0 = librosa.yin(y, fmin=60, fmax=400, sr=sr)
    loud = librosa.feature.rms(y=y)[0] > 0.02
    return float(np.median(f0[loud]))


def test_one_voice_is_much_higher_than_the_other(made):
    low, high = (pitch(made.files[f"{who}-test-000"]) for who in voices.SPEAKERS)
    assert 60 < low < 130 and high > 1.5 * low


def test_the_first_clips_are_the_same_whatever_the_number(made):
    more = voices._lines(9)
    assert [line for line in more if line.part == "test"] == [
        line for line in voices._lines(4) if line.part == "test"
    ]
    assert more[:8] == voices._lines(4)[:8]


def test_a_domain_is_one_speaker_of_a_data_set(made, monkeypatch):
    monkeypatch.setattr(voices, "CLIPS", 4)
    monkeypatch.setattr(voices.load, "__defaults__", (4,))
    low = load_domain("voices:low")
    assert {label["speaker"] for label in low.labels.values()} == {"low"}
    assert set(low.files) == {name for name in made.files if name.startswith("low")}


def write(path, seconds=0.2):
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, np.zeros(round(8000 * seconds)), 8000)


def test_a_domain_is_a_folder_with_folders(tmp_path):
    write(tmp_path / "a.wav")
    write(tmp_path / "deep" / "er" / "b.flac")
    write(tmp_path / ".hidden" / "c.wav")
    (tmp_path / "d.mp3").touch()
    (tmp_path / "notes.txt").write_text("no sound")
    domain = load_domain(tmp_path)
    assert set(domain.files) == {"a.wav", "deep/er/b.flac"}
    assert "empty" in domain.skipped["d.mp3"] and len(domain.skipped) == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("voices:deep", "no speaker 'deep'; it has high, low"),
        ("choir:alto", "There is no domain 'choir:alto'"),
        ("no/such/folder", "Give a folder that exists"),
        ("voices", "cmu_arctic:slt"),
    ],
)
def test_what_is_no_domain_is_named(made, monkeypatch, name, words):
    monkeypatch.setattr(voices.load, "__defaults__", (4,))
    with pytest.raises(InputError, match=words):
        load_domain(name)


def test_a_folder_without_recordings_is_named(tmp_path):
    (tmp_path / "a.wav").touch()
    with pytest.raises(InputError, match="holds no recordings but 1 empty"):
        load_domain(tmp_path)
    assert domains.SUFFIXES >= set(audio.FORMATS)


def test_a_file_and_nothing_are_no_folders(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    with pytest.raises(InputError, match="is a file. Give the folder"):
        load_domain(tmp_path / "a.wav")
    with pytest.raises(InputError, match="There is no domain"):
        load_domain("")
