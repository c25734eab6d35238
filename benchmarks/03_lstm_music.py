"""The published LSTM composer beside the chapter's, on the same music and machine.

    make bench CH=03                                       on the built-in fiddle tunes
    make bench CH=03 P="--only speed"                      one of its parts
    AUDIOSTYLE_DATA=/your/data make bench CH=03            with your scores in /your/data/midi

`speed` times a note (now and then it is a rest or a hold) and the reading of scores, `changes`
measures what each change is worth, `tokens` what either tokeniser keeps, and `collections` trains
on each folder of your own scores.
"""

import argparse
import time
from itertools import islice

import keras
import numpy as np
from keras import layers, ops
from music21 import converter

from audiostyle_utils import load_chapter, load_dataset, results, scores, settings, training
from audiostyle_utils.errors import InputError

chapter = load_chapter("03_lstm_music")

NAME = "03_lstm_music"
V = len(scores.vocabulary())
PARTS = ("speed", "changes", "tokens", "collections")
# Learning rates to choose from, by the validation, for networks that see windows or whole tunes.
WINDOW_RATES, STEP_RATES = (0.001, 0.005), (0.005, 0.015)


def seconds_of(function, times=1):
    """Return the seconds that a call takes, the mean of several."""
    began = time.perf_counter()
    for _ in range(times):
        function()
    return (time.perf_counter() - began) / times


def row(metric, group, value, unit=""):
    print(f"{metric:40} {group:44} {value:12,.3f} {unit}", flush=True)
    return {"metric": metric, "group": group, "value": value, "unit": unit}


# Speed


def cost_rows(opening, notes):
    """Time a note of the published loop and of ours."""
    model = chapter.source_network(V)
    window = np.zeros((1, chapter.WINDOW, 1), np.float32)
    model.predict(window, verbose=0)  # the first call compiles
    theirs = seconds_of(lambda: model.predict(window, verbose=0), notes)
    rows = cost_row("published, model.predict", theirs, theirs)
    model.predict_on_batch(window)
    bare = seconds_of(lambda: model.predict_on_batch(window), 50)
    rows += cost_row("published, predict_on_batch", bare, theirs)
    net = chapter.load_player()
    for tunes in (1, 64):
        rows += cost_row(f"ours, {tunes} at once", our_seconds(net, opening, notes, tunes), theirs)
    return rows


def cost_row(group, seconds, theirs):
    return [
        row("ms a note", group, 1000 * seconds, "ms"),
        row("seconds for 500 notes", group, 500 * seconds, "s"),
        row("times quicker a note", group, theirs / seconds),
    ]


def our_seconds(net, opening, notes, tunes):
    """Return the seconds for each new token, over about so many in each tune."""
    bars = max(1, notes // 7)
    chapter.play_on(net, opening, 1, tunes)  # the published network had a first call, too
    began = time.perf_counter()
    made = chapter.play_on(net, opening, bars, tunes)
    return (time.perf_counter() - began) / sum(len(tune) - len(opening) for tune in made)


def reading_rows(files):
    """Time how files become tokens, and tokens become music again."""
    began = time.perf_counter()
    found = scores.tokenise_files(files, cache=False).tokens
    seconds = time.perf_counter() - began
    n = sum(len(tokens) for tokens in found.values())
    rows = speed_row(f"ABC to tokens, music21, {settings.cores()} cores", n, seconds)
    rows += speed_row("the same from the cache", n, cached_seconds(files))
    pieces = [scores.detokenise(tokens) for tokens in found.values()]
    midi = [scores.to_midi(piece) for piece in pieces]
    for what, function, items in (
        ("MIDI to pieces, symusic", scores.read, midi),
        ("pieces to tokens", scores.tokenise, pieces),
        ("tokens to pieces", scores.detokenise, list(found.values())),
        ("pieces to MIDI", scores.to_midi, pieces),
    ):
        rows += speed_row(what, n, seconds_of(lambda f=function, x=items: [f(item) for item in x]))
    some = slice(None, None, 20)  # music21 takes its time
    few = sum(map(len, list(found.values())[some]))
    seconds = seconds_of(lambda: [converter.parseData(data) for data in midi[some]])
    return rows + speed_row("MIDI to streams, music21, every 20th tune", few, seconds)


def cached_seconds(files):
    scores.tokenise_files(files)
    return seconds_of(lambda: scores.tokenise_files(files))


def speed_row(what, tokens, seconds):
    return [
        row("seconds", what, seconds, "s"),
        row("tokens a second", what, tokens / seconds),
    ]


def speed(options):
    """Time a note and the reading of all fiddle tunes."""
    files = load_dataset("fiddle").files
    opening = chapter.opening_of(scores.tokenise(scores.read(next(iter(files.values())))), 4)
    return cost_rows(opening, options.notes) + reading_rows(files), f"fiddle: {len(files)} tunes"


# What each change is worth


def parts_of(tokens, labels):
    """Return sequences of the training, the validation and the test part."""
    part = chapter.split(list(tokens), labels)
    return tuple(
        [chapter.sequence(tokens[name]) for name in part.index[part == wanted]]
        for wanted in ("training", "validation", "test")
    )


def timed(model, seconds, rate, draw):
    """Train on drawn batches; the rate rises for 20 batches and then falls to nothing.

    The seconds are those of all processor cores together, so that other work on the machine
    takes nothing from one network that another one had.
    """
    rng, steps, began = np.random.default_rng(0), 0, None
    while began is None or (gone := (time.process_time() - began) / seconds) < 1:
        gone = 0 if began is None else gone
        falling = 0.5 * (1 + np.cos(np.pi * gone))
        model.optimizer.learning_rate = rate * min(1, (steps + 1) / 20) * falling
        model.train_on_batch(*draw(rng))
        began = began or time.process_time()  # the first call compiles
        steps += 1
    return steps


def best_of(rates, measure):
    """Return what was measured on the test, at the rate with the lowest validation."""
    found = []
    for rate in rates:
        training.seed_everything(0)
        found.append(measure(rate))
        print(f"  rate {rate}: validation and test {np.round(found[-1], 3)}", flush=True)
    return min(found)[1:]


def embedded_network(scale):
    """Build the published network with an embedding in place of its one number."""
    x = keras.Input((chapter.WINDOW, 1))
    ids = ops.cast(ops.round(x[..., 0] * (V - 1)), "int32")
    h = layers.Embedding(V, 128)(ids)
    for layer in chapter.source_network(V, scale).layers:
        h = type(layer).from_config(layer.get_config())(h)
    return keras.Model(x, h)


def windows_of(pieces, places, apart):
    """Return windows before some places of the joined pieces, and the tokens to predict.

    With `apart` all that belongs to earlier pieces is blotted out with a token that no tune has.
    """
    stream = np.concatenate([np.full(chapter.WINDOW, V - 1), *(piece.ids for piece in pieces)])
    starts = chapter.WINDOW + np.cumsum([0, *(len(piece.ids) for piece in pieces[:-1])])
    x, y = chapter.windows(stream, places, V - 1)
    if apart:
        own = places - starts[np.searchsorted(starts, places, "right") - 1]
        x[np.arange(chapter.WINDOW) < chapter.WINDOW - own[:, None]] = 1
    return x, y


def places_of(pieces):
    """Return the places of all tokens after the headers in the joined pieces."""
    ends = chapter.WINDOW + np.cumsum([len(piece.ids) for piece in pieces])
    rows = zip(ends, pieces, strict=True)
    return np.concatenate([np.arange(end - len(p.ids) + p.first, end) for end, p in rows])


def window_network(model, learned, options, rate, apart=False):
    """Train a network that sees windows of 100 tokens."""
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    places = chapter.WINDOW + np.arange(sum(len(piece.ids) for piece in learned))

    def draw(rng):
        return windows_of(learned, rng.choice(places, 64), apart)

    timed(model, options.seconds, rate, draw)
    return model


def window_nats(model, test, options, apart=False, scale=1.0):
    """Examine such a network; `scale` multiplies what it is given."""
    x, y = windows_of(test, places_of(test)[:: options.tested], apart)
    p = model.predict(scale * x, batch_size=256, verbose=0)
    return -np.log(p[np.arange(len(y)), y] + 1e-12).mean()


def step_network(short_way, factored, units=256, width=128):
    """Build a network that answers at each step, with or without the other changes."""
    seen = keras.Input((None, 5), dtype="int32")
    following = keras.Input((None,), dtype="int32")
    if factored:
        whole = chapter.music_network(units, 1, width)
        if short_way:
            return whole
    tables = [layers.Embedding(n, width)(seen[..., k]) for k, n in enumerate(chapter.SIZES)]
    e = layers.Add()(tables)
    h = layers.LSTM(units, return_sequences=True)(e)
    h = layers.Concatenate()([e, h]) if short_way else h
    h = layers.Dropout(0.1, seed=9)(h)
    if not factored:
        return keras.Model([seen, following], layers.Dense(V)(h))
    told = layers.Embedding(chapter.N_WHAT, width)(following)
    told = layers.ReLU()(layers.Add()([layers.Dense(width)(h), told]))
    answers = [layers.Dense(chapter.N_WHAT)(h), layers.Dense(chapter.N_LENGTH)(told)]
    return keras.Model([seen, following], answers)


def one_answer(batch):
    """Turn a batch for two answers into one for a single softmax over the vocabulary."""
    inputs, (what, length), (weight, _) = batch
    empty = weight == 0  # anything that is a token will do where nothing counts
    none = chapter.N_LENGTH - 1
    ids = scores.token_ids(np.where(empty, 0, what), np.where(empty, none, length))
    return inputs, ids, weight


def step_nats(parts, options, *, places, short_way, factored, transposed=False):
    """Train networks that answer at each step, and examine the better one."""
    hide = (lambda p: p) if places else (lambda p: p._replace(places=p.places * 0))
    learned, *others = ([hide(piece) for piece in part] for part in parts)
    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def draw(rng):
        batch = chapter.draw_batch(learned, rng, transposed=transposed)
        return batch if factored else one_answer(batch)

    def measure(rate):
        model = step_network(short_way, factored)
        optimizer = keras.optimizers.Adam(rate, clipnorm=1.0)
        model.compile(optimizer, [entropy, entropy] if factored else entropy)
        timed(model, options.seconds, rate, draw)
        answers = model if factored else Split(model)
        return [chapter.our_nats(answers, part)[:: options.tested].mean() for part in others]

    return best_of(STEP_RATES, measure)[0]


class Split:
    """Answers of a single softmax as those of two: what, and how long if it is that."""

    def __init__(self, model):
        self.model = model

    def predict_on_batch(self, inputs):
        p = np.exp(chapter.log_softmax(np.asarray(self.model.predict_on_batch(inputs))))
        what = np.zeros((*p.shape[:2], chapter.N_WHAT))
        np.add.at(what, (slice(None), slice(None), chapter.WHAT), p)
        length = np.zeros((*p.shape[:2], chapter.N_LENGTH))
        for k in range(chapter.N_LENGTH):
            ids = np.flatnonzero(chapter.LENGTH == k)
            same = chapter.WHAT[ids][None, None] == inputs[1][..., None]
            length[..., k] = (p[..., ids] * same).sum(-1)
        return np.log(what + 1e-12), np.log(length + 1e-12)


def changes(options):
    """Measure on the fiddle tunes what each change is worth."""
    dataset = load_dataset("fiddle")
    tokens = scores.tokenise_files(dataset.files).tokens
    parts = learned, _, test = parts_of(tokens, dataset.labels)
    name = "nats a token"
    rows = [
        row(name, f"{order}-gram", ngram_nats(order, learned, test, options))
        for order in (1, 2, 3, 4, 6)
    ]
    in_keys = [chapter.moved(piece, k) for piece in learned for k in range(-5, 7)]
    for order in (3, 6):
        rows.append(row(name, f"{order}-gram, 12 keys", ngram_nats(order, in_keys, test, options)))
    rows += window_changes(parts, options)
    steps = {"places": False, "short_way": False, "factored": False}
    rows.append(row(name, "an answer at each step", step_nats(parts, options, **steps)))
    for what, switch in (
        ("what and how long apart", "factored"),
        ("voice and place in the bar", "places"),
        ("a short way past the LSTM: ours", "short_way"),
    ):
        steps[switch] = True
        rows.append(row(name, what, step_nats(parts, options, **steps)))
    steps["transposed"] = True
    other_keys = step_nats(parts, options, **steps)
    rows.append(row(name, "other keys, in the same time", other_keys))
    return rows, f"fiddle: {len(tokens)} tunes, {len(learned)} of them to learn from"


def window_changes(parts, options):
    """Measure networks that see windows: as published, and with one change after another."""
    learned, validation, test = parts

    def best(build, apart=False, scales=(1,)):
        def measure(rate):
            model = window_network(build(options.scale), learned, options, rate, apart)
            first = window_nats(model, validation, options, apart)
            return [first, *(window_nats(model, test, options, apart, scale) for scale in scales)]

        return best_of(WINDOW_RATES, measure)

    # The notebook divides by 48 where it had divided by 161 in the training.
    published, larger = best(lambda scale: chapter.source_network(V, scale), scales=(1, 161 / 48))
    return [
        row("nats a token", "published", published),
        row("nats a token", "published, inputs 3.35 times too large", larger),
        row("nats a token", "an embedding in place of a number", best(embedded_network)[0]),
        row("nats a token", "pieces kept apart", best(embedded_network, apart=True)[0]),
    ]


def ngram_nats(order, learned, test, options):
    return chapter.ngram_nats(order, learned, test)[:: options.tested].mean()


# What the tokens keep


def collections_of(options):
    """Return the built-in collections, and each folder of the reader's own scores."""
    found = {name: load_dataset(name).files for name in ("fiddle", "chorales")}
    for name, dataset in own_folders().items():
        found[name] = dict(islice(dataset.files.items(), options.pieces))
    return found


def own_folders():
    data = settings.data_dir()
    folders = sorted((data / "midi").iterdir()) if data and (data / "midi").is_dir() else []
    return {f.name: load_dataset("own_scores", folder=f) for f in folders if f.is_dir()}


def token_rows(name, files):
    """Count what comes back from either tokeniser."""
    pieces, failed, came_back, tokens, notes = [], 0, 0, 0, 0
    for path in files.values():
        try:
            piece = scores.read(path)
        except InputError as error:
            print(error)
            failed += 1
            continue
        made = scores.tokenise(piece)
        came_back += chapter.comes_back(made)
        tokens, notes = tokens + len(made), notes + len(piece.notes)
        pieces.append(piece)
    rows = [
        row("pieces", name, len(files)),
        row("pieces that cannot be read", name, failed),
        row("pieces that come back, ours", name, came_back / len(pieces)),
        row("tokens a note, ours", name, tokens / notes),
    ]
    kept = chapter.kept(pieces[:: max(1, len(pieces) // 200)])
    return rows + [
        row(f"{what}, published", name, share) for what, share in kept.items() if share == share
    ]


def tokens(options):
    """Measure what the published tokens keep of each collection, and what ours do."""
    found = collections_of(options)
    rows = [r for name, files in found.items() for r in token_rows(name, files)]
    return rows, ", ".join(found)


# The reader's own collections


def collections(options):
    """Train on each folder of scores, for the same time, beside the n-grams."""
    rows, known = [], own_folders()
    for name, dataset in known.items():
        files = dict(islice(dataset.files.items(), options.pieces))
        made = scores.tokenise_files(files)
        families = scores.families(made.tokens)
        labels = {key: {"family": family} for key, family in families.items()}
        parts = learned, _, test = parts_of(made.tokens, labels)
        for order in (1, 3):
            nats = ngram_nats(order, learned, test, options)
            rows.append(row("nats a token", f"{name}, {order}-gram", nats))
        ours = step_nats(parts, options, places=True, short_way=True, factored=True)
        rows.append(row("nats a token", f"{name}, ours", ours))
    return rows, ", ".join(known) or "no folders"


def run(part, options):
    """Measure one part and write it down."""
    began = time.perf_counter()
    rows, data = globals()[part](options)
    if rows:
        path = results.record(
            NAME,
            rows,
            variant=part,
            data=data,
            profile="full",
            settings={key: value for key, value in vars(options).items() if key != "only"},
            seconds=time.perf_counter() - began,
        )
        print(f"wrote {path.name}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--notes", type=int, default=500, help="notes to time in each tune")
    parser.add_argument(
        "--seconds", type=float, default=200, help="of processor time, for each training"
    )
    parser.add_argument("--scale", type=int, default=4, help="divides the published layers")
    parser.add_argument("--tested", type=int, default=6, help="every how many held-out tokens")
    parser.add_argument("--pieces", type=int, default=10_000, help="of each own collection")
    options = parser.parse_args()
    training.seed_everything(0)
    for part in options.only:
        run(part, options)


if __name__ == "__main__":
    main()
