"""The published style transfer beside the chapter's, in one run on the same clips and machine.

Both begin with the same two clips and end with a finished sound. A judge that neither has seen,
fresh draws of the source's 4096 filters, scores what each has reached along the way. The judge's
own time is not counted.

    make bench CH=01                               the built-in pair
    make bench CH=01 AUDIOSTYLE_DATA=/my/recordings   the clips of the original program, if there
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
LENGTHS = (5, 10, 30, 60)


class Judge:
    """Mean published loss over several draws of filters that no method has seen."""

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

    def __init__(self, every, began):
        self.every, self.began, self.paused, self.count = every, began, 0.0, 0
        self.points = []

    def __call__(self, intermediate_result):
        self.count += 1
        if self.count % self.every == 0:
            entered = time.perf_counter()
            self.points.append((entered - self.began - self.paused, intermediate_result.x.copy()))
            self.paused += time.perf_counter() - entered


def watched(track, stop):
    """Return one callback that notes where the search is, and ends it when the other says so."""

    def callback(intermediate_result):
        track(intermediate_result)
        stop(intermediate_result)

    return callback


def first_to_reach(points, target):
    """Return the seconds of the first point that scores no worse than the target, else None."""
    return next((seconds for seconds, score in points if score <= target), None)


def published_run(y_content, y_style, iterations, rounds):
    """Run the method as published: random filters, start from noise, plain Griffin-Lim."""
    X_content, X_style = chapter.log_frames(y_content), chapter.log_frames(y_style)
    began = time.perf_counter()
    filters = chapter.draw_filters(FILTER_SEED)
    loss = chapter.weighted(chapter.published_losses(X_content, X_style, filters))
    noise = 1e-3 * np.random.default_rng(FILTER_SEED).standard_normal(X_content.shape)
    track = Track(10, began)
    X, history = chapter.minimise(loss, noise, iterations, callback=track, memory=10)
    search_seconds = time.perf_counter() - began - track.paused
    S = np.expm1(X).T  # as published: negative values are left in
    began = time.perf_counter()
    y = librosa.griffinlim(
        S, n_iter=rounds, momentum=0, hop_length=chapter.HOP, n_fft=chapter.N_FFT,
        random_state=FILTER_SEED, length=len(y_content),
    )
    phase_seconds = time.perf_counter() - began
    points = [(seconds, x.reshape(X.shape)) for seconds, x in track.points]
    return {
        "X": X, "y": y, "points": points, "search": search_seconds, "phase": phase_seconds,
        "own": history[-1, 1], "evaluations": len(history),
    }


def our_search(y_content, y_style):
    """Follow the chapter's search for magnitudes, to see when it reaches what."""
    X_content, X_style = chapter.log_frames(y_content), chapter.log_frames(y_style)
    began = time.perf_counter()
    loss = chapter.weighted(chapter.closed_form_losses(X_content, X_style))
    track = Track(1, began)
    start = chapter.equalised(X_content, X_style)
    Z, _ = chapter.minimise(
        lambda Z: loss(tf.abs(Z)), start, 100, callback=watched(track, chapter.until_slow())
    )
    points = [(seconds, np.abs(x).reshape(Z.shape)) for seconds, x in track.points]
    return {"X": np.abs(Z), "points": points}


def phase_race(S, start, length, rounds):
    """Time plain rounds from noise, and ours until they converge as far."""
    began = time.perf_counter()
    y = librosa.griffinlim(
        S, n_iter=rounds, momentum=0, hop_length=chapter.HOP, n_fft=chapter.N_FFT,
        random_state=FILTER_SEED, length=length,
    )
    plain_seconds = time.perf_counter() - began
    target = metrics.spectral_convergence(S, y)
    for n in range(5, rounds, 5):
        began = time.perf_counter()
        y = spectra.griffin_lim(S, n, start=start, length=length)
        seconds = time.perf_counter() - began
        if metrics.spectral_convergence(S, y) <= target:
            break
    return target, plain_seconds, seconds, n


def compare(y_content, y_style, cold, iterations, rounds):
    """Return the metrics of the published method and of ours, side by side."""
    X_content, X_style = chapter.log_frames(y_content), chapter.log_frames(y_style)
    judge = Judge(X_content, X_style)
    own_judge = Judge(X_content, X_style, (FILTER_SEED,))
    published = published_run(y_content, y_style, iterations, rounds)
    print(f"published: {published['search']:.0f} s + {published['phase']:.1f} s", flush=True)
    again = [timed_transfer(y_content, y_style) for _ in range(3)]
    warm, (y_ours, sr) = min(again, key=lambda run: run[0])
    ours = our_search(y_content, y_style)
    target = judge(published["X"])
    reached = {
        name: first_to_reach(((s, judge(X)) for s, X in run["points"]), target)
        for name, run in (("published", published), ("ours", ours))
    }
    S = spectra.magnitude_from_log(published["X"]).T
    convergence, plain, quick, n = phase_race(
        S, spectra.stft(y_content), len(y_content), rounds
    )
    total = published["search"] + published["phase"]
    score = {
        "published": judge(chapter.log_frames(published["y"])),
        "ours": judge(chapter.log_frames(y_ours)),
    }
    sounds = {"published": published["y"], "ours": y_ours}
    marks = {
        "published": (reached["published"] or published["search"]) + plain,
        "ours": (reached["ours"] or float("nan")) + quick,
    }
    rows = [
        ("Seconds in all, from two clips to a finished sound", "s", "lower", total, cold),
        ("The same, second call in a session", "s", "lower", total, warm),
        ("Fresh judge, finished sound", "loss", "lower", score["published"], score["ours"]),
        ("Fresh judge, array of magnitudes", "loss", "lower", target, judge(ours["X"])),
        ("Published method's own filters, array", "loss", "lower", published["own"],
         own_judge(ours["X"])),
        ("Seconds until the array reaches the published array's fresh score", "s", "lower",
         reached["published"] or published["search"], reached["ours"] or float("nan")),
        ("Griffin-Lim seconds to the same spectral convergence", "s", "lower", plain, quick),
        ("Both together: search and phases to the published marks", "s", "lower",
         marks["published"], marks["ours"]),
        ("Griffin-Lim rounds to the same spectral convergence", "", "lower", rounds, n),
        *(
            (f"{name} of the finished sound with the content", "", "higher",
             *(measure(sounds[who], y_content, sr) for who in ("published", "ours")))
            for name, measure in (("Chroma correlation", metrics.chroma_correlation),
                                  ("Onset correlation", metrics.onset_correlation))
        ),
        ("Cells of the array that are negative", "%", "lower",
         100 * float(np.mean(published["X"] < 0)), 0.0),
    ]
    table = [
        {"metric": metric, "value": value, "unit": unit, "better": better, "group": group}
        for metric, unit, better, *values in rows
        for group, value in zip(("published", "ours"), values, strict=True)
        if np.isfinite(value)  # a score that was never reached has no time
    ]
    ratios = [
        ("Seconds in all, from two clips to a finished sound", total / cold),
        ("The same, second call in a session", total / warm),
        ("Fresh judge, finished sound", score["ours"] / score["published"]),
        ("Both together: search and phases to the published marks",
         marks["published"] / marks["ours"]),
    ]
    table += [
        {"metric": metric, "value": value, "unit": "times", "group": "ratio"}
        for metric, value in ratios
        if np.isfinite(value)
    ]
    print(f"Griffin-Lim raced to {convergence:.1f} dB")
    return table


def timed_transfer(y_content, y_style):
    """Return the seconds of one whole transfer, and its result."""
    began = time.perf_counter()
    result = chapter.transfer_style((y_content, chapter.SR), (y_style, chapter.SR))
    return time.perf_counter() - began, result


def by_length(lengths):
    """Return time and memory of the chapter's transfer, and of one published evaluation."""
    rows = []
    longest = max(lengths)
    content, _ = scores.render(
        "mozart/k545/movement1_exposition", chapter.SR, instrument="Church Organ", tempo=110,
        duration=longest,
    )
    style, _ = scores.render("joplin/maple_leaf_rag", chapter.SR, tempo=90, duration=longest)
    for seconds in lengths:
        n = seconds * chapter.SR
        y_content, y_style = np.resize(content, n), np.resize(style, n)
        ours, _ = timed_transfer(y_content, y_style)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        X_content, X_style = (tf.constant(chapter.log_frames(y)) for y in (y_content, y_style))
        losses = chapter.published_losses(X_content, X_style, chapter.draw_filters(FILTER_SEED))
        evaluate = chapter.with_gradient(chapter.weighted(losses))
        once = chapter.milliseconds(
            lambda f=evaluate, X=X_content: f(X)[1].numpy(), repeats=4
        )
        print(f"{seconds} s of sound: {ours:.1f} s, {memory:.2f} GiB", flush=True)
        rows += [
            {"metric": "Ours: whole transfer", "value": ours, "unit": "s"},
            {"metric": "Ours: most memory so far", "value": memory, "unit": "GiB"},
            {"metric": "Published: one evaluation", "value": once / 1000, "unit": "s"},
        ]
        for row in rows[-3:]:
            row["group"] = f"{seconds} s of sound"
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--iterations", type=int, default=300, help="published L-BFGS iterations")
    parser.add_argument("--rounds", type=int, default=500, help="published Griffin-Lim rounds")
    parser.add_argument("--seconds", type=float, default=10.0, help="how much of each clip")
    parser.add_argument("--lengths", type=int, nargs="*", default=LENGTHS, help="clip lengths")
    options = parser.parse_args()
    began = time.perf_counter()
    training.seed_everything(FILTER_SEED)
    own = datasets.available("neural_style_audio")
    recordings = "neural_style_audio" if own else "style_clips"
    clips, names = load_dataset(recordings).files, PAIRS[recordings]
    y_content, y_style = (audio.load(clips[n], duration=options.seconds)[0] for n in names)
    cold, _ = timed_transfer(y_content, y_style)  # before anything else has warmed up
    lengths = by_length(options.lengths) if options.lengths else []
    table = compare(y_content, y_style, cold, options.iterations, options.rounds)
    shared = {
        "data": f"{recordings}: {names[0]} (content), {names[1]} (style)",
        "settings": vars(options) | {"alpha": chapter.ALPHA, "judge_seeds": JUDGE_SEEDS},
        "profile": "full",
    }
    suffix = f"-{recordings}" if own else ""
    path = results.record(
        "01_style_transfer", table, variant=f"benchmark{suffix}",
        seconds=time.perf_counter() - began, **shared,
    )
    print(f"wrote {path.name}")
    if lengths:
        shared["data"] = "Mozart K. 545 on an organ (content), Maple Leaf Rag on a piano (style)"
        path = results.record(
            "01_style_transfer", lengths, variant="lengths",
            seconds=time.perf_counter() - began, **shared,
        )
        print(f"wrote {path.name}")


if __name__ == "__main__":
    main()
