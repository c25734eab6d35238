"""The published way from a song to a video beside the book's, on the same songs and machine.

    make bench CH=06                                       all parts
    make bench CH=06 P="--parts speed memory"              some of them
    make bench CH=06 P="--parts reaction --songs a.ogg b.ogg"

The published way is Lucid Sonic Dreams 0.4, restated step by step with what each step costs: the
song as mono at 22,050 Hz, one separation into tones and beat, three mel spectrograms, a constant-Q
chromagram, a loop over frames that adds up all former motion anew, a PNG for each frame, each PNG
read twice, and x264 at its own defaults. Ours has quicker ones; a second line gives these to the
published way as well. moviepy is no dependency of this book. What it does is done here by PyAV in
the same process: it reads all pictures to compare their sizes and again to encode them, looks
through all frames to find the one that is due, and encodes the sound into a file of its own first.
Nothing is sent through a pipe to another process, which spares the published way some time.

`speed` goes from file to video with two styles that cost nothing: pictures of one colour, and a
window that moves over a painted picture, of which a PNG takes its time. `memory` does so in a
process of its own, `vectors` times an hour of sound without pictures, `styles` the built-in
styles, and `reaction` measures whether the pictures follow the music, ours and those of the
published formulas (`compat="0.4"`), against a loudness that neither of them uses.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import time
import warnings
from fractions import Fraction
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import librosa
import numpy as np
import soundfile as sf
from PIL import Image
from scipy.ndimage import uniform_filter1d
from scipy.stats import truncnorm

from audiostyle_utils import audio, load_dataset, metrics, pretrained, results
from audiostyle_utils.errors import InputError
from audiostyle_utils.settings import cores
from audiostyle_utils.visuals import LatentPath, LucidSonicDream, open_style, video
from audiostyle_utils.visuals.procedural import make_aurora
from audiostyle_utils.visuals.published import PublishedPath, hop_at
from audiostyle_utils.visuals.styles import BUILT_IN, WEIGHTS
from audiostyle_utils.visuals.timeline import (
    Loudness,
    Timeline,
    at_frames,
    envelope,
    make_timeline,
    measure_loudness,
)

NAME = "06_lucid_sonic_visuals"
MOVIEPY = {"preset": "medium", "crf": "23"}  # of x264: ffmpeg's defaults
OURS = {"preset": "veryfast", "crf": "20"}
PARTS = ("speed", "memory", "vectors", "styles", "reaction")
SR, FPS = 44_100, 43
NOISE, CLASSES = 512, 12  # lengths of the vectors that a style gets, where it does not matter
PHRASE = 20  # seconds of the song that is made here, before it begins again
LAGS = range(-6, 7)


def row(metric, group, value, unit="", better=None):
    print(f"{metric:58} {group:24} {value:12,.3f} {unit}", flush=True)
    entry = {"metric": metric, "group": group, "value": float(value), "unit": unit}
    return entry | ({"better": better} if better else {})


def seconds_of(function, *arguments, **named):
    """Return the seconds that a call takes."""
    began = time.perf_counter()
    function(*arguments, **named)
    return time.perf_counter() - began


# Songs


def write_song(path, seconds):
    """Write drums and chords in stereo, one phrase again and again."""
    left, part = round(seconds * SR), phrase()
    with sf.SoundFile(path, "w", SR, 2) as file:
        while left > 0:
            file.write(part[:left])
            left -= len(part)
    return path


def phrase():
    """Return 20 seconds of a song at 120 beats a minute, shape (samples, 2)."""
    rng, y = np.random.default_rng(0), np.zeros((PHRASE * SR, 2))
    beats = np.arange(0, PHRASE, 0.5)
    for number, beat in enumerate(beats):
        drum = kick() if number % 2 == 0 else 0.5 * noise_hit(rng, 0.08)
        put(y, beat, drum, 0.5)
        put(y, beat + 0.25, 0.15 * noise_hit(rng, 0.02), 0.7)
    roots = [57, 53, 48, 55, 57, 53, 50, 52, 57, 55]
    for number, root in enumerate(roots):
        for place, step in zip((0.3, 0.5, 0.7), (0, 4 if number % 3 else 3, 7), strict=True):
            put(y, 2.0 * number, 0.12 * tone(root + step, 2.0), place)
    return 0.8 * y / np.abs(y).max()


def put(y, second, sound, place):
    """Add a sound to a stereo signal, from 0 on the left to 1 on the right."""
    first = round(second * SR)
    sound = sound[: len(y) - first]
    y[first : first + len(sound)] += sound[:, None] * [1 - place, place]


def tone(midi, seconds, sr=SR):
    """Return a tone with four overtones that fades."""
    t = np.arange(round(seconds * sr)) / sr
    frequency = 440 * 2 ** ((midi - 69) / 12)
    waves = sum(np.sin(2 * np.pi * k * frequency * t) / k**1.5 for k in range(1, 6))
    return waves * np.exp(-t / seconds) * np.minimum(1, t / 0.01)


def kick():
    t = np.arange(round(0.25 * SR)) / SR
    return np.sin(2 * np.pi * (50 * t + 4 * (1 - np.exp(-30 * t)))) * np.exp(-t / 0.06)


def noise_hit(rng, fall, sr=SR):
    t = np.arange(round(6 * fall * sr)) / sr
    return rng.normal(0, 0.4, t.size) * np.exp(-t / fall)


# The published way, restated


def one_colour(size):
    """Return a style that costs nothing: each picture has one colour."""

    def paint(noise_batch, class_batch):
        colours = np.clip(noise_batch[:, :3] * 60 + 128, 0, 255).astype(np.uint8)
        return np.broadcast_to(colours[:, None, None], (len(colours), size, size, 3))

    return paint


def window(size):
    """Return a style that costs nothing: a window that moves over a picture painted before."""
    aurora = make_aurora(2 * size, 2 * size, input_shape=NOISE)
    large = aurora(np.zeros((1, NOISE), np.float32), np.eye(CLASSES, dtype=np.float32)[:1])[0]

    def paint(noise_batch, class_batch):
        x, y = np.clip((noise_batch[:, :2].T / 8 + 0.5) * size, 0, size).astype(int)
        places = zip(x, y, strict=True)
        return np.stack([large[b : b + size, a : a + size] for a, b in places])

    return paint


PICTURES = {"one colour": one_colour, "window": window}


def published_video(song, target, style, batch_size=1, fps=FPS, encoder=MOVIEPY):
    """Go from a song to a video as Lucid Sonic Dreams 0.4 does, at its defaults."""
    wave, sr, hop, loudness, chroma = published_specs(song, fps)
    noise, classes = published_vectors(wave, loudness, chroma, fps)
    folder = Path(f"{target}_frames")
    folder.mkdir()
    published_pictures(folder, style, noise, classes, batch_size)
    published_file(folder, wave, sr, sr / hop, target, encoder)
    shutil.rmtree(folder)
    return noise, classes  # the object of the published code keeps them, too


def published_specs(song, fps):
    """Measure the song: loudness of beat, tones and all, and the notes."""
    wave, sr = librosa.load(song)
    harmonic, percussive = librosa.effects.hpss(wave)
    hop = hop_at(fps)
    loudness = []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Empty filters", category=UserWarning)
        for part in (percussive, harmonic, wave):
            S = librosa.feature.melspectrogram(y=part, sr=sr, n_mels=NOISE, hop_length=hop)
            highest = S.max(axis=0)
            loudness.append((highest - highest.min()) / np.ptp(highest))
    return wave, sr, hop, loudness, librosa.feature.chroma_cqt(y=wave, sr=sr, hop_length=hop)


def published_vectors(wave, loudness, chroma, fps, seed=0):
    """Make a list of noise and one of class vectors, all kept; each frame sums all motion anew."""
    rng, (pulse, motion, _) = np.random.default_rng(seed), loudness
    noise = published_base(rng, len(wave) / 22_050, len(pulse))
    labels = [int(label) for label in rng.permutation(CLASSES)]
    signs, pulses, motions, classes = rng.choice([1, -1], NOISE), [], [], []
    for i in range(len(pulse)):
        if i % round(fps * 4) == 0:
            factors = np.array([rng.choice([1, 0.5]) for _ in range(NOISE)])
        new = [np.full(NOISE, 0.5) * pulse[i], np.full(NOISE, 10 / fps) * motion[i]]
        new[1] = new[1] * signs * factors
        if i:
            new = [0.75 * old[-1] + 0.25 * x for old, x in zip((pulses, motions), new, strict=True)]
        pulses.append(new[0])
        motions.append(new[1])
        noise[i] = noise[i] + new[0] + sum(motions[: i + 1])  # the quadratic step
        turn = np.vectorize(lambda x, s: 1 if x - 0.5 < -2 else -1 if x + 0.5 >= 2 else s)
        signs = turn(noise[i], signs)
        classes.append(published_classes(classes, labels, chroma, i, fps))
    means = [np.mean(classes[i : i + fps], axis=0) for i in range(0, len(classes), fps)]
    return noise, published_lines(means, fps, len(classes))


def published_base(rng, seconds, frames):
    """Return a list of vectors on straight lines between keys."""
    count = round(seconds / 60 * 12)
    drawn = [truncnorm.rvs(-2, 2, size=NOISE, random_state=rng) for _ in range(max(1, count))]
    if count < 2:
        return drawn * frames
    return published_lines(drawn, int(frames / count - 1), frames)


def published_lines(keys, steps, frames):
    """Return vectors between keys, the last of them again and again."""
    shares = np.linspace(0, 1, steps)
    pairs = zip(keys[:-1], keys[1:], strict=True)
    lines = [(1 - share) * a + share * b for a, b in pairs for share in shares] or list(keys)
    return lines + [lines[-1]] * (frames - len(lines))


def published_classes(former, labels, chroma, i, fps):
    """Return the class vector of a frame, looked up label by label."""
    if not former:
        i = np.flatnonzero(chroma.sum(axis=0) > 0)[0]
    heard = dict(zip(labels, chroma[:, i], strict=True))
    new = np.array([heard.get(k) if heard.get(k) is not None else 0 for k in range(CLASSES)])
    vector = former[-1] + 0.5 * 43 / fps * new if former else new
    if np.ptp(vector) > 0:
        return (vector - vector.min()) / np.ptp(vector)
    return vector + 0.1 * (np.arange(CLASSES) == 0)


def published_pictures(folder, style, noise, classes, batch_size):
    """Write a PNG for each frame; frames that do not fill a batch are lost."""
    for k in range(len(noise) // batch_size):
        part = slice(k * batch_size, (k + 1) * batch_size)
        pictures = style(noise_batch=np.array(noise[part]), class_batch=np.array(classes[part]))
        for j, picture in enumerate(pictures):
            name = f"{k * batch_size + j:08d}.png"
            Image.fromarray(np.array(picture)).save(folder / name)


def published_file(folder, wave, sr, fps, target, encoder):
    """Encode pictures and sound as moviepy does."""
    sound = Path(f"{target}.m4a")
    published_sound(wave, sr, sound)
    files = sorted(folder.iterdir())
    if len({np.asarray(Image.open(file)).shape for file in files}) > 1:
        raise ValueError("The pictures differ in size.")
    starts = [i / fps - np.finfo(np.float32).eps for i in range(len(files))]
    with av.open(str(sound)) as heard, av.open(str(target), "w") as container:
        stream = picture_stream(container, fps, Image.open(files[0]).size, encoder)
        copy = container.add_stream_from_template(heard.streams.audio[0])
        for number in range(len(files)):
            due = max([i for i in range(len(files)) if starts[i] <= number / fps])  # noqa: C419
            array = np.asarray(Image.open(files[due]))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(array, format="rgb24")))
        container.mux(stream.encode(None))
        for packet in heard.demux(heard.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = copy
                container.mux(packet)
    sound.unlink()


def picture_stream(container, fps, size, encoder):
    """Open x264; moviepy hands it the rate with two decimals."""
    stream = container.add_stream("libx264", rate=Fraction(round(100 * fps), 100))
    stream.width, stream.height = size
    stream.pix_fmt, stream.options = "yuv420p", encoder
    stream.codec_context.bit_rate, stream.codec_context.thread_type = 0, "AUTO"
    return stream


def published_sound(wave, sr, target):
    """Write the sound as a wave file, read it in stereo at twice its rate, and encode it."""
    temporary = target.with_suffix(".wav")
    sf.write(temporary, wave, sr)
    with av.open(str(temporary)) as source, av.open(str(target), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=2 * sr, layout="stereo")
        stream.bit_rate = 128_000
        resampler = av.AudioResampler("fltp", "stereo", 2 * sr)
        for frame in source.decode(audio=0):
            for part in resampler.resample(frame):
                container.mux(stream.encode(part))
        for part in resampler.resample(None):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    temporary.unlink()


# Speed


def our_video(song, target, style, batch_size=1, fps=FPS):
    dream = LucidSonicDream(song, style=style, input_shape=NOISE, num_possible_classes=CLASSES)
    dream.hallucinate(target, batch_size=batch_size, fps=fps)


WAYS = {
    "published": (published_video, 1),
    "published, encoder as ours": (partial(published_video, encoder=OURS), 1),
    "ours, batch 1": (our_video, 1),
    "ours, batch 16": (our_video, 16),
}


def speed(options):
    """Time the whole way from file to video, for songs of several lengths."""
    rows, size = [], options.size
    with TemporaryDirectory() as folder:
        warm_up(folder)
        for pictures, make in PICTURES.items():
            for seconds in options.seconds:
                rows += speed_rows(folder, seconds, make(size), pictures)
        for seconds in options.lengths:
            song = write_song(Path(folder) / f"{seconds}.wav", seconds)
            taken = seconds_of(our_video, song, Path(folder) / "a.mp4", one_colour(size), 16)
            name = f"seconds for a second of song, {seconds} s, one colour"
            rows.append(row(name, "ours, batch 16", taken / seconds, "s", "lower"))
    return rows, f"drums and chords in stereo, {size} x {size}, {FPS} frames a second"


def warm_up(folder):
    """Go both ways once, so that imports and compilation are not timed."""
    song = write_song(Path(folder) / "short.wav", 3)
    for name, (way, batch_size) in WAYS.items():
        way(song, Path(folder) / f"{name}.mp4", one_colour(64), batch_size)


def speed_rows(folder, seconds, style, pictures):
    """Compare frames a second for a song of one length."""
    song, rates, rows = write_song(Path(folder) / f"{seconds}.wav", seconds), {}, []
    for name, (way, batch_size) in WAYS.items():
        target = Path(folder) / f"{name}.mp4"
        taken = seconds_of(way, song, target, style, batch_size)
        rates[name] = video.probe(target).frames / taken
        metric = f"frames a second, {seconds} s of song, {pictures}"
        rows.append(row(metric, name, rates[name], "frames/s", "higher"))
    for name in ("ours, batch 1", "ours, batch 16"):
        factor = rates[name] / rates["published"]
        metric = f"times the published, {seconds} s of song, {pictures}"
        rows.append(row(metric, name, factor, "", "higher"))
    return rows


# Memory


def memory(options):
    """Find the peak of resident memory, each video in a process of its own."""
    size, rows, peaks = options.memory_size, [], {}
    runs = [("published", seconds) for seconds in options.seconds]
    runs += [("ours, batch 1", seconds) for seconds in (options.seconds[0], options.long)]
    with TemporaryDirectory() as folder:
        for way, seconds in runs:
            song = write_song(Path(folder) / "song.wav", seconds)
            command = [sys.executable, __file__, "--once", way, song, str(size)]
            found = subprocess.run(command, check=True, capture_output=True, text=True)
            peaks[way, seconds] = float(found.stdout.split()[-1])
            name = f"peak memory, {seconds:g} s of song"
            rows.append(row(name, way.split(",")[0], peaks[way, seconds], "MB", "lower"))
    for way, group in (("published", "published"), ("ours, batch 1", "ours")):
        first, last = (peak for (who, _), peak in peaks.items() if who == way)
        lengths = [seconds for who, seconds in runs if who == way]
        name = f"more memory at {lengths[1]:g} s than at {lengths[0]:g} s"
        rows.append(row(name, group, 100 * (last / first - 1), "%", "lower"))
    return rows, f"drums and chords in stereo, {size} x {size}, {FPS} frames a second"


def once(name, song, size):
    """Make one video, and print the peak memory in MB."""
    way, batch_size = WAYS[name]
    with TemporaryDirectory() as folder:
        kept = way(song, Path(folder) / "video.mp4", one_colour(int(size)), batch_size)
    print(peak_memory())
    del kept


def peak_memory():
    """Return the peak of resident memory of this process in MB."""
    status = Path("/proc/self/status")
    if status.is_file():
        # On Linux, getrusage begins with the peak of the process that started this one.
        found = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(found[0].split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if sys.platform == "darwin" else 1024)


# Vectors


def vectors(options):
    """Time what an hour of sound takes without pictures."""
    times = 60 / options.minutes
    with TemporaryDirectory() as folder:
        warm_up(folder)
        song = write_song(Path(folder) / "long.wav", 60 * options.minutes)
        began = time.perf_counter()
        loudness = measure_loudness(song)
        measuring = times * (time.perf_counter() - began)
        published = published_hour(folder, options)
    name = f"timeline of an hour ({options.minutes:g} min, times {times:g})"
    rows = [row(name, "ours", measuring, "s", "lower")]
    timeline = an_hour(loudness)
    taken = seconds_of(all_vectors, timeline)
    rows.append(row("vectors of an hour, 512 wide, 12 classes", "ours", taken, "s", "lower"))
    taken = seconds_of(all_vectors, timeline, 512)
    rows.append(row("vectors of an hour, 512 wide, 512 classes", "ours", taken, "s", "lower"))
    return rows + published, f"{len(timeline)} frames at {FPS} a second"


def an_hour(loudness):
    """Repeat what was measured until it lasts an hour, and bring it to frames."""
    times = int(np.ceil(3600 / loudness.seconds))
    parts = {name: np.tile(curve, times) for name, curve in loudness.parts.items()}
    hour = Loudness(parts, np.tile(loudness.chroma, times), 3600.0, loudness.peak)
    return make_timeline(parts["percussive"], parts["harmonic"], hour, FPS, hour.seconds)


def all_vectors(timeline, classes=CLASSES, step=256):
    """Work out all vectors of a video, as rendering does."""
    path = LatentPath(timeline, NOISE, classes)
    for first in range(0, len(path), step):
        path.noise(first, first + step)
        path.class_vectors(first, first + step)


def published_hour(folder, options):
    """Time the published loop over frames for short songs, and foretell an hour of it."""
    taken, rows = [], []
    for seconds in options.loops:
        song = write_song(Path(folder) / "loop.wav", seconds)
        wave, _, _, loudness, chroma = published_specs(song, FPS)
        taken.append(seconds_of(published_vectors, wave, loudness, chroma, FPS))
        rows.append(row(f"vectors of {seconds:g} s", "published", taken[-1], "s", "lower"))
    curve = np.polyfit(options.loops, taken, 2)
    hour = np.polyval(curve, 3600)
    name = "vectors of an hour, 512 wide, 12 classes, foretold"
    return [*rows, row(name, "published", hour, "s", "lower")]


# Styles


def styles(options):
    """Time each built-in style, painting alone and from file to video."""
    rows = []
    with TemporaryDirectory() as folder:
        warm_up(folder)
        song = write_song(Path(folder) / "song.wav", options.style_seconds)
        for name in BUILT_IN:
            if name == "drawings" and not drawings_exist():
                print("drawings: its weights are not here, so it is passed over.")
                continue
            for size in options.sizes:
                rows += style_rows(name, size, song, Path(folder) / "style.mp4")
    return rows, f"{options.style_seconds} s of drums and chords, batches of 8"


def drawings_exist():
    try:
        pretrained.load(WEIGHTS)
    except InputError:
        return False
    return True


def style_rows(name, size, song, target):
    """Time one style at one size. A network paints at its own size, and the video is enlarged."""
    style = open_style(name, width=size, height=size)
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(8, style.input_shape)).astype(np.float32)
    classes = rng.random((8, style.num_possible_classes)).astype(np.float32)
    painted = style.paint(noise, classes, 1.0)
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < 3:
        style.paint(noise, classes, 1.0)
        count += len(noise)
    rate = count / (time.perf_counter() - began)
    own = painted.shape[1]
    note = "" if own == size else f" (painted at {own})"
    rows = [row(f"painting alone, {size} x {size}{note}", name, rate, "frames/s", "higher")]
    dream = LucidSonicDream(song, style=name)
    taken = seconds_of(dream.hallucinate, target, batch_size=8, resolution=size)
    rate = video.probe(target).frames / taken
    return [*rows, row(f"file to video, {size} x {size}", name, rate, "frames/s", "higher")]


# Reaction


STILL = {"pulse_react": 0, "motion_react": 0, "class_pitch_react": 0}
BOTH = ("ours", "published")


def reaction(options):
    """Measure how closely the pictures follow the music."""
    rows = []
    with TemporaryDirectory() as folder:
        rows += click_rows(write_clicks(Path(folder) / "clicks.wav"), options)
        rows += music_rows(options) + still_rows(options)
        rows += note_rows(Path(folder)) + hit_rows() + rate_rows(Path(folder))
    names = " ".join(songs(options))
    size = options.reaction_size
    return rows, f"{options.style}, {size} x {size}, {options.excerpt:g} s each of: clicks {names}"


def songs(options):
    """Return the songs that are measured: those given, or one of each genre of the band."""
    if options.songs:
        return {Path(path).name[:40]: Path(path) for path in options.songs}
    return dict(load_dataset("band", tracks=1).files)


def write_clicks(path, seconds=20, every=0.5):
    """Write short bursts of noise, two a second, in silence."""
    y, rng = np.zeros(seconds * SR), np.random.default_rng(0)
    for second in np.arange(0.25, seconds, every):
        first, burst = round(second * SR), noise_hit(rng, 0.005)
        y[first : first + len(burst)] += burst
    sf.write(path, 0.5 * y / np.abs(y).max(), SR)
    return path


def changes(song, who, options, **parameters):
    """Return the mean absolute change of the picture from each frame to the next, 0 first.

    Both ways are seen at the frame rate that the published one ends up with.
    """
    fps = {"fps": FPS, "compat": "0.4"} if who == "published" else {"fps": frame_rate()}
    size, former, change = options.reaction_size, None, []
    parameters = {"duration": options.excerpt, "resolution": size} | fps | parameters
    dream = LucidSonicDream(song, style=options.style)
    for frame in dream.frames(batch_size=8, **parameters):
        frame = frame.astype(np.int16)
        change.append(0 if former is None else np.abs(frame - former).mean())
        former = frame
    return np.array(change)


def frame_rate():
    return 22_050 / hop_at(FPS)


def neutral_loudness(song, options):
    """Return the root mean square of the song within each frame, and its loudness as heard."""
    hop = hop_at(FPS)
    y, sr = audio.load(song, 22_050, duration=min(options.excerpt, sf.info(song).duration))
    frames = len(y) // hop
    rms = np.sqrt((y[: frames * hop].reshape(frames, hop) ** 2).mean(axis=1))
    curve = measure_loudness(song, 0, options.excerpt).parts["all"]
    return {"RMS": rms, "loudness": at_frames(envelope(curve), sr / hop, frames)}


def correlation(loud, change, lag=0):
    """Return the correlation of a loudness with the change of the picture `lag` frames later."""
    count = min(len(loud), len(change))
    at = np.arange(max(1, 1 - lag), count - max(0, lag))
    pair = loud[at], change[at + lag]
    return np.corrcoef(*pair)[0, 1] if min(map(np.ptp, pair)) > 0 else 0.0


def best_lag(loud, change):
    """Return by how many frames the picture is late, where the correlation is highest."""
    return max(LAGS, key=lambda lag: correlation(loud, change, lag))


def click_rows(song, options):
    """Measure the correlation on clicks, at once and at the best lag."""
    rows, heard = [], neutral_loudness(song, options)
    for who in BOTH:
        change = changes(song, who, options)
        for name, loud in heard.items():
            lag = best_lag(loud, change)
            found = correlation(loud, change)
            rows.append(row(f"clicks: correlation with {name}", who, found, "", "higher"))
            found = correlation(loud, change, lag)
            rows.append(row(f"clicks: at the best lag, {name}", who, found, "", "higher"))
            rows.append(row(f"clicks: best lag, {name}", who, lag, "frames"))
    return rows


def music_rows(options):
    """Measure the correlation song by song, and the difference with its interval."""
    found, lags, rows = {}, {}, []
    for title, song in songs(options).items():
        heard = neutral_loudness(song, options)
        for who in BOTH:
            change = changes(song, who, options)
            for name, loud in heard.items():
                value, lag = correlation(loud, change), best_lag(loud, change)
                found.setdefault((name, who), []).append(value)
                best = correlation(loud, change, lag)
                found.setdefault((f"{name} at the best lag", who), []).append(best)
                lags.setdefault((name, who), []).append(lag)
                rows.append(row(f"{title}: correlation with {name}", who, value, "", "higher"))
    for (name, who), values in lags.items():
        rows.append(row(f"music: median of the best lags, {name}", who, np.median(values)))
        rows[-1]["unit"] = "frames"
    return rows + mean_rows(found)


def mean_rows(found):
    """Give the means over the songs, and how much higher ours are."""
    rows = []
    for name in dict.fromkeys(name for name, _ in found):
        pair = [np.array(found[name, who]) for who in BOTH]
        for who, values in zip(BOTH, pair, strict=True):
            rows.append(row(f"music: correlation with {name}", who, values.mean(), "", "higher"))
        for group, value in zip(
            ("mean", "lower end", "upper end"), metrics.paired_bootstrap(*pair), strict=True
        ):
            rows.append(row(f"music: ours less published, {name}", group, value))
    return rows


def still_rows(options):
    """Measure the correlation without reactions, for the base goes on: chance must be all of it.

    Both curves are slow, so a single song of 20 seconds shows some correlation by chance. Chance
    has another sign each time and does not mind which part of the song is taken. So the mean over
    songs and seeds is given, and the size beside that with the wrong half of the song. Slow parts
    (a running mean of a second) taken away, there is less of chance in a single song.
    """
    rows, found = [], []
    for title, song in songs(options).items():
        loud, values = neutral_loudness(song, options)["RMS"], []
        swapped = np.roll(loud, len(loud) // 2)
        for seed in range(options.seeds):
            change = changes(song, "ours", options, seed=seed, **STILL)[: len(loud)]
            quick = correlation(without_slow(loud), without_slow(change))
            values.append([correlation(loud, change), correlation(swapped, change), quick])
        found.append(values)
        rows.append(row(f"{title}: no reactions, seed 0", "ours", values[0][0]))
    right, wrong, quick = np.moveaxis(np.array(found), 2, 0)
    name = "no reactions: correlation with RMS"
    rows.append(row(f"{name}, mean of songs and seeds", "ours", right.mean()))
    for group, value in zip(
        ("lower end", "upper end"), metrics.bootstrap_interval(right.mean(axis=1)), strict=True
    ):
        rows.append(row(f"{name}, mean of songs and seeds", group, value))
    rows.append(row(f"{name}, mean size", "ours", np.abs(right).mean(), "", "lower"))
    rows.append(row(f"{name}, mean size", "wrong half", np.abs(wrong).mean()))
    rows.append(row(f"{name}, slow parts away, mean", "ours", quick.mean()))
    rows.append(row(f"{name}, slow parts away, largest size", "ours", np.abs(quick).max()))
    return rows


def without_slow(curve):
    """Take the running mean of a second away. The first frame has no change, so it is left out."""
    mean = uniform_filter1d(curve[1:].astype(float), FPS, mode="nearest")
    return np.concatenate([[0], curve[1:] - mean])


def note_rows(folder):
    """Count the notes of a scale whose class leads in the middle of the note."""
    rows, scale = [], [60, 62, 64, 65, 67, 69, 71, 72, 71, 69, 67, 65, 64, 62, 60]
    for length in (0.5, 1.0):
        song = folder / "scale.wav"
        sf.write(song, np.concatenate([0.3 * tone(note, length) for note in scale]), SR)
        middles, wanted = (np.arange(len(scale)) + 0.5) * length, np.array(scale) % 12
        for who, path in scale_paths(song).items():
            frames = (middles * path.timeline.fps).astype(int)
            leading = path.class_vectors(0, len(path))[frames].argmax(axis=1)
            share = 100 * (leading == wanted).mean()
            name = f"notes of {length:g} s that their class follows"
            rows.append(row(name, who, share, "%", "higher"))
    return rows


def scale_paths(song):
    """Return both latent paths of a song, with class 0 for C and so on."""
    dream = LucidSonicDream(
        song, style=one_colour(16), input_shape=NOISE, num_possible_classes=CLASSES
    )
    classes = {"classes": list(range(12))}
    return {
        "ours": dream.latent_path(**classes),
        "published": dream.latent_path(**classes, compat="0.4"),
    }


def hit_rows():
    """Measure how high a hit that lasts one frame gets, by how far the noise vector goes."""
    pulse = np.zeros(FPS * 4, np.float32)
    pulse[2 * FPS] = 1
    still, notes = np.zeros_like(pulse), np.ones((12, len(pulse)))
    timeline = Timeline(FPS, pulse, still, pulse, notes, 4.0)
    only = {"pulse_react": 1.0, "motion_react": 0.0, "speed_fpm": 0}
    paths = {"ours": LatentPath(timeline, NOISE, **only)}
    paths["published"] = PublishedPath(timeline, NOISE, fps=FPS, **only)
    rows = []
    for who, path in paths.items():
        noise = path.noise(0, len(path))
        height = np.linalg.norm(noise - noise[0], axis=1).max() / np.sqrt(NOISE)
        rows.append(row("height of a one-frame hit", who, 100 * height, "%", "higher"))
    return rows


def rate_rows(folder):
    """Write videos at several rates, and measure those of the files and what they miss."""
    rows, song = [], write_song(folder / "rates.wav", 5.3)
    for fps in (24, 25, 30, 50, 60):
        for who, way in (("published", published_video), ("ours", our_video)):
            target = folder / f"{who}{fps}.mp4"
            way(song, target, one_colour(32), 16, fps)
            found = video.probe(target)
            error = 100 * (found.frames / found.seconds / fps - 1)
            missing = (found.seconds - 5.3) * fps
            rows.append(row(f"error of the frame rate, {fps} asked for", who, error, "%"))
            name = f"video longer than the song, {fps} asked for, batch 16"
            rows.append(row(name, who, missing, "frames"))
            longer = (found.seconds - found.audio_seconds) * fps
            name = f"video longer than its sound, {fps} asked for, batch 16"
            rows.append(row(name, who, longer, "frames"))
    return rows


# All parts


def run(part, options):
    """Measure one part, and write what was measured."""
    began = time.perf_counter()
    rows, data = globals()[part](options)
    used = {name: value for name, value in vars(options).items() if name not in ("parts", "once")}
    path = results.record(
        NAME,
        rows,
        data=data,
        settings=used | {"cores": cores()},
        seconds=time.perf_counter() - began,
        profile="full",
        variant=variant_of(part, options),
        command=os.environ.get("AUDIOSTYLE_COMMAND", "make bench CH=06"),
    )
    print(f"written: {path.name}")


def variant_of(part, options):
    """Name the results of a part; reaction may be measured with other styles and songs."""
    if part != "reaction":
        return part
    style = "" if options.style == "aurora" else f"-{options.style}"
    return f"reaction{style}{'-songs' if options.songs else ''}"


def main():
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", choices=PARTS, nargs="+", default=PARTS)
    parser.add_argument("--size", type=int, default=256, help="pixels a side, for speed")
    parser.add_argument("--seconds", type=int, nargs=2, default=[20, 80], help="of both ways")
    parser.add_argument("--lengths", type=int, nargs="+", default=[20, 80, 320], help="of ours")
    parser.add_argument("--memory-size", type=int, default=256, help="pixels a side, for memory")
    parser.add_argument("--long", type=int, default=600, help="seconds, for memory")
    parser.add_argument("--minutes", type=float, default=10, help="measured for the hour")
    parser.add_argument("--loops", type=float, nargs="+", default=[20, 40, 80], help="published")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512], help="for styles")
    parser.add_argument("--style-seconds", type=int, default=8, help="of song, for styles")
    parser.add_argument("--songs", nargs="+", help="files for reaction, in place of the band")
    parser.add_argument("--excerpt", type=float, default=20, help="seconds of each song")
    parser.add_argument("--style", default="aurora", help="for reaction")
    parser.add_argument("--reaction-size", type=int, default=64, help="pixels a side")
    parser.add_argument("--seeds", type=int, default=5, help="of the pictures without reactions")
    parser.add_argument("--once", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once:
        once(*options.once)
        return
    for part in options.parts:
        run(part, options)


if __name__ == "__main__":
    main()
