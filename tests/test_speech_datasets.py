"""Speech: what a copy may look like and what is left out of it, and the sentences made here."""

import hashlib
import io
import os
import re
import tarfile
from collections import Counter
from dataclasses import replace
from itertools import chain, product
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from audiostyle_utils import InputError, _downloads, datasets, load_dataset, speech
from audiostyle_utils.datasets import _sentences, cmu_arctic, librispeech, spoken

SR = 16000
REAL = os.environ.get("AUDIOSTYLE_TEST_DATA")  # a folder with real recordings, if there is one


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    """Give an empty folder for the reader's own data, and an empty cache."""
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("AUDIOSTYLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AUDIOSTYLE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("AUDIOSTYLE_OFFLINE", "1")
    return tmp_path / "data"


def sound(path, sr=SR):
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, np.full(800, 0.1), sr)


def test_the_speech_stands_in_the_catalogue():
    assert {"spoken", "cmu_arctic", "fsdd", "librispeech"} <= set(datasets.catalogue())
    assert datasets.available("spoken")
    assert not any(map(datasets.available, ("cmu_arctic", "fsdd", "librispeech")))


def test_no_loader_opens_a_recording(data, monkeypatch):
    arctic(data, "bdl", a0001="Words.")
    sound(data / "fsdd" / "recordings" / "7_ann_0.wav")
    chapter(data / "LibriSpeech" / "dev-clean", "84", "1", "WORDS")
    monkeypatch.setattr(sf, "SoundFile", None)
    monkeypatch.setattr(sf, "read", None)
    assert len(load_dataset("cmu_arctic", speakers=["bdl"]).files) == 1
    assert len(load_dataset("fsdd").files) == len(load_dataset("librispeech").files) == 1


# CMU ARCTIC


def arctic(data, speaker, suffix=".wav", **texts):
    folder = data / "cmu_arctic" / f"cmu_us_{speaker}_arctic"
    lines = [f'( arctic_{name} "{text}" )\n' for name, text in texts.items()]
    (folder / "etc").mkdir(parents=True)
    (folder / "wav").mkdir()
    (folder / "etc" / "txt.done.data").write_text("".join(lines), encoding="utf-8")
    for name in texts:
        sound(folder / "wav" / f"arctic_{name}{suffix}")
    return folder


@pytest.mark.parametrize(
    ("line", "read"),
    [
        (
            '( arctic_a0001 "Author of the danger trail, etc." )',
            ("arctic_a0001", "Author of the danger trail, etc."),
        ),
        ('(x "It\'s (not) so.")', ("x", "It's (not) so.")),
        ('  ( x   "a" )\r', ("x", "a")),
        (r'( x "Say \"yes\" and \\." )', ("x", 'Say "yes" and \\.')),
        ('( x "" )', None),
        ('( x "no end )', None),
        ("( x )", None),
        ("", None),
    ],
)
def test_lines_of_transcripts(line, read):
    assert cmu_arctic.transcripts(f"\n{line}\n") == (dict([read]) if read else {})


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".WAV"])
def test_each_speaker_has_the_same_sentences(data, suffix):
    for speaker in ("slt", "bdl"):
        arctic(data, speaker, suffix, a0001="One, two.", b0002="Three?")
    found = load_dataset("cmu_arctic")
    assert datasets.available("cmu_arctic")
    assert found.root == data / "cmu_arctic"
    names = ["bdl/arctic_a0001", "bdl/arctic_b0002", "slt/arctic_a0001", "slt/arctic_b0002"]
    assert list(found.files) == list(found.labels) == names
    assert all(path.is_file() for path in found.files.values())
    assert found.labels[names[3]] == {"text": "Three?", "speaker": "slt", "sentence": "b0002"}
    assert found.skipped == {}


def test_speakers_are_chosen(data):
    for speaker in ("slt", "bdl", "awb"):
        arctic(data, speaker, a0001="One.")
    found = load_dataset("cmu_arctic", speakers=("slt", "awb", "slt"))
    assert list(found.files) == ["slt/arctic_a0001", "awb/arctic_a0001"]


def test_what_cannot_be_used_of_arctic_is_listed(data):
    texts = dict.fromkeys(("a0001", "a0002", "a0003", "a0004"), "Some words.")
    wav = arctic(data, "bdl", **texts) / "wav"
    (wav / "arctic_a0001.wav").write_bytes(b"RIFF, but damaged")
    (wav / "arctic_a0002.wav").write_bytes(b"")
    (wav / "arctic_a0003.wav").unlink()
    sound(wav / "arctic_a0004.flac")
    sound(wav / "arctic_a0099.wav")
    (wav / "._arctic_a0001.wav").write_bytes(b"hidden")
    found = load_dataset("cmu_arctic", speakers=["bdl"])
    assert list(found.files) == ["bdl/arctic_a0001", "bdl/arctic_a0004"]
    folder = "cmu_us_bdl_arctic"
    reasons = {
        f"{folder}/wav/arctic_a0002.wav": "0 bytes",
        f"{folder}/etc/txt.done.data: arctic_a0003": "no sound",
        f"{folder}/wav/arctic_a0004.wav": "double",
        f"{folder}/wav/arctic_a0099.wav": "no transcript",
    }
    assert set(found.skipped) == set(reasons)
    assert all(words in found.skipped[name] for name, words in reasons.items())


def test_copies_of_arctic_that_are_no_use_say_so(data):
    with pytest.raises(InputError, match="never downloaded.*festvox.*AUDIOSTYLE_DATA"):
        load_dataset("cmu_arctic")
    folder = arctic(data, "bdl", a0001="One.")
    with pytest.raises(InputError, match="cmu_us_slt_arctic.*has cmu_us_bdl_arctic.*name other"):
        load_dataset("cmu_arctic")
    (folder / "wav" / "arctic_a0001.wav").write_bytes(b"")
    with pytest.raises(InputError, match="no recordings.*0 bytes"):
        load_dataset("cmu_arctic", speakers=["bdl"])
    (folder / "etc" / "txt.done.data").unlink()
    with pytest.raises(InputError, match="txt.done.data"):
        load_dataset("cmu_arctic", speakers=["bdl"])


@pytest.mark.parametrize("speakers", ["bdl", (), None, [1], ["../bdl"], [""]])
def test_bad_speakers_are_named(speakers):
    with pytest.raises(InputError, match=r"speakers is .*\[\"bdl\", \"slt\"\]"):
        load_dataset("cmu_arctic", speakers=speakers)


# Free Spoken Digit Dataset


@pytest.mark.parametrize("place", ["fsdd", "free-spoken-digit-dataset"])
def test_digits_are_read_from_their_names(data, place):
    root = data / place / "recordings"
    for name in ("7_george_10", "7_george_2", "0_theo_0"):
        sound(root / f"{name}.wav", 8000)
    found = load_dataset("fsdd")
    assert datasets.available("fsdd") and found.root == root and found.skipped == {}
    assert list(found.files) == list(found.labels) == ["0_theo_0", "7_george_2", "7_george_10"]
    label = {"text": "seven", "digit": 7, "speaker": "george", "take": 10}
    assert found.labels["7_george_10"] == label


def test_what_cannot_be_used_of_the_digits_is_listed(data):
    root = data / "fsdd" / "recordings"
    for name in ("1_ann_0", "ten_ann_0", "12_ann_0", "1_ann"):
        sound(root / f"{name}.wav", 8000)
    (root / "2_ann_0.wav").write_bytes(b"")
    (root / "3_ann_0.wav").write_bytes(b"damaged")
    (root / "README.md").write_text("no sound")
    found = load_dataset("fsdd")
    assert list(found.files) == ["1_ann_0", "3_ann_0"]
    assert set(found.skipped) == {"ten_ann_0.wav", "12_ann_0.wav", "1_ann.wav", "2_ann_0.wav"}
    assert "0 bytes" in found.skipped["2_ann_0.wav"]
    assert "7_george_0.wav" in found.skipped["1_ann.wav"]


def test_digits_that_are_not_there_say_what_to_do(data):
    with pytest.raises(InputError, match="never downloaded.*github.*AUDIOSTYLE_DATA"):
        load_dataset("fsdd")
    (data / "fsdd" / "recordings").mkdir(parents=True)
    with pytest.raises(InputError, match="holds no recordings"):
        load_dataset("fsdd")


# LibriSpeech


def chapter(root, speaker, number, *texts):
    folder = root / speaker / number
    folder.mkdir(parents=True)
    names = [f"{speaker}-{number}-{index:04}" for index in range(len(texts))]
    lines = [f"{name} {text}\n" for name, text in zip(names, texts, strict=True)]
    (folder / f"{speaker}-{number}.trans.txt").write_text("".join(lines), encoding="utf-8")
    for name in names:
        sound(folder / f"{name}.flac")
    return folder


@pytest.mark.parametrize("place", librispeech._PLACES)
def test_chapters_are_found_in_each_layout(data, place):
    root = data / place / "test-other"
    chapter(root, "84", "121123", "GO DO YOU HEAR", "BUT IN LESS THAN FIVE MINUTES")
    chapter(root, "1272", "7", "MISTER QUILTER")
    found = load_dataset("librispeech", part="test-other")
    assert found.root == root and found.skipped == {}
    assert set(found.files) == {"84-121123-0000", "84-121123-0001", "1272-7-0000"}
    label = {"text": "GO DO YOU HEAR", "speaker": "84", "chapter": "121123"}
    assert found.labels["84-121123-0000"] == label
    assert not datasets.available("librispeech")  # which stands for dev-clean


def test_what_cannot_be_used_of_a_chapter_is_listed(data):
    root = data / "LibriSpeech" / "dev-clean"
    folder = chapter(root, "84", "1", "A", "B", "C")
    (folder / "84-1-0000.flac").write_bytes(b"fLaC, but damaged")
    (folder / "84-1-0001.flac").write_bytes(b"")
    (folder / "84-1-0002.flac").unlink()
    sound(folder / "84-1-0009.flac")
    lost = chapter(root, "85", "2", "D")
    (lost / "85-2.trans.txt").unlink()
    found = load_dataset("librispeech")
    assert list(found.files) == ["84-1-0000"]
    reasons = {
        "84/1/84-1-0001.flac": "0 bytes",
        "84/1/84-1.trans.txt: 84-1-0002": "no sound",
        "84/1/84-1-0009.flac": "no transcript",
        "85/2/85-2-0000.flac": "no transcript",
    }
    assert set(found.skipped) == set(reasons)
    assert all(words in found.skipped[name] for name, words in reasons.items())


def test_a_part_that_is_unknown_or_empty_or_not_here_says_what_to_do(data):
    for part in ("dev", None, ["dev-clean"]):
        with pytest.raises(InputError, match="part is .*dev-clean, dev-other.*train-other-500"):
            load_dataset("librispeech", part=part)
    with pytest.raises(InputError, match="AUDIOSTYLE_OFFLINE.*LibriSpeech/dev-other below"):
        load_dataset("librispeech", part="dev-other")
    (data / "LibriSpeech" / "dev-clean").mkdir(parents=True)
    with pytest.raises(InputError, match="no recordings"):
        load_dataset("librispeech")


def packed(root):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as file:
        file.add(root, "LibriSpeech")
    return content.getvalue()


def test_a_part_is_downloaded_unpacked_once_and_its_archive_removed(tmp_path, monkeypatch):
    chapter(tmp_path / "made" / "dev-clean", "84", "1", "WORDS")
    content, asked = packed(tmp_path / "made"), []

    def fill(address, part):
        asked.append(address)
        part.write_bytes(content)

    monkeypatch.setenv("AUDIOSTYLE_OFFLINE", "0")
    monkeypatch.setattr(_downloads, "fill", fill)
    with pytest.raises(InputError, match="SHA-256"):
        load_dataset("librispeech")
    assert not datasets.available("librispeech")
    monkeypatch.setitem(librispeech._SUMS, "dev-clean", hashlib.sha256(content).hexdigest())
    for _ in range(2):
        assert load_dataset("librispeech").labels["84-1-0000"]["text"] == "WORDS"
    assert asked == ["https://www.openslr.org/resources/12/dev-clean.tar.gz"] * 2
    assert os.listdir(tmp_path / "cache") == ["librispeech"]


# Sentences made here


def all_of(name):
    """Spell out all that may stand for a name."""
    for choice in _sentences._choices(name):
        parts = re.split(r"\{(\w+)\}", choice)
        options = [list(all_of(part)) if i % 2 else [part] for i, part in enumerate(parts)]
        yield from map("".join, product(*options))


@pytest.mark.parametrize("name", [name for name in _sentences.RULES if name != "sentence"])
def test_what_may_stand_for_a_name_is_counted_and_no_two_are_alike(name):
    words = list(all_of(name))
    assert len(words) == len(set(words)) == _sentences.count(name)


def test_there_are_few_words_and_more_sentences_than_can_be_learnt():
    assert len(_sentences.vocabulary()) == 362
    assert _sentences.count() > 1e10
    assert all(speech.normalise_text(word) == word for word in _sentences.vocabulary())
    letters = set("".join(_sentences.vocabulary()))
    assert letters == set("abcdefghijklmnopqrstuvwxyz'")
    named = {
        *chain(*(_sentences._names(c) for n in _sentences.RULES for c in _sentences._choices(n)))
    }
    assert named | {"sentence"} == set(_sentences.RULES)


@pytest.fixture(scope="module")
def lines():
    return [spoken.line(index) for index in range(3000)]


def by_part(lines, key):
    return {part: {getattr(x, key) for x in lines if x.part == part} for part in spoken.PARTS}


@pytest.mark.parametrize("key", ["text", "speaker"])
def test_no_sentence_and_no_speaker_is_in_two_parts(lines, key):
    others = [spoken.line(index, seed=7) for index in range(1000)]
    found = by_part(lines + others, key)
    assert not found["training"] & (found["validation"] | found["test"])
    assert not found["validation"] & found["test"]


def test_every_voice_speaks_and_its_variant_is_in_no_other(lines):
    assert by_part(lines, "speaker") == {part: set(names) for part, names in spoken.VOICES.items()}
    names = list(chain(*spoken.VOICES.values()))
    variants = [name.partition("+")[2] for name in names if "+" in name]
    assert len(variants) == len(set(variants)) and set(variants) <= set(speech.variants())


def test_the_catalogue_counts_the_voices(lines):
    assert {part: len(names) for part, names in spoken.VOICES.items()} == {
        "training": 60,
        "validation": 4,
        "test": 4,
    }
    heard = {line.speaker for line in lines[: spoken.CLIPS]}
    assert spoken.ENTRY.size.startswith(f"{spoken.CLIPS} clips in {len(heard)} voices, ")


def test_lines_are_many_and_shared_out_by_tenths(lines):
    assert len({line.text for line in lines}) > 0.98 * len(lines)
    assert len({line.name for line in lines}) == len(lines)
    assert Counter(line.part for line in lines[:600]) == {
        "training": 480,
        "validation": 60,
        "test": 60,
    }
    training = [line.text for line in lines if line.part == "training"]
    assert set(" ".join(training).split()) == _sentences.vocabulary()


def test_lines_keep_to_their_ranges(lines):
    assert {line.rate for line in lines} == set(range(130, 201))
    assert {line.pitch for line in lines} == set(range(30, 71))
    assert 0.4 < np.mean([line.room > 0 for line in lines]) < 0.6
    assert all(line.room == 0 or 0.15 <= line.room <= 0.4 for line in lines)
    assert spoken.line(17) == lines[17] != spoken.line(17, seed=1)


def test_noise_and_pauses_are_as_stated():
    line = replace(spoken.line(0), room=0.0, noise=-90.0, pauses=(0.3, 0.2), level=-25.0)
    quiet, sr = spoken.perform(line)
    noisy, _ = spoken.perform(replace(line, noise=-15.0))
    before, after = round(0.3 * sr), round(0.2 * sr)
    for y, noise in ((quiet, -90), (noisy, -15)):
        voice = decibels(y[before:-after])
        assert decibels(y[:before]) - voice == pytest.approx(noise, abs=1.5)
        assert decibels(y[-after:]) - voice == pytest.approx(noise, abs=1.5)
        assert decibels(y) == pytest.approx(-25, abs=0.01)
    assert quiet.size == noisy.size


def test_a_room_is_heard_after_the_words():
    line = replace(spoken.line(0), room=0.0, noise=-90.0, pauses=(0.1, 0.3), wet=-8.0)
    dry, sr = spoken.perform(line)
    wet, _ = spoken.perform(replace(line, room=0.4))
    end = slice(-round(0.3 * sr), -round(0.2 * sr))
    assert decibels(wet[end]) > decibels(dry[end]) + 20
    assert decibels(wet[: sr // 11]) < -80


def decibels(y):
    return 20 * np.log10(np.sqrt(np.mean(np.square(y, dtype=np.float64))))


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spoken")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIOSTYLE_CACHE", str(folder))
        yield folder, load_dataset("spoken", clips=30)


def test_clips_are_sound_with_labels(clips):
    files, labels = clips[1].files, clips[1].labels
    assert list(files) == list(labels) == [f"0-{index:05}" for index in range(30)]
    for name, path in files.items():
        with sf.SoundFile(path) as file:
            assert (file.samplerate, file.channels, file.subtype) == (SR, 1, "PCM_16")
            assert (file.title, file.artist) == (labels[name]["text"], labels[name]["speaker"])
            y = file.read()
        assert np.abs(y).max() <= 0.951
        assert -28.1 < decibels(y) < -19.9
        assert 8 < len(labels[name]["text"]) / (y.size / SR) < 25
    assert set(labels["0-00000"]) == {"text", "speaker", "rate", "pitch", "part"}
    assert [labels[f"0-0001{i}"]["part"] for i in (7, 8, 9)] == ["training", "validation", "test"]


def test_clips_are_made_once_and_more_are_added(clips, monkeypatch):
    monkeypatch.setenv("AUDIOSTYLE_CACHE", str(clips[0]))
    times = {path: path.stat().st_mtime_ns for path in clips[1].files.values()}
    more = load_dataset("spoken", clips=32)
    assert list(more.files)[:30] == list(clips[1].files)
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert len(list(more.root.iterdir())) == 32
    fewer = load_dataset("spoken", clips=5)
    assert fewer.files == dict(list(more.files.items())[:5])


def test_a_lost_clip_is_made_again_and_is_the_same(clips, monkeypatch):
    monkeypatch.setenv("AUDIOSTYLE_CACHE", str(clips[0]))
    path = clips[1].files["0-00011"]
    before = path.read_bytes()
    path.unlink()
    load_dataset("spoken", clips=30)
    assert path.read_bytes() == before


def test_making_that_is_stopped_goes_on(monkeypatch, tmp_path):
    perform, made = spoken.perform, []

    def stopped(line):
        made.append(line.name)
        if len(made) >= 5:
            raise KeyboardInterrupt
        return perform(line)

    monkeypatch.setattr(spoken, "perform", stopped)
    with pytest.raises(KeyboardInterrupt):
        load_dataset("spoken", clips=40)
    (root,) = (tmp_path / "cache").iterdir()
    kept = {path.name: path.stat().st_mtime_ns for path in root.iterdir()}
    assert 0 < len(kept) < 39 and all(name.endswith(".flac") for name in kept)
    monkeypatch.setattr(spoken, "perform", perform)
    clips = load_dataset("spoken", clips=len(kept) + 3)
    assert all(path.is_file() for path in clips.files.values())
    assert {name: (root / name).stat().st_mtime_ns for name in kept} == kept


def test_600_clips_are_what_is_found(monkeypatch):
    assert spoken.find() is None
    root = spoken._folder()
    root.mkdir(parents=True)
    for index in range(600):
        (root / f"0-{index:05}.flac").touch()
    assert list(spoken.find().files) == list(load_dataset("spoken").files)


def test_other_rules_get_another_folder(monkeypatch):
    before = spoken._folder()
    monkeypatch.setitem(_sentences.RULES, "place", "moon")
    assert spoken._folder() != before


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (dict(clips=0), "clips is 0.*1 to 100000"),
        (dict(clips=100_001), "1 to 100000"),
        (dict(clips=1.5), "clips is 1.5"),
        (dict(clips=True), "clips is True"),
        (dict(seed=-1), "seed is -1.*0 to 999999"),
        (dict(seed="0"), "seed is '0'"),
        (dict(clip=3), "no option 'clip'; it has clips, seed"),
    ],
)
def test_bad_numbers_are_named(call, words):
    with pytest.raises(InputError, match=words):
        load_dataset("spoken", **call)
    if "clip" not in call:
        with pytest.raises(InputError, match="whole number"):
            spoken.line(-1 if "clips" in call else 0, call.get("seed", 0))


def test_a_cache_that_cannot_be_made_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("AUDIOSTYLE_CACHE", str(tmp_path / "file" / "below"))
    with pytest.raises(InputError, match="AUDIOSTYLE_CACHE"):
        load_dataset("spoken", clips=1)


# Real recordings, where there are any


@pytest.mark.skipif(not REAL, reason="AUDIOSTYLE_TEST_DATA names no folder of real recordings")
@pytest.mark.parametrize("name", ["cmu_arctic", "fsdd"])
def test_real_recordings_have_texts(name, monkeypatch):
    if not (Path(REAL or ".") / name).is_dir():
        pytest.skip(f"{REAL} has no {name}")
    monkeypatch.setenv("AUDIOSTYLE_DATA", REAL)
    found = load_dataset(name)
    assert len(found.files) > 100 and found.skipped == {}
    for label in found.labels.values():
        assert set(speech.normalise_text(label["text"])) <= set("abcdefghijklmnopqrstuvwxyz' ")
