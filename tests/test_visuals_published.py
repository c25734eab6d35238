"""The published formulas, restated here as they stand there, give what `published` gives."""

import numpy as np
import pytest
import soundfile as sf
from scipy.stats import truncnorm

from audiostyle_utils import InputError, audio
from audiostyle_utils.visuals import published
from audiostyle_utils.visuals.published import PublishedPath, published_timeline
from audiostyle_utils.visuals.timeline import SR

from .visuals_helpers import clicks, scale, timeline, tone

# What version 0.4 writes when it is asked for these rates.
REAL_RATES = {24: 24.61, 25: 26.50, 30: 31.32, 50: 57.42, 60: 68.91}
SIZE = 7  # of a noise vector


@pytest.mark.parametrize("fps", sorted(REAL_RATES))
def test_the_published_rates_are_multiples_of_64_samples(fps):
    assert published.hop_at(fps) % 64 == 0
    assert SR / published.hop_at(fps) == pytest.approx(REAL_RATES[fps], abs=0.005)


# The timeline

# What librosa says of a song of two seconds when it is asked directly.
librosa_on_short_songs = pytest.mark.filterwarnings("ignore:n_fft=:UserWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("songs")
    song = clicks([0.3, 0.9, 1.6], 2, size=0.4)
    song[: 18 * 2450] += scale(1 / 6, range(0, 12))[: song.size][: 18 * 2450]
    audio.save(folder / "song.wav", 0.7 * song, SR)
    audio.save(folder / "other.wav", tone(660, 2), SR)
    audio.save(folder / "short.wav", tone(660, 1), SR)
    return folder


def published_curve(y, n_mels, hop):
    import librosa

    powers = librosa.feature.melspectrogram(y=y, sr=SR, n_mels=n_mels, hop_length=hop)
    loudest = [max(column) for column in powers.T]
    return [(value - min(loudest)) / (max(loudest) - min(loudest)) for value in loudest]


@librosa_on_short_songs
@pytest.mark.parametrize("fps", [24, 43])
@pytest.mark.parametrize("parts", [("percussive", "harmonic"), ("all", "all"), ("all", "harmonic")])
def test_the_timeline_is_the_published_one(folder, fps, parts):
    import librosa

    y, _ = sf.read(folder / "song.wav", dtype="float32")
    harmonic, percussive = librosa.effects.hpss(y)
    signals = {"all": y, "harmonic": harmonic, "percussive": percussive}
    hop = int(SR / fps - (SR / fps % 64))
    found = published_timeline(folder / "song.wav", fps, 64, parts=parts)
    assert found.fps == SR / hop and found.seconds == pytest.approx(2)
    for curve, part in zip((found.pulse, found.motion), parts, strict=True):
        np.testing.assert_allclose(curve, published_curve(signals[part], 64, hop), atol=1e-5)
    chroma = librosa.feature.chroma_cqt(y=y, sr=SR, hop_length=hop)
    np.testing.assert_allclose(found.chroma, chroma, atol=1e-4)


@librosa_on_short_songs
@pytest.mark.parametrize("stem", ["pulse_audio", "motion_audio", "class_audio"])
def test_stems_replace_the_song(folder, stem):
    import librosa

    usual = published_timeline(folder / "song.wav", 43, 64)
    found = published_timeline(folder / "song.wav", 43, 64, **{stem: folder / "other.wav"})
    y, hop = sf.read(folder / "other.wav", dtype="float32")[0], published.hop_at(43)
    if stem == "class_audio":
        wanted, got = librosa.feature.chroma_cqt(y=y, sr=SR, hop_length=hop), found.chroma
    else:
        wanted, got = published_curve(y, 64, hop), getattr(found, stem.split("_")[0])
    np.testing.assert_allclose(got, wanted, atol=1e-4)
    for name in {"pulse", "motion", "chroma"} - {stem.split("_")[0].replace("class", "chroma")}:
        np.testing.assert_array_equal(getattr(found, name), getattr(usual, name))


def test_a_short_stem_is_followed_by_nothing(folder):
    found = published_timeline(folder / "song.wav", 43, 64, motion_audio=folder / "short.wav")
    assert len(found.motion) == len(found.pulse)
    assert found.motion[5:40].min() > 0.5 and not found.motion[46:].any()


def test_start_and_duration_choose_a_part(folder):
    found = published_timeline(folder / "song.wav", 43, 64, start=0.5, duration=1)
    assert found.seconds == pytest.approx(1) and len(found) == 1 + SR // published.hop_at(43)


def test_silence_is_zero_and_not_a_division_by_it():
    assert not published.loudness(np.zeros(SR, np.float32), 64, 512).any()


# The vectors: the loops of version 0.4, all motion summed anew at each frame.


class Naive:
    """Draws in the order in which `PublishedPath` does, and computes as version 0.4 does."""

    def __init__(
        self, line, size, count, *, fps=43, seed=0, speed_fpm=12, pulse_react=0.5, motion_react=0.5,
        motion_randomness=0.5, truncation=1, classes=None, dominant_classes_first=False,
        class_pitch_react=0.5, class_smooth_seconds=1, class_complexity=1,
        class_shuffle_seconds=None, class_shuffle_strength=0.5, start=0,
    ):  # fmt: skip
        self.line, self.fps, self.start, self.frames = line, fps, start, len(line)
        self.random = np.random.default_rng(seed)
        self.labels = self.deal(classes, count, dominant_classes_first)
        self.noise = self.walk(
            size, self.base(size, speed_fpm, truncation), pulse_react, motion_react,
            motion_randomness, truncation,
        )  # fmt: skip
        self.shuffle, self.turn = class_shuffle_seconds, round(class_shuffle_strength * 12)
        vectors = self.sums(count, class_pitch_react * 43 / fps, class_complexity)
        self.classes = self.smoothed(vectors, class_smooth_seconds * fps)

    def deal(self, classes, count, by_dominance):
        if count == 0:
            return [0] * 12
        labels = list(self.random.permutation(count)[:12] if classes is None else classes)
        while len(labels) < 12:
            labels = labels + labels
        labels = labels[:12]
        if by_dominance:
            shares = (self.line.chroma / self.line.chroma.sum(axis=0)).sum(axis=1)
            by_share = np.argsort(shares)[::-1]
            labels = [labels[i] for i in np.argsort(by_share)]
        return labels

    def base(self, size, speed_fpm, truncation):
        count = round(self.line.seconds / 60 * speed_fpm)
        shape = (max(count, 1), size)
        keys = truncation * truncnorm.rvs(-2, 2, size=shape, random_state=self.random)
        if count < 2:
            return [keys[0]] * self.frames
        return self.lines(list(keys), int(self.frames / count - 1))

    def lines(self, keys, steps):
        between = []
        for a, b in zip(keys[:-1], keys[1:], strict=True):
            between += [(1 - share) * a + share * b for share in np.linspace(0, 1, steps)]
        while len(between) < self.frames:
            between.append(between[-1])
        return between

    def walk(self, size, noise, pulse_react, motion_react, randomness, truncation):
        signs = self.random.choice([1, -1], size)
        pulses, motions, walked = [], [], []
        for i in range(self.frames):
            if i % round(self.fps * 4) == 0:
                factors = self.random.choice([1, 1 - randomness], size)
            pulse = np.full(size, pulse_react) * self.line.pulse[i]
            motion = motion_react * 20 / self.fps * self.line.motion[i] * signs * factors
            if i > 0:
                pulse = 0.75 * pulses[-1] + 0.25 * pulse
                motion = 0.75 * motions[-1] + 0.25 * motion
            pulses.append(pulse)
            motions.append(motion)
            walked.append(noise[i] + pulse + sum(motions))
            signs = np.array([
                1 if value - motion_react < -2 * truncation
                else -1 if value + motion_react >= 2 * truncation
                else sign
                for value, sign in zip(walked[-1], signs, strict=True)
            ])  # fmt: skip
        return np.array(walked)

    def is_shuffle(self, i):
        if isinstance(self.shuffle, list):
            return i / self.fps + self.start in self.shuffle
        return bool(self.shuffle) and i != 0 and i % round(self.shuffle * self.fps) == 0

    def sums(self, count, react, complexity):
        vectors, labels, chroma = [], list(self.labels), self.line.chroma
        for i in range(self.frames if count else 0):
            if self.is_shuffle(i):
                labels = labels[self.turn :] + labels[: self.turn]
            heard = i if i else min(np.where(chroma.sum(axis=0) > 0)[0])
            note_of = dict(zip(labels, chroma[:, heard], strict=True))
            notes = np.array([note_of.get(label, 0) for label in range(count)])
            vector = vectors[-1] + react * notes if i else notes.copy()
            vector = (vector - vector.min()) / (vector.max() - vector.min())
            vectors.append(vector * complexity)
        return vectors

    def smoothed(self, vectors, block):
        if block <= 1 or not vectors:
            return np.array(vectors)
        means = [np.mean(vectors[i : i + block], axis=0) for i in range(0, len(vectors), block)]
        return np.array(self.lines(means, block)[: self.frames])


def music(frames=420, fps=43, seed=0, silence=0.0):
    random = np.random.default_rng(seed)
    real = SR / published.hop_at(fps)
    chroma = random.random((12, frames)) * np.linspace(0.5, 1, 12)[:, None]
    chroma[:, :5] *= silence
    return timeline(frames, real, random.random(frames) ** 3, random.random(frames), chroma)


SETTINGS = {
    "as it comes": {},
    "no stroll": {"speed_fpm": 0},
    "one key": {"speed_fpm": 6},
    "many keys": {"speed_fpm": 120},
    "still": {"pulse_react": 0, "motion_react": 0},
    "strong": {"pulse_react": 1.7, "motion_react": 2.0, "motion_randomness": 1},
    "alike": {"motion_randomness": 0},
    "truncated": {"truncation": 0.4, "motion_react": 1.0},
    "two labels": {"classes": [4, 9]},
    "five labels": {"classes": [4, 9, 1, 0, 7], "class_pitch_react": 1.5},
    "dominant": {"classes": list(range(12))[::-1], "dominant_classes_first": True},
    "shuffled": {"class_shuffle_seconds": 2, "class_shuffle_strength": 0.3},
    "shuffled at times": {"class_shuffle_seconds": [0, 1, 4, 7], "class_shuffle_strength": 0.75},
    "shuffled from a start": {"class_shuffle_seconds": [3, 5], "start": 2},
    "not smoothed": {"class_smooth_seconds": 0},
    "smooth": {"class_smooth_seconds": 3},
    "simple": {"class_complexity": 0.3},
    "quick labels": {"class_pitch_react": 2.0, "class_smooth_seconds": 0},
    "slow": {"fps": 24},
    "seeded": {"seed": 77},
}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("count", [12, 20])
def test_the_path_is_the_published_one(name, count):
    # In silence the published order of the notes is not a number.
    silence = 1e-3 if SETTINGS[name].get("dominant_classes_first") else 0
    line = music(fps=SETTINGS[name].get("fps", 43), silence=silence)
    naive = Naive(line, SIZE, count, **SETTINGS[name])
    path = PublishedPath(line, SIZE, count, **SETTINGS[name])
    assert len(path) == len(line) == len(naive.noise)
    np.testing.assert_allclose(path.noise(0, len(line)), naive.noise, atol=2e-5)
    np.testing.assert_allclose(path.class_vectors(0, len(line)), naive.classes, atol=2e-5)


def test_a_style_without_classes_gets_empty_vectors():
    line = music(100)
    path = PublishedPath(line, SIZE, 0)
    assert path.class_vectors(10, 30).shape == (20, 0)
    np.testing.assert_allclose(path.noise(0, 100), Naive(line, SIZE, 0).noise, atol=2e-5)


def test_blocks_join_without_a_seam():
    line = music(200)
    whole = PublishedPath(line, SIZE, 12).noise(0, 200)
    path = PublishedPath(line, SIZE, 12)
    blocks = [path.noise(first, first + 33) for first in range(0, 200, 33)]
    np.testing.assert_array_equal(np.concatenate(blocks), whole)


def test_frames_have_to_be_asked_for_in_order():
    path = PublishedPath(music(50), SIZE)
    path.noise(0, 10)
    with pytest.raises(InputError, match="in order"):
        path.noise(0, 10)


def test_a_hit_of_one_frame_reaches_a_quarter():
    hit = np.zeros(60)
    hit[30] = 1
    path = PublishedPath(timeline(60, 43, pulse=hit), SIZE, speed_fpm=0, pulse_react=0.8)
    height = (path.noise(0, 60) - PublishedPath(timeline(60, 43), SIZE, speed_fpm=0).noise(0, 60))[
        30
    ]
    np.testing.assert_allclose(height, 0.25 * 0.8, atol=1e-6)


def test_the_base_stands_still_at_the_end():
    line = timeline(600, 43)
    moves = np.abs(np.diff(PublishedPath(line, SIZE, speed_fpm=20).noise(0, 600), axis=0)).max(
        axis=1
    )
    frozen = len(moves) - np.flatnonzero(moves)[-1]
    assert frozen > 600 / 5  # there are 5 keys, and the last one lasts for a fifth of the video


def test_speed_that_leaves_no_frame_between_keys_is_refused():
    with pytest.raises(InputError, match="speed_fpm"):
        PublishedPath(music(100), SIZE, speed_fpm=43 * 60).noise(0, 1)


def test_short_and_silent_songs_are_measured_without_a_warning(folder):
    for name, y in (("hush.wav", np.zeros(SR, "f4")), ("brief.wav", tone(440, 0.1))):
        audio.save(folder / name, y, SR)
        found = published_timeline(folder / name, 43, 64)
        assert all(np.isfinite(curve).all() for curve in (found.pulse, found.motion, found.chroma))


def test_silence_has_a_path():
    path = PublishedPath(timeline(90, 43), SIZE, 12)
    assert np.isfinite(path.noise(0, 90)).all() and np.isfinite(path.class_vectors(0, 90)).all()


def test_too_many_key_vectors_are_refused_at_once():
    with pytest.raises(InputError, match="speed_fpm"):
        PublishedPath(timeline(200, 40), SIZE, speed_fpm=2400)
