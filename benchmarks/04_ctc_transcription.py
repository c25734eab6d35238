"""The published recogniser beside the chapter's, on the same speech and machine.

    make bench CH=04                                       on the built-in sentences
    make bench CH=04 P="--only speed"                      one of its parts
    AUDIOSTYLE_DATA=/your/data make bench CH=04            with your FSDD and CMU ARCTIC

`speed` times the transcription, the epochs and the features, `changes` measures what each change
is worth, `folds` leaves out one speaker of FSDD after the other, and `strangers` trains on one
speaker of CMU ARCTIC and listens to the other.
"""

import time
import tracemalloc
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import keras
import numpy as np
import pandas as pd
from keras import layers, ops

from audiostyle_utils import audio, features, load_chapter, load_dataset, training

chapter = load_chapter("04_ctc_transcription")

NAME = "04_ctc_transcription"
PARTS = ("speed", "changes", "folds", "strangers")
SR = chapter.SR


def row(metric, group, value, unit=""):
    print(f"{metric:44} {group:44} {value:12,.3f} {unit}", flush=True)
    return {"metric": metric, "group": group, "value": float(value), "unit": unit}


def seconds_of(function, times=1):
    """Return the seconds that a call takes, the mean of several."""
    began = time.perf_counter()
    for _ in range(times):
        function()
    return (time.perf_counter() - began) / times


class Material(NamedTuple):
    """Clips of the built-in sentences, as the chapter sees them and as the source does."""

    speech: object
    source: object
    texts: pd.Series
    parts: pd.Series

    def names(self, part):
        return list(self.parts.index[self.parts == part])


def material(clips):
    """Read the built-in sentences."""
    dataset = load_dataset("spoken", clips=clips)
    found = chapter.log_mels(dataset.files)
    table = pd.DataFrame.from_dict(dataset.labels, orient="index")
    letters = {name: chapter.encode(text) for name, text in table.text.items()}
    mels = {name: found.arrays[name] for name in table.index}  # no disk in what is timed
    heard = chapter.Speech(mels, letters, pd.Series(found.frames))
    always = pd.Series(999, index=table.index)
    pictures = chapter.SourcePictures(dataset.files)
    return Material(heard, chapter.Speech(pictures, letters, always, 4), table.text, table.part)


# Speed


def speed(options):
    """Time the transcription of a recording, the epochs, the loss and the features."""
    rows = transcribe_rows(options) + epoch_rows(options) + loss_rows() + feature_rows(options)
    return rows, f"spoken: {options.clips} clips"


def transcribe_rows(options):
    """Time the transcription of a minute of speech, with the parts of the decoder."""
    dataset = load_dataset("spoken", clips=options.clips)
    names = [name for name, label in dataset.labels.items() if label["part"] == "test"]
    y = np.concatenate([audio.load(dataset.files[name], SR)[0] for name in names])[: 60 * SR]
    texts = [
        dataset.labels[n]["text"] for n in dataset.labels if dataset.labels[n]["part"] == "training"
    ]
    words = {word for text in texts for word in text.split()}
    ways = {"greedy": None, "beam, letters and words": chapter.Spelling(texts, words)}
    rows = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "minute.wav"
        audio.save(path, y, SR)
        for way, spelling in ways.items():
            call = lambda s=spelling: chapter.transcribe(path, options.weights, s)  # noqa: E731
            call()
            rows.append(row("seconds for a second of speech", way, seconds_of(call, 3) / 60))
    return rows


def epoch_rows(options):
    """Time an epoch of our network on batches that are filled in different ways."""
    given = material(options.clips)
    names = given.names("training")
    network = chapter.our_network()
    chapter.prepare(network, 1000)
    ways = {"bucketed": given.speech.lengths, "as they come": given.speech.lengths * 0}
    rows = []
    for way, keys in ways.items():
        dealt = given.speech._replace(lengths=keys)
        seconds = epoch_seconds(network, dealt, names)
        rows.append(row("seconds an epoch", f"ours, {way}", seconds, "s"))
    padded = given.speech._replace(pictures=Padded(given.speech.pictures, 1000))
    seconds = epoch_seconds(network, padded, names)
    rows.append(row("seconds an epoch", "ours, ten seconds each", seconds, "s"))
    source = chapter.source_network()
    chapter.prepare(source, 1000)
    few = names[:64]
    seconds = epoch_seconds(source, given.source, few, chapter.as_recorded) * len(names) / len(few)
    return [*rows, row("seconds an epoch", "published, from 64 clips", seconds, "s")]


class Padded:
    """Pictures of one length."""

    def __init__(self, pictures, frames):
        self.pictures, self.frames = pictures, frames

    def __getitem__(self, name):
        X = self.pictures[name]
        return np.pad(X, ((0, max(0, self.frames - len(X))), (0, 0)), mode="edge")


def epoch_seconds(network, given, names, view=chapter.as_heard):
    def epoch():
        chapter.one_epoch(network, chapter.batches(given, names, view, np.random.default_rng(0)))

    epoch()  # the first one compiles
    return seconds_of(epoch)


def loss_rows():
    """Time the loss of a batch with its gradient, by Keras and by the compiled loop."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(8, 100, chapter.N_SIGNS)).astype(np.float32)
    labels = rng.integers(1, chapter.N_SIGNS, (8, 40)).astype(np.int32)
    sizes, steps = np.full(8, 40, np.int32), np.full(8, 100, np.int32)

    def by_keras(labels, scores, sizes, steps):
        return ops.ctc_loss(labels, scores, sizes, steps, mask_index=0)

    rows = []
    for way, function in {"keras.ops.ctc_loss": by_keras, "ours": chapter.ctc_loss}.items():
        model = keras.Sequential(
            [keras.Input((100, chapter.N_SIGNS)), layers.Dense(chapter.N_SIGNS)]
        )
        model.compile("sgd", loss=lambda y, s, f=function: f(y, s, sizes, steps), jit_compile=False)
        model.train_on_batch(scores, labels)
        seconds = seconds_of(lambda m=model: m.train_on_batch(scores, labels), 20)
        rows.append(row("ms a batch, loss and gradient", way, 1000 * seconds, "ms"))
    return rows


def feature_rows(options):
    """Time the features of more and more hours, and the most memory that they take."""
    dataset = load_dataset("spoken", clips=options.clips)
    files, rows = list(dataset.files.items()), []
    for share in (4, 2, 1):
        some = dict(files[: len(files) // share])
        for in_memory in (True, False):
            rows += pass_rows(some, in_memory)
    return rows


def pass_rows(files, in_memory):
    """Compute the features of some files into an empty cache."""
    import os
    from unittest.mock import patch

    settings = {
        "sr": SR,
        "n_fft": chapter.N_FFT,
        "hop_length": chapter.HOP,
        "n_mels": chapter.N_MELS,
    }
    with TemporaryDirectory() as folder, patch.dict(os.environ, AUDIOSTYLE_CACHE=folder):
        tracemalloc.start()
        began = time.perf_counter()
        found = features.extract(files, in_memory=in_memory, **settings)
        seconds, (_, most) = time.perf_counter() - began, tracemalloc.get_traced_memory()
        tracemalloc.stop()
    hours = sum(found.frames.values()) * chapter.HOP / SR / 3600
    group = f"{hours:.2f} hours, {'in memory' if in_memory else 'on disk'}"
    return [
        row("seconds for the features", group, seconds, "s"),
        row("most memory for the features", group, most / 1e6, "MB"),
    ]


# What each change is worth


def timed(model, given, names, view, seconds, rate, repeats=1):
    """Train for some seconds of processor time; the rate rises, and falls to nothing.

    The seconds are those of all processor cores together, so that other work on the machine
    takes nothing from one network that another one had.
    """
    training.seed_everything(0)
    chapter.prepare(model, 1000, rate)
    model.optimizer.learning_rate = rate  # a number from now on
    steps, epoch, began, gone = 0, 0, None, 0.0
    while gone < 1:
        rng = np.random.default_rng((0, epoch))
        for x, mask, y in chapter.batches(given, names, view, rng):
            for _ in range(repeats):
                gone = (time.process_time() - began) / seconds if began else 0.0
                falling = 0.5 * (1 + np.cos(np.pi * min(1, gone)))
                model.optimizer.learning_rate = rate * min(1, (steps + 1) / 50) * falling
                model.train_on_batch([x, mask], y)
                began = began or time.process_time()  # the first call compiles
                steps += 1
            if gone >= 1:
                break
        epoch += 1
    return steps


def recurrent_network(bands, scale, turned=True):
    """Build the published network for pictures with another number of bands."""
    x = pictures = keras.Input((None, bands))
    mask = keras.Input((None, 1))
    for _ in range(2):
        x = layers.BatchNormalization()(x)
        x = layers.Conv1D(220 // scale, 11, strides=2, padding="same", activation="relu")(x)
    x = chapter.recurrent(layers.BatchNormalization()(x), mask, 512 // scale, turned)
    x = layers.BatchNormalization()(x)
    return chapter.Recogniser([pictures, mask], layers.Dense(chapter.N_SIGNS)(x))


class Computed:
    """Pictures that a function makes of the sound when they are asked for, and then keeps."""

    def __init__(self, files, function):
        self.files, self.function, self.kept = files, function, {}

    def __getitem__(self, name):
        if name not in self.kept:
            made = self.function(audio.load(self.files[name], SR)[0])
            self.kept[name] = made.astype(np.float16)
        return self.kept[name]


def printed(y):
    """The source's printed frames, of a clip padded to ten seconds."""
    return chapter.printed_features(np.pad(y, (0, max(0, 10 * SR - len(y))))[: 10 * SR])


def short_source(y):
    """The source's features without the padding."""
    return chapter.source_features(y)[: 1 + (len(y) - 320) // 160]
