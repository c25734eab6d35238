"""The published style transfer beside the chapter's, in one run on the same clips and machine.

Both begin with the same two clips and end with a finished sound. The judge is the published loss
with fresh draws of the source's 4096 filters, which neither has seen. It scores what each has
reached along the way; its own time is not counted.

    make bench CH=01                                       the built-in pair
    make bench CH=01 AUDIOSTYLE_DATA=../recordings         the original program's clips, if there
"""

import argparse
import resource
import time

import librosa
import numpy as np
import tensorflow as tf

from audiostyle_utils import (
    audio,
    datasets,
    load_chapter,
    load_dataset,
    metrics,
    results,
    scores,
    spectra,
    training,
)

chapter = load_chapter("01_style_transfer")

PAIRS = {"neural_style_audio": ("imperial", "usa"), "style_clips": ("chorale", "rag")}
FILTER_SEED, JUDGE_SEEDS = 0, (1000, 1001, 1002)
PUBLISHED = {"iterations": 300, "rounds": 500, "seconds": 10.0}
LENGTHS = (5, 10, 30, 60)
NEVER = float("nan")


class Judge:
    """Mean published loss over several draws of filters."""

    def __init__(self, X_content, X_style, seeds=JUDGE_SEEDS):
        self.losses = [
            chapter.weighted(
                chapter.published_losses(X_content, X_style, chapter.draw_filters(seed))
            )
            for seed in seeds
        ]

    def __call__(self, X):
        return float(np.mean([loss(tf.constant(X, tf.float32)) for loss in self.losses]))


class Track:
    """Points that a search passed, with the seconds that it had taken by then."""

    def __init__(self, every=1, stop=None):
        self.every, self.stop, self.began = every, stop, time.perf_counter()
        self.count, self.paused, self.points = 0, 0.0, []

    def __call__(self, intermediate_result):
        self.count += 1
        if self.count % self.every == 0:
            entered = time.perf_counter()
            self.points.append((entered - self.began - self.paused, intermediate_result.x.copy()))
            self.paused += time.perf_counter() - entered
        if self.stop:
            self.stop(intermediate_result)

    def seconds(self):
        """Return the search's seconds so far, without those spent on taking notes."""
        return time.perf_counter() - self.began - self.paused


def first_to_reach(points, target):
    """Return the seconds of the first point that scores no worse than the target, else NaN."""
    return next((seconds for seconds, score in points if score <= target), NEVER)


def plain_phases(S, length, rounds):
    """Return the sound and the seconds of plain Griffin-Lim from noise."""
    began = time.perf_counter()
    y = librosa.griffinlim(
        S,
        n_iter=rounds,
        momentum=0,
        hop_length=chapter.HOP,
        n_fft=chapter.N_FFT,
        random_state=FILTER_SEED,
        length=length,
    )
    return y, time.perf_counter() - began


def published_run(clips, options):
    """Run the method as published: random filters, start from noise, plain Griffin-Lim."""
    X_content, X_style = (chapter.log_frames(y) for y in clips)
    track = Track(every=10)
    losses = chapter.published_losses(X_content, X_style, chapter.draw_filters(FILTER_SEED))
    noise = 1e-3 * np.random.default_rng(FILTER_SEED).standard_normal(X_content.shape)
    X, history = chapter.minimise(
        chapter.weighted(losses), noise, options.iterations, callback=track
    )
    search = track.seconds()
    # As published: negative values are left in.
    y, phases = plain_phases(np.expm1(X).T, len(clips[0]), options.rounds)
    print(f"published: {search:.0f} s + {phases:.1f} s", flush=True)
    return {
        "X": X,
        "y": y,
        "own": history[:, 1].min(),
        "search": search,
        "all": search + phases,
        "points": [(seconds, x.reshape(X.shape)) for seconds, x in track.points],
    }


def our_search(clips):
    """Follow the chapter's search for magnitudes, to see when it reaches what."""
    X_content, X_style = (chapter.log_frames(y) for y in clips)
    track = Track(stop=chapter.until_slow())
    loss = chapter.weighted(chapter.closed_form_losses(X_content, X_style))
    start = chapter.equalised(X_content, X_style)
    Z, _ = chapter.minimise(lambda Z: loss(tf.abs(Z)), start, 100, callback=track)
    points = [(seconds, np.abs(x).reshape(Z.shape)) for seconds, x in track.points]
    return {"X": np.abs(Z), "points": points}


def timed_transfer(clips):
    """Return the seconds of one whole transfer, and its sound."""
    began = time.perf_counter()
    y, _ = chapter.transfer_style(*((y, chapter.SR) for y in clips))
    return time.perf_counter() - began, y


def our_phases(S, start, length, target, rounds):
    """Return the seconds and rounds in which ours converges as far as the target, or NaN."""
    for n in range(5, rounds + 1, 5):
        began = time.perf_counter()
        y = spectra.griffin_lim(S, n, start=start, length=length)
        seconds = time.perf_counter() - began
        if metrics.spectral_convergence(S, y) <= target:
            return seconds, n
    return NEVER, NEVER


def phase_race(X, y_content, rounds):
    """Race both to the convergence that the plain rounds reach on the published array."""
    S = spectra.magnitude_from_log(X).T
    y, plain = plain_phases(S, len(y_content), rounds)
    target = metrics.spectral_convergence(S, y)
    quick, n = our_phases(S, spectra.stft(y_content), len(y_content), target, rounds)
    return {"target": target, "published": (plain, rounds), "ours": (quick, n)}


def rows_of(clips, options, cold):
    """Run both methods; return rows of name, unit, better, published value, our value."""
    y_content, X_content, X_style = clips[0], *(chapter.log_frames(y) for y in clips)
    judge, own = Judge(X_content, X_style), Judge(X_content, X_style, (FILTER_SEED,))
    published, ours = published_run(clips, options), our_search(clips)
    warm, y_ours = min((timed_transfer(clips) for _ in range(3)), key=lambda run: run[0])
    sounds = published["y"], y_ours
    target = judge(published["X"])
    reached = [
        first_to_reach([(s, judge(X)) for s, X in run["points"]], target)
        for run in (published, ours)
    ]
    # The last note of the published search may lie a few steps before its end.
    reached[0] = published["search"] if np.isnan(reached[0]) else reached[0]
    own_seconds = first_to_reach([(s, own(X)) for s, X in ours["points"]], published["own"])
    race = phase_race(published["X"], y_content, options.rounds)
    phases = race["published"][0], race["ours"][0]
    scored = [judge(chapter.log_frames(y)) for y in sounds]
    chroma, onsets = (
        [measure(y, y_content, chapter.SR) for y in sounds]
        for measure in (metrics.chroma_correlation, metrics.onset_correlation)
    )
    return [
        ("Seconds from two clips to a finished sound", "s", "lower", published["all"], cold),
        ("The same, later in a session", "s", "lower", published["all"], warm),
        ("Fresh judge, finished sound", "loss", "lower", *scored),
        ("Fresh judge, array of magnitudes", "loss", "lower", target, judge(ours["X"])),
        ("The published draw of filters, array", "loss", "lower", published["own"], own(ours["X"])),
        ("Search until the fresh judge's score of the published array", "s", "lower", *reached),
        (
            "Search until the published array's score by its own draw",
            "s",
            "lower",
            published["search"],
            own_seconds,
        ),
        ("Phases until the published spectral convergence", "s", "lower", *phases),
        (
            "Rounds until the published spectral convergence",
            "",
            "lower",
            race["published"][1],
            race["ours"][1],
        ),
        (
            "Search and phases together, each to the published mark",
            "s",
            "lower",
            *(np.add(reached, phases)),
        ),
        (
            "Spectral convergence that both must reach",
            "dB",
            "lower",
            race["target"],
            race["target"],
        ),
        ("Chroma correlation with the content", "", "higher", *chroma),
        ("Onset correlation with the content", "", "higher", *onsets),
        ("Negative cells of the array", "%", "lower", 100 * np.mean(published["X"] < 0), 0.0),
    ]


def with_ratios(rows):
    """Return metrics of both methods, and ratios where seconds or scores are compared."""
    table = [
        {"metric": name, "value": float(value), "unit": unit, "better": better, "group": group}
        for name, unit, better, *values in rows
        for group, value in zip(("published", "ours"), values, strict=True)
    ]
    table += [
        {
            "metric": f"{name}, published over ours",
            "value": float(published / ours),
            "unit": "times",
            "group": "ratio",
        }
        for name, unit, _, published, ours in rows
        if unit in ("s", "loss")
    ]
    # A mark that was never reached has no time.
    return [entry for entry in table if np.isfinite(entry["value"])]


def long_clips(seconds):
    """Return an organ sonata and a piano rag, a minute or more each, cut to a length."""
    pieces = (
        scores.render("mozart/k545/movement1_exposition", instrument="Church Organ", tempo=110),
        scores.render("joplin/maple_leaf_rag", tempo=90),
    )
    return [np.resize(y, int(seconds * sr)) for y, sr in pieces]


def published_evaluation(clips):
    """Return the seconds of one evaluation of the published loss with its gradient."""
    X_content, X_style = (tf.constant(chapter.log_frames(y)) for y in clips)
    losses = chapter.published_losses(X_content, X_style, chapter.draw_filters(FILTER_SEED))
    evaluate = chapter.with_gradient(chapter.weighted(losses))
    return chapter.milliseconds(lambda: evaluate(X_content)[1].numpy(), repeats=4) / 1000


def by_length(lengths):
    """Return time and memory of whole transfers, shortest first, then published evaluations."""
    rows = []
    for seconds in sorted(lengths):
        taken, _ = timed_transfer(long_clips(seconds))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{seconds} s of sound: {taken:.1f} s, {memory:.2f} GiB", flush=True)
        rows += [
            ("Ours: whole transfer", "s", seconds, taken),
            ("Ours: most memory of the process", "GiB", seconds, memory),
        ]
    for seconds in sorted(lengths):
        rows += [
            (
                "Published: one evaluation of about 320",
                "s",
                seconds,
                published_evaluation(long_clips(seconds)),
            )
        ]
    return [
        {"metric": name, "unit": unit, "group": f"{seconds} s of sound", "value": value}
        for name, unit, seconds, value in rows
    ]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--iterations", type=int, default=PUBLISHED["iterations"])
    parser.add_argument("--rounds", type=int, default=PUBLISHED["rounds"])
    parser.add_argument("--seconds", type=float, default=PUBLISHED["seconds"])
    parser.add_argument("--lengths", type=int, nargs="*", default=LENGTHS)
    return parser.parse_args()


def main():
    options, began = arguments(), time.perf_counter()
    training.seed_everything(FILTER_SEED)
    own = datasets.available("neural_style_audio")
    recordings = "neural_style_audio" if own else "style_clips"
    names, files = PAIRS[recordings], load_dataset(recordings).files
    clips = [audio.load(files[name], duration=options.seconds)[0] for name in names]
    cold, _ = timed_transfer(clips)  # before anything has warmed up
    whole = all(getattr(options, name) == value for name, value in PUBLISHED.items())
    shared = {
        "settings": vars(options) | {"alpha": chapter.ALPHA, "judge_seeds": JUDGE_SEEDS},
        "profile": "full" if whole else "quick",
    }
    if options.lengths:
        path = results.record(
            "01_style_transfer",
            by_length(options.lengths),
            variant="lengths",
            data="Mozart K. 545 on an organ (content), Maple Leaf Rag on a piano (style)",
            seconds=time.perf_counter() - began,
            **shared,
        )
        print(f"wrote {path.name}", flush=True)
    path = results.record(
        "01_style_transfer",
        with_ratios(rows_of(clips, options, cold)),
        variant="benchmark" + ("-" + recordings if own else ""),
        data=f"{recordings}: {names[0]} (content), {names[1]} (style)",
        seconds=time.perf_counter() - began,
        **shared,
    )
    print(f"wrote {path.name}", flush=True)


if __name__ == "__main__":
    main()
