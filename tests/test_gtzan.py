"""GTZAN: where a copy may lie, what cannot be used, the published split, the download."""

import hashlib
import io
import json
import os
import tarfile
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import soundfile as sf

from audiostyle_utils import InputError, audio, datasets, load_dataset
from audiostyle_utils.datasets import fetch, gtzan

SR = 22050


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    """Give an empty folder for the reader's own data, and an empty cache."""
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("AUDIOSTYLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AUDIOSTYLE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("AUDIOSTYLE_OFFLINE", "1")
    return tmp_path / "data"


def tracks(root, *names, suffix=".wav"):
    for name in names:
        folder = root / name.split(".")[0]
        folder.mkdir(parents=True, exist_ok=True)
        sf.write(folder / f"{name}{suffix}", np.full(8000, 0.1), SR)


# A copy of one's own


@pytest.mark.parametrize("place", gtzan._PLACES)
def test_a_copy_is_found_in_each_layout(data, place):
    tracks(data / place, "rock.00003", "blues.00001", "blues.00000")
    found = load_dataset("gtzan")
    assert datasets.available("gtzan")
    assert found.root == data / place
    assert list(found.files) == ["blues.00000", "blues.00001", "rock.00003"]
    assert found.files["rock.00003"] == data / place / "rock" / "rock.00003.wav"
    assert found.skipped == {}


def test_the_folder_genres_within_comes_before_the_one_around_it(data):
    tracks(data / "gtzan" / "genres", "blues.00000", "jazz.00000")
    tracks(data / "gtzan" / "features", "x.00000", "y.00000")
    assert set(load_dataset("gtzan").files) == {"blues.00000", "jazz.00000"}


@pytest.mark.parametrize("suffix", [".au", ".wav", ".ogg", ".flac", ".mp3", ".WAV"])
def test_every_format_is_found_and_can_be_read(data, suffix):
    tracks(data / "genres", "blues.00000", "jazz.00000", suffix=suffix)
    found = load_dataset("gtzan")
    assert set(found.files) == {"blues.00000", "jazz.00000"}
    assert audio.load(found.files["jazz.00000"], sr=None)[1] == SR


def test_genres_stand_in_their_order_and_own_genres_behind_them(data):
    own = ["techno", "bebop"]
    for genre in [*reversed(gtzan.GENRES), *own]:
        tracks(data / "genres", f"{genre}.00000")
    found = load_dataset("gtzan")
    genres = [label["genre"] for label in found.labels.values()]
    assert genres == [*gtzan.GENRES, "bebop", "techno"]
    assert list(found.labels) == list(found.files)


def test_own_files_get_the_name_of_their_genre_in_front(data):
    tracks(data / "genres", "blues.00000")
    (data / "genres" / "techno").mkdir()
    for folder in ("techno", "blues"):
        sf.write(data / "genres" / folder / "my song.flac", np.full(400, 0.1), SR)
    found = load_dataset("gtzan")
    assert set(found.files) == {"blues.00000", "blues.my song", "techno.my song"}
    assert found.labels["techno.my song"] == {"genre": "techno", "filtered": None}


def test_what_cannot_be_used_is_listed_with_the_reason(data):
    root = data / "genres"
    tracks(root, "blues.00000", "blues.00001", "jazz.00000", "jazz.00053")
    tracks(root, "blues.00001", suffix=".au")
    (root / "jazz" / "jazz.00054.wav").write_bytes(b"no sound at all")
    (root / "jazz" / "jazz.00055.wav").write_bytes(b"")
    (root / "metal").mkdir()
    for other in ("._blues.00002.wav", "notes.txt"):
        (root / "blues" / other).write_bytes(b"of no interest")
    found = load_dataset("gtzan")
    assert list(found.files) == ["blues.00000", "blues.00001", "jazz.00000", "jazz.00053"]
    reasons = {
        "blues/blues.00001.wav": "double",
        "jazz/jazz.00054.wav": "jazz.00054.wav",
        "jazz/jazz.00055.wav": "0 bytes",
        "metal": "no recordings",
    }
    assert set(found.skipped) == set(reasons)
    assert all((root / name).exists() for name in reasons)
    assert all(words in found.skipped[name] for name, words in reasons.items())


def test_files_of_one_name_in_two_genres_are_both_listed(data):
    root = data / "genres"
    tracks(root, "blues.00000", "jazz.00000")
    for genre in ("blues", "jazz"):
        (root / genre / "take 1.wav").write_bytes(b"")
    found = load_dataset("gtzan")
    assert list(found.skipped) == ["blues/take 1.wav", "jazz/take 1.wav"]
    assert all(str(root / name) in reason for name, reason in found.skipped.items())


def test_the_damaged_track_is_used_where_it_is_whole_and_not_where_it_is_cut(data):
    tracks(data / "genres", "jazz.00054", "rock.00000", suffix=".au")
    assert "jazz.00054" in load_dataset("gtzan").files
    place = data / "genres" / "jazz" / "jazz.00054.au"
    place.write_bytes(place.read_bytes()[:500])
    tracks(data / "genres", "jazz.00001")
    found = load_dataset("gtzan")
    assert "jazz.00054" not in found.files and "cut short" in found.skipped["jazz/jazz.00054.au"]


def test_a_link_to_nowhere_is_listed(data):
    tracks(data / "genres", "blues.00000", "jazz.00000")
    os.symlink(data / "nowhere", data / "genres" / "jazz" / "jazz.00001.wav")
    assert "no file" in load_dataset("gtzan").skipped["jazz/jazz.00001.wav"]


def test_folders_that_are_no_use_say_so(data):
    root = data / "gtzan"
    root.mkdir()
    (root / "blues.00000.wav").write_bytes(b"sound")
    with pytest.raises(InputError, match="no genre folders"):
        load_dataset("gtzan")
    (root / "blues").mkdir()
    (root / "jazz").mkdir()
    with pytest.raises(InputError, match="no recordings"):
        datasets.available("gtzan")
    tracks(root, "blues.00000", "blues.00001")
    with pytest.raises(InputError, match="only the genre blues"):
        load_dataset("gtzan")
    tracks(root, "jazz.00000")
    assert len(load_dataset("gtzan").files) == 3


def test_without_a_copy_and_offline_it_says_what_to_do():
    assert not datasets.available("gtzan")
    with pytest.raises(InputError, match="AUDIOSTYLE_OFFLINE.*gtzan/genres below AUDIOSTYLE_DATA"):
        load_dataset("gtzan")


# The published split


def test_the_split_has_the_published_sizes_and_no_track_twice():
    assert Counter(gtzan._filtered().values()) == {"train": 443, "valid": 197, "test": 290}
    text = (gtzan.Path(gtzan.__file__).parent / "gtzan_filtered.json").read_text("utf-8")
    stored = json.loads(text)
    numbers = [(g, n) for genres in stored.values() for g in genres for n in genres[g]]
    assert len(set(numbers)) == len(numbers) == 930
    assert tuple(stored) == gtzan.PARTS
    for genres in stored.values():
        assert tuple(genres) == gtzan.GENRES
        assert all(listed == sorted(listed) for listed in genres.values())
    assert all(0 <= number < 100 for _, number in numbers)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("blues.00000", "valid"),
        ("blues.00012", "test"),
        ("blues.00029", "train"),
        ("jazz.00054", "train"),
        ("pop.00015", None),
        ("rock.00099", "train"),
        ("rock.00100", None),
    ],
)
def test_known_tracks_are_in_their_part(data, name, part):
    tracks(data / "genres", name, "disco.00000")
    label = load_dataset("gtzan").labels[name]
    assert label == {"genre": name.split(".")[0], "filtered": part}


# The download


def archive(*names, suffix=".au"):
    sound, packed = io.BytesIO(), io.BytesIO()
    sf.write(sound, np.full(400, 0.1), SR, format="AU")
    with tarfile.open(fileobj=packed, mode="w:gz") as file:
        for name in names:
            info = tarfile.TarInfo(f"genres/{name.split('.')[0]}/{name}{suffix}")
            info.size = len(sound.getvalue())
            file.addfile(info, io.BytesIO(sound.getvalue()))
    return packed.getvalue()


@pytest.fixture
def served(monkeypatch):
    """Serve files of this dict on this computer, by path; count the requests."""
    files, requests = {}, []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            if self.path not in files:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(files[self.path])))
            self.end_headers()
            self.wfile.write(files[self.path])

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("AUDIOSTYLE_OFFLINE", "0")
    yield f"http://127.0.0.1:{http.server_port}", files, requests
    http.shutdown()
    thread.join()
    http.server_close()


def mirrors(monkeypatch, address, **contents):
    sums = {f"{address}/{k}": hashlib.sha256(v).hexdigest() for k, v in contents.items()}
    monkeypatch.setattr(gtzan, "_MIRRORS", sums)
    return sums


def test_the_archive_is_downloaded_unpacked_once_and_removed(served, monkeypatch, tmp_path):
    address, files, requests = served
    files["/one"] = archive("blues.00000", "jazz.00007")
    mirrors(monkeypatch, address, one=files["/one"])
    assert not datasets.available("gtzan")
    for _ in range(2):
        found = load_dataset("gtzan")
        assert set(found.files) == {"blues.00000", "jazz.00007"}
        assert found.root == tmp_path / "cache" / "gtzan" / "genres"
    assert requests == ["/one"]
    assert datasets.available("gtzan")
    assert os.listdir(tmp_path / "cache") == ["gtzan"]


def test_the_next_source_is_tried_and_may_hold_another_archive(served, monkeypatch):
    address, files, requests = served
    files["/two"] = b"not what it should be"
    files["/three"] = archive("pop.00000", "jazz.00007")
    expected = {"one": b"1", "two": b"2", "three": files["/three"]}
    mirrors(monkeypatch, address, **expected)
    assert set(load_dataset("gtzan").files) == {"pop.00000", "jazz.00007"}
    assert requests == ["/one", "/two", "/three"]


def test_if_no_source_has_it_each_reason_is_given(served, monkeypatch, tmp_path):
    address, files, _ = served
    files["/two"] = b"not what it should be"
    mirrors(monkeypatch, address, one=b"1", two=b"2")
    with pytest.raises(InputError, match="/one could not be .*/two sent is not.*AUDIOSTYLE_DATA"):
        load_dataset("gtzan")
    assert not (tmp_path / "cache" / "gtzan").exists()
    assert not datasets.available("gtzan")


def test_what_is_left_of_one_archive_is_not_taken_for_the_beginning_of_another(served, tmp_path):
    address, files, _ = served
    files["/two"] = b"second archive"
    totals = [hashlib.sha256(content).hexdigest() for content in (b"first archive", files["/two"])]
    left = tmp_path / f"{totals[0][:8]}-a.tar.gz.part"
    left.write_bytes(b"first ar")
    sources = {f"{address}/one": totals[0], f"{address}/two": totals[1]}
    arrived = fetch.download_any(sources, tmp_path / "a.tar.gz")
    assert arrived.read_bytes() == b"second archive"
    assert left.read_bytes() == b"first ar"


def test_no_other_source_is_asked_where_the_target_cannot_be_written(served, tmp_path):
    address, files, requests = served
    files["/one"], files["/two"] = b"first archive", b"second archive"
    sources = {f"{address}{k}": hashlib.sha256(v).hexdigest() for k, v in files.items()}
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written") as caught:
        fetch.download_any(sources, tmp_path / "file" / "a.tar.gz")
    assert str(caught.value).count("cannot be written") == 1 and requests == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no full disk to try")
def test_no_other_source_is_asked_where_the_disk_is_full(served, tmp_path):
    address, files, requests = served
    files["/one"], files["/two"] = b"first archive", b"second archive"
    sources = {f"{address}{k}": hashlib.sha256(v).hexdigest() for k, v in files.items()}
    first = next(iter(sources.values()))
    os.symlink("/dev/full", tmp_path / f"{first[:8]}-a.tar.gz.part")
    with pytest.raises(InputError, match="No space left"):
        fetch.download_any(sources, tmp_path / "a.tar.gz")
    assert requests == ["/one"]


def test_offline_what_a_later_source_gave_before_is_found(tmp_path):
    totals = [hashlib.sha256(content).hexdigest() for content in (b"first", b"second")]
    here = tmp_path / f"{totals[1][:8]}-a.tar.gz"
    here.write_bytes(b"second")
    sources = dict(zip(("https://one.invalid", "https://two.invalid"), totals, strict=True))
    assert fetch.download_any(sources, tmp_path / "a.tar.gz") == here
