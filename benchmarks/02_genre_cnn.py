"""The published genre network beside the chapter's, on the same songs, splits and machine.

    make bench CH=02                                       on the built-in band
    make bench CH=02 P="--only features epochs"            some of the parts
    AUDIOSTYLE_DATA=/your/data make bench CH=02            on your copy of GTZAN

With the whole of GTZAN both published protocols are measured: a random tenth, and the
fault-filtered list. With fewer songs there are five folds by song instead, and with
`--only weights` the networks that the chapter ships for real music are trained on all of them.
"""

import argparse
import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import keras
import librosa
import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold

from audiostyle_utils import (
    datasets,
    features,
    load_chapter,
    load_dataset,
    metrics,
    pretrained,
    results,
    training,
)

chapter = load_chapter("02_genre_cnn")

NAME = "02_genre_cnn"
WHOLE_GTZAN = 900  # songs: with so many the published protocols make sense
FEW = 80  # songs for the race of the features


def published_features(files):
    """Read and transform one file after the other, as the source does."""
    return [
        librosa.feature.melspectrogram(y=librosa.load(path, sr=chapter.SR)[0], sr=chapter.SR).T
        for path in files
    ]


def seconds_of(function):
    """Return the seconds of the quicker of two calls, after a warm-up on nothing."""
    times = []
    for _ in range(2):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return min(times)


def feature_rows(files):
    """Race the source's loop against ours: without a cache, and from it."""
    files = dict(list(files.items())[:FEW])
    settings = {"sr": chapter.SR, "n_fft": chapter.N_FFT, "hop_length": chapter.HOP}
    published_features(list(files.values())[:2])  # librosa compiles at its first call
    loop = seconds_of(lambda: published_features(files.values()))
    cold = seconds_of(lambda: features.extract(files, cache=False, **settings))
    with own_cache():
        features.extract(files, **settings)
        cached = seconds_of(lambda: features.extract(files, **settings))
    name = f"Features of {len(files)} songs"
    return [
        row(name, "published", loop, "s"),
        row(name, "ours, cold", cold, "s"),
        row(name, "ours, cached", cached, "s"),
        row(f"{name}, published over ours", "cold", loop / cold, "times"),
        row(f"{name}, published over ours", "cached", loop / cached, "times"),
    ]


@contextmanager
def own_cache():
    """Use an empty cache for a while."""
    before = os.environ.get("AUDIOSTYLE_CACHE")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["AUDIOSTYLE_CACHE"] = folder
        yield
    os.environ.pop("AUDIOSTYLE_CACHE")
    if before is not None:
        os.environ["AUDIOSTYLE_CACHE"] = before


def row(metric, group, value, unit="", better=None):
    """Return one entry of a results file."""
    entry = {"metric": metric, "group": group, "value": float(value), "unit": unit}
    better = better or {"s": "lower", "times": "higher"}.get(unit)
    return entry | ({"better": better} if better else {})


def epoch_rows(X, labels, n_genres):
    """Time epochs of both networks on the same songs, with their sizes."""
    frames = shortest(X)
    began = [time.perf_counter()]
    networks = []
    for epochs in (1, 4):  # the first epoch compiles; the difference is three epochs
        networks.append(chapter.train_source(X, labels, n_genres, epochs, frames)[0])
        began.append(time.perf_counter())
    for epochs in (1, 4):
        networks.append(chapter.train(X, labels, n_genres, epochs)[0])
        began.append(time.perf_counter())
    taken = np.diff(began)
    rows = []
    for group, network, seconds in (
        ("published", networks[1], (taken[1] - taken[0]) / 3),
        ("ours", networks[3], (taken[3] - taken[2]) / 3),
    ):
        size = sum(weight.numpy().nbytes for weight in network.weights) / 1e6
        rows += [
            row(f"Seconds an epoch, {len(X)} songs", group, seconds, "s"),
            row("Parameters", group, network.count_params(), "", "lower"),
            row("Size of the weights", group, size, "MB", "lower"),
        ]
    return rows


def shortest(X):
    """Return how many frames of each song the published network gets."""
    return min(chapter.SOURCE_FRAMES, *(len(track) for track in X))


def accuracy_rows(metric, group, right):
    """Return the accuracy and the ends of its interval."""
    low, high = metrics.bootstrap_interval(right)
    return [
        row(metric, group, np.mean(right), "", "higher"),
        row(f"{metric}: from (95 %)", group, low),
        row(f"{metric}: to (95 %)", group, high),
    ]


def published_answers(X, labels, n_genres, exams, options, power=chapter.source_input):
    """Train the published network; return its probabilities in each examination."""
    frames = shortest([*X, *(track for exam in exams for track in exam)])
    keras.utils.set_random_seed(options.seed)
    network, _ = chapter.train_source(
        X, labels, n_genres, options.source_epochs, frames,
        batch=options.source_batch, prepare=power,
    )
    answers = [network.predict(power(exam, frames), verbose=0) for exam in exams]
    keras.backend.clear_session()
    return answers


def our_networks(X, labels, n_genres, options, members=1, start=None):
    """Train networks that differ by their seed; return them as a classifier."""
    networks = []
    for member in range(members):
        seed = options.seed + 10 * member
        first = fresh(n_genres, seed, start)
        network, scale, _ = chapter.train(
            X, labels, n_genres, options.epochs, seed=seed, crops=options.crops, start=first
        )
        networks.append(network)
    return chapter.Classifier(networks, scale, 1.0, None)


def fresh(n_genres, seed, start):
    """Return an untrained network, or one that begins with given arrays."""
    if start is None:
        return None
    keras.utils.set_random_seed(seed)
    network = chapter.compact_network(n_genres, seed=seed)
    pretrained.set_keras_arrays(network, start)
    return network


def our_answers(classifier, exams):
    """Return a classifier's probabilities in each examination."""
    return [chapter.judge(classifier, exam) for exam in exams]


# The band: what each change is worth


@contextmanager
def replaced(**others):
    """Put other functions in the place of the chapter's for a while."""
    before = {name: getattr(chapter, name) for name in others}
    vars(chapter).update(others)
    yield
    vars(chapter).update(before)


class Nothing(keras.layers.Layer):
    """A layer that changes nothing."""

    def call(self, x):
        return x


class Strongest(keras.layers.Layer):
    """The maximum over time, as in the published network."""

    def call(self, x):
        return keras.ops.max(x, axis=1)


def unchanged(batch, *_):
    """Return what came in: in the place of an augmentation."""
    return batch


def unmixed(batch, targets, _):
    """Return what came in: in the place of mixup."""
    return batch, targets


def whole(X, rng):
    """Return the beginning of a spectrogram: in the place of a random crop."""
    return chapter.segments(X)[0]


VARIANTS = {
    "ours": {},
    "ours, without mean normalisation": {"MeanNormalisation": Nothing},
    "ours, maximum in place of statistics": {"Statistics": Strongest},
    "ours, without crops, masks, mixup": {"crop": whole, "mask": unchanged, "mixup": unmixed},
    "ours, without mixup": {"mixup": unmixed},
}


def decibels(X, frames):
    """Return centred decibels in the place of power, (songs, frames, 128)."""
    return np.stack([chapter.centred(track)[:frames] / 20 for track in X])


def ablation_rows(parts, n_genres, options):
    """Examine each variant on songs by known and by new artists."""
    X, labels = parts["train"]
    names = [name for name in parts if name not in ("train", "validation")]
    exams = [parts[name][0] for name in names]
    found = {}
    for group, power in (("published", chapter.source_input), ("published, decibels", decibels)):
        found[group] = published_answers(X, labels, n_genres, exams, options, power)
        print(group, flush=True)
    for group, others in VARIANTS.items():
        with replaced(**others):
            classifier = our_networks(X, labels, n_genres, options)
            found[group] = our_answers(classifier, exams)
        print(group, flush=True)
    found["ours, one segment, no vote"] = first_segments(X, labels, n_genres, exams, options)
    return [
        entry
        for group, answers in found.items()
        for name, answer in zip(names, answers, strict=True)
        for entry in accuracy_rows(f"Accuracy, {name}", group, answer.argmax(1) == parts[name][1])
    ]


def first_segments(X, labels, n_genres, exams, options):
    """Return the answers of our network to the first eight seconds alone."""
    length = chapter.STEP * chapter.SEGMENT
    classifier = our_networks(X, labels, n_genres, options)
    return our_answers(classifier, [[track[:length] for track in exam] for exam in exams])


# GTZAN


def fold_rows(X, labels, n_genres, options):
    """Examine each system on five folds by song."""
    start = band_arrays()
    P = {}
    folds = StratifiedKFold(options.folds, shuffle=True, random_state=options.seed)
    for number, (train, test) in enumerate(folds.split(labels, labels)):
        X_train, y_train = [X[i] for i in train], labels[train]
        exam = [[X[i] for i in test]]
        answers = fold_answers(X_train, y_train, n_genres, exam, options, start)
        for group, answer in answers.items():
            P.setdefault(group, np.zeros((len(X), n_genres)))[test] = answer
        right = {group: p.argmax(1) == labels for group, p in P.items()}
        print(f"fold {number + 1}:", {g: r[test].mean() for g, r in right.items()}, flush=True)
    name = f"Accuracy, {options.folds} folds by song"
    rows = [entry for group, r in right.items() for entry in accuracy_rows(name, group, r)]
    for group in [group for group in right if group != "published"]:
        ends = metrics.paired_bootstrap(right[group], right["published"])
        for what, value in zip(("", ": from (95 %)", ": to (95 %)"), ends, strict=True):
            rows.append(row(f"More accurate than the published network{what}", group, value))
    together = P[together_name(options)]
    temperature = chapter.fitted_temperature(together, labels)
    for what, p in {
        "": together,
        " at the fitted temperature": metrics.apply_temperature(together, temperature),
    }.items():
        error = metrics.calibration_error(p, labels)
        rows.append(row(f"Calibration error{what}", together_name(options), error, "", "lower"))
    return rows, temperature


def together_name(options):
    """Return what the networks are called that the chapter ships."""
    return f"ours, from the band, {options.members} networks"


def fold_answers(X, labels, n_genres, exam, options, start):
    """Return the answers of each system that was trained on the same songs."""
    band = chapter.load_classifier("02_genre_cnn_band")
    members = our_networks(X, labels, n_genres, options, options.members, start)
    one = members._replace(networks=members.networks[:1])
    scratch = our_networks(X, labels, n_genres, options)
    answers = {
        "published": published_answers(X, labels, n_genres, exam, options)[0],
        "ours, from nothing": our_answers(scratch, exam)[0],
        "ours, from the band": our_answers(one, exam)[0],
        together_name(options): our_answers(members, exam)[0],
        "the band's network, no real song": our_answers(band, exam)[0],
    }
    keras.backend.clear_session()
    return answers


def band_arrays():
    """Return the arrays of the network that the band trained."""
    arrays = pretrained.load("02_genre_cnn_band").arrays
    return {name[2:]: value for name, value in arrays.items() if name.startswith("0/")}


def protocol_rows(songs, X, genres, options):
    """Measure both published protocols, on the whole of GTZAN."""
    rows = []
    for protocol in ("random", "filtered"):
        songs["part"] = chapter.split_songs(songs, protocol)
        parts = parts_of(songs, X, genres)
        (name,) = set(parts) - {"train", "validation"}
        train, labels = parts["train"]
        exam, truth = [parts[name][0]], parts[name][1]
        ours = our_networks(train, labels, len(genres), options, options.members, band_arrays())
        published = published_answers(train, labels, len(genres), exam, options)[0]
        rows += accuracy_rows(f"Accuracy, {name}", "published", published.argmax(1) == truth)
        answer = our_answers(ours, exam)[0].argmax(1)
        rows += accuracy_rows(f"Accuracy, {name}", "ours", answer == truth)
    return rows


def parts_of(songs, X, genres):
    """Return spectrograms and labels of each part."""
    return {
        part: chapter.of_part(songs, X, part, genres) for part in sorted(set(songs.part.dropna()))
    }


def save_weights(X, labels, genres, rows, temperature, options):
    """Train on all songs and keep the networks, with what the folds say of them."""
    classifier = our_networks(X, labels, len(genres), options, options.members, band_arrays())
    arrays = {
        f"{member}/{key}": value
        for member, network in enumerate(classifier.networks)
        for key, value in pretrained.keras_arrays(network).items()
    }
    ours = [entry["value"] for entry in rows if entry["group"] == together_name(options)]
    value, low, high = ours[:3]
    folder = Path("_build/weights")
    folder.mkdir(parents=True, exist_ok=True)
    pretrained.save(
        folder / f"{NAME}_real.safetensors",
        arrays | {"scale": classifier.scale},
        {
            "what": f"Compact genre network of chapter 2 for real music, {options.members} members",
            "data": f"{len(X)} excerpts of GTZAN, after training on the built-in band",
            "command": os.environ.get("AUDIOSTYLE_COMMAND", f"benchmarks/{NAME}.py"),
            "settings": {"members": options.members, "temperature": temperature, **shown(options)},
            "measures": [
                {
                    "metric": "accuracy",
                    "value": value,
                    "low": low,
                    "high": high,
                    "data": f"{options.folds} folds by song of the same {len(X)} excerpts",
                }
            ],
            "licence": "MIT",
            "classes": list(genres),
        },
    )
    print(f"wrote {NAME}_real", flush=True)


# The parts together


def shown(options):
    """Return the settings that results and cards state."""
    return {name: value for name, value in vars(options).items() if name != "only"}


def arguments():
    parts = ("features", "epochs", "changes", "folds", "weights")
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=parts, default=parts)
    parser.add_argument("--tracks", type=int, default=48, help="songs a genre of the band")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--crops", type=int, default=2)
    parser.add_argument("--source-epochs", type=int, default=100)
    parser.add_argument("--source-batch", type=int, default=32)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--members", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def songs_of(dataset):
    """Return the table of songs, their spectrograms and the genres."""
    X, skipped = chapter.log_mels(dataset.files)
    if skipped | dataset.skipped:
        print("skipped:", skipped | dataset.skipped, flush=True)
    songs = pd.DataFrame.from_dict(dataset.labels, orient="index").loc[list(X)]
    return songs, X, sorted(songs.genre.unique())


def on_band(options):
    """Measure on the built-in band."""
    dataset = load_dataset("band", tracks=options.tracks)
    rows = feature_rows(dataset.files) if "features" in options.only else []
    songs, X, genres = songs_of(dataset)
    songs["part"] = chapter.split_songs(songs)
    parts = parts_of(songs, X, genres)
    if "epochs" in options.only:
        rows += epoch_rows(*parts["train"], len(genres))
    if "changes" in options.only:
        rows += ablation_rows(parts, len(genres), options)
    return rows, f"band: {len(X)} songs, {len(parts['train'][0])} of them to learn from"


def on_gtzan(options):
    """Measure on the reader's copy of GTZAN, or of a part of it."""
    dataset = load_dataset("gtzan")
    rows = feature_rows(dataset.files) if "features" in options.only else []
    songs, X, genres = songs_of(dataset)
    tracks, labels = list(X.values()), np.array([genres.index(genre) for genre in songs.genre])
    if "epochs" in options.only:
        rows += epoch_rows(tracks, labels, len(genres))
    if "folds" in options.only and len(X) >= WHOLE_GTZAN:
        rows += protocol_rows(songs, X, genres, options)
    elif "folds" in options.only:
        found, temperature = fold_rows(tracks, labels, len(genres), options)
        rows += found
        if "weights" in options.only:
            save_weights(tracks, labels, genres, found, temperature, options)
    return rows, f"gtzan: {len(X)} excerpts of the collection's 1,000"


def main():
    options, began = arguments(), time.perf_counter()
    training.seed_everything(options.seed)
    real = datasets.available("gtzan")
    rows, data = on_gtzan(options) if real else on_band(options)
    part = "-".join(options.only) if len(options.only) < 5 else ""
    variant = "-".join(["benchmark", *(["gtzan"] if real else []), *([part] if part else [])])
    path = results.record(
        NAME,
        rows,
        variant=variant,
        data=data,
        profile="full",
        settings=shown(options),
        seconds=time.perf_counter() - began,
    )
    print(f"wrote {path.name}", flush=True)


if __name__ == "__main__":
    main()
