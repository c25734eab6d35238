import base64
import os
import re
import subprocess
import sys
import textwrap
from fractions import Fraction

import av
import numpy as np
import pytest
from bs4 import BeautifulSoup

from audiostyle_utils import InputError
from audiostyle_utils.visuals import video as video_module
from audiostyle_utils.visuals.clips import show_video
from audiostyle_utils.visuals.video import (
    CODECS,
    check_target,
    frame_rate,
    probe,
    read_frames,
    write_video,
)

COMBINATIONS = [(s, v, a) for s, (vs, sounds) in CODECS.items() for v in vs for a in sounds]
RATES = [1, 12.5, 23.976, 24, 25, 29.97, Fraction(30000, 1001), 43, 50, 59.94, 60, 99.9, 120]


def frames(count, height=32, width=48):
    """Yield frames whose grey says which one it is."""
    for index in range(count):
        yield np.full((height, width, 3), 20 + index * 7 % 200, np.uint8)


def tone(seconds, sr, channels=1, frequency=440.0, block=5000):
    y = 0.5 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * sr)) / sr)
    y = np.tile(y.astype(np.float32), (channels, 1))
    return (y[:, i : i + block] for i in range(0, y.shape[1], block))


def decoded_sound(path):
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        packed = av.AudioResampler(format="flt")
        blocks = [b.to_ndarray() for f in container.decode(stream) for b in packed.resample(f)]
        return np.concatenate(blocks, axis=1).reshape(-1, stream.channels).T, stream.rate


@pytest.mark.parametrize(("suffix", "codec", "audio_codec"), COMBINATIONS)
def test_every_pair_of_codecs_plays_what_was_written(tmp_path, suffix, codec, audio_codec):
    path, sr, count = tmp_path / f"a{suffix}", 44100, 61
    sound = tone(9, sr, channels=2)
    options = {"codec": codec, "audio_codec": audio_codec}
    assert write_video(path, frames(count), 30, sound=sound, sr=sr, **options) == path
    info = probe(path)
    assert (info.frames, info.width, info.height) == (count, 48, 32)
    assert (info.codec, info.audio_codec, info.channels) == (codec, audio_codec, 2)
    assert info.sr == (48000 if audio_codec == "opus" else sr)
    seen = [frame.mean() for frame in read_frames(path)]
    np.testing.assert_allclose(seen, [frame.mean() for frame in frames(count)], atol=4)
    y, rate = decoded_sound(path)
    assert abs(y.shape[1] / rate - count / 30) < 1 / 30
    spectrum = np.abs(np.fft.rfft(y[0] * np.hanning(y.shape[1])))
    assert abs(spectrum.argmax() * rate / y.shape[1] - 440) < 2
    assert 0.3 < np.sqrt(np.mean(y**2)) < 0.4


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".mkv"])
def test_frame_rate_is_exact_and_both_tracks_are_equally_long(tmp_path, suffix, fps):
    count = max(3, round(1.3 * fps))
    for sr, length in ((22050, 2.0), (44100, 0.3), (96000, 0.5)):
        path = tmp_path / f"{sr}{suffix}"
        sound = tone(length * count / float(fps), sr)
        write_video(path, frames(count, 16, 16), fps, sound=sound, sr=sr)
        info = probe(path)
        assert info.frames == count
        assert abs(info.fps / fps - 1) < 1e-3
        with av.open(str(path)) as container:
            times = sorted(
                p.pts * p.time_base for p in container.demux(video=0) if p.pts is not None
            )
        measured = (count - 1) / float(times[-1] - times[0])
        assert abs(measured / fps - 1) < 1e-3  # Matroska rounds times to a thousandth
        assert abs(info.seconds - count / fps) < 2e-3
        assert abs(info.audio_seconds - count / fps) <= 2e-3


@pytest.mark.parametrize("sr", [8000, 22050, 44100, 48000, 192000])
@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_a_click_stays_at_its_time(tmp_path, suffix, sr):
    y = np.zeros((2, 2 * sr), np.float32)
    width = max(8, sr // 1000)
    y[:, sr - width : sr + width] = np.hanning(2 * width)
    write_video(tmp_path / f"a{suffix}", frames(60, 16, 16), 30, sound=[y], sr=sr)
    z, rate = decoded_sound(tmp_path / f"a{suffix}")
    assert abs(np.abs(z[0]).argmax() / rate - 1) < 1e-3


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 6, 8])
@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_channels_are_kept(tmp_path, suffix, channels):
    path = tmp_path / f"a{suffix}"
    # A note of its own for each channel, and none near silence: the fourth may be the bass speaker.
    notes = [60 + 20 * index for index in range(channels)]
    y = np.concatenate([np.concatenate(list(tone(2, 48000, 1, f)), axis=1) for f in notes])
    write_video(path, frames(20), 10, sound=[y], sr=48000)
    assert probe(path).channels == channels
    z, rate = decoded_sound(path)
    found = np.abs(np.fft.rfft(z[:, : 2 * rate])).argmax(axis=1) / 2
    assert found.tolist() == notes


def test_sound_that_ends_is_followed_by_silence(tmp_path):
    sr = 44100
    write_video(tmp_path / "a.mp4", frames(60), 30, sound=tone(1, sr), sr=sr)
    y, _ = decoded_sound(tmp_path / "a.mp4")
    assert np.abs(y[0, : round(0.95 * sr)]).max() > 0.4
    assert np.abs(y[0, round(1.05 * sr) :]).max() < 0.01


def test_a_sound_of_one_dimension_has_one_channel(tmp_path):
    y = np.concatenate(list(tone(1, 22050)), axis=1)[0]
    write_video(tmp_path / "a.mp4", frames(10), 10, sound=[y[:9000], y[9000:]], sr=22050)
    assert probe(tmp_path / "a.mp4").channels == 1


def test_without_sound_there_is_no_sound_track(tmp_path):
    write_video(tmp_path / "a.mp4", frames(3), 10)
    info = probe(tmp_path / "a.mp4")
    assert (info.audio_codec, info.sr, info.channels, info.audio_seconds) == (None,) * 4


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (17, 33), (18, 31), (150, 5)])
def test_odd_sizes_gain_a_copy_of_the_last_row_or_column(tmp_path, suffix, shape):
    height, width = shape
    ramp = np.linspace(0, 255, height * width).reshape(height, width, 1)
    frame = np.repeat(ramp, 3, axis=2).astype(np.uint8)
    write_video(tmp_path / f"a{suffix}", [frame] * 3, 10, quality=100)
    seen = next(read_frames(tmp_path / f"a{suffix}"))
    assert seen.shape == (height + height % 2, width + width % 2, 3)
    if min(shape) > 2:
        difference = np.abs(seen[:height, :width].astype(int) - frame)
        assert difference.mean() < 4
        if width % 2:
            edge = seen[:height, -1].astype(int) - frame[:, -1]
            assert np.abs(edge).mean() < 8


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_colours_come_back_and_are_named_in_the_file(tmp_path, suffix):
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (200, 100, 50)]
    path = tmp_path / f"a{suffix}"
    write_video(path, (np.full((32, 32, 3), c, np.uint8) for c in colours), 10, quality=100)
    for colour, frame in zip(colours, read_frames(path), strict=True):
        np.testing.assert_allclose(frame.reshape(-1, 3).mean(0), colour, atol=4)
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        tags = (context.color_primaries, context.color_trc, context.colorspace)
        assert [int(tag) for tag in tags] == [1, 1, 1]  # BT.709
        assert int(context.color_range) == 1 and context.pix_fmt == "yuv420p"


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".mkv"])
def test_the_same_frames_give_the_same_bytes(tmp_path, suffix):
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(40)]
    for name in ("a", "b"):
        path = tmp_path / (name + suffix)
        write_video(path, pictures, 30, sound=tone(2, 44100, 2), sr=44100)
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_frames_may_share_one_array(tmp_path):
    def reused():
        picture = np.empty((32, 48, 3), np.uint8)
        for frame in frames(20):
            picture[:] = frame
            yield picture

    write_video(tmp_path / "a.mp4", reused(), 30)
    write_video(tmp_path / "b.mp4", frames(20), 30)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_frames_and_sound_are_taken_as_they_are_needed(tmp_path):
    sr, taken = 8000, []

    def spoken():
        for block in tone(20, sr, block=sr // 2):
            taken.append(len(block))
            yield block

    def watched():
        for index, frame in enumerate(frames(100)):
            # The sound is never more than a block and a portion ahead of the picture.
            assert len(taken) * 0.5 <= index / 10 + 1.5
            yield frame

    write_video(tmp_path / "a.mp4", watched(), 10, sound=spoken(), sr=sr)
    assert 19 <= len(taken) <= 21  # ten of the twenty seconds


def test_better_quality_is_larger_and_closer(tmp_path):
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)] * 3
    for suffix in (".mp4", ".webm"):
        found = []
        for quality in (10, 50, 100):
            path = tmp_path / f"{quality}{suffix}"
            write_video(path, pictures, 10, quality=quality)
            error = np.abs(next(read_frames(path)).astype(int) - pictures[0]).mean()
            found.append((path.stat().st_size, -error))
        assert found == sorted(found)


def test_a_page_can_play_an_mp4_before_it_is_loaded(tmp_path):
    write_video(tmp_path / "a.mp4", frames(30), 30)
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("error", [RuntimeError("no more"), KeyboardInterrupt()])
@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".mkv"])
@pytest.mark.parametrize("where", ["frames", "sound"])
def test_a_stopped_run_leaves_nothing(tmp_path, suffix, error, where):
    def stopping(values):
        yield from values
        raise error

    pictures, sound = frames(60), tone(2, 44100)
    if where == "frames":
        pictures = stopping(frames(30))
    else:
        sound = stopping(tone(1, 44100))
    with pytest.raises(type(error)) as caught:
        write_video(tmp_path / f"a{suffix}", pictures, 30, sound=sound, sr=44100)
    assert caught.value is error
    assert list(tmp_path.iterdir()) == []


def test_a_stopped_run_keeps_the_file_that_was_there(tmp_path):
    path = tmp_path / "a.mp4"
    write_video(path, frames(3), 10)
    before = path.read_bytes()
    with pytest.raises(InputError, match="Frame 1 has shape"):
        write_video(path, [np.zeros((16, 16, 3), np.uint8), np.zeros((16, 18, 3), np.uint8)], 10)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on a file's size")
@pytest.mark.parametrize("limit", [1000, 100_000])
def test_a_full_disk_is_said_with_the_file_s_name(tmp_path, limit):
    code = f"""
        import resource, signal
        import numpy as np
        from audiostyle_utils import InputError
        from audiostyle_utils.visuals.video import write_video
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
        rng = np.random.default_rng(0)
        for suffix in (".mp4", ".webm", ".mkv"):
            noise = (rng.integers(0, 256, (96, 96, 3), dtype=np.uint8) for _ in range(60))
            try:
                write_video({str(tmp_path)!r} + "/a" + suffix, noise, 30)
            except InputError as error:
                print(error)
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True, text=True, env=environment,
    )  # fmt: skip
    lines = result.stdout.splitlines()
    assert [line.split(" cannot be written")[0] for line in lines] == [
        str(tmp_path / f"a{suffix}") for suffix in (".mp4", ".webm", ".mkv")
    ], result.stderr
    assert list(tmp_path.iterdir()) == []


GOOD = np.zeros((16, 16, 3), np.uint8)
WRONG = [
    ({"fps": 0}, "fps is 0: give"),
    ({"fps": 121}, "fps is 121"),
    ({"fps": float("nan")}, "fps is nan"),
    ({"fps": "30"}, "fps is '30'"),
    ({"fps": True}, "fps is True"),
    ({"quality": 101}, "quality is 101"),
    ({"quality": "high"}, "quality is 'high'"),
    ({"codec": "av1"}, "codec is 'av1': .mp4 takes 'h264' or 'vp9'"),
    ({"audio_codec": "mp3"}, "audio_codec is 'mp3'"),
    ({"path": "a.webm", "codec": "h264"}, "codec is 'h264': .webm takes 'vp9'"),
    ({"path": "a.webm", "audio_codec": "aac"}, "audio_codec is 'aac': .webm takes 'opus'"),
    ({"path": "a.avi"}, "a.avi must end in one of .mp4, .webm, .mkv"),
    ({"path": "no/a.mp4"}, "There is no folder"),
    ({"path": 3}, "path is 3"),
    ({"frames": []}, "frames has no frame"),
    ({"frames": 5}, "frames is int"),
    ({"frames": [GOOD.astype(float)]}, "Frame 0 is float64"),
    ({"frames": [GOOD, None]}, "Frame 1 is NoneType"),
    ({"frames": [GOOD[..., 0]]}, re.escape("Frame 0 has shape (16, 16)")),
    ({"frames": [GOOD[:0]]}, "Frame 0 has shape"),
    ({"frames": [np.zeros((1, 9000, 3), np.uint8)]}, "8192 pixels a side"),
    ({"frames": [GOOD, GOOD[:8]]}, "Frame 1 has shape"),
    ({"sound": [np.zeros((1, 9), np.float32)]}, "sr is missing"),
    ({"sound": [np.zeros((1, 9), np.float32)], "sr": 0}, "sr is 0"),
    ({"sound": [], "sr": 8000}, "sound has no block"),
    ({"sound": 5, "sr": 8000}, "sound is int"),
    ({"sound": [np.zeros((1, 9), np.int16)], "sr": 8000}, "Block 0 of sound is no array"),
    ({"sound": [np.zeros((9, 9), np.float32)], "sr": 8000}, "Block 0 of sound has shape"),
    ({"sound": [np.zeros((5, 9), np.float32)], "sr": 8000}, "with 1, 2, 3, 4, 6 or 8 channels"),
    (
        {"sound": [np.zeros((c, 90), np.float32) for c in (1, 2)], "sr": 8000},
        "Block 1 of sound has shape",
    ),
    ({"sound": [np.full((1, 9), np.nan, np.float32)], "sr": 8000}, "holds NaN"),
]


@pytest.mark.parametrize(("given", "message"), WRONG)
def test_what_is_wrong_is_named(tmp_path, monkeypatch, given, message):
    monkeypatch.chdir(tmp_path)
    arguments = {"path": "a.mp4", "frames": [GOOD] * 10, "fps": 10, **given}
    with pytest.raises(InputError, match=message):
        write_video(**arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("function", [probe, lambda path: next(read_frames(path))])
def test_what_is_no_video_is_refused(tmp_path, function):
    with pytest.raises(InputError, match="There is no file"):
        function(tmp_path / "missing.mp4")
    (tmp_path / "text.mp4").write_text("This is no video. " * 100)
    with pytest.raises(InputError, match="is no video"):
        function(tmp_path / "text.mp4")
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), "f4"), "fltp", "mono")
        frame.rate = 8000
        container.mux(stream.encode(frame) + stream.encode(None))
    with pytest.raises(InputError, match="holds no picture"):
        function(tmp_path / "sound.mp4")


@pytest.mark.parametrize(
    ("fps", "fraction"),
    [
        (29.97, Fraction(2997, 100)),
        (23.976, Fraction(2997, 125)),
        (30000 / 1001, Fraction(30000, 1001)),
        (43, Fraction(43)),
        (np.float32(12.5), Fraction(25, 2)),
        (np.int64(60), Fraction(60)),
    ],
)
def test_frame_rates_are_fractions(fps, fraction):
    assert frame_rate(fps) == fraction


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_a_clip_holds_the_video_its_still_and_its_words(tmp_path, suffix):
    from io import BytesIO

    from PIL import Image

    path = tmp_path / f"a{suffix}"
    write_video(path, frames(20), 10, sound=tone(2, 44100), sr=44100)
    clip = show_video(path, " Grey & <brighter> ")
    assert repr(clip) == "Video: Grey & <brighter> (2.0 s)"
    bundle = clip._repr_mimebundle_()
    assert bundle == {"text/html": clip._repr_html_(), "text/plain": repr(clip)}
    figure = BeautifulSoup(clip._repr_html_(), "html5lib").figure
    assert figure["class"] == ["audiostyle-video"]
    assert figure["aria-label"] == figure.figcaption.text == "Grey & <brighter>"
    video = figure.video
    assert {"controls", "playsinline"} <= set(video.attrs) and video["preload"] == "metadata"
    assert not {"autoplay", "muted", "loop"} & set(video.attrs)
    assert (video["width"], video["height"]) == ("48", "32")
    assert "max-width:100%;height:auto" in video["style"]
    kind, data = video["src"].split(";base64,")
    assert kind == f"data:video/{suffix[1:]}" and base64.b64decode(data) == path.read_bytes()
    kind, data = video["poster"].split(";base64,")
    still = np.asarray(Image.open(BytesIO(base64.b64decode(data))))
    assert kind == "data:image/jpeg"
    assert np.abs(still.astype(int) - list(frames(20))[10]).mean() < 4


def test_a_clip_refuses_what_a_page_cannot_show(tmp_path):
    write_video(tmp_path / "a.mkv", frames(3), 10)
    write_video(tmp_path / "a.mp4", frames(3), 10)
    with pytest.raises(InputError, match="must end in one of .mp4, .webm"):
        show_video(tmp_path / "a.mkv", "Grey")
    for blank in ("", "  ", None):
        with pytest.raises(InputError, match="description is missing"):
            show_video(tmp_path / "a.mp4", blank)
    with pytest.raises(InputError, match="There is no file"):
        show_video(tmp_path / "b.mp4", "Grey")
    with (tmp_path / "a.mp4").open("ab") as file:
        file.truncate(8_000_001)
    with pytest.raises(InputError, match="has 8.0 MB"):
        show_video(tmp_path / "a.mp4", "Grey")


@pytest.mark.parametrize(
    ("given", "message"),
    [(given, message) for given, message in WRONG if set(given) <= {"path", "codec", "quality"}],
)
def test_targets_can_be_checked_beforehand(tmp_path, monkeypatch, given, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        check_target(**{"path": "a.mp4", **given})
    assert check_target("a.webm", "vp9", 0) == tmp_path.resolve() / "a.webm"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="open files are listed on Linux")
@pytest.mark.parametrize("error", [None, RuntimeError])
def test_the_file_is_closed_even_if_its_end_is_interrupted(tmp_path, monkeypatch, error):
    path = tmp_path / "a.mp4"

    def is_open():
        files = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
        return str(path) in [os.readlink(file) for file in files if os.path.islink(file)]

    def interrupted(self, **_):
        ended(self)
        raise KeyboardInterrupt

    ended = video_module.ThreadPoolExecutor.shutdown
    monkeypatch.setattr(video_module.ThreadPoolExecutor, "shutdown", interrupted)
    with pytest.raises(KeyboardInterrupt), video_module._Muxer(path, path) as muxer:
        muxer.add_picture("h264", (32, 48, 3), Fraction(10), 20)
        muxer.write_frame(next(frames(1)), 0)
        muxer.finish()
        assert is_open()
        if error:
            raise error
    assert not is_open()
