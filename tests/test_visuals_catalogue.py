"""The catalogue of published styles: names, downloads that resume, and what is trusted."""

import hashlib
import logging
import socket
import stat
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from audiostyle_utils.errors import InputError
from audiostyle_utils.visuals import catalogue, styles
from audiostyle_utils.visuals.catalogue import (
    CATALOGUE,
    check_available,
    style_checksum,
    style_file,
)
from audiostyle_utils.visuals.pickles import load_generator
from audiostyle_utils.visuals.styles import show_styles

from .test_visuals_pickles import SETTINGS, program, snapshot, touch_in_python, vectors
from .test_visuals_pickles import called as called_with
from .test_visuals_pickles import named as global_name

CONTENT = snapshot(augment_pipe=bytes(300_000))
SUM = hashlib.sha256(CONTENT).hexdigest()
OTHER = snapshot({**SETTINGS, "c_dim": 0})


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIOSTYLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AUDIOSTYLE_OFFLINE", "0")
    return tmp_path / "cache" / "styles"


class Server:
    """A web server on this computer, which may break off."""

    def __init__(self):
        self.content, self.status, self.break_after = CONTENT, 200, None
        self.tells_length = True
        self.redirect = None
        self.requests = []
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,))
        self.thread.start()
        self.address = f"http://127.0.0.1:{self.http.server_port}/cifar10.pkl"

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
                start = int(wanted[6:-1]) if wanted else 0
                if server.redirect:
                    self.send_response(302)
                    self.send_header("Location", server.redirect)
                    self.end_headers()
                    return
                if server.status != 200 or start >= len(server.content):
                    self.send_error(server.status if server.status != 200 else 416)
                    return
                self.send_response(206 if start else 200)
                if server.tells_length:
                    self.send_header("Content-Length", str(len(server.content) - start))
                self.end_headers()
                end, server.break_after = server.break_after, None
                self.wfile.write(server.content[start:end])

            def log_message(self, *_):
                pass

        return Handler


@pytest.fixture
def server(monkeypatch):
    server = Server()
    lend(monkeypatch, server.address)
    yield server
    server.close()


def lend(monkeypatch, address):
    """Let a style of the catalogue come from another address."""
    entry = {**vars(CATALOGUE["cifar10"]), "address": address}
    monkeypatch.setitem(CATALOGUE, "cifar10", catalogue.PublishedStyle(**entry))


# Names


def test_nvidias_files_are_where_its_readme_says():
    base = "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/"
    named = {style.name: style.address for style in CATALOGUE.values() if style.address}
    for name in ("ffhq", "metfaces", "afhqcat", "afhqdog", "afhqwild", "cifar10", "brecahad"):
        assert named.pop(name) == f"{base}{name}.pkl"
    assert set(named) == {"ffhq256", "ffhq512", "ffhq1024", "celebahq256", "lsundog256"}
    for name, address in named.items():
        assert address.startswith(f"{base}transfer-learning-source-nets/{name[:4]}")
        assert f"-res{CATALOGUE[name].resolution}-" in address


def test_entries_are_plain_and_complete():
    for name, style in CATALOGUE.items():
        assert style.name == name == name.lower()
        assert style.title and style.licence and style.source
        assert style.resolution is None or style.resolution in {1 << i for i in range(5, 11)}
        assert style.address is None or style.address.startswith("https://")
    assert CATALOGUE["cifar10"].classes == 10


def test_styles_are_shown_built_in_ones_first(capsys):
    names = show_styles()
    built_in = list(styles.BUILT_IN)
    assert names[: len(built_in)] == built_in
    assert names[len(built_in) :] == [style.name for style in CATALOGUE.values() if style.address]
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == names
    assert styles.BUILT_IN[built_in[0]] in lines[0]


@pytest.mark.parametrize("name", ["wikiart", "abstract photos", "WikiArt", "my little pony"])
def test_names_of_2021_say_what_to_do(name):
    with pytest.raises(InputError, match=r"TensorFlow file from a third party.*\.pkl.*legacy\.py"):
        style_file(name)


def test_a_similar_style_is_named_where_there_is_one():
    for name, similar in catalogue._INSTEAD.items():
        assert CATALOGUE[name].address is None and CATALOGUE[similar].address
        with pytest.raises(InputError, match=f"the similar {similar}, a built-in style"):
            style_file(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ffqh", "Did you mean ffhq"),
        ("wikiartt", "no published style 'wikiartt'. Give one of"),
        ("", "one of ffhq"),
        (3, "no published style 3"),
        ("../ffhq", "no pub"),
    ],
)
def test_unknown_names_are_refused(name, message):
    with pytest.raises(InputError, match=message):
        style_file(name)
    with pytest.raises(InputError, match=message):
        style_checksum(name)
    with pytest.raises(InputError, match=message):
        check_available(name)


def test_whether_a_style_can_be_had_is_told_without_asking_for_it(server, cache, monkeypatch):
    assert check_available("CIFAR10 ") == CATALOGUE["cifar10"]
    monkeypatch.setenv("AUDIOSTYLE_OFFLINE", "1")
    with pytest.raises(InputError, match="AUDIOSTYLE_OFFLINE=1 forbids"):
        check_available("cifar10")
    cache.mkdir(parents=True)
    (cache / "cifar10.pkl").write_bytes(CONTENT)
    assert check_available("cifar10").classes == 10
    assert server.requests == []


# Downloads


def test_a_style_is_downloaded_once_and_can_be_loaded(server, cache):
    assert style_checksum("cifar10") is None
    path = style_file("CIFAR10 ")
    assert path == cache / "cifar10.pkl"
    assert path.read_bytes() == CONTENT
    assert style_file("cifar10") == path
    assert server.requests == [None]
    assert load_generator(path)(*vectors()).shape == (2, 3, 16, 16)


def test_the_first_checksum_is_kept_told_and_compared(server, cache, caplog):
    caplog.set_level(logging.INFO)
    path = style_file("cifar10")
    assert style_checksum("cifar10") == SUM
    assert SUM in caplog.text
    assert (cache / "cifar10.pkl.sha256").read_text().strip() == SUM
    path.write_bytes(OTHER)
    with pytest.raises(InputError, match=f"not the file that was expected.*not {SUM}"):
        style_file("cifar10")
    assert path.read_bytes() == OTHER


def test_a_second_download_must_be_like_the_first(server, cache):
    style_file("cifar10").unlink()
    server.content = OTHER
    with pytest.raises(InputError, match=f"thrown away.*not {SUM}"):
        style_file("cifar10")
    assert [file.name for file in cache.iterdir()] == ["cifar10.pkl.sha256"]
    server.content = CONTENT
    assert style_file("cifar10").read_bytes() == CONTENT


def test_a_known_checksum_is_required(server, cache):
    with pytest.raises(InputError, match=f"thrown away.*not {'0' * 64}"):
        style_file("cifar10", sha256="0" * 64)
    assert list(cache.iterdir()) == []
    assert style_file("cifar10", sha256=f" {SUM.upper()}").read_bytes() == CONTENT
    with pytest.raises(InputError, match="not the file that was expected"):
        style_file("cifar10", sha256="0" * 64)
    assert style_checksum("cifar10") == SUM


def test_a_known_checksum_overrules_the_one_that_was_kept(server):
    style_file("cifar10").write_bytes(OTHER)
    known = hashlib.sha256(OTHER).hexdigest()
    assert style_file("cifar10", sha256=known).read_bytes() == OTHER
    assert style_checksum("cifar10") == known


@pytest.mark.parametrize("sha256", ["", "12ab", "x" * 64, 5, b"0" * 64])
def test_what_is_no_checksum_is_refused(server, sha256):
    with pytest.raises(InputError, match="64 hexadecimal digits"):
        style_file("cifar10", sha256=sha256)
    assert server.requests == []


def test_a_file_that_somebody_put_there_is_taken_if_it_is_one(server, cache):
    cache.mkdir(parents=True)
    (cache / "cifar10.pkl").write_bytes(CONTENT)
    assert style_file("cifar10").read_bytes() == CONTENT
    assert style_checksum("cifar10") == SUM
    (cache / "cifar10.pkl.sha256").unlink()
    (cache / "cifar10.pkl").write_bytes(b"something else")
    with pytest.raises(InputError, match="is no pickle"):
        style_file("cifar10")
    assert style_checksum("cifar10") is None and server.requests == []


def test_a_broken_download_goes_on_where_it_stopped(server, cache):
    server.break_after = 200_000
    with pytest.raises(InputError, match="goes on where it stopped"):
        style_file("cifar10")
    assert [file.name for file in cache.iterdir()] == ["cifar10.pkl.part"]
    start = (cache / "cifar10.pkl.part").stat().st_size
    assert style_file("cifar10").read_bytes() == CONTENT
    assert start > 0 and server.requests == [None, f"bytes={start}-"]


def test_a_part_that_was_whole_is_taken(server, cache):
    cache.mkdir(parents=True)
    (cache / "cifar10.pkl.part").write_bytes(CONTENT)
    assert style_file("cifar10").read_bytes() == CONTENT
    assert [file.name for file in sorted(cache.iterdir())] == ["cifar10.pkl", "cifar10.pkl.sha256"]


def test_a_part_of_another_file_is_started_anew(server, cache):
    cache.mkdir(parents=True)
    (cache / "cifar10.pkl.part").write_bytes(b"<html>")
    assert style_file("cifar10").read_bytes() == CONTENT
    assert server.requests == ["bytes=6-", None]


@pytest.mark.parametrize("content", [b"<html>Sorry</html>", CONTENT[:-100]], ids=["page", "short"])
def test_what_is_no_style_gets_no_name(server, cache, content):
    server.content = content
    with pytest.raises(InputError, match="thrown away"):
        style_file("cifar10")
    assert list(cache.iterdir()) == []


def test_a_hostile_download_is_thrown_away_and_nothing_in_it_runs(server, cache, tmp_path):
    marker = tmp_path / "marker"
    run = called_with(global_name("builtins", "exec"), touch_in_python(marker))
    server.content = program(run)
    with pytest.raises(InputError, match=r"asks for builtins\.exec"):
        style_file("cifar10")
    assert not marker.exists() and list(cache.iterdir()) == []


def test_a_server_that_says_no_is_reported(server, cache):
    server.status = 404
    with pytest.raises(InputError, match="could not be downloaded.*HTTPError"):
        style_file("cifar10")
    assert list(cache.iterdir()) == []


def test_a_server_that_is_not_there_is_reported(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        lend(monkeypatch, f"http://127.0.0.1:{free.getsockname()[1]}/cifar10.pkl")
        with pytest.raises(InputError, match="could not be downloaded.*put it at .*cifar10.pkl "):
            style_file("cifar10")


def test_offline_nothing_is_asked_for_and_what_is_there_is_used(server, monkeypatch):
    monkeypatch.setenv("AUDIOSTYLE_OFFLINE", "1")
    with pytest.raises(InputError, match="AUDIOSTYLE_OFFLINE=1 forbids"):
        style_file("cifar10")
    assert server.requests == []
    monkeypatch.setenv("AUDIOSTYLE_OFFLINE", "0")
    style_file("cifar10")
    monkeypatch.setenv("AUDIOSTYLE_OFFLINE", "1")
    assert style_file("cifar10").read_bytes() == CONTENT


def test_a_damaged_record_is_reported(server, cache):
    style_file("cifar10")
    (cache / "cifar10.pkl.sha256").write_bytes(b"\xff")
    for ask in (style_file, style_checksum):
        with pytest.raises(InputError, match="does not hold the checksum"):
            ask("cifar10")


def test_a_cache_that_cannot_be_written_is_reported(server, cache):
    cache.parent.mkdir()
    cache.write_text("a file where the folder should be")
    with pytest.raises(InputError, match="cannot be written.*AUDIOSTYLE_CACHE"):
        style_file("cifar10")
    cache.unlink()
    cache.mkdir()
    (cache / "cifar10.pkl.part").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        style_file("cifar10")
    assert stat.S_ISDIR((cache / "cifar10.pkl.part").stat().st_mode)


@pytest.mark.parametrize(
    "further", ["http://example.org/cifar10.pkl", "/other.pkl", "//example.org/a"]
)
def test_a_detour_without_encryption_is_refused(server, cache, further):
    server.redirect = further
    with pytest.raises(InputError, match="leads on to http:.*no https address"):
        style_file("cifar10")
    assert server.requests == [None] and list(cache.iterdir()) == []


@pytest.mark.parametrize("tells_length", [True, False])
def test_an_endless_download_is_stopped_and_thrown_away(server, cache, monkeypatch, tells_length):
    server.tells_length = tells_length
    monkeypatch.setattr(catalogue, "_MOST_BYTES", len(CONTENT) - 1)
    with pytest.raises(InputError, match="sends more than"):
        style_file("cifar10")
    assert list(cache.iterdir()) == []
    monkeypatch.setattr(catalogue, "_MOST_BYTES", len(CONTENT))
    assert style_file("cifar10").read_bytes() == CONTENT


def test_what_is_here_already_counts_for_the_size(server, cache, monkeypatch):
    cache.mkdir(parents=True)
    (cache / "cifar10.pkl.part").write_bytes(CONTENT[:100_000])
    monkeypatch.setattr(catalogue, "_MOST_BYTES", len(CONTENT) - 1)
    with pytest.raises(InputError, match="sends more than"):
        style_file("cifar10")
    assert server.requests == ["bytes=100000-"] and list(cache.iterdir()) == []
