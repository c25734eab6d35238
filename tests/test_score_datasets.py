import json
import zipfile
from collections import Counter

import pytest

from audiostyle_utils import datasets, load_dataset, scores
from audiostyle_utils.datasets import fiddle, jsb_chorales
from audiostyle_utils.errors import InputError
from audiostyle_utils.scores.pieces import Note


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOSTYLE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def family_sizes(dataset):
    return Counter(label["family"] for label in dataset.labels.values())


def test_the_scores_stand_in_the_catalogue():
    names = {"fiddle", "chorales", "own_scores", "jsb_chorales"}
    assert names <= set(datasets.catalogue())
    assert datasets.available("fiddle") and datasets.available("chorales")
    assert not datasets.available("own_scores") and not datasets.available("jsb_chorales")


# Fiddle tunes


def test_every_fiddle_tune_is_there_with_its_labels():
    tunes = load_dataset("fiddle")
    assert len(tunes.files) == 1059
    assert all(path.is_file() and path.stem == name for name, path in tunes.files.items())
    assert list(tunes.labels) == list(tunes.files)
    assert all(set(label) == set(labels_of(tunes)) for label in tunes.labels.values())
    assert {label["meter"] for label in tunes.labels.values()} <= {
        *("2/4", "2/2", "4/4", "6/8", "9/8", "12/8")
    }
    assert all(label["title"] and label["key"] for label in tunes.labels.values())


def labels_of(tunes):
    return tunes.labels["42dHighlandRegimentStrathspey"]


def test_labels_say_what_the_file_says():
    assert labels_of(load_dataset("fiddle")) == {
        "title": "42d Highland Regiment",
        "dance": "strathspey",
        "meter": "4/4",
        "key": "A minor",
        "family": "42dHighlandRegimentStrathspey",
    }


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("G", "G major"),
        ("Bb", "Bb major"),
        ("F#m", "F# minor"),
        ("Amin", "A minor"),
        ("A Minor", "A minor"),
        ("Edor", "E dorian"),
        ("EDorian", "E dorian"),
        ("Dmix=c", "D mixolydian"),
        ("Glydian", "G lydian"),
        ("D Maj", "D major"),
        ("none", None),
        ("Exyz", None),
        ("", None),
    ],
)
def test_keys_of_abc_notation(text, key):
    assert fiddle._key(text) == key


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Acacia -- Reel", "Acacia"),
        ("SALAMANCA -- REEL", "Salamanca"),
        ("TERRY HEIGH - JIG", "Terry Heigh"),
        ("Shut-Up", "Shut-Up"),
        ("Billy Pat:terson's Favorite -- Jig", "Billy Patterson's Favorite"),
        ("NEUMEDIA.", "Neumedia"),
    ],
)
def test_titles_lose_the_dance_and_the_capitals(text, title):
    assert fiddle._title(text) == title


def test_families_of_the_tunes_are_those_of_their_tokens():
    tunes = load_dataset("fiddle")
    names = ["AcaciaReel", "BagOfMealThe", "BanishMisfortune", "MorpethHornpipe", "PomonaHornpipe"]
    found = scores.families(
        scores.tokenise_files({name: tunes.files[name] for name in names}).tokens
    )
    together = {
        (a, b)
        for a in names
        for b in names
        if tunes.labels[a]["family"] == tunes.labels[b]["family"]
    }
    assert together == {(a, b) for a in names for b in names if found[a] == found[b]}
    assert ("BagOfMealThe", "BanishMisfortune") in together and len(together) > len(names)
    sizes = family_sizes(tunes)
    assert set(sizes) <= set(tunes.files) and max(sizes.values()) <= 10


# Chorales


def test_the_chorales_are_there_with_their_labels():
    chorales = load_dataset("chorales")
    assert len(chorales.files) == 365
    assert all(path.is_file() for path in chorales.files.values())
    sizes = family_sizes(chorales)
    assert set(sizes) <= set(chorales.files) and len(sizes) < 250
    for label in chorales.labels.values():
        assert set(label) == {"bwv", "title", "key", "family"}
    assert chorales.labels["bwv269"] == {
        "bwv": "269",
        "title": "Aus meines Herzens Grunde",
        "key": "G major",
        "family": "bwv269",
    }


def test_a_hymn_that_bach_set_again_is_one_family():
    labels = load_dataset("chorales").labels
    passion = ["bwv135.6", "bwv244.15", "bwv244.17", "bwv244.44", "bwv244.54", "bwv248.5"]
    assert len({labels[name]["family"] for name in passion}) == 1
    by_title = {}
    for label in labels.values():
        by_title.setdefault(label["title"], set()).add(label["family"])
    by_title.pop(None)
    assert all(len(found) == 1 for found in by_title.values())


def test_a_chorale_has_four_parts_and_the_key_of_its_last_bass_note():
    chorales = load_dataset("chorales")
    piece = scores.read(chorales.files["bwv66.6"])
    assert len(piece.parts) == 4
    last = max(note for note in piece.notes if note.part == 3)
    assert last.pitch % 12 == 6 and chorales.labels["bwv66.6"]["key"] == "F# minor"


# Scores of your own


def midi(path, pitch=60):
    path.parent.mkdir(parents=True, exist_ok=True)
    return scores.save_midi(scores.make_piece([Note(0, 24, pitch, 0)], [0]), path)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "mine"
    for place in ("top.mid", "jazz/one.MID", "jazz/late/two.midi", ".hidden/three.mid"):
        midi(root / place)
    midi(root / "__MACOSX" / "jazz" / "four.mid")
    midi(root / "jazz" / "._one.mid")
    (root / "jazz" / "one.abc").write_text("X:1\nM:4/4\nL:1/4\nK:C\nCDEF|\n")
    (root / "jazz" / "empty.mid").touch()
    (root / "jazz" / "cover.jpg").write_bytes(b"no score")
    (root / "folder.mid").mkdir()
    return root


NAMES = ["jazz/late/two", "jazz/one", "jazz/one.abc", "top"]


def test_a_folder_gives_its_scores(folder):
    mine = load_dataset("own_scores", folder=folder)
    assert sorted(mine.files) == NAMES
    assert set(scores.tokenise_files(mine.files).tokens) == set(NAMES)
    assert list(mine.skipped) == ["jazz/empty.mid"] and "0 bytes" in mine.skipped["jazz/empty.mid"]
    assert mine.labels["top"] == {"collection": None, "part": None}
    assert mine.labels["jazz/late/two"] == {"collection": "jazz", "part": None}


def test_a_zip_file_gives_the_same_and_is_unpacked_once(tmp_path, folder, cache):
    packed = tmp_path / "mine.zip"
    with zipfile.ZipFile(packed, "w") as file:
        for path in sorted(folder.rglob("*")):
            file.write(path, path.relative_to(folder))
    mine = load_dataset("own_scores", folder=str(packed))
    assert sorted(mine.files) == NAMES and list(mine.skipped) == ["jazz/empty.mid"]
    assert mine.root.is_relative_to(cache)
    before = mine.root.stat().st_mtime_ns
    packed = packed.rename(tmp_path / "renamed.zip")
    again = load_dataset("own_scores", folder=packed)
    assert again.files == mine.files and again.root.stat().st_mtime_ns == before


@pytest.mark.parametrize("place", ["scores", "midi"])
def test_without_a_name_the_folder_below_audiostyle_data_counts(tmp_path, monkeypatch, place):
    monkeypatch.setenv("AUDIOSTYLE_DATA", str(tmp_path))
    with pytest.raises(InputError, match="folder scores below AUDIOSTYLE_DATA"):
        load_dataset("own_scores")
    midi(tmp_path / place / "mine.mid")
    assert list(load_dataset("own_scores").files) == ["mine"]
    assert datasets.available("own_scores")


def test_what_is_no_folder_of_scores_is_said(tmp_path):
    (tmp_path / "text.zip").write_text("no archive")
    (tmp_path / "empty").mkdir()
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / "empty.mid").touch()
    whole = tmp_path / "cut.zip"
    with zipfile.ZipFile(whole, "w") as file:
        file.write(midi(tmp_path / "a.mid"), "../a.mid")
    cases = {
        "nowhere": "does not exist",
        "a.mid": "single score",
        "text.zip": r"no readable \.zip",
        "empty": r"holds no scores\. Their names end in \.abc",
        "only": "holds no scores but 1 empty ones",
        "cut.zip": "outside its own folder",
    }
    for name, message in cases.items():
        with pytest.raises(InputError, match=message):
            load_dataset("own_scores", folder=tmp_path / name)


# JSB Chorales

LINES = [[72, 67, 64, 48]] * 4 + [[74, 67, -1, 48]] * 2 + [[74, 67, 65, 43]] * 2
SILENT = [[-1, -1, -1, -1]]


@pytest.fixture
def own(tmp_path, monkeypatch):
    place = tmp_path / "data" / "jsb_chorales" / "Jsb16thSeparated.json"
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps({"test": [LINES], "train": [LINES, LINES[2:]], "valid": [LINES]}))
    monkeypatch.setenv("AUDIOSTYLE_DATA", str(tmp_path / "data"))
    return place


def test_frames_of_one_pitch_are_one_note(own):
    chorales = load_dataset("jsb_chorales")
    assert {name: label["part"] for name, label in chorales.labels.items()} == {
        "train.000": "train",
        "train.001": "train",
        "valid.000": "valid",
        "test.000": "test",
    }
    # Soprano, alto, tenor (which is silent for an eighth), bass; 6 steps are a sixteenth.
    assert set(scores.read(chorales.files["test.000"]).notes) == {
        *(Note(0, 24, 72, 0), Note(24, 24, 74, 0), Note(0, 48, 67, 1)),
        *(Note(0, 24, 64, 2), Note(36, 12, 65, 2), Note(0, 36, 48, 3), Note(36, 12, 43, 3)),
    }
    assert scores.read(chorales.files["train.001"]).notes[0].length == 12


def test_the_files_are_written_once_for_each_content(own):
    first = load_dataset("jsb_chorales")
    before = {path: path.stat().st_mtime_ns for path in first.files.values()}
    again = load_dataset("jsb_chorales")
    assert {path: path.stat().st_mtime_ns for path in again.files.values()} == before
    own.write_text(json.dumps({part: [LINES] for part in jsb_chorales.PARTS}))
    other = load_dataset("jsb_chorales")
    assert len(other.files) == 3 and other.root != first.root


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"train": []}',
        '{"train": 1}',
        json.dumps({"train": [SILENT]}),
        '{"train": [[3]]}',
    ],
)
def test_a_damaged_copy_is_named_and_leaves_nothing(own, cache, text):
    own.write_text(text)
    with pytest.raises(InputError, match=r"Jsb16thSeparated\.json is damaged"):
        load_dataset("jsb_chorales")
    assert not cache.exists() or list(cache.iterdir()) == []


def test_offline_it_says_what_to_do(monkeypatch):
    monkeypatch.setenv("AUDIOSTYLE_OFFLINE", "1")
    with pytest.raises(InputError, match="AUDIOSTYLE_OFFLINE=1 forbids"):
        load_dataset("jsb_chorales")
    assert jsb_chorales.find() is None
