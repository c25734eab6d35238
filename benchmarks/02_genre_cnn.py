"""The published genre network beside the chapter's, on the same songs, splits and machine.

    make bench CH=02                                       on the built-in band
    make bench CH=02 P="--only speed"                      one of its parts
    AUDIOSTYLE_DATA=/your/data make bench CH=02            with your copy of GTZAN

With the whole of GTZAN both published protocols are measured: a random tenth, and the
fault-filtered list. With fewer songs there are five folds by song instead. With
`--only folds weights` the networks that the chapter ships are then trained on all of them.
"""

import argparse
import os
import tempfile
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path
from unittest import mock

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
    """Return the seconds of the quicker of two calls."""
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
    with tempfile.TemporaryDirectory() as folder:
        with mock.patch.dict(os.environ, {"AUDIOSTYLE_CACHE": folder}):
            yield


def row(metric, group, value, unit="", better=None):
    """Return one entry of a results file."""
    entry = {"metric": metric, "group": group, "value": float(value), "unit": unit}
    better = better or {"s": "lower", "times": "higher"}.get(unit)
    return entry | ({"better": better} if better else {})


def epoch_rows(X, labels, n_genres, options):
    """Time an epoch of both networks on the same songs; give their sizes."""
    frames = shortest(X)
    published = chapter.source_network(n_genres, frames)
    power = chapter.source_input(X, frames)
    ours = chapter.compiled(chapter.compact_network(n_genres), 1000)
    published.compile(keras.optimizers.Adam(1e-4), "sparse_categorical_crossentropy")
    scale = chapter.training_scale(X)

    def our_epoch():
        rng = np.random.default_rng(0)
        excerpts = chapter.one_epoch(X, labels, n_genres, scale, rng)
        ours.fit(*excerpts, 32, shuffle=False, verbose=0)

    rows = []
    for group, network, epoch in (
        ("published", published, lambda: published.fit(power, labels, 32, verbose=0)),
        ("ours", ours, our_epoch),
    ):
        epoch()  # the first one compiles
        size = 4 * network.count_params() / 1e6
        rows += [
            row(f"Seconds an epoch, {len(X)} songs", group, seconds_of(epoch), "s"),
            row("Parameters", group, network.count_params(), "", "lower"),
            row("Size of the weights", group, size, "MB", "lower"),
        ]
    return rows


def shortest(X):
    """Return how many frames of each song the published network gets."""
    return min(chapter.SOURCE_FRAMES, *(len(track) for track in X))


def accuracy_rows(system, exam, right):
    """Return the accuracy of a system and the ends of its interval."""
    low, high = metrics.bootstrap_interval(right)
    return [
        row(system, exam, np.mean(right)),
        row(system, f"{exam}: from (95 %)", low),
        row(system, f"{exam}: to (95 %)", high),
    ]


def published_answers(X, labels, n_genres, exams, options, power=chapter.source_input):
    """Train the published network; return its probabilities in each examination."""
    frames = shortest([*X, *(track for exam in exams for track in exam)])
    keras.utils.set_random_seed(options.seed)
    network, _ = chapter.train_source(
        X,
        labels,
        n_genres,
        options.source_epochs,
        frames,
        filters=options.source_filters,
        batch_size=options.source_batch,
        prepare=power,
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
    found, name = {}, published_name(options)
    for group, power in ((name, chapter.source_input), (f"{name}, decibels", decibels)):
        found[group] = published_answers(X, labels, n_genres, exams, options, power)
        print(group, flush=True)
    for group, others in VARIANTS.items():
        with mock.patch.multiple(chapter, **others) if others else nullcontext():
            classifier = our_networks(X, labels, n_genres, options)
            found[group] = our_answers(classifier, exams)
        print(group, flush=True)
    found["ours, one segment, no vote"] = first_segments(X, labels, n_genres, exams, options)
    return [
        entry
        for group, answers in found.items()
        for name, answer in zip(names, answers, strict=True)
        for entry in accuracy_rows(group, name, answer.argmax(1) == parts[name][1])
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
    rows = [entry for group, r in right.items() for entry in accuracy_rows(group, "accuracy", r)]
    published = right.pop(published_name(options))
    for group in right:
        ends = metrics.paired_bootstrap(right[group], published)
        for what, value in zip(("", ": from (95 %)", ": to (95 %)"), ends, strict=True):
            rows.append(row(group, f"more than the published network{what}", value))
    together = P[together_name(options)]
    temperature = chapter.fitted_temperature(together, labels)
    return rows, temperature


def published_name(options):
    """Return what the published network is called in the tables."""
    filters = options.source_filters
    return "published" if filters == 64 else f"published, {filters} filters"


def together_name(options):
    """Return what the networks are called that the chapter ships."""
    return f"ours, {options.members} networks"


def fold_answers(X, labels, n_genres, exam, options, start):
    """Return the answers of each system that was trained on the same songs."""
    band = chapter.load_classifier("02_genre_cnn_band")
    members = our_networks(X, labels, n_genres, options, options.members)
    answers = {
        published_name(options): published_answers(X, labels, n_genres, exam, options)[0],
        "ours": our_answers(members._replace(networks=members.networks[:1]), exam)[0],
        together_name(options): our_answers(members, exam)[0],
        "ours, begun on the band": our_answers(
            our_networks(X, labels, n_genres, options, start=start), exam
        )[0],
        "ours, the band alone": our_answers(band, exam)[0],
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
        parts = parts_of(songs.assign(part=chapter.split_songs(songs, protocol)), X, genres)
        (name,) = set(parts) - {"train", "validation"}
        train, labels = parts["train"]
        exam, truth = [parts[name][0]], parts[name][1]
        ours = our_networks(train, labels, len(genres), options, options.members)
        published = published_answers(train, labels, len(genres), exam, options)[0]
        rows += accuracy_rows("published", name, published.argmax(1) == truth)
        answer = our_answers(ours, exam)[0].argmax(1)
        rows += accuracy_rows("ours", name, answer == truth)
    return rows


def parts_of(songs, X, genres):
    """Return spectrograms and labels of each part."""
    return {
        part: chapter.of_part(songs, X, part, genres) for part in sorted(set(songs.part.dropna()))
    }


def save_weights(X, labels, genres, rows, temperature, options):
    """Train on all songs and keep the networks, with what the folds say of them."""
    classifier = our_networks(X, labels, len(genres), options, options.members)
    arrays = {
        f"{member}/{key}": value
        for member, network in enumerate(classifier.networks)
        for key, value in pretrained.keras_arrays(network).items()
    }
    found = {
        entry["group"]: entry["value"]
        for entry in rows
        if entry["metric"] == together_name(options)
    }
    value, low, high = (found[f"accuracy{end}"] for end in ("", ": from (95 %)", ": to (95 %)"))
    folder = Path("_build/weights")
    folder.mkdir(parents=True, exist_ok=True)
    pretrained.save(
        folder / f"{NAME}_real.safetensors",
        arrays | {"scale": classifier.scale},
        {
            "what": f"Compact genre network of chapter 2 for real music, {options.members} members",
            "data": f"{len(X)} excerpts of GTZAN",
            "command": os.environ.get("AUDIOSTYLE_COMMAND", f"benchmarks/{NAME}.py"),
            "settings": {"members": options.members, "temperature": temperature, **shown(options)},
            "measures": [
                {
                    "metric": "accuracy",
                    "value": value,
                    "low": low,
                    "high": high,
                    "data": f"{options.folds} folds of these excerpts by song, not by artist",
                }
            ],
            "licence": "MIT for the weights; trained on commercial recordings, so for research use",
            "classes": list(genres),
        },
    )
    print(f"wrote {NAME}_real", flush=True)


# The parts together


def shown(options):
    """Return the settings that results and cards state."""
    return {name: value for name, value in vars(options).items() if name != "only"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=(*PARTS, "weights"), default=PARTS)
    parser.add_argument("--tracks", type=int, default=48, help="songs a genre of the band")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--crops", type=int, default=4, help="of each song in an epoch")
    parser.add_argument("--source-epochs", type=int, default=40)
    parser.add_argument("--source-batch", type=int, default=16)
    parser.add_argument("--source-filters", type=int, default=64, help="in the first layer")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--members", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if "weights" in options.only and "folds" not in options.only:
        parser.error("the card of the weights states what the folds say: --only folds weights")
    return options


def songs_of(dataset):
    """Return the table of songs, their spectrograms and the genres."""
    X, skipped = chapter.log_mels(dataset.files)
    if skipped | dataset.skipped:
        print("skipped:", skipped | dataset.skipped, flush=True)
    songs = pd.DataFrame.from_dict(dataset.labels, orient="index").loc[list(X)]
    return songs, X, sorted(songs.genre.unique())


def speed(dataset, songs, X, genres, options):
    """Time the features, and an epoch of each network."""
    part = chapter.split_songs(songs, "random") == "train"
    chosen = songs.index[part]
    labels = np.array([genres.index(genre) for genre in songs.genre[chosen]])
    rows = feature_rows(dataset.files)
    return rows + epoch_rows([X[name] for name in chosen], labels, len(genres), options)


def changes(dataset, songs, X, genres, options):
    """Measure on the band what each change is worth."""
    songs = songs.assign(part=chapter.split_songs(songs))
    return ablation_rows(parts_of(songs, X, genres), len(genres), options)


def folds(dataset, songs, X, genres, options):
    """Measure on GTZAN: by both protocols on the whole of it, else by folds."""
    if len(X) >= WHOLE_GTZAN:
        return protocol_rows(songs, X, genres, options)
    tracks, labels = list(X.values()), np.array([genres.index(genre) for genre in songs.genre])
    rows, temperature = fold_rows(tracks, labels, len(genres), options)
    if "weights" in options.only:
        save_weights(tracks, labels, genres, rows, temperature, options)
    return rows


PARTS = ("speed", "changes", "folds")


def run(part, measure, dataset, options):
    """Measure one part and write it down."""
    began = time.perf_counter()
    songs, X, genres = songs_of(dataset)
    rows = measure(dataset, songs, X, genres, options)
    whole = dataset.name == "gtzan" and part == "folds" and len(X) >= WHOLE_GTZAN
    part = "protocols" if whole else part
    variant = part if dataset.name == "band" else f"{part}-{dataset.name}"
    path = results.record(
        NAME,
        rows,
        variant=variant,
        data=f"{dataset.name}: {len(X)} songs",
        profile="full",
        settings=shown(options),
        seconds=time.perf_counter() - began,
    )
    print(f"wrote {path.name}", flush=True)


def main():
    options = arguments()
    training.seed_everything(options.seed)
    real = load_dataset("gtzan") if datasets.available("gtzan") else None
    if "speed" in options.only:
        run("speed", speed, real or load_dataset("band", tracks=options.tracks), options)
    if "changes" in options.only:
        run("changes", changes, load_dataset("band", tracks=options.tracks), options)
    if "folds" in options.only and real:
        run("folds", folds, real, options)


if __name__ == "__main__":
    main()
