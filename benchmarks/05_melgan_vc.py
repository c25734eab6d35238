"""The published translator beside the chapter's, on the same recordings and machine.

    make bench CH=05                                     on the built-in voices
    make bench CH=05 P="--only speed"                    one of its parts
    AUDIOSTYLE_DATA=/your/data make bench CH=05          with your CMU ARCTIC and FSDD

The recipe called "published losses in our networks" begins with noise, has one arrow a crop and
translates chunk by chunk, as the published code does. It differs in what is not a loss: our widths,
layers without batch normalisation, four chunks in place of three, a generator that moves in each
step, our optimisers and the running average.

`speed` times the waveform, a step of training and the translation, `memory` translates longer and
longer recordings, `changes` takes away what the chapter has one by one, and `digits` turns one
speaker of FSDD into another.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import librosa
import numpy as np
import soundfile as sf
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from audiostyle_utils import (
    audio,
    datasets,
    load_chapter,
    load_dataset,
    metrics,
    results,
    spectra,
    training,
)
from audiostyle_utils.datasets import load_domain

chapter = load_chapter("05_melgan_vc")

NAME = "05_melgan_vc"
PARTS = ("speed", "memory", "changes", "digits")
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


def material(source, target):
    """Read two domains: their recordings, the names of both parts, and the strips."""
    domains = {"source": load_domain(source), "target": load_domain(target)}
    parts = {side: chapter.dealt(domain) for side, domain in domains.items()}
    tested = {side: names for side, (_, names) in parts.items()}
    learned = chapter.unshared(domains, {side: names for side, (names, _) in parts.items()})
    strips = {side: chapter.strip_of(domains[side], learned[side])[0] for side in domains}
    return domains, learned, tested, strips


# Speed


def speed(options):
    """Time the waveform, the step of training and the translation of a minute."""
    domain = load_domain(options.source)
    _, names = chapter.dealt(domain)
    y = audio.load(domain.files[names[0]], SR)[0][: 3 * SR]
    rows = inversion_rows(y, options) + step_rows()
    minute = np.concatenate([audio.load(domain.files[name], SR)[0] for name in names])
    rows += translation_rows(np.resize(minute, 60 * SR), options)
    return rows, f"{options.source}: {len(y) / SR:.1f} s for the waveform, 60 s for translation"


def inversion_rows(y, options):
    """Time both ways from a picture to a sound, and compare them where they are equally near."""
    X, rows, ours = chapter.picture_of(y), [], {}
    spectra.waveform_by_descent(chapter.power_of(X), SR, chapter.N_FFT, chapter.HOP, n_iter=5)
    for rounds, mel_rounds in ((8, 20), (16, 20), (32, 20), (64, 40), (96, 40), (176, 100)):
        call = lambda r=rounds, m=mel_rounds: inverted(X, r, m)  # noqa: E731
        found, taken = chapter.convergence(X, call()), seconds_of(call, 3)
        group = f"ours, {rounds} rounds, {mel_rounds} of the mel inverse"
        ours[group] = (found, taken)
        rows += [row("mel convergence", group, found, "dB")]
        rows += [row("seconds to the waveform", group, taken, "s")]
    for share in (0.25, 0.5, 0.75, 1.0):
        rows += descent_rows(X, round(share * options.descent), ours)
    return rows


def inverted(X, rounds, mel_rounds):
    """Return a sound as the chapter makes it, with other numbers of rounds."""
    power = chapter.power_of(X)
    S = spectra.magnitude_from_mel(power, SR, chapter.N_FFT, n_iter=mel_rounds)
    return spectra.griffin_lim(S, rounds, hop_length=chapter.HOP)


def descent_rows(X, steps, ours):
    """Time so many published steps, and the fastest of ours that comes as near or nearer."""
    began = time.perf_counter()
    power = chapter.power_of(X)
    y = spectra.waveform_by_descent(power, SR, chapter.N_FFT, chapter.HOP, n_iter=steps)
    seconds, reached = time.perf_counter() - began, chapter.convergence(X, y)
    group = f"published, {steps:,} steps"
    rows = [row("mel convergence", group, reached, "dB")]
    rows += [row("seconds to the waveform", group, seconds, "s")]
    enough = [taken for found, taken in ours.values() if found <= reached]
    if enough:
        rows += [row("ours is so many times faster", group, seconds / min(enough))]
    return rows


class PublishedGenerator(nn.Module):
    """The published layers and sizes, as two-dimensional convolutions."""

    def __init__(self, width=256):
        super().__init__()

        def layer(inputs, kernel, stride=(1, 1), padding=(0, 0), norm=True):
            conv = spectral_norm(nn.Conv2d(inputs, width, kernel, stride, padding, bias=False))
            return nn.Sequential(
                conv, nn.BatchNorm2d(width) if norm else nn.Identity(), nn.LeakyReLU(0.2)
            )

        self.first = layer(1, (chapter.N_MELS, 3), padding=(0, 1))
        self.down1 = layer(width, (1, 9), (1, 2), (0, 4))
        self.down2 = layer(width, (1, 7), (1, 2), (0, 3))
        self.up1 = layer(width, (1, 7), padding=(0, 3))
        self.up2 = layer(2 * width, (1, 9), padding=(0, 4), norm=False)
        self.last = nn.ConvTranspose2d(2 * width, 1, (chapter.N_MELS, 1))

    def forward(self, x):
        first = self.first(x[:, None])
        half = self.down1(first)
        deep = self.up1(functional.interpolate(self.down2(half), scale_factor=(1, 2)))
        deep = torch.cat([deep, half], dim=1)
        deep = self.up2(functional.interpolate(deep, scale_factor=(1, 2)))
        return torch.tanh(self.last(torch.cat([deep, first], dim=1)))[:, 0]


def step_rows():
    """Time steps of training: one move of the critic, one of the generator."""
    rng = np.random.default_rng(0)
    shape = (chapter.N_MELS, 2000)
    strips = {name: rng.normal(-0.3, 0.2, shape).astype(np.float32) for name in STRIPS}
    ways = {"ours, width 192": {}, "ours, width 192, bfloat16": {"half": True}}
    ways |= {"ours, width 192, compiled": {"compiled": True}, "published sizes": {"old": True}}
    rows = []
    for group, way in ways.items():
        torch.manual_seed(0)
        parts = chapter.new_parts(192, 1.0, 0.0)
        if way.get("old"):
            parts = published_parts()
        if way.get("compiled"):
            for name in ("generator", "critic", "siamese"):
                parts[name].compile()
        half = bool(way.get("half"))
        chapter.one_step(parts, strips, 0, half=half)
        taken = seconds_of(lambda p=parts, h=half: chapter.one_step(p, strips, 1, half=h), 5)
        rows.append(row("steps of training a second", group, 1 / taken))
    return rows


STRIPS = ("source", "target", "hints")


def published_parts():
    """Return networks of the published sizes, with the parts that a step needs."""
    parts = chapter.new_parts(16, 1.0, 0.0)
    parts |= {
        "generator": PublishedGenerator(),
        "average": PublishedGenerator(),
        "critic": chapter.Critic(512),
        "siamese": chapter.Siamese(256),
    }
    pair = [*parts["generator"].parameters(), *parts["siamese"].parameters()]
    parts["adam"] = torch.optim.Adam(pair, 2e-4, betas=(0.5, 0.9))
    parts["critic_adam"] = torch.optim.Adam(parts["critic"].parameters(), 2e-4, betas=(0.5, 0.9))
    return parts


def translation_rows(y, options):
    """Time the translation of a recording, from file to sound."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "minute.wav"
        audio.save(path, y, SR)
        call = lambda: chapter.translate_audio(path, weights=options.weights)  # noqa: E731
        call()
        seconds = seconds_of(call, 3)
    length = len(y) / SR
    network, _ = chapter.load_translator(options.weights)
    picture = seconds_of(lambda: chapter.translate(network, chapter.picture_of(y)), 3)
    return [
        row("seconds of sound translated a second", "file to sound", length / seconds),
        row("seconds of sound translated a second", "picture to picture", length / picture),
    ]


# Memory


def memory(options):
    """Translate recordings of 1, 10 and 60 minutes, each in a process of its own."""
    rows = []
    with TemporaryDirectory() as folder:
        path, rng = Path(folder) / "long.wav", np.random.default_rng(0)
        minute = 0.1 * rng.normal(size=60 * SR)
        for minutes in options.minutes:
            with sf.SoundFile(path, "w", SR, 1) as file:
                for _ in range(minutes):
                    file.write(minute)
            command = [sys.executable, __file__, "--stream", path, "--weights", options.weights]
            found = subprocess.run(command, check=True, capture_output=True, text=True)
            rows.append(
                row(
                    "peak memory of the stream, nothing kept", f"{minutes} min", float(found.stdout)
                )
            )
            rows[-1]["unit"] = "MB"
    return rows, "noise, translated block by block"


def stream(path, weights):
    """Translate a recording block by block, keep nothing, and print the peak memory in MB."""
    network, _ = chapter.load_translator(weights)
    level, _ = chapter.level_of(path)
    for _ in chapter.translated_stream(network, path, level):
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(peak / (1024**2 if sys.platform == "darwin" else 1024))


# Changes


class FromNoise(chapter.Generator):
    """The generator without matched means and spreads: it has to find everything anew."""

    def __init__(self, width=256, gain=1.0, shift=0.0):
        super().__init__(width)
        nn.init.kaiming_uniform_(self.last.weight)

    def forward(self, x):
        return torch.tanh(self.change(x))


def one_arrow(points):
    """Return the arrow from the first to the last chunk of each crop, as published."""
    crops = len(points) * chapter.CHUNK // chapter.CROP
    return points[:crops] - points[-crops:]


@contextmanager
def changed(**names):
    """Give names of the chapter another meaning for a while."""
    before = {name: getattr(chapter, name) for name in names}
    for name, value in names.items():
        setattr(chapter, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(chapter, name, value)


PAPER = {"weights": chapter.WEIGHTS | {"neighbours": 0.0}}
OLD = {"Generator": FromNoise, "arrows": one_arrow}


def without(name, base):
    return base | {"weights": base.get("weights", chapter.WEIGHTS) | {name: 0.0}}


PIECES = PAPER | {"pieces": 4}
RECIPES = {
    "published losses in our networks": (PIECES, OLD),
    "+ all arrows": (PIECES, {"Generator": FromNoise}),
    "+ begins with means and spreads": (PIECES, {}),
    "+ whole crops": (PAPER, {}),
    "+ neighbours (ours)": ({}, {}),
    "the paper's losses, our beginning": (PIECES, {}),
    "... without travel": (without("travel", PIECES), {}),
    "... without margin": (without("margin", PIECES), {}),
    "... without identity": (without("identity", PIECES), {}),
    "... each piece judged alone": (PIECES | {"joined": False}, {}),
    "ours without travel": (without("travel", {}), {}),
    "ours without identity": (without("identity", {}), {}),
    "ours without the critic": (without("fooling", {}), {}),
}
SAME = {"the paper's losses, our beginning": "+ begins with means and spreads"}


def changes(options):
    """Train each recipe for the same steps, and examine what it makes."""
    domains, learned, tested, strips = material(options.source, options.target)
    strips["hints"] = hints(strips)
    classifier = chapter.voice_classifier(domains, learned)
    exam = chapter.Exam(domains, tested, classifier, options.target)
    names = tested["source"][:: max(1, len(tested["source"]) // options.tests)][: options.tests]
    gain, shift = chapter.matched(strips["source"], strips["target"])
    baseline = {"means and spreads": lambda X: np.clip(gain * X + shift, -1, 1)}
    rows = exam_rows(chapter.examination(exam, baseline, names))
    for recipe, (knobs, names_changed) in RECIPES.items():
        if options.recipe and recipe not in options.recipe:
            continue
        if recipe in SAME:
            rows += [one | {"group": recipe} for one in rows if one["group"] == SAME[recipe]]
            continue
        with changed(**names_changed):
            parts = trained(strips, options, knobs)
        rows += recipe_rows(recipe, parts, knobs.get("pieces", 1), exam, names, options)
    return rows, f"{options.source} to {options.target}: {len(names)} test recordings"


def hints(strips, content="envelope"):
    """Look up the neighbours of a source strip in the target's, and make hints of them."""
    search = chapter.searcher_of(strips["target"], content)
    near = chapter.neighbours_of(strips["source"], strips["source"], search, content)
    return chapter.hint_for(strips["source"], near, strips, content)


def trained(strips, options, knobs):
    """Train a recipe from the same seed as all others."""
    training.seed_everything(0)
    gain, shift = chapter.matched(strips["source"], strips["target"])
    parts = chapter.new_parts(options.width, gain, shift)
    with TemporaryDirectory() as folder:
        chapter.train(parts, strips, options.steps, folder, **knobs)
    return parts


def recipe_rows(recipe, parts, pieces, exam, names, options):
    """Examine what a recipe has made, in the way in which it was trained to translate."""
    network = parts["average"].eval()
    way = chapter.translate if pieces == 1 else chapter.translate_in_chunks
    found = chapter.examination(exam, {recipe: lambda X: way(network, X)}, names)
    rows = [one for one in exam_rows(found) if one["group"] == recipe]
    X = np.concatenate([picture(exam.domains["source"], name) for name in names], axis=1)
    borders = range(chapter.CHUNK, X.shape[1], chapter.CHUNK)
    rows.append(row("change at the joins", recipe, metrics.seam_ratio(way(network, X), borders)))
    if options.sounds:
        y = chapter.sound_of(way(network, picture(exam.domains["source"], names[0])))
        Path(options.sounds).mkdir(parents=True, exist_ok=True)
        name = "".join(c if c.isalnum() else "_" for c in recipe).strip("_")
        audio.save(Path(options.sounds) / f"{name}.mp3", audio.normalise(y), SR)
    return rows


def picture(domain, name):
    return chapter.picture_of(audio.load(domain.files[name], SR)[0])


LONG = {
    "MCD": ("mel-cepstral distortion", "dB"),
    "CER": ("character error rate", ""),
    "called target": ("called the target", ""),
}


def exam_rows(found):
    """Turn the table of an examination into rows."""
    means = found.groupby("version", sort=False).mean()
    return [
        row(LONG[key][0], way, means.loc[way, key], LONG[key][1])
        for way in means.index
        for key in LONG
        if key in means
    ]


# Digits


def digit_features(y):
    """Describe a digit for its recogniser: 14 cepstra at 20 moments."""
    cepstra = librosa.feature.mfcc(y=y, sr=SR, n_mfcc=14, n_fft=512, hop_length=160)
    places = np.linspace(0, cepstra.shape[1] - 1, 20)
    return np.concatenate([np.interp(places, np.arange(cepstra.shape[1]), c) for c in cepstra])


def speaker_features(y):
    """Describe a digit for the classifier of speakers: means and spreads of 19 cepstra."""
    cepstra = librosa.feature.mfcc(y=y, sr=SR, n_mfcc=20, n_fft=512, hop_length=160)[1:]
    return np.concatenate([cepstra.mean(axis=1), cepstra.std(axis=1)])


def judges():
    """Train a recogniser of digits and a classifier of speakers on real recordings only."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    dataset = load_dataset("fsdd")
    names = [name for name, label in dataset.labels.items() if label["take"] < 45][::2]
    sounds = [audio.load(dataset.files[name], SR)[0] for name in names]
    made = []
    for describe, key in ((digit_features, "digit"), (speaker_features, "speaker")):
        model = make_pipeline(StandardScaler(), SVC(C=10))
        inputs = [describe(y) for y in sounds]
        model.fit(inputs, [dataset.labels[name][key] for name in names])
        made.append(lambda y, m=model, d=describe: m.predict([d(y)])[0])
    return made


def digits(options):
    """Turn one speaker of FSDD into another, with the chapter's recipe and the published one."""
    rows, given = [], judges()
    for pair in options.pairs:
        a, b = pair.split("-")
        domains, _, tested, strips = material(f"fsdd:{a}", f"fsdd:{b}")
        strips["hints"] = hints(strips)
        ways = {"real target": (domains["target"], tested["target"], None)}
        heard = (domains["source"], tested["source"])
        ways["through the picture"] = (*heard, lambda X: X)
        network = digit_network("published losses in our networks", strips, options)
        change = partial(chapter.translate_in_chunks, network)
        ways["published losses in our networks"] = (*heard, change)
        network = digit_network("+ neighbours (ours)", strips, options)
        for strength in (0.75, 1.0):
            change = partial(chapter.translate, chapter.at(network, strength))
            ways[f"ours, strength {strength:g}"] = (*heard, change)
        for way, (domain, names, change) in ways.items():
            rows += digit_rows(f"{a} to {b}, {way}", domain, names, change, b, given)
    return rows, "fsdd: takes 45 to 49 of each digit, which nothing was trained on"


def digit_network(recipe, strips, options):
    knobs, names_changed = RECIPES[recipe]
    with changed(**names_changed):
        return trained(strips, options, knobs)["average"].eval()


def digit_rows(group, domain, names, change, wanted, given):
    """Count the digits that are still recognised, and those that are called the target."""
    recognise, who = given
    right, called = [], []
    for name in names:
        y = audio.load(domain.files[name], SR)[0]
        if change:
            y = chapter.sound_of(change(chapter.picture_of(y)), length=len(y))
        right.append(recognise(y) == domain.labels[name]["digit"])
        called.append(who(y) == wanted)
    right, called = np.array(right), np.array(called)
    return [
        row("digit recognised", group, right.mean()),
        row("called the target", group, called.mean()),
        row("both", group, (right & called).mean()),
    ]


# All parts


NEEDED = {"digits": "fsdd"}


def run(part, options):
    """Measure one part, and write what was measured."""
    began = time.perf_counter()
    rows, data = globals()[part](options)
    used = {name: value for name, value in vars(options).items() if name not in ("only", "stream")}
    path = results.record(
        NAME,
        rows,
        data=data,
        settings=used | {"threads": torch.get_num_threads()},
        seconds=time.perf_counter() - began,
        profile="full",
        variant=f"{part}-{datasets_word(part, options)}".rstrip("-"),
        command=os.environ.get("AUDIOSTYLE_COMMAND", "make bench CH=05"),
    )
    print(f"written: {path.name}")


def datasets_word(part, options):
    """Return the data set that a part was measured on, where it is not the built-in one."""
    if part == "digits":
        return "fsdd"
    return "cmu_arctic" if part == "changes" and "arctic" in options.source else ""


def main():
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=PARTS, nargs="+", default=None)
    parser.add_argument("--source", default="voices:low")
    parser.add_argument("--target", default="voices:high")
    parser.add_argument("--steps", type=int, default=300, help="of each training")
    parser.add_argument("--width", type=int, default=128, help="of the networks")
    parser.add_argument("--tests", type=int, default=12, help="recordings of an examination")
    parser.add_argument("--recipe", nargs="+", help="only these recipes of changes")
    parser.add_argument("--pairs", nargs="+", default=["theo-jackson", "nicolas-george"])
    parser.add_argument("--minutes", type=int, nargs="+", default=[1, 10, 60])
    parser.add_argument("--descent", type=int, default=2000, help="steps of the published way")
    parser.add_argument("--weights", default="05_melgan_vc_slt", help="for speed and memory")
    parser.add_argument("--sounds", help="a folder for one sound of each recipe")
    parser.add_argument("--stream", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stream:
        stream(options.stream, options.weights)
        return
    for part in options.only or PARTS:
        if options.only is None and part in NEEDED and not datasets.available(NEEDED[part]):
            print(f"{part}: {NEEDED[part]} is not here; see the data page.")
            continue
        run(part, options)


if __name__ == "__main__":
    main()
