"""The published recogniser beside the chapter's, on the same speech and machine.

    make bench CH=04                                       on the built-in sentences
    make bench CH=04 P="--only speed"                      one of its parts
    AUDIOSTYLE_DATA=/your/data make bench CH=04            with your FSDD and CMU ARCTIC

`speed` times the transcription, the epochs and the features, `changes` measures what each change
is worth, `folds` leaves out one speaker of FSDD after the other, and `strangers` trains on one
speaker of CMU ARCTIC and listens to the other.
"""

import argparse
import os
import time
import tracemalloc
from itertools import count, repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import keras
import numpy as np
import pandas as pd
from keras import layers, ops

from audiostyle_utils import (
    audio,
    datasets,
    features,
    load_chapter,
    load_dataset,
    results,
    speech,
    training,
)

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
    """Time the transcription of a minute of speech, greedy and with a beam."""
    dataset = load_dataset("spoken", clips=options.clips)
    names = [name for name, label in dataset.labels.items() if label["part"] == "test"]
    y = np.concatenate([audio.load(dataset.files[name], SR)[0] for name in names])[: 60 * SR]
    texts = [
        dataset.labels[n]["text"] for n in dataset.labels if dataset.labels[n]["part"] == "training"
    ]
    letters, words = chapter.Letters(texts), chapter.Words(chapter.word_shares(texts))
    ways = {"greedy": None, "beam, letters and words": chapter.Spelling(letters, words)}
    rows = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "minute.wav"
        audio.save(path, y, SR)
        for way, spelling in ways.items():
            call = lambda s=spelling: chapter.transcribe(path, options.weights, s)  # noqa: E731
            call()
            share = seconds_of(call, 3) * SR / len(y)
            rows.append(row("seconds for a second of speech", way, share))
    return rows


def epoch_rows(options):
    """Time an epoch of our network on batches that are filled in different ways."""
    given = material(options.clips)
    names = given.names("training")
    network = chapter.our_network(192, 8)  # of the full profile
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
    few, kept = names[:64], Computed(given.source.pictures.files, chapter.source_features)
    theirs = given.source._replace(pictures=kept)
    seconds = epoch_seconds(source, theirs, few, chapter.as_recorded, 32) * len(names) / len(few)
    return [*rows, row("seconds an epoch", "published, one fit, from 64 clips", seconds, "s")]


class Padded:
    """Pictures of one length."""

    def __init__(self, pictures, frames):
        self.pictures, self.frames = pictures, frames

    def __getitem__(self, name):
        X = self.pictures[name]
        return np.pad(X, ((0, max(0, self.frames - len(X))), (0, 0)), mode="edge")


def epoch_seconds(network, given, names, view=chapter.changed, size=16):
    def epoch():
        rng = np.random.default_rng(0)
        chapter.one_epoch(network, chapter.batches(given, names, view, rng, size))

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
    """Compute the features of some files, once for the time and once for the memory."""
    began = time.perf_counter()
    found = cold_pass(files, in_memory)
    seconds = time.perf_counter() - began
    tracemalloc.start()  # it makes everything slower
    cold_pass(files, in_memory)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    hours = sum(found.frames.values()) * chapter.HOP / SR / 3600
    group = f"{hours:.2f} hours, {'in memory' if in_memory else 'on disk'}"
    return [
        row("seconds for the features", group, seconds, "s"),
        row("most Python memory for the features", group, most / 1e6, "MB"),
    ]


def cold_pass(files, in_memory):
    """Compute the features of some files into an empty cache."""
    settings = {"sr": SR, "n_fft": chapter.N_FFT, "hop_length": chapter.HOP}
    former = os.environ.get("AUDIOSTYLE_CACHE")
    with TemporaryDirectory() as folder:
        os.environ["AUDIOSTYLE_CACHE"] = folder
        try:
            return features.extract(files, in_memory=in_memory, n_mels=chapter.N_MELS, **settings)
        finally:
            if former is None:
                del os.environ["AUDIOSTYLE_CACHE"]
            else:
                os.environ["AUDIOSTYLE_CACHE"] = former


# What each change is worth


class Recipe(NamedTuple):
    """How a network is built, what it is shown, and how it is trained."""

    build: object
    speech: object
    view: object = chapter.as_recorded
    look: object = chapter.as_recorded
    rate: float = 0.001
    fits: int = 1
    by_batch: bool = False  # divided by the largest value of the batch, in the training only


def timed(recipe, names, seconds):
    """Train for some seconds of processor time; the rate rises, and falls to nothing.

    The seconds are those of all processor cores together, so that other work on the machine
    takes nothing from one network that another one had. Neither compiling nor reading counts.
    """
    for name in names:
        recipe.speech.pictures[name]  # some are computed when they are first asked for
    training.seed_everything(0)
    model = recipe.build()
    adam = keras.optimizers.AdamW(0.0, weight_decay=0.01, clipnorm=1.0)
    model.compile(optimizer=adam, jit_compile=False)
    for batch in drawn(recipe, [names[:16], names[16:32], names[:7]]):
        model.train_on_batch(*batch)  # shapes that differ, at a rate of 0
    steps, gone, began = 0, 0.0, time.process_time()
    for batch in endless(recipe, names):
        falling = 0.5 * (1 + np.cos(np.pi * gone))
        model.optimizer.learning_rate = recipe.rate * min(1, (steps + 1) / 50) * falling
        model.train_on_batch(*batch)
        steps, gone = steps + 1, (time.process_time() - began) / seconds
        if gone >= 1:
            return model


def drawn(recipe, groups):
    """Yield one batch of each group of clips."""
    for group in groups:
        rng = np.random.default_rng(0)
        for x, mask, y in chapter.batches(recipe.speech, group, recipe.view, rng):
            yield [x, mask], y


def endless(recipe, names):
    """Yield batches, epoch after epoch."""
    for epoch in count():
        rng = np.random.default_rng((0, epoch))
        for x, mask, y in chapter.batches(recipe.speech, names, recipe.view, rng):
            x = x / (x.max() + 1e-9) if recipe.by_batch else x
            yield from repeat(([x, mask], y), recipe.fits)


class Computed:
    """Pictures that a function makes of the sound when they are asked for, and then keeps."""

    def __init__(self, files, function):
        self.files, self.function, self.kept = files, function, {}

    def __getitem__(self, name):
        if name not in self.kept:
            made = self.function(audio.load(self.files[name], SR)[0])
            self.kept[name] = made.astype(np.float16)
        return self.kept[name]


def printed(y, part=np.real):
    """The source's printed frames: one spectrum, filled up with zeros to ten seconds."""
    spectrum = part(np.fft.rfft(y))[: 10 * SR]
    spectrum = np.pad(spectrum, (0, 10 * SR - len(spectrum)))
    return np.lib.stride_tricks.sliding_window_view(spectrum, 320)[::160]


def printed_magnitudes(y):
    """The same with the magnitudes."""
    return printed(y, np.abs)


def short_source(y):
    """The source's features without the padding."""
    return chapter.source_features(y)[: 1 + (len(y) - 320) // 160]


def above_floor(X, ids=None, rng=None):
    """Show decibels above the floor, so that padding is silence."""
    return X.astype(np.float32) + 100


def recipes(given, options):
    """Return the published recipe, what comes of it change by change, and two branches."""
    files, names = given.source.pictures.files, given.source.letters
    always, lengths = given.source.lengths, given.speech.lengths
    frames = [
        chapter.Speech(Computed(files, function), names, kept, 4)
        for function, kept in (
            (printed, always),
            (printed_magnitudes, always),
            (chapter.source_features, always),
            (short_source, lengths),
        )
    ]
    true, mels, heard = frames[-1], given.speech._replace(stride=4), chapter.as_heard

    def recurrent(bands, turned=True):
        return lambda: chapter.source_network(options.scale, turned, bands)

    ours = Recipe(chapter.our_network, given.speech, heard, heard, 0.006)
    return {
        "published, as printed: one transform a clip": Recipe(recurrent(320, False), frames[0]),
        "the same, its magnitudes": Recipe(recurrent(320, False), frames[1]),
        "published, as in its notebook: short-time": Recipe(recurrent(161, False), frames[2]),
        "true lengths": Recipe(recurrent(161, False), true),
        "the backward layer turned round": Recipe(recurrent(161), true),
        "mel bands in dB": Recipe(recurrent(64), mels, above_floor, above_floor),
        "own mean and spread": Recipe(recurrent(64), mels, heard, heard),
        "convolutions": ours,
        "changed clips: ours": ours._replace(view=chapter.changed),
        "branch: turned round, three times": Recipe(recurrent(161), true, fits=3),
        "branch: turned round, divided in two ways": Recipe(recurrent(161), true, by_batch=True),
    }


def changes(options):
    """Measure on the built-in sentences what each change is worth."""
    given = material(options.clips)
    learned, exam = given.names("training"), given.names("test")
    rows, heard = [], {}
    for name, recipe in recipes(given, options).items():
        model = timed(recipe, learned, options.seconds)
        log_ps = chapter.answers(model, recipe.speech, exam, recipe.look)
        heard[name] = {key: chapter.greedy(p) for key, p in log_ps.items()}
        rows += rate_rows(name, heard[name], given.texts)
    order = np.random.default_rng(0).permutation(len(chapter.ALPHABET))
    other = str.maketrans(chapter.ALPHABET, "".join(chapter.ALPHABET[k] for k in order))
    mixed = {key: text.translate(other) for key, text in heard["changed clips: ours"].items()}
    rows += rate_rows("branch: ours, letters in another order", mixed, given.texts)
    return rows, f"spoken: {options.clips} clips, {len(learned)} of them to learn from"


def rate_rows(group, heard, texts):
    return [row(name, group, value) for name, value in chapter.errors(heard, texts).items()]


# Strangers


WORDS = "zero one two three four five six seven eight nine".split()
DIGIT_SECONDS = 5  # to which the source's recipe pads a string of digits


def digits():
    """Return the recordings of FSDD at one level, by speaker and word: to learn from, to test."""
    found = {}
    dataset = load_dataset("fsdd")
    for name, path in dataset.files.items():
        label = dataset.labels[name]
        y, _ = audio.load(path, SR)
        word = speech.normalise_text(label["text"])
        both = found.setdefault(label["speaker"], {}).setdefault(word, ([], []))
        held = len(both[0]) + len(both[1]) >= 45  # the last five of fifty
        both[held].append(0.05 * y / max(1e-4, float(np.std(y))))
    return found


def strings(recordings, held, count, rng):
    """Join one to five digits of one speaker, with short gaps; return sounds and texts."""
    sounds, texts, speakers = {}, {}, sorted(recordings)
    for k in range(count):
        own = recordings[speakers[k % len(speakers)]]
        words = [WORDS[i] for i in rng.integers(0, 10, rng.integers(1, 6))]
        parts = [own[word][held][rng.integers(len(own[word][held]))] for word in words]
        gaps = [2e-4 * rng.standard_normal(rng.integers(800, 3200)) for _ in range(len(words) + 1)]
        pieces = [gaps[0], *(piece for pair in zip(parts, gaps[1:], strict=True) for piece in pair)]
        y = np.concatenate(pieces).astype(np.float32)
        if len(y) <= DIGIT_SECONDS * SR:  # the few that are longer are left out
            sounds[f"{held}-{k}"], texts[f"{held}-{k}"] = y, " ".join(words)
    return sounds, texts


def digit_speech(sounds, texts, published):
    """Return strings as the source sees them, or as we do."""
    letters = {name: chapter.encode(text) for name, text in texts.items()}
    if not published:
        settings = chapter.SR, chapter.N_FFT, chapter.HOP, chapter.N_MELS
        pictures = {
            name: features.log_mel(y, *settings).T.astype(np.float16) for name, y in sounds.items()
        }
        return chapter.Speech(
            pictures, letters, pd.Series({n: len(X) for n, X in pictures.items()})
        )
    frames = DIGIT_SECONDS * 100 - 1
    pictures = {
        name: chapter.source_features(y)[:frames].astype(np.float16) for name, y in sounds.items()
    }
    return chapter.Speech(pictures, letters, pd.Series(frames, index=list(pictures)), 4)


def folds(options):
    """Leave out one speaker of FSDD after the other; examine known and unknown speakers."""
    recordings, rows = digits(), []
    for out in sorted(recordings):
        known = {who: own for who, own in recordings.items() if who != out}
        rng = np.random.default_rng(0)
        given = {
            "learned": strings(known, 0, options.strings, rng),
            "known speakers": strings(known, 1, 200, rng),
            "unknown speaker": strings({out: recordings[out]}, 1, 200, rng),
        }
        for name in ("published", "ours"):
            rows += fold_rows(out, name, given, options)
    return mean_rows(rows) + rows, f"FSDD: {len(recordings)} speakers, one left out in turn"


def fold_rows(out, name, given, options):
    """Train without one speaker, and count the errors in two ways to decode."""
    published = name == "published"
    sets = {part: digit_speech(*both, published) for part, both in given.items()}
    learned, heard = sets["learned"], chapter.as_heard
    if published:
        recipe = Recipe(lambda: chapter.source_network(options.scale), learned)
    else:
        recipe = Recipe(chapter.our_network, learned, chapter.changed, heard, 0.006)
    model = timed(recipe, list(learned.letters), options.seconds)
    lexicon = chapter.Words(dict.fromkeys(WORDS, 0.1), price=50.0)
    spelling, rows = chapter.Spelling(words=lexicon, bonus=0.5), []
    for part in ("known speakers", "unknown speaker"):
        log_ps = chapter.answers(model, sets[part], list(sets[part].letters), recipe.look)
        ways = {
            "greedy": {key: chapter.greedy(p) for key, p in log_ps.items()},
            "word list": {key: chapter.beam_search(p, spelling) for key, p in log_ps.items()},
        }
        for way, written in ways.items():
            rates = chapter.errors(written, given[part][1])
            rows.append(row(f"WER, {part}", f"{name}, {way}, without {out}", rates["WER"]))
    return rows


def mean_rows(rows):
    """Return the means over the folds."""
    table = pd.DataFrame(rows)
    table["group"] = table.group.str.replace(r", without .*", "", regex=True)
    means = table.groupby(["metric", "group"], sort=False)["value"].mean()
    return [row(metric, f"{group}, mean", value) for (metric, group), value in means.items()]


def strangers(options):
    """Learn from one speaker of CMU ARCTIC, and examine the other on other sentences."""
    dataset = load_dataset("cmu_arctic")
    table = pd.DataFrame.from_dict(dataset.labels, orient="index")
    texts, _ = chapter.normalised_texts(dataset.labels)
    found = chapter.log_mels(dataset.files)
    letters = {name: chapter.encode(text) for name, text in texts.items()}
    mels = {name: found.arrays[name] for name in table.index}
    given = chapter.Speech(mels, letters, pd.Series(found.frames))
    parts, rows = chapter.parts_of(table), []
    for speaker in sorted(table.speaker.unique()):
        own = table.speaker == speaker
        learned = list(table.index[own & (parts == "training")])
        recipe = Recipe(chapter.our_network, given, chapter.changed, chapter.as_heard, 0.006)
        model = timed(recipe, learned, options.sentence_seconds)
        for who, chosen in (("the same speaker", own), ("the other speaker", ~own)):
            exam = list(table.index[chosen & (parts == "test")])
            log_ps = chapter.answers(model, given, exam)
            heard = {key: chapter.greedy(p) for key, p in log_ps.items()}
            rows += rate_rows(f"learned from {speaker}, {who}", heard, texts)
    return rows, f"CMU ARCTIC: {len(table)} clips, split by sentence"


VARIANTS = {"folds": "folds-fsdd", "strangers": "strangers-cmu_arctic"}


def run(part, options):
    """Measure one part and write it down."""
    began = time.perf_counter()
    rows, data = globals()[part](options)
    path = results.record(
        NAME,
        rows,
        variant=VARIANTS.get(part, part),
        data=data,
        profile="full",
        settings={key: value for key, value in vars(options).items() if key != "only"},
        seconds=time.perf_counter() - began,
    )
    print(f"wrote {path.name}", flush=True)


def main():
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=PARTS, nargs="+", default=None)
    parser.add_argument("--clips", type=int, default=600, help="built-in sentences")
    parser.add_argument(
        "--seconds", type=float, default=120, help="of training, all cores together"
    )
    parser.add_argument(
        "--sentence-seconds", type=float, default=480, help="the same, for the part strangers"
    )
    parser.add_argument("--scale", type=int, default=4, help="divides the published layers")
    parser.add_argument("--strings", type=int, default=1500, help="of digits to learn from")
    parser.add_argument("--weights", default="04_ctc_transcription_spoken", help="for the speed")
    options = parser.parse_args()
    here = {"folds": "fsdd", "strangers": "cmu_arctic"}
    for part in options.only or PARTS:
        if part in here and options.only is None and not datasets.available(here[part]):
            print(f"{part}: {here[part]} is not here; see the data page.")
            continue
        run(part, options)


if __name__ == "__main__":
    main()
