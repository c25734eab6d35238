"""The microphone's JavaScript in a browser, whose own false microphone beeps twice a second.

The page stands in for Colab: it evaluates in a frame from another origin what a notebook sends,
without anybody having clicked into that frame. It does not need the built book.
"""

import json
import queue
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile as sf

from audiostyle_utils import InputError, microphone
from book._tools.weigh import find_browser

from .conftest import BROWSER_OPTIONS

pytestmark = pytest.mark.browser

PATIENCE = 30  # seconds until an answer counts as never given
FRAME = """<!doctype html><body><script>
(async () => {
  const microphone = navigator.mediaDevices;
  const ask = microphone.getUserMedia.bind(microphone);
  microphone.getUserMedia = async (wish) => (globalThis.stream = await ask(wish));
  globalThis.said = [];
  const look = () => console.log(said[said.push(document.body.innerText.trim()) - 1]);
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
  for (let script; (script = await (await fetch("/script")).text()); ) {
    const value = await (0, eval)(script);
    await fetch("/value", { method: "POST", body: JSON.stringify(value ?? null) });
  }
})();
</script>"""


class Notebook(ThreadingHTTPServer):
    """Serves the page, hands out scripts, and takes in what they give."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.scripts, self.values = queue.Queue(), queue.Queue()
        self.address = f"http://localhost:{self.server_port}/"
        self.frame = f"http://127.0.0.1:{self.server_port}/frame"

    def eval_js(self, script, timeout_sec=PATIENCE):
        self.scripts.put(script)
        return self.values.get(timeout=min(timeout_sec, PATIENCE))


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):  # noqa: N802
        if self.path == "/script":
            return self.reply(self.server.scripts.get())
        outer = f'<!doctype html><iframe src="{self.server.frame}" allow="microphone"></iframe>'
        return self.reply(FRAME if self.path == "/frame" else outer)

    def do_POST(self):  # noqa: N802
        self.server.values.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.reply("")

    def reply(self, text):
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        """Keep quiet about each request."""


@pytest.fixture
def notebook():
    server = Notebook()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.scripts.put("")  # the end, for the page that waits
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def visit(browser, notebook):
    """Open the notebook in a browser with a false microphone."""
    program = find_browser()
    opened = []

    def of(*options, permissions=("microphone",)):
        options = [*BROWSER_OPTIONS, "--use-fake-device-for-media-stream", *options]
        # The same Playwright as all tests, since two cannot run side by side.
        opened.append(browser.browser_type.launch(executable_path=program, args=options))
        page = opened[-1].new_context(permissions=permissions).new_page()
        page.set_default_timeout(1000 * PATIENCE)
        page.goto(notebook.address)
        return page

    yield of
    for running in opened:
        running.close()


def test_the_browser_records_as_long_as_asked_and_lets_go(notebook, visit):
    visit()
    y, sr = microphone._decoded(microphone._answer(notebook.eval_js, 2.0))
    assert sr >= 8000 and y.size == 2 * sr
    loud = np.flatnonzero(np.abs(y) > 0.05) / sr
    beeps = 1 + np.sum(np.diff(loud) > 0.2)
    assert 3 <= beeps <= 5
    assert notebook.eval_js("stream.getTracks().map((track) => track.readyState)") == ["ended"]
    assert notebook.eval_js("typeof audiostyleAnswer") == "undefined"


def test_a_line_says_when_to_speak_and_goes(notebook, visit):
    visit()
    microphone._answer(notebook.eval_js, 1.5)
    assert list(dict.fromkeys(notebook.eval_js("said"))) == [
        "Allow the microphone when the browser asks for it.",
        "Recording ... speak now (2 s)",
        "Recording ... speak now (1 s)",
        "Recording ... speak now (0 s)",
        "",
    ]


def test_a_recording_becomes_a_file_without_a_click(notebook, visit, tmp_path, monkeypatch):
    visit()
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace(output=notebook))
    path = microphone.record(tmp_path / "voice.wav", 1.5)
    info = sf.info(path)
    assert info.duration == pytest.approx(1.5, abs=0.001)
    assert (info.channels, info.subtype) == (1, "PCM_16")
    assert not notebook.eval_js("navigator.userActivation.hasBeenActive")


def test_a_refused_microphone_is_told(notebook, visit):
    visit(permissions=())
    answer = microphone._answer(notebook.eval_js, 1.0)
    assert answer.startswith("error NotAllowedError ")
    with pytest.raises(InputError, match="Allow it in the bar of the browser"):
        microphone._decoded(answer)
    assert notebook.eval_js("document.body.innerText.trim()") == ""


def test_where_sound_needs_a_click_there_is_a_button(notebook, visit):
    page = visit("--autoplay-policy=user-gesture-required")
    with ThreadPoolExecutor() as pool:
        # Playwright must not look into the frame before: that counts as the click.
        with page.expect_console_message(lambda message: message.text == "Start recording"):
            answer = pool.submit(microphone._answer, notebook.eval_js, 1.0)
        page.frame_locator("iframe").get_by_role("button", name="Start recording").click()
    y, sr = microphone._decoded(answer.result())
    assert y.size == sr
