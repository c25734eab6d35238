"""MusicNet and NSynth: where a copy may lie, what cannot be used, the domains, the download."""

import hashlib
import io
import json
import os
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import soundfile as sf

from audiostyle_utils import InputError, audio, datasets, load_dataset
from audiostyle_utils.datasets import load_domain, musicnet, nsynth

SR = 16000
METADATA = """id,composer,composition,movement,ensemble,source,transcriber,catalog_name,seconds
1727,Schubert,Piano Quintet in A major,2. Andante,Piano Quintet,European Archive,someone,OP114,447
1759,Schubert,Piano Sonata in A major,1. Allegro,Solo Piano,Museopen,someone,D959,778
2313,Beethoven,"Piano Sonata, No 1",1. Allegro,Solo Piano,Museopen,someone,OP2NO1,236
"""


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    """Give an empty folder for the reader's own data, and an empty cache."""
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("AUDIOSTYLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AUDIOSTYLE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("AUDIOSTYLE_OFFLINE", "1")
    return tmp_path / "data"


def sound():
    packed = io.BytesIO()
    sf.write(packed, np.full(400, 0.1), SR, format="WAV")
    return packed.getvalue()


def put(root, *names, content=None):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(sound() if content is None else content)


def note(family, source="acoustic", pitch=60, velocity=100):
    return {
        "instrument_family_str": family,
        "instrument_source_str": source,
        "pitch": pitch,
        "velocity": velocity,
        "note": 1,
    }


def examples(*names):
    """Describe notes as NSynth does, by names such as guitar_acoustic_010-060-100."""
    parts = [name.replace("-", "_").split("_") for name in names]
    return {
        name: note(p[0], p[1], int(p[3]), int(p[4])) for name, p in zip(names, parts, strict=True)
    }


NOTES = (
    "guitar_acoustic_010-060-100",
    "guitar_electronic_001-061-025",
    "bass_synthetic_009-030-127",
)


def own_musicnet(data, place="musicnet", metadata="musicnet", content=METADATA):
    put(data / place, "train_data/1727.wav", "train_data/2313.wav", "test_data/1759.wav")
    put(data / metadata, "musicnet_metadata.csv", content=content.encode())
    return data / place


def own_nsynth(data, split="test", place="nsynth", names=NOTES, content=None):
    root = data / place / f"nsynth-{split}"
    put(root, *(f"audio/{name}.wav" for name in NOTES))
    content = json.dumps(examples(*names)) if content is None else content
    put(root, "examples.json", content=content.encode())
    return root


# A copy of one's own: MusicNet


@pytest.mark.parametrize(
    ("place", "metadata"),
    [("musicnet", "musicnet"), ("musicnet", ""), ("musicnet/musicnet", "musicnet")],
)
def test_musicnet_is_found_in_each_layout(data, place, metadata):
    root = own_musicnet(data, place, metadata)
    found = load_dataset("musicnet")
    assert datasets.available("musicnet")
    assert found.root == root and found.skipped == {}
    assert found.files == {
        "1727": root / "train_data" / "1727.wav",
        "2313": root / "train_data" / "2313.wav",
        "1759": root / "test_data" / "1759.wav",
    }
    assert found.labels["2313"] == {
        "composer": "Beethoven",
        "ensemble": "Solo Piano",
        "domain": "Beethoven Solo Piano",
        "split": "train",
    }
    assert [label["split"] for label in found.labels.values()] == ["train", "train", "test"]
    assert audio.load(found.files["1759"], sr=None)[1] == SR


def test_a_part_of_musicnet_is_enough(data):
    put(data / "musicnet", "test_data/1759.wav")
    put(data / "musicnet", "musicnet_metadata.csv", content=METADATA.encode())
    assert list(load_dataset("musicnet").files) == ["1759"]


def test_what_of_musicnet_cannot_be_used_is_listed_with_the_reason(data):
    root = own_musicnet(data)
    put(root, "train_data/2313.wav", content=b"")
    put(root, "train_data/9999.wav", "train_data/._1727.wav", "train_data/notes.txt")
    put(root, "test_data/1727.wav")
    found = load_dataset("musicnet")
    assert list(found.files) == list(found.labels) == ["1727", "1759"]
    assert set(found.skipped) == {
        "train_data/2313.wav",
        "train_data/9999.wav",
        "test_data/1727.wav",
    }
    assert "0 bytes" in found.skipped["train_data/2313.wav"]
    assert "no entry in" in found.skipped["train_data/9999.wav"]
    assert "double" in found.skipped["test_data/1727.wav"]


def test_musicnet_without_metadata_says_where_to_get_them(data):
    put(data / "musicnet", "train_data/1727.wav")
    for call in (load_dataset, datasets.available):
        with pytest.raises(InputError, match="lacks musicnet_metadata.csv.*Get it from https://"):
            call("musicnet")


@pytest.mark.parametrize(
    "content",
    [
        "id,composer\n1727,Schubert\n",
        "id,composer,ensemble\n1727,Schubert\n",
        "<html>Not found</html>\n1727\n",
        "id,composer,ensemble\n1727,Schubert,\0\udcff",
    ],
)
def test_damaged_metadata_are_named(data, content):
    own_musicnet(data)
    place = data / "musicnet" / "musicnet_metadata.csv"
    place.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match="musicnet_metadata.csv is damaged.*Get it again"):
        load_dataset("musicnet")


@pytest.mark.parametrize("content", ["", "id,composer,ensemble\n1,Bach,Solo Cello\n"])
def test_metadata_that_name_no_recording_of_the_copy_are_of_no_use(data, content):
    own_musicnet(data, content=content)
    with pytest.raises(InputError, match="holds no recordings that .*musicnet_metadata.csv names"):
        load_dataset("musicnet")


def test_a_domain_of_musicnet_is_a_composer_and_an_ensemble(data):
    own_musicnet(data)
    assert list(load_domain("musicnet:Beethoven Solo Piano").files) == ["2313"]
    with pytest.raises(InputError, match="no domain 'Solo Piano'; it has Beethoven Solo Piano, "):
        load_domain("musicnet:Solo Piano")


# A copy of one's own: NSynth


@pytest.mark.parametrize("split", nsynth.SPLITS)
@pytest.mark.parametrize("place", ["nsynth", ""])
def test_nsynth_is_found_in_each_layout(data, place, split):
    root = own_nsynth(data, split, place)
    found = load_dataset("nsynth", split=split)
    assert nsynth.find(split).root == found.root == root and found.skipped == {}
    assert found.files == {name: root / "audio" / f"{name}.wav" for name in sorted(NOTES)}
    assert found.labels["guitar_electronic_001-061-025"] == {
        "family": "guitar",
        "source": "electronic",
        "pitch": 61,
        "velocity": 25,
        "domain": "guitar",
        "split": split,
    }


def test_nsynth_gives_its_test_split_unless_asked(data):
    own_nsynth(data, "valid")
    assert not datasets.available("nsynth")
    root = own_nsynth(data)
    assert datasets.available("nsynth")
    assert load_dataset("nsynth").root == root
    with pytest.raises(InputError, match="split is 'all'; NSynth has test, valid, train"):
        load_dataset("nsynth", split="all")


def test_what_of_nsynth_cannot_be_used_is_listed_with_the_reason(data):
    root = own_nsynth(data, names=NOTES[:2])
    put(root, f"audio/{NOTES[0]}.wav", content=b"")
    put(root, "audio/._other.wav")
    found = load_dataset("nsynth")
    assert list(found.files) == list(found.labels) == [NOTES[1]]
    assert "0 bytes" in found.skipped[f"audio/{NOTES[0]}.wav"]
    assert "examples.json" in found.skipped[f"audio/{NOTES[2]}.wav"]


def test_nsynth_without_metadata_or_recordings_says_so(data):
    root = own_nsynth(data)
    (root / "examples.json").rename(root / "elsewhere.json")
    with pytest.raises(InputError, match="nsynth-test lacks examples.json"):
        load_dataset("nsynth")
    (root / "elsewhere.json").rename(root / "examples.json")
    (root / "audio").rename(root / "sounds")
    with pytest.raises(InputError, match="holds no recordings that .*examples.json names"):
        load_dataset("nsynth")


@pytest.mark.parametrize("content", ["", "[]", '{"a": {}}', '{"a": 1}', '{"a": {"pitch', "null"])
def test_a_damaged_table_of_nsynth_is_named(data, content):
    own_nsynth(data, content=content)
    with pytest.raises(InputError, match="examples.json is damaged"):
        load_dataset("nsynth")


def test_a_domain_of_nsynth_is_a_family(data):
    own_nsynth(data)
    assert list(load_domain("nsynth:guitar").files) == sorted(NOTES[:2])
    with pytest.raises(InputError, match="no domain 'flute'; it has bass, guitar"):
        load_domain("nsynth:flute")


# The download


@pytest.fixture
def served(monkeypatch):
    """Serve files of this dict on this computer, by name; list the requests."""
    files, requests = {}, []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path[1:]
            requests.append(name)
            if name not in files:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(files[name])))
            self.end_headers()
            self.wfile.write(files[name])

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("AUDIOSTYLE_OFFLINE", "0")
    for module in (musicnet, nsynth):
        monkeypatch.setattr(module, "_ADDRESS", f"http://127.0.0.1:{http.server_port}/")
    yield files, requests
    http.shutdown()
    thread.join()
    http.server_close()


def packed(**members):
    """Pack files by their paths."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return archive.getvalue()


def serve(served, monkeypatch, name, archive):
    """Offer an archive as that of a data set, and make its sum the one that is expected."""
    files, _ = served
    if name == "nsynth":
        files["nsynth-test.jsonwav.tar.gz"] = archive
        monkeypatch.setitem(nsynth._SUMS, "test", hashlib.sha256(archive).hexdigest())
        return
    files["musicnet.tar.gz"], files["musicnet_metadata.csv"] = archive, METADATA.encode()
    table = hashlib.sha256(METADATA.encode()).hexdigest()
    sums = {
        "musicnet.tar.gz": f"md5:{hashlib.md5(archive).hexdigest()}",
        "musicnet_metadata.csv": table,
    }
    monkeypatch.setattr(musicnet, "_SUMS", sums)


def whole(name):
    """Pack what the official archive of a data set holds, but shorter."""
    if name == "nsynth":
        members = {f"nsynth-test/audio/{note}.wav": sound() for note in NOTES}
        return packed(
            **members, **{"nsynth-test/examples.json": json.dumps(examples(*NOTES)).encode()}
        )
    places = ("train_data/1727", "train_data/2313", "test_data/1759")
    members = {f"musicnet/{place}.wav": sound() for place in places}
    return packed(**members, **{"musicnet/train_labels/1727.csv": b"start_time,end_time\n"})


NAMES = ["musicnet", "nsynth"]


@pytest.mark.parametrize("name", NAMES)
def test_the_archive_is_downloaded_unpacked_once_and_removed(served, monkeypatch, tmp_path, name):
    files, requests = served
    serve(served, monkeypatch, name, whole(name))
    assert not datasets.available(name)
    for _ in range(2):
        found = load_dataset(name)
        assert len(found.files) == 3 and found.skipped == {}
        assert found.root.is_relative_to(tmp_path / "cache" / name)
        assert all(path.stat().st_size for path in found.files.values())
    assert sorted(requests) == sorted(files)
    assert datasets.available(name)
    assert os.listdir(tmp_path / "cache") == [name]


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_checksum_leaves_nothing_to_be_used(served, monkeypatch, tmp_path, name):
    serve(served, monkeypatch, name, whole(name))
    files, _ = served
    archive = next(key for key in files if key.endswith(".gz"))
    files[archive] = whole(name)[:-1] + b"x"
    kind = {"musicnet": "MD5", "nsynth": "SHA-256"}[name]
    with pytest.raises(InputError, match=f"its {kind} sum differs.*below AUDIOSTYLE_DATA"):
        load_dataset(name)
    assert not datasets.available(name)
    assert not list((tmp_path / "cache").rglob("*.gz*")) + list((tmp_path / "cache").rglob("*.wav"))


def test_changed_metadata_are_refused_before_the_archive_is_asked_for(served, monkeypatch):
    serve(served, monkeypatch, "musicnet", whole("musicnet"))
    files, requests = served
    files["musicnet_metadata.csv"] += b"1,Nobody,,,,,,,\n"
    with pytest.raises(InputError, match="musicnet_metadata.csv sent is not"):
        load_dataset("musicnet")
    assert requests == ["musicnet_metadata.csv"]


def test_lost_metadata_do_not_cost_another_download_of_the_archive(served, monkeypatch, tmp_path):
    serve(served, monkeypatch, "musicnet", whole("musicnet"))
    _, requests = served
    load_dataset("musicnet")
    (tmp_path / "cache" / "musicnet" / "musicnet_metadata.csv").unlink()
    assert len(load_dataset("musicnet").files) == 3
    assert requests.count("musicnet.tar.gz") == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_cut_archive_leaves_nothing_to_be_used(served, monkeypatch, tmp_path, name):
    archive = whole(name)
    serve(served, monkeypatch, name, archive[: len(archive) // 2])
    with pytest.raises(InputError, match="is damaged"):
        load_dataset(name)
    assert not datasets.available(name)
    assert not list((tmp_path / "cache").rglob("*.wav"))


@pytest.mark.parametrize("path", ["../../outside.wav", "/outside.wav", "nsynth-test/../../x.wav"])
@pytest.mark.parametrize("name", NAMES)
def test_an_archive_that_reaches_out_is_not_unpacked(served, monkeypatch, tmp_path, name, path):
    serve(served, monkeypatch, name, packed(**{"good.wav": sound(), path: b"evil"}))
    with pytest.raises(InputError, match="outside its own folder"):
        load_dataset(name)
    assert not list(tmp_path.rglob("*.wav")) and not datasets.available(name)


@pytest.mark.parametrize("name", NAMES)
def test_an_archive_of_something_else_is_named(served, monkeypatch, name):
    serve(served, monkeypatch, name, packed(**{"other/readme.txt": b"hello"}))
    with pytest.raises(InputError, match="holds no recordings|lacks examples.json"):
        load_dataset(name)


@pytest.mark.parametrize("name", NAMES)
def test_without_a_copy_and_offline_it_says_what_to_do(name):
    assert not datasets.available(name)
    with pytest.raises(InputError, match=f"AUDIOSTYLE_OFFLINE.*as {name}.* below AUDIOSTYLE_DATA"):
        load_dataset(name)


def test_the_addresses_are_encrypted_and_what_is_downloaded_has_its_sum():
    assert musicnet._ADDRESS.startswith("https://") and nsynth._ADDRESS.startswith("https://")
    assert set(musicnet.ENTRY.checksums) == {"musicnet.tar.gz", "musicnet_metadata.csv"}
    assert set(nsynth.ENTRY.checksums) == {
        f"nsynth-{split}.jsonwav.tar.gz" for split in ("test", "valid", "train")
    }
    assert musicnet.ENTRY.licence == nsynth.ENTRY.licence == "CC BY 4.0"
