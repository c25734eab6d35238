import hashlib
import io
import os
import socket
import stat
import subprocess
import sys
import tarfile
import threading
import zipfile
from dataclasses import asdict, fields
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from audiostyle_utils import audio, datasets, load_dataset
from audiostyle_utils.datasets import archives, fetch, librosa_examples, style_clips
from audiostyle_utils.errors import InputError

CONTENT = np.random.default_rng(0).bytes(300_000)
SUM = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOSTYLE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Server:
    """A web server on this computer that counts, and that may break off or know no ranges."""

    def __init__(self):
        self.content, self.status = CONTENT, 200
        self.break_after, self.ranges = None, True
        self.requests, self.sent = [], 0
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,))
        self.thread.start()
        self.address = f"http://127.0.0.1:{self.http.server_port}/"

    def close(self):
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()

    def handler(self):
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                wanted = self.headers.get("Range")
                server.requests.append(wanted)
                start = int(wanted[6:-1]) if wanted and server.ranges else 0
                if server.status != 200 or start >= len(server.content):
                    self.send_error(server.status if server.status != 200 else 416)
                    return
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(server.content) - start))
                self.end_headers()
                end = len(server.content)
                end = end if server.break_after is None else start + server.break_after
                body = server.content[start:end]
                server.sent += len(body)  # before the client can have all of it, and look
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler


@pytest.fixture
def server():
    running = Server()
    yield running
    running.close()


def names_in(folder):
    return sorted(path.name for path in folder.rglob("*")) if folder.exists() else []


# Downloads


def test_download_arrives_and_is_not_repeated(server, tmp_path):
    target = tmp_path / "new" / "clip.ogg"
    for _ in range(2):
        assert fetch.download(server.address + "clip.ogg", SUM, target) == target
    assert target.read_bytes() == CONTENT
    assert names_in(target.parent) == ["clip.ogg"]
    assert len(server.requests) == 1


def test_wrong_content_leaves_nothing_behind(server, tmp_path):
    with pytest.raises(InputError, match="SHA-256"):
        fetch.download(server.address, "0" * 64, tmp_path / "data" / "clip.ogg")
    assert names_in(tmp_path / "data") == []


def test_a_file_may_be_known_by_its_md5_sum_only(server, tmp_path):
    target = tmp_path / "data" / "clip.ogg"
    with pytest.raises(InputError, match="its MD5 sum differs"):
        fetch.download(server.address, f"md5:{'0' * 32}", target)
    assert names_in(tmp_path / "data") == []
    for _ in range(2):
        fetch.download(server.address, f"md5:{hashlib.md5(CONTENT).hexdigest()}", target)
    assert target.read_bytes() == CONTENT and len(server.requests) == 2


def test_interrupted_download_resumes(server, tmp_path):
    target = tmp_path / "clip.ogg"
    server.break_after = 200_000
    with pytest.raises(InputError, match="goes on where it stopped"):
        fetch.download(server.address, SUM, target)
    assert not target.exists()
    arrived = (tmp_path / "clip.ogg.part").stat().st_size
    assert arrived > 100_000

    server.break_after, server.sent = None, 0
    fetch.download(server.address, SUM, target)
    assert server.requests[-1] == f"bytes={arrived}-"
    assert server.sent == len(CONTENT) - arrived
    assert target.read_bytes() == CONTENT
    assert names_in(tmp_path) == ["clip.ogg"]


def test_server_without_ranges_starts_anew(server, tmp_path):
    (tmp_path / "clip.ogg.part").write_bytes(CONTENT[:1000])
    server.ranges = False
    fetch.download(server.address, SUM, tmp_path / "clip.ogg")
    assert (tmp_path / "clip.ogg").read_bytes() == CONTENT


@pytest.mark.parametrize("part", [CONTENT, CONTENT + b"too much", b"of another file"])
def test_any_remainder_ends_in_the_right_file(server, tmp_path, part):
    (tmp_path / "clip.ogg.part").write_bytes(part)
    fetch.download(server.address, SUM, tmp_path / "clip.ogg")
    assert (tmp_path / "clip.ogg").read_bytes() == CONTENT
    assert names_in(tmp_path) == ["clip.ogg"]


def test_damaged_file_is_replaced(server, tmp_path):
    (tmp_path / "clip.ogg").write_bytes(b"damaged")
    fetch.download(server.address, SUM, tmp_path / "clip.ogg")
    assert (tmp_path / "clip.ogg").read_bytes() == CONTENT


@pytest.mark.parametrize("status", [403, 404, 500])
def test_refusal_of_the_server_is_explained(server, tmp_path, status):
    server.status = status
    with pytest.raises(InputError, match="could not be downloaded"):
        fetch.download(server.address, SUM, tmp_path / "clip.ogg")
    assert names_in(tmp_path) == []


def test_absent_server_is_explained(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(InputError, match="could not be downloaded"):
        fetch.download(f"http://127.0.0.1:{port}/", SUM, tmp_path / "clip.ogg")


def test_offline_never_connects(server, tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOSTYLE_OFFLINE", "1")
    target = tmp_path / "clip.ogg"
    with pytest.raises(InputError, match="AUDIOSTYLE_OFFLINE"):
        fetch.download(server.address, SUM, target)
    target.write_bytes(CONTENT)
    assert fetch.download(server.address, SUM, target) == target
    assert server.requests == []


# Archives


def tar_of(path, *members, mode="w"):
    """Write a tar of (name, content) or of finished TarInfo objects."""
    with tarfile.open(path, mode) as file:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                file.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            file.addfile(info, io.BytesIO(member[1]))
    return path


def zip_of(path, *members):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members:
            file.writestr(name, content)
    return path


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar_is_unpacked(tmp_path, mode):
    members = (("a/one.wav", b"one"), ("a/b/two.wav", b"two"))
    archive = tar_of(tmp_path / "data.tar", *members, mode=mode)
    folder = archives.extract(archive, tmp_path / "deep" / "out")
    assert (folder / "a/one.wav").read_bytes() == b"one"
    assert (folder / "a/b/two.wav").read_bytes() == b"two"
    assert names_in(tmp_path / "deep") == ["a", "b", "one.wav", "out", "two.wav"]


def test_zip_is_unpacked(tmp_path):
    archive = zip_of(tmp_path / "data.zip", ("a/", b""), ("a/one.wav", b"one"), ("..two", b"two"))
    folder = archives.extract(archive, tmp_path / "out")
    assert (folder / "a/one.wav").read_bytes() == b"one"
    assert (folder / "..two").read_bytes() == b"two"


def test_links_within_become_copies(tmp_path):
    archive = tar_of(
        tmp_path / "data.tar",
        ("a/one.wav", b"one"),
        special("b/same.wav", tarfile.SYMTYPE, "../a/one.wav"),
        special("c.wav", tarfile.LNKTYPE, "a/one.wav"),
    )
    folder = archives.extract(archive, tmp_path / "out")
    for name in ("b/same.wav", "c.wav"):
        assert (folder / name).read_bytes() == b"one"
        assert not (folder / name).is_symlink()


OUTSIDE = ["../evil", "a/../../evil", "/tmp/evil", "..\\evil", "C:\\evil", "C:evil", "\\\\host\\x"]


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("pack", [tar_of, zip_of])
def test_names_that_lie_outside_are_refused(tmp_path, pack, name):
    inner = tmp_path / "inner"
    inner.mkdir()
    archive = pack(tmp_path / "data.archive", ("good.wav", b"good"), (name, b"evil"))
    before = names_in(tmp_path)
    with pytest.raises(InputError, match="outside"):
        archives.extract(archive, inner / "out")
    assert names_in(tmp_path) == before


@pytest.mark.parametrize(
    "member",
    [
        special("link", tarfile.SYMTYPE, "../outside"),
        special("link", tarfile.SYMTYPE, "/etc/hostname"),
        special("a/link", tarfile.SYMTYPE, "../../outside"),
        special("link", tarfile.SYMTYPE, "missing"),
        special("link", tarfile.LNKTYPE, "../outside"),
        special("link", tarfile.LNKTYPE, "/etc/hostname"),
        special("pipe", tarfile.FIFOTYPE),
        special("device", tarfile.CHRTYPE),
    ],
    ids=lambda member: f"{member.name} {member.linkname}",
)
def test_links_and_devices_are_refused(tmp_path, member):
    (tmp_path / "outside").write_text("mine")
    archive = tar_of(tmp_path / "data.tar", ("good.wav", b"good"), member)
    before = names_in(tmp_path)
    with pytest.raises(InputError, match="not unpacked"):
        archives.extract(archive, tmp_path / "out")
    assert names_in(tmp_path) == before


def test_write_through_a_link_is_refused(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    archive = tar_of(
        tmp_path / "data.tar",
        special("a", tarfile.SYMTYPE, str(outside)),
        ("a/evil", b"evil"),
    )
    with pytest.raises(InputError, match="not unpacked"):
        archives.extract(archive, tmp_path / "out")
    assert names_in(outside) == []


def test_link_in_a_zip_is_refused(tmp_path):
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive = zip_of(tmp_path / "data.zip", (info, b"/etc/hostname"))
    with pytest.raises(InputError, match="link"):
        archives.extract(archive, tmp_path / "out")
    assert names_in(tmp_path) == ["data.zip"]


@pytest.mark.parametrize("kind", ["tar.gz", "tar.xz", "zip"])
def test_damaged_archive_leaves_nothing(tmp_path, kind):
    archive = tmp_path / f"data.{kind}"
    if kind == "zip":
        zip_of(archive, ("one", CONTENT))
    else:
        tar_of(archive, ("one", CONTENT), mode=f"w:{kind[-2:]}")
    whole = bytearray(archive.read_bytes())
    whole[len(whole) // 2] ^= 0xFF
    for damaged in (bytes(whole[: len(whole) // 2]), bytes(whole), b"no archive", b""):
        archive.write_bytes(damaged)
        with pytest.raises(InputError, match=archive.name):
            archives.extract(archive, tmp_path / "out")
        assert names_in(tmp_path) == [archive.name]


def test_existing_folder_is_left_alone(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match="exists"):
        archives.extract(zip_of(tmp_path / "a.zip", ("one", b"1")), tmp_path / "out")
    with pytest.raises(InputError, match="not a file"):
        archives.extract(tmp_path / "missing.zip", tmp_path / "new")


# The catalogue


def test_catalogue_says_everything_in_plain_values():
    catalogue = datasets.catalogue()
    assert {"style_clips", "neural_style_audio", "librosa_examples"} <= set(catalogue)
    for name, entry in catalogue.items():
        assert entry.name == name
        assert entry.kind in {"built-in", "download", "own copy"}
        plain = asdict(entry)
        for field in fields(entry):
            if field.name != "checksums":
                assert plain[field.name], f"{name} has no {field.name}"
        for kind, _, total in (value.rpartition(":") for value in entry.checksums.values()):
            assert len(bytes.fromhex(total)) == {"": 32, "md5": 16}[kind]
        assert bool(entry.checksums) == (entry.kind == "download")


def test_unknown_name_comes_with_the_list():
    with pytest.raises(InputError, match=r"Did you mean style_clips\?.*librosa_examples"):
        load_dataset("style_clip")
    with pytest.raises(InputError, match="style_clips"):
        datasets.available("anything")


def test_data_folder_that_does_not_exist_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOSTYLE_DATA", str(tmp_path / "nowhere"))
    for name in ("style_clips", "neural_style_audio", "librosa_examples"):
        with pytest.raises(InputError, match="nowhere"):
            load_dataset(name)


# Each data set


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIOSTYLE_CACHE", str(folder))
        yield folder, load_dataset("style_clips")


@pytest.mark.parametrize("name", ["chorale", "rag", "harp", "speech"])
def test_clip_has_its_length_level_and_no_clipping(clips, name):
    y, sr = audio.load(clips[1].files[name], sr=None, mono=False)
    assert sr == 22050
    assert y.shape in {(220500,), (1, 220500)}
    assert np.abs(y).max() < 0.95
    assert 20 * np.log10(np.sqrt(np.mean(y**2))) == pytest.approx(-20, abs=0.05)
    assert np.flatnonzero(np.abs(y.ravel()) > 0.01)[0] < 0.05 * sr
    seconds = y.reshape(10, -1)
    assert (20 * np.log10(seconds.std(axis=1)) > -40).all(), "a second of silence"


def test_clips_are_made_once(clips, monkeypatch):
    folder, first = clips
    monkeypatch.setenv("AUDIOSTYLE_CACHE", str(folder))
    times = {path: path.stat().st_mtime_ns for path in first.files.values()}
    again = load_dataset("style_clips")
    assert again.files == first.files
    assert {path: path.stat().st_mtime_ns for path in again.files.values()} == times
    assert sorted(p.name for p in first.root.iterdir()) == sorted(f"{n}.flac" for n in first.files)


def test_lost_clip_is_made_again_and_is_the_same(clips, monkeypatch):
    folder, dataset = clips
    monkeypatch.setenv("AUDIOSTYLE_CACHE", str(folder))
    before = dataset.files["chorale"].read_bytes()
    dataset.files["chorale"].unlink()
    assert load_dataset("style_clips").files["chorale"].read_bytes() == before


def test_other_rules_get_another_folder(monkeypatch):
    before = style_clips._folder()
    monkeypatch.setitem(style_clips._SCORES["rag"], "tempo", 91)
    assert style_clips._folder() != before


def test_two_processes_may_make_the_clips_at_once(tmp_path):
    code = "from audiostyle_utils import load_dataset; print(load_dataset('style_clips').root)"
    # Only the quickest clip, so that both processes are at it together and soon done.
    code = (
        "from audiostyle_utils.datasets import style_clips; "
        "style_clips._FILES = {'speech': 'speech.flac'}; " + code
    )
    env = os.environ | {"AUDIOSTYLE_CACHE": str(tmp_path / "shared")}
    both = [
        subprocess.Popen([sys.executable, "-c", code], env=env, stdout=-1, stderr=-1, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0]
    names = names_in(tmp_path / "shared")
    assert names == ["speech.flac", os.path.basename(outputs[0][0].strip())]


def test_clips_need_no_network(clips, monkeypatch):
    monkeypatch.setenv("AUDIOSTYLE_OFFLINE", "1")
    assert datasets.available("style_clips")


def test_cache_that_cannot_be_made_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("AUDIOSTYLE_CACHE", str(tmp_path / "file" / "below"))
    with pytest.raises(InputError, match="AUDIOSTYLE_CACHE"):
        load_dataset("style_clips")


def own_folder(tmp_path, monkeypatch, folder, names):
    place = tmp_path / "own" / folder
    place.mkdir(parents=True)
    for name in names:
        (place / name).write_bytes(b"sound")
    monkeypatch.setenv("AUDIOSTYLE_DATA", str(tmp_path / "own"))
    return place


def test_own_copy_comes_first(tmp_path, monkeypatch, cache):
    place = own_folder(tmp_path, monkeypatch, "style_clips", style_clips._FILES.values())
    dataset = load_dataset("style_clips")
    assert dataset.root == place
    assert dataset.files["rag"] == place / "rag.flac"
    assert not cache.exists()


def test_commercial_clips_are_never_downloaded(tmp_path, monkeypatch):
    assert not datasets.available("neural_style_audio")
    with pytest.raises(InputError, match="never downloaded.*imperial.mp3.*AUDIOSTYLE_DATA"):
        load_dataset("neural_style_audio")
    place = own_folder(tmp_path, monkeypatch, "music/neural_style_audio", ["imperial.mp3"])
    with pytest.raises(InputError, match="lacks usa.mp3"):
        load_dataset("neural_style_audio")
    (place / "usa.mp3").write_bytes(b"sound")
    (place / "more.mp3").write_bytes(b"sound")
    dataset = load_dataset("neural_style_audio")
    assert datasets.available("neural_style_audio")
    assert dataset.files == {n: place / f"{n}.mp3" for n in ("imperial", "more", "usa")}


def test_recordings_are_downloaded_once(server, monkeypatch, cache):
    monkeypatch.setattr(librosa_examples, "_ADDRESS", server.address)
    monkeypatch.setattr(librosa_examples, "_SUMS", dict.fromkeys(librosa_examples._FILES, SUM))
    assert not datasets.available("librosa_examples")
    for _ in range(2):
        dataset = load_dataset("librosa_examples")
    assert datasets.available("librosa_examples")
    assert dataset.root == cache / "librosa_examples"
    assert all(path.read_bytes() == CONTENT for path in dataset.files.values())
    assert len(server.requests) == len(dataset.files)


def test_recordings_offline_say_what_to_do(monkeypatch):
    monkeypatch.setenv("AUDIOSTYLE_OFFLINE", "1")
    with pytest.raises(InputError, match="AUDIOSTYLE_OFFLINE"):
        load_dataset("librosa_examples")


def test_own_recordings_need_no_network(tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOSTYLE_OFFLINE", "1")
    names = list(librosa_examples._FILES.values())
    place = own_folder(tmp_path, monkeypatch, "librosa", names[1:])
    with pytest.raises(InputError, match=names[0]):
        load_dataset("librosa_examples")
    (place / names[0]).write_bytes(b"sound")
    assert load_dataset("librosa_examples").root == place
