import base64
import html
import io
import re
from html.parser import HTMLParser

import av
import numpy as np
import pytest
import soundfile as sf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audiostyle_utils import InputError, audio

LOSSLESS = {".wav": 5e-5, ".flac": 1e-6}
RATES = [8000, 11025, 16000, 22050, 32000, 44100, 48000]
on_one_folder = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def tone(frequency=440.0, sr=22050, seconds=1.0, size=0.5):
    return (size * np.sin(2 * np.pi * frequency * np.arange(round(sr * seconds)) / sr)).astype("f4")


def peak_frequency(y, sr):
    return np.abs(np.fft.rfft(y * np.hanning(y.size))).argmax() * sr / y.size


@st.composite
def signals(draw, max_samples=3000):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    samples = draw(st.integers(1, max_samples))
    shape = draw(st.sampled_from([(samples,), (1, samples), (2, samples)]))
    return rng.uniform(-1, 1, shape).astype(np.float32) * np.float32(draw(st.floats(0, 1)))


@on_one_folder
@given(y=signals(), sr=st.integers(1000, 192000), suffix=st.sampled_from(sorted(LOSSLESS)))
def test_lossless_files_come_back_within_their_rounding(tmp_path, y, sr, suffix):
    sr -= sr % 10  # FLAC has high rates in tens only
    audio.save(tmp_path / f"a{suffix}", y, sr)
    z, rate = audio.load(tmp_path / f"a{suffix}", None, mono=False)
    assert rate == sr and z.dtype == np.float32
    assert z.shape == np.atleast_2d(y).shape
    np.testing.assert_allclose(z, np.atleast_2d(y), rtol=0, atol=LOSSLESS[suffix])


@on_one_folder
@given(y=signals(), sr=st.sampled_from(RATES), suffix=st.sampled_from([".ogg", ".mp3"]))
def test_lossy_files_keep_rate_channels_and_samples(tmp_path, y, sr, suffix):
    audio.save(tmp_path / f"a{suffix}", y, sr)
    z, rate = audio.load(tmp_path / f"a{suffix}", None, mono=False)
    assert (rate, z.shape) == (sr, np.atleast_2d(y).shape)


@pytest.mark.parametrize("sr", RATES)
@pytest.mark.parametrize("suffix", sorted(audio.FORMATS))
def test_a_tone_survives_every_format(tmp_path, suffix, sr):
    y = np.stack([tone(sr=sr), tone(880, sr=sr)])
    audio.save(tmp_path / f"a{suffix}", y, sr)
    z, _ = audio.load(tmp_path / f"a{suffix}", None, mono=False)
    middle = slice(sr // 10, -sr // 10)
    for before, after, frequency in zip(y[:, middle], z[:, middle], (440, 880), strict=True):
        assert np.linalg.norm(after - before) < 0.1 * np.linalg.norm(before)
        assert abs(peak_frequency(after, sr) - frequency) < 2


def test_a_long_clip_is_written_in_every_format(tmp_path):
    y = np.zeros(600 * 8000, np.float32)
    for suffix in audio.FORMATS:
        audio.save(tmp_path / f"a{suffix}", y, 8000)
        assert sf.info(tmp_path / f"a{suffix}").frames == y.size


@pytest.mark.parametrize("suffix", sorted(audio.FORMATS))
def test_a_comment_goes_with_the_file(tmp_path, suffix):
    for name, comment in (("with", "Translated, and no recording (05)"), ("without", "")):
        path = tmp_path / f"{name}{suffix}"
        audio.save(path, tone(), 22050, comment=comment)
        with sf.SoundFile(path) as file:
            assert file.comment == comment
        assert audio.load(path, None)[0].size == 22050


@pytest.mark.parametrize("sr", [16000, 22050, 44100])
@pytest.mark.parametrize("suffix", sorted(audio.FORMATS))
def test_a_stream_is_what_load_gives(tmp_path, suffix, sr):
    path = tmp_path / f"a{suffix}"
    audio.save(path, np.stack([tone(seconds=3.2), tone(660, seconds=3.2)]), 22050)
    y, blocks = audio.load(path, sr)[0], list(audio.stream(path, sr, seconds=0.5))
    assert len(blocks) > 5 and max(map(len, blocks)) < 0.75 * sr
    joined = np.concatenate(blocks)
    assert abs(joined.size - y.size) <= 1
    size = min(joined.size, y.size)
    assert np.abs(joined[:size] - y[:size]).max() < 1e-3


def test_a_phones_recording_is_streamed(tmp_path):
    path = tmp_path / "a.m4a"
    write_with_ffmpeg(path, np.tile(tone(sr=44100, seconds=2), (2, 1)), 44100, "aac")
    y, blocks = audio.load(path, 16000)[0], list(audio.stream(path, 16000, seconds=0.5))
    joined = np.concatenate(blocks)
    assert len(blocks) >= 4 and abs(joined.size - y.size) < 200
    middle = slice(4000, 24000)
    assert np.abs(joined[middle] - y[middle]).max() < 0.01


def test_a_file_that_breaks_off_is_named_by_the_stream(tmp_path):
    audio.save(tmp_path / "a.flac", np.random.default_rng(0).uniform(-0.5, 0.5, 99999), 22050)
    content = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="cut short|damaged|Convert it"):
        list(audio.stream(tmp_path / "a.flac", 22050))
    with pytest.raises(InputError, match="does not exist|no file|There is no"):
        audio.stream(tmp_path / "none.wav", 22050)


def test_mono_is_the_mean_of_the_channels(tmp_path):
    left, right = tone(size=0.8), tone(size=0.2)
    audio.save(tmp_path / "a.flac", np.stack([left, right]), 22050)
    y, _ = audio.load(tmp_path / "a.flac")
    np.testing.assert_allclose(y, (left + right) / 2, atol=1e-6)


@pytest.mark.parametrize("sr", [8000, 22050, 48000])
def test_resampling_keeps_pitch_and_length(tmp_path, sr):
    audio.save(tmp_path / "a.wav", tone(sr=44100, seconds=2), 44100)
    y, rate = audio.load(tmp_path / "a.wav", sr)
    assert (rate, y.shape, y.dtype) == (sr, (2 * sr,), np.float32)
    assert abs(peak_frequency(y, sr) - 440) < 1
    assert np.abs(y).max() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("sr", [8000, 22050, 44100])
@pytest.mark.parametrize("suffix", sorted(audio.FORMATS))
def test_a_part_is_the_same_as_cutting_the_whole(tmp_path, suffix, sr):
    path = tmp_path / f"a{suffix}"
    audio.save(path, tone(sr=sr, seconds=6) * np.linspace(0, 1, 6 * sr), sr)
    whole, _ = audio.load(path, sr)
    for offset in (0.01, 0.5, 1.25, 4.7):
        part, _ = audio.load(path, sr, offset=offset, duration=0.5)
        np.testing.assert_allclose(part, audio.excerpt(whole, sr, offset, 0.5), atol=1e-4)


def test_a_duration_past_the_end_gives_what_there_is(tmp_path):
    audio.save(tmp_path / "a.wav", tone(), 22050)
    assert audio.load(tmp_path / "a.wav", offset=0.75, duration=9)[0].size == round(22050 * 0.25)


def test_silence_loads(tmp_path):
    audio.save(tmp_path / "a.wav", np.zeros(500, np.float32), 22050)
    assert not audio.load(tmp_path / "a.wav")[0].any()


@pytest.mark.parametrize("name", ["a.WAV", "with space & 'quotes'.ogg", "Größe ♪.flac"])
def test_names_of_every_kind(tmp_path, name):
    audio.save(str(tmp_path / name), tone(), 22050)
    assert audio.load(str(tmp_path / name))[0].size == 22050
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_float_wav_from_elsewhere_keeps_its_level(tmp_path):
    sf.write(tmp_path / "a.wav", 3 * tone(), 22050, subtype="FLOAT")
    assert np.abs(audio.load(tmp_path / "a.wav")[0]).max() == pytest.approx(1.5, abs=1e-3)


def test_saving_through_a_link_replaces_what_it_points_to(tmp_path):
    audio.save(tmp_path / "a.wav", tone(), 22050)
    (tmp_path / "link.wav").symlink_to(tmp_path / "a.wav")
    audio.save(tmp_path / "link.wav", tone(seconds=0.5), 22050)
    assert (tmp_path / "link.wav").is_symlink()
    assert audio.load(tmp_path / "a.wav")[0].size == 11025


@given(
    start=st.floats(0, 0.99), duration=st.floats(0.001, 3), channels=st.sampled_from([None, 1, 3])
)
def test_an_excerpt_holds_the_samples_asked_for(start, duration, channels):
    y = np.arange(1000, dtype=np.float32)
    y = y if channels is None else np.stack([y] * channels)
    part = audio.excerpt(y, 1000, start, duration)
    first = round(start * 1000)
    last = min(1000, first + round(duration * 1000))
    np.testing.assert_array_equal(np.atleast_2d(part)[0], np.arange(first, last))
    assert part.ndim == y.ndim and not np.shares_memory(part, y)


@given(y=signals(), peak=st.floats(0.01, 1), scale=st.sampled_from([1e-40, 1e-20, 1, 1e30]))
def test_normalise_sets_the_peak_and_keeps_the_shape(y, peak, scale):
    y = (y * scale).astype(np.float32)
    z = audio.normalise(y, peak)
    assert z.shape == y.shape and np.isfinite(z).all()
    assert np.abs(z).max() == pytest.approx(peak if y.any() else 0, rel=1e-5)
    assert (np.sign(z) == np.sign(y)).mean() > 0.99 or scale < 1


def test_check_signal_passes_what_is_good():
    y = tone()
    assert audio.check_signal(y) is y
    assert audio.check_signal([0.0, 0.5]).dtype == np.float32
    assert audio.check_signal(np.zeros((2, 5))).shape == (2, 5)


def parts(markup):
    """Return the attributes of each element, by name; fails on unbalanced markup."""
    found, open_tags = {}, []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.setdefault(tag, []).append(dict(attrs))
            open_tags.append(tag)

        def handle_startendtag(self, tag, attrs):
            found.setdefault(tag, []).append(dict(attrs))

        def handle_endtag(self, tag):
            assert open_tags.pop() == tag

    Reader().feed(markup)
    assert not open_tags
    return found


def embedded(player):
    source = parts(player._repr_html_())["audio"][0]["src"]
    assert source.startswith("data:audio/mpeg;base64,")
    return base64.b64decode(source.split(",", 1)[1])


@pytest.mark.parametrize("sr", [4000, 8000, 12345, 22050, 44100, 96000])
def test_the_player_embeds_an_mp3_of_the_same_sound(sr):
    player = audio.play(tone(sr=sr, seconds=2), sr, "A steady tone")
    y, rate = sf.read(io.BytesIO(embedded(player)))
    assert y.ndim == 1 and rate in audio.MP3_RATES
    assert y.size / rate == pytest.approx(2, abs=0.05)
    assert abs(peak_frequency(y, rate) - 440) < 1
    assert player.seconds == pytest.approx(2)


def test_the_player_is_compact_and_asks_for_nothing_else():
    noise = np.random.default_rng(0).uniform(-1, 1, (2, 441000)).astype(np.float32)
    markup = audio.play(noise, 44100, "Ten seconds of noise")._repr_html_()
    assert len(markup) < 150_000
    assert "audio/wav" not in markup and "http" not in markup
    assert not {"script", "link", "img", "iframe"} & parts(markup).keys()


def test_the_player_has_controls_a_waveform_and_a_caption():
    markup = audio.play(tone(), 22050, "A steady tone")._repr_html_()
    found = parts(markup)
    assert found["figure"][0]["class"] == "audiostyle-player"
    assert found["figure"][0]["aria-label"] == found["audio"][0]["aria-label"] == "A steady tone"
    assert "controls" in found["audio"][0] and found["audio"][0]["preload"] == "metadata"
    assert found["svg"][0]["fill"] == "currentColor"
    assert re.search(r"<figcaption[^>]*>A steady tone</figcaption>", markup)


def test_the_description_cannot_break_out():
    text = "\"><script>alert(1)</script> & 'more'"
    markup = audio.play(tone(), 22050, text)._repr_html_()
    assert "<script" not in markup
    assert parts(markup)["audio"][0]["aria-label"] == text
    assert html.escape(text) in markup


def outline(player):
    path = parts(player._repr_html_())["path"][0]["d"]
    return np.array([point.split() for point in path[1:-1].split("L")], float)


def test_the_waveform_follows_the_sound():
    points = outline(audio.play(np.concatenate([tone(size=0.1), tone(size=0.8)]), 22050, "Swell"))
    soft, loud = points[points[:, 0] < 145, 1], points[points[:, 0] > 155, 1]
    assert np.ptp(loud) == pytest.approx(8 * np.ptp(soft), rel=0.1)
    assert points.min() >= 0 and points[:, 0].max() == 300 and points[:, 1].max() <= 2
    assert len(points) == 600


@pytest.mark.parametrize("samples", [1, 2, 299, 301])
def test_short_and_silent_sounds_have_a_player(samples):
    player = audio.play(np.zeros(samples, np.float32), 22050, "Next to nothing")
    assert np.isfinite(outline(player)).all()
    assert sf.read(io.BytesIO(embedded(player)))[0].size == samples


def test_what_is_too_loud_is_scaled_for_playing():
    y, _ = sf.read(io.BytesIO(embedded(audio.play(5 * tone(), 22050, "Loud"))))
    assert np.sqrt(np.mean(y**2)) == pytest.approx(np.sqrt(0.5), rel=0.05)


def test_without_html_the_player_shows_its_description():
    player = audio.play(tone(), 22050, "A steady tone")
    bundle = player._repr_mimebundle_()
    assert bundle["text/plain"] == repr(player) == "Sound: A steady tone (1.0 s)"
    assert bundle["text/html"] == player._repr_html_()


@pytest.mark.parametrize("description", ["", "  \n", None, 3])
def test_the_description_is_required(description):
    with pytest.raises(InputError, match="description is missing"):
        audio.play(tone(), 22050, description)


@pytest.mark.parametrize(("sr", "target"), [(8000, 22050), (44100, 22050), (22050, 22050)])
def test_resampling_keeps_pitch_and_duration(sr, target):
    tone = np.sin(2 * np.pi * 440 * np.arange(sr) / sr).astype(np.float32)
    y = audio.resample(tone, sr, target)
    assert len(y) == pytest.approx(target, abs=1)
    level = np.abs(np.fft.rfft(y * np.hanning(len(y))))
    assert level.argmax() * target / len(y) == pytest.approx(440, abs=1)


def test_resampling_refuses_a_wrong_rate():
    with pytest.raises(InputError, match="-1"):
        audio.resample(np.ones(10, np.float32), -1, 22050)


@pytest.mark.parametrize(("suffix", "codec"), [("m4a", "aac"), ("mp4", "aac"), ("webm", "libopus")])
def test_what_phones_record_is_read(tmp_path, suffix, codec):
    path, rate = tmp_path / f"voice.{suffix}", 48_000
    t = np.arange(2 * rate) / rate
    y = np.stack([0.4 * np.sin(2 * np.pi * f * t) for f in (440, 660)]).astype(np.float32)
    write_with_ffmpeg(path, y, rate, codec)
    read, sr = audio.load(path, None, mono=False)
    assert sr == rate and read.shape[0] == 2 and abs(read.shape[1] - 2 * rate) < 4096
    for channel, pitch in zip(read, (440, 660), strict=True):
        spectrum = np.abs(np.fft.rfft(channel[rate // 2 : 3 * rate // 2]))  # bins of one hertz
        assert spectrum.argmax() == pitch
        assert np.std(channel[rate // 2 : rate]) == pytest.approx(0.4 / np.sqrt(2), rel=0.05)
    part, _ = audio.load(path, None, mono=False, offset=0.5, duration=0.25)
    np.testing.assert_array_equal(part, read[:, rate // 2 : 3 * rate // 4])


def write_with_ffmpeg(path, y, rate, codec):
    """Encode a signal as a phone or a browser would."""
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="stereo")
        frame = av.AudioFrame.from_ndarray(y, format="fltp", layout="stereo")
        frame.sample_rate = rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)


def test_a_container_that_is_cut_short_says_so(tmp_path):
    path = tmp_path / "voice.m4a"
    write_with_ffmpeg(path, np.zeros((2, 48_000), np.float32), 48_000, "aac")
    whole = path.read_bytes()
    for size in (32, len(whole) // 2, len(whole) - 200):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match=r"voice\.m4a .*is cut short"):
            audio.load(path)


def test_a_film_without_sound_says_so(tmp_path):
    path = tmp_path / "silent.mp4"
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 16
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    with pytest.raises(InputError, match="silent.mp4 has no sound track"):
        audio.load(path)


def test_a_list_of_files_is_not_followed(tmp_path):
    write_with_ffmpeg(tmp_path / "a.m4a", np.zeros((2, 48_000), np.float32), 48_000, "aac")
    path = tmp_path / "list.ffconcat"
    path.write_text("ffconcat version 1.0\nfile a.m4a\n")
    with pytest.raises(InputError, match="list.ffconcat holds no sound"):
        audio.load(path)


def test_an_address_is_no_path():
    with pytest.raises(InputError, match="Download the file first"):
        audio.load("https://example.org/voice.wav")


@pytest.mark.parametrize("sr", [None, 16000])
@pytest.mark.parametrize("suffix", sorted(audio.FORMATS))
def test_a_stream_keeps_the_channels_if_asked(tmp_path, suffix, sr):
    path, y = tmp_path / f"a{suffix}", np.stack([tone(seconds=2.2), tone(660, seconds=2.2)])
    audio.save(path, y, 22050)
    rate = sr or audio.native_rate(path)
    blocks = list(audio.stream(path, rate, seconds=0.5, mono=False))
    assert len(blocks) > 3 and {len(block) for block in blocks} == {2}
    assert all(block.dtype == np.float32 for block in blocks)
    wanted, joined = audio.load(path, sr, mono=False)[0], np.concatenate(blocks, axis=1)
    assert abs(joined.shape[1] - wanted.shape[1]) <= 1
    size = min(joined.shape[1], wanted.shape[1])
    assert np.abs(joined[:, :size] - wanted[:, :size]).max() < 1e-3
    mono = np.concatenate(list(audio.stream(path, rate, seconds=0.5)))
    np.testing.assert_allclose(mono, joined.mean(axis=0), atol=1e-5)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_stream_of_a_wave_at_its_own_rate_is_bit_for_bit_the_file(tmp_path, channels):
    y = np.random.default_rng(0).uniform(-1, 1, (channels, 30_011)).astype(np.float32)
    audio.save(tmp_path / "a.wav", y, 44_100)
    blocks = list(audio.stream(tmp_path / "a.wav", 44_100, seconds=0.1, mono=False))
    joined = np.concatenate(blocks, axis=1)
    np.testing.assert_array_equal(joined, audio.load(tmp_path / "a.wav", None, mono=False)[0])


def test_a_phones_recording_is_streamed_with_its_channels(tmp_path):
    path = tmp_path / "a.m4a"
    y = np.stack([tone(sr=44100, seconds=2), tone(660, sr=44100, seconds=2)])
    write_with_ffmpeg(path, y, 44100, "aac")
    blocks = list(audio.stream(path, audio.native_rate(path), seconds=0.5, mono=False))
    assert len(blocks) >= 4 and {len(block) for block in blocks} == {2}
    joined = np.concatenate(blocks, axis=1)
    for row, frequency in zip(joined[:, 4410:-4410], (440, 660), strict=True):
        assert abs(peak_frequency(row, 44100) - frequency) < 2


@pytest.mark.parametrize("sr", RATES)
@pytest.mark.parametrize("suffix", sorted(audio.FORMATS))
def test_a_files_own_rate_is_told(tmp_path, suffix, sr):
    audio.save(tmp_path / f"a{suffix}", tone(sr=sr, seconds=0.2), sr)
    found = audio.native_rate(tmp_path / f"a{suffix}")
    assert found == sr == audio.load(tmp_path / f"a{suffix}", None)[1] and type(found) is int
    assert audio.native_rate(str(tmp_path / f"a{suffix}")) == sr


def test_a_phones_recording_has_a_rate(tmp_path):
    write_with_ffmpeg(tmp_path / "a.m4a", np.zeros((2, 48_000), np.float32), 48_000, "aac")
    assert audio.native_rate(tmp_path / "a.m4a") == 48_000


def test_what_is_no_sound_has_no_rate(tmp_path):
    (tmp_path / "text.wav").write_text("This is no sound.")
    (tmp_path / "empty.mp3").write_bytes(b"")
    write_with_ffmpeg(tmp_path / "whole.m4a", np.zeros((2, 48_000), np.float32), 48_000, "aac")
    (tmp_path / "cut.m4a").write_bytes((tmp_path / "whole.m4a").read_bytes()[:40])
    for name, said in (
        ("text.wav", r"text\.wav"),
        ("empty.mp3", r"empty\.mp3"),
        ("cut.m4a", r"cut\.m4a is cut short"),
        ("none.wav", r"none\.wav"),
        ("", "folder"),
    ):
        with pytest.raises(InputError, match=said):
            audio.native_rate(tmp_path / name)
    for path in (5, None):
        with pytest.raises(InputError):
            audio.native_rate(path)
    with av.open(tmp_path / "silent.mp4", "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 16
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    with pytest.raises(InputError, match="silent.mp4"):
        audio.native_rate(tmp_path / "silent.mp4")


def test_the_sound_of_a_video_with_eight_channels_is_read(tmp_path):
    from audiostyle_utils.visuals import video

    t = np.arange(24_000) / 48_000
    loud = np.array([0.1, 0.2, 0.3, 0.0, 0.5, 0.6, 0.7, 0.8])  # the fourth holds low tones only
    y = (loud[:, None] * np.sin(2 * np.pi * 440 * t)).astype(np.float32)
    frames = (np.zeros((16, 16, 3), np.uint8) for _ in range(12))
    path = video.write_video(tmp_path / "room.mp4", frames, 24, sound=[y], sr=48_000)
    found, sr = audio.load(path, None, mono=False)
    assert (sr, found.shape[0]) == (48_000, 8)
    np.testing.assert_allclose(np.abs(found[:, 5000:20_000]).max(axis=1), loud, atol=0.05)
    streamed = np.concatenate(list(audio.stream(path, 48_000, mono=False)), axis=1)
    np.testing.assert_allclose(streamed[:, :20_000], found[:, :20_000], atol=1e-6)
