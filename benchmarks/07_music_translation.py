"""The published translator beside the chapter's, on the same machine, and what its weights can do.

    make bench CH=07                                     all parts, with the weights of the book
    make bench CH=07 P="--only generation training"      some of them
    make bench CH=07 P="--only pairs --weights mine.safetensors"
    make bench CH=07 P="--quick"                         whether all parts run, in a few minutes

`generation` times decoders sample by sample. The decoder of the paper's size has random weights,
which take as long as others. The published generator is restated in plain PyTorch: each layer has a
queue, and the conditioning is worked out for each sample anew. Times of whole recordings have
everything in them, the warm-ups and joins of the stretches, too. Each rate is also given as a share
of the machine's own rate of matrix products, measured in the same run, for the arithmetic of the
folded decoder. `training` times the chapter's step and the published one, which listens twice, once
for the judge with a backward pass through the encoder, and repeats the codes before they are
multiplied. Its batch is of one kind, and it has one decoder, so the chapter's is timed with one
decoder and with one for each kind; both learn with the ear of the paper, and train it, too.

`joins` measures how much more the spectrum changes at the joins of stretches than elsewhere, for
shorter and longer warm-ups, before the desk. `ways` plays the same sketches with filters that are
driven by noise, with decoders, and with decoders and the desk. `pairs` lets each kind be translated
to each, and measures the result beside the true rendering; `kinds` says the same from kind to kind.

`ears` and `confusion` ask fresh judges which kind plays. They learn from some pieces and are asked
about others, all of them played by all kinds. In `ears` they see pictures of sound, from which no
network has learned yet: whitened bands, what is kept of them step by step, and the page that the
chapter's ear begins with. In `confusion` they see codes: of ears that learn to write here, with
more and less to hide, of the weights' ear, and of one that has learned nothing; and mel spectra in
the place of codes. It also measures what is left of the music: how well a linear map finds the
chroma of the sound from a code and its two neighbours.

`unseen` translates what is none of the six kinds.
"""

import argparse
import os
import time
from collections import deque
from functools import cache, partial
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from audiostyle_utils import audio, load_chapter, load_dataset, metrics, results, spectra, wavenet
from audiostyle_utils.datasets import ensembles
from audiostyle_utils.settings import cores
from audiostyle_utils.training import seed_everything
from audiostyle_utils.wavenet import stretches

chapter = load_chapter("07_music_translation")

NAME = "07_music_translation"
PARTS = ("generation", "joins", "training", "ways", "pairs", "kinds", "ears", "confusion", "unseen")
PAPER_SR, PAPER_HOP = 16_000, 800
FADE = 400  # samples in which one stretch passes into the next: what `generate` does by default
KINDS = ensembles.DOMAINS


def row(metric, group, value, unit="", better=None):
    print(f"{metric:46} {group:44} {value:12,.3f} {unit}", flush=True)
    entry = {"metric": metric, "group": group, "value": float(value), "unit": unit}
    return entry | ({"better": better} if better else {})


def seconds_of(function, *arguments, **named):
    """Return the seconds that a call takes."""
    began = time.perf_counter()
    function(*arguments, **named)
    return time.perf_counter() - began


# The published networks, restated: (batch, channels, time), a convolution for each matrix


class Queue(nn.Module):
    """A causal convolution that is given one sample at a time, and keeps its last inputs."""

    def __init__(self, conv, dilation):
        super().__init__()
        self.conv, self.dilation = nn.Conv1d(conv.in_channels, conv.out_channels, 2), dilation
        self.conv.load_state_dict(conv.state_dict())
        self.inputs = deque([torch.zeros(1, conv.in_channels, 1)] * dilation, maxlen=dilation)

    def forward(self, x):
        joined = torch.cat([self.inputs[0], x], dim=2)
        self.inputs.append(x)
        return self.conv(joined)


class Causal(nn.Module):
    """A causal convolution over all samples at once."""

    def __init__(self, inputs, outputs, dilation):
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, 2, padding=dilation, dilation=dilation)
        self.dilation = dilation

    def forward(self, x):
        return self.conv(x)[:, :, : -self.dilation]


class PublishedLayer(nn.Module):
    def __init__(self, channels, dilation):
        super().__init__()
        self.causal = Causal(channels, 2 * channels, dilation)
        self.condition = nn.Conv1d(chapter.LATENT, 2 * channels, 1)
        self.residual = nn.Conv1d(channels, channels, 1)
        self.skip = nn.Conv1d(channels, channels, 1)

    def forward(self, x, c):
        gate, signal = (self.causal(x) + self.condition(c)).chunk(2, dim=1)
        h = torch.sigmoid(gate) * torch.tanh(signal)
        return x + self.residual(h), self.skip(h)


class PublishedWaveNet(nn.Module):
    """The published decoder: levels (batch, time) are one number each, from -0.5 to 0.5."""

    def __init__(self, channels=128, blocks=4, layers=10):
        super().__init__()
        self.first = Causal(1, channels, 1)
        self.first_skip = nn.Conv1d(channels, channels, 1)
        reach = [2**k for _ in range(blocks) for k in range(layers)]
        self.layers = nn.ModuleList(PublishedLayer(channels, d) for d in reach)
        self.hidden = nn.Conv1d(channels, channels, 1)
        self.condition = nn.Conv1d(chapter.LATENT, channels, 1)
        self.last = nn.Conv1d(channels, chapter.LEVELS, 1)

    def out(self, x, c):
        """Return logits of the samples that come after `x`, scaled; `c` lasts as long."""
        x = self.first(x)
        skips = self.first_skip(x)
        for layer in self.layers:
            x, skip = layer(x, c)
            skips = skips + skip
        hidden = self.hidden(torch.relu(skips)) + self.condition(c)
        return self.last(torch.relu(hidden))

    def forward(self, q, codes):
        """Return logits (batch, 256, time); codes (batch, LATENT, frames) are repeated first."""
        x = functional.pad(q / 255 - 0.5, (1, 0))[:, None, :-1]
        return self.out(x, codes.repeat_interleave(q.shape[1] // codes.shape[2], dim=2))

    def queued(self):
        """Turn all causal convolutions into queues."""
        self.first = Queue(self.first.conv, 1)
        for layer in self.layers:
            layer.causal = Queue(layer.causal.conv, layer.causal.dilation)
        return self.eval()


@torch.no_grad()
def published_draw(queued, codes, hop, count):
    """Draw `count` samples of one stream; codes (1, LATENT, frames)."""
    samples = torch.full((1, 1, count + 1), chapter.SILENCE)
    for t in range(count):
        x = samples[:, :, t : t + 1].float() / 255 - 0.5
        logits = queued.out(x, codes[:, :, t // hop : t // hop + 1])[:, :, 0]
        samples[:, :, t + 1] = torch.multinomial(torch.softmax(logits, dim=1), 1)
    return samples[0, 0, 1:]


class PublishedEncoder(nn.Module):
    """The published encoder: levels (batch, time) to codes (batch, LATENT, frames)."""

    def __init__(self, hop, channels=128, blocks=3, layers=10):
        super().__init__()
        self.hop, reach = hop, [2**k for _ in range(blocks) for k in range(layers)]
        self.first = nn.Conv1d(1, channels, 3, padding=1)
        self.dilated = nn.ModuleList(
            nn.Conv1d(channels, channels, 3, padding=d, dilation=d) for d in reach
        )
        self.mix = nn.ModuleList(nn.Conv1d(channels, channels, 1) for _ in reach)
        self.last = nn.Conv1d(channels, chapter.LATENT, 1)

    def forward(self, q):
        x = self.first((q / 255 - 0.5)[:, None])
        for dilated, mix in zip(self.dilated, self.mix, strict=True):
            x = x + mix(torch.relu(dilated(x)))
        return functional.avg_pool1d(self.last(x), self.hop)


class PublishedJudge(nn.Module):
    def __init__(self, kinds, width=100):
        super().__init__()
        sizes = [chapter.LATENT, width, width, width]
        inner = [(nn.Conv1d(a, b, 1), nn.ELU()) for a, b in zip(sizes[:-1], sizes[1:], strict=True)]
        self.layers = nn.Sequential(*chain(*inner), nn.Conv1d(width, kinds, 1))

    def forward(self, codes):
        return self.layers(codes).mean(dim=2)


# Generation


def product_rate(size=2048, times=5):
    """Return the float32 operations a second of a large matrix product, the best of some."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    fastest = min(seconds_of(torch.mm, a, b) for _ in range(times + 1))
    return 2 * size**3 / fastest


def flop_of(decoder):
    """Return the operations that the matrices of a folded decoder take for a sample."""
    sizes = decoder.gate.size + decoder.mix.size + decoder.hidden.size + decoder.out.size
    return 2 * sizes


def random_codes(frames, streams=None, width=chapter.LATENT, seed=0):
    shape = (frames, width) if streams is None else (frames, streams, width)
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def generation(options):
    """Time all ways to make samples one after the other."""
    torch.manual_seed(0)
    network = chapter.WaveNet(options.channels, options.blocks, options.layers).eval()
    decoder, products = chapter.folded(network), product_rate()
    rows = [row("matrix products", "this machine", products / 1e9, "GFLOP/s")]
    rows += [row("arithmetic of a sample", "paper's size", flop_of(decoder) / 1e6, "MFLOP")]
    share = flop_of(decoder) / products
    rows += rate_rows(published_rate(options), "published, cached", share, PAPER_SR)
    rows += rate_rows(cached_rate(network, options), "cached, in PyTorch", share, PAPER_SR)
    rows += compiled_rows(decoder, PAPER_SR, "", share, options)
    rows += torch_rows(decoder, share, options)
    return rows + small_rows(products, options), "random codes; random weights at the paper's size"


def rate_rows(rate, group, share, sr):
    return [
        row("samples a second", group, rate, "", "higher"),
        row("share of the rate of products", group, 100 * rate * share, "%"),
        row("times real time", group, rate / sr),
    ]


def published_rate(options):
    """Return samples a second of the published generator, one stream."""
    sizes = options.channels, options.blocks, options.layers
    queued, codes = PublishedWaveNet(*sizes).queued(), torch.randn(1, chapter.LATENT, 8)
    published_draw(queued, codes, PAPER_HOP, 3)
    return options.slow / seconds_of(published_draw, queued, codes, PAPER_HOP, options.slow)


def cached_rate(network, options):
    """Return samples a second of the chapter's cached loop, one stream."""
    codes, numbers = torch.randn(1, 1, chapter.LATENT), torch.rand(options.slow, 1).double()
    chapter.draw_cached(network, codes, numbers[:3])
    return options.slow / seconds_of(chapter.draw_cached, network, codes, numbers)


def compiled_rows(decoder, sr, name, share, options):
    """Time the compiled decoder: one stream, and whole recordings."""
    hop = sr // chapter.FRAMES
    stream = partial(single, decoder, hop)
    stream(8)  # compiles
    rate = options.stream / min(stream(options.stream) for _ in range(2))
    rows = rate_rows(rate, f"{name}compiled, one stream", share, sr)
    warm_ups = {"": None}
    if options.warm_up is not None:
        warm_ups[f", warm-up of {options.warm_up:g}"] = round(options.warm_up * decoder.past)
    for seconds in options.lengths:
        codes = random_codes(round(seconds * chapter.FRAMES), None, decoder.width)
        for said, warm_up in warm_ups.items():
            taken = seconds_of(wavenet.generate, decoder, codes, hop, warm_up=warm_up)
            group = f"{name}compiled, {seconds:g} s{said}"
            rows += rate_rows(len(codes) * hop / taken, group, share, sr)
    return rows


def single(decoder, hop, count):
    """Return the seconds that so many samples of one stream take."""
    numbers = np.random.default_rng(1).random((count, 1))
    codes = random_codes(-(-count // hop), 1, decoder.width)
    return seconds_of(wavenet.draw, decoder, codes, hop, numbers)


def torch_rows(decoder, share, options):
    """Time the same steps in PyTorch, on the processor and on a GPU if there is one."""
    rows, ways = [], [("cpu", n, options.torch_steps) for n in options.torch_streams]
    if torch.cuda.is_available():
        ways += [("cuda", n, options.cuda_steps) for n in (1, 16, *options.torch_streams)]
    for device, streams, steps in ways:
        for dtype in (torch.float32, torch.bfloat16):
            codes = random_codes(-(-steps // PAPER_HOP), streams)
            numbers = np.random.default_rng(1).random((steps, streams))
            draw = partial(wavenet.on_torch, decoder, codes, PAPER_HOP, device=device, dtype=dtype)
            draw(numbers[:4])
            rate = numbers.size / seconds_of(draw, numbers)
            kind = str(dtype).removeprefix("torch.")
            group = f"PyTorch, {device}, {kind}, {streams} streams, no warm-up"
            rows += rate_rows(rate, group, share, PAPER_SR)
    return rows


def small_rows(products, options):
    """Time the decoder of the weights, at its own rate."""
    translator, card = chapter.load_translator(options.weights)
    decoder, sr = chapter.folded(translator.decoders[0]), card["settings"]["size"]["sr"]
    name = f"the weights' decoder at {sr / 1000:g} kHz"
    rows = [row("arithmetic of a sample", name, flop_of(decoder) / 1e6, "MFLOP")]
    share = flop_of(decoder) / products
    return rows + compiled_rows(decoder, sr, f"{name}: ", share, options)


# Joins


@cache
def piece_names(split, minutes):
    """Return the recordings of a part of the ensembles: names and seconds, by kind."""
    found = {kind: {} for kind in KINDS}
    for name, label in load_dataset("ensembles", minutes=minutes, **kept(minutes)).labels.items():
        if label["split"] == split:
            found[label["domain"]][name] = label["seconds"]
    return found


def kept(minutes):
    """Return the minutes for the test, as the chapter chooses them."""
    return {"test_minutes": min(4.0, max(0.25, minutes / 5))}


def spread(split, count, seconds, options):
    """Return `count` names of each kind that last so long, from all over the part."""
    chosen = {}
    for kind, found in piece_names(split, options.minutes).items():
        long = [name for name, length in found.items() if length >= seconds]
        places = np.linspace(0, len(long) - 1, min(count, len(long))).round().astype(int)
        chosen[kind] = [long[k] for k in places]
    return chosen


@cache
def rendered(name, kind, sr, seconds):
    """Let a kind play a piece."""
    y, found = ensembles.render_piece(name, kind)
    return audio.resample(y, found, sr)[: round(seconds * sr)]


def joins(options):
    """Measure how much more the spectrum changes at joins than elsewhere."""
    translator, card = chapter.load_translator(options.weights)
    size, rows = card["settings"]["size"], []
    hands = [chapter.folded(decoder) for decoder in translator.decoders]
    names = spread("test", options.join_pieces, options.seconds, options)
    pieces = [(name, kind) for kind, some in names.items() for name in some]
    jobs = []
    for k, (name, kind) in enumerate(pieces):
        codes = chapter.codes_of(translator, rendered(name, kind, size["sr"], options.seconds))
        target = k % len(hands)
        read = chapter.sketched(translator, target, codes)
        jobs += [(hands[target], read, seed) for seed in range(options.seeds)]
    play = partial(made, size=size, temperature=options.temperature)
    singles = [play(*job, streams=1) for job in jobs]
    for share in options.shares:
        rows += join_rows(share, jobs, singles, play, size["sr"])
    return rows, f"ensembles: {len(pieces)} test pieces, each to one kind, {options.seeds} times"


def made(hand, read, seed, size, **named):
    """Play a sketch with stretches as they are named."""
    hop = size["sr"] // chapter.FRAMES
    y = wavenet.generate(hand, read, hop, seed=seed, fade=FADE, **named)
    return chapter.undone(y, size["emphasis"])


def join_rows(share, jobs, singles, play, sr):
    """Compare sounds with a join every half second with those that have none."""
    found, count = [], 0
    for (hand, read, seed), alone in zip(jobs, singles, strict=True):
        streams, warm_up = round(2 * len(read) / chapter.FRAMES), round(share * hand.past)
        y = play(hand, read, seed, streams=streams, warm_up=warm_up)
        cut = stretches.lay_out(alone.size, hand.past, streams, warm_up, FADE)
        found.append([change_at(sound, cut.joins, sr) for sound in (y, alone)])
        count += len(cut.joins)
    joined, alone = np.array(found).T
    low, high = metrics.bootstrap_interval(joined)
    group = f"warm-up of {share:g} of the reach"
    name = "change at joins, beside elsewhere"
    return [
        row(name, group, joined.mean(), "", "lower"),
        row(f"{name}, lower end", group, low),
        row(f"{name}, upper end", group, high),
        row("the same places without joins", group, alone.mean()),
        row("joins", group, count),
    ]


def change_at(y, places, sr):
    """Return the change of the log-mel spectrum around joins, beside the change elsewhere."""
    hop = FADE // 2
    S = spectra.mel_spectrogram(y, sr, 2 * FADE, hop, 40)
    middles = [round((place + FADE / 2) / hop) for place in places]
    frames = {middle + k for middle in middles for k in (0, 1)}
    inside = sorted(frame for frame in frames if 1 <= frame < S.shape[1])
    return metrics.seam_ratio(10 * np.log10(S + 1e-6), inside)


# Training


def training(options):
    """Time steps of training, ours and the published ones, by turns."""
    rows = []
    for name, sizes in STEPS.items():
        if name == "small" or not options.quick:
            rows += step_rows(name, *sizes, options.repeats)
    return rows, "noise"


# channels, blocks and layers of a decoder, blocks and layers of the encoder, rate, frames, pieces
STEPS = {
    "small": (32, 2, 6, 2, 6, 8000, 4, 6),
    "paper's size": (128, 4, 10, 3, 10, 16_000, 6, 2),
}


def step_rows(name, channels, blocks, layers, ears, ear_layers, sr, frames, pieces, repeats):
    """Compare the ways at one size; each is given the same number of samples a step."""
    decoder, ear = (channels, blocks, layers), (channels, ears, ear_layers)
    ways = {
        "published": published_step(decoder, ear, sr, frames, pieces),
        "one decoder": our_step(decoder, ear, sr, frames, pieces, one=True),
        "a decoder for each kind": our_step(decoder, ear, sr, frames, pieces, one=False),
    }
    spent = {way: [] for way in ways}
    for k in range(repeats + 1):
        for way, step in ways.items():
            taken = seconds_of(step)
            spent[way] += [taken] if k else []  # the first time, everything is set up
    rows, rate = [], {way: 1 / np.median(some) for way, some in spent.items()}
    samples = pieces * frames * sr // chapter.FRAMES
    for way in ways:
        rows += [row(f"{name}: steps a second", way, rate[way], "", "higher")]
        rows += [row(f"{name}: samples a second", way, rate[way] * samples, "", "higher")]
        rows += [row(f"{name}: times as fast", way, rate[way] / rate["published"])]
    return rows


def our_step(decoder, ear, sr, frames, pieces, one):
    """Return the chapter's step, with decoders, the ear of the paper and a batch."""
    from accelerate import Accelerator

    torch.manual_seed(0)
    kinds = min(pieces, len(KINDS))
    hands = [chapter.WaveNet(*decoder) for _ in range(1 if one else kinds)]
    translator = chapter.Translator(chapter.WaveEncoder(sr, *ear), hands, kinds)
    accelerator = Accelerator(cpu=True)
    adam = torch.optim.Adam(translator.parameters(), 1e-3)
    size = {"sr": sr, "emphasis": 0.85, "encoder": "waveform"}
    sounds = {k: noise(2 * frames, sr, k) for k in range(kinds)}
    batch = chapter.batch_of(sounds, size, frames, pieces // kinds, 0)
    return partial(chapter.one_step, accelerator, translator, adam, batch)


def noise(frames, sr, seed):
    count = frames * sr // chapter.FRAMES
    return (0.1 * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


def published_step(decoder, ear, sr, frames, pieces):
    """Return the published step: first the judge's turn, then that of encoder and decoder."""
    torch.manual_seed(0)
    parts = (PublishedEncoder(sr // chapter.FRAMES, *ear), PublishedWaveNet(*decoder))
    encoder, network, judge = *parts, PublishedJudge(len(KINDS))
    both = [*encoder.parameters(), *network.parameters()]
    adam, judges_adam = torch.optim.Adam(both, 1e-3), torch.optim.Adam(judge.parameters(), 1e-3)
    x, shifted = torch.randint(0, 256, (2, pieces, frames * sr // chapter.FRAMES)).float()
    kind = torch.zeros(pieces, dtype=torch.long)

    def step():
        verdict = functional.cross_entropy(judge(encoder(x)), kind)
        judges_adam.zero_grad()
        (1e-2 * verdict).backward()  # through the encoder, too, where nobody takes it
        nn.utils.clip_grad_value_(judge.parameters(), 1)
        judges_adam.step()
        codes = encoder(shifted)
        sound = functional.cross_entropy(network(x, codes), x.long())
        wrong = -functional.cross_entropy(judge(codes), kind)
        adam.zero_grad()
        (sound + 1e-2 * wrong).backward()
        nn.utils.clip_grad_value_(both, 1)
        adam.step()
        return sound.item(), verdict.item()

    return step


# Ways


def ways(options):
    """Play the same sketches with filters and noise, with decoders, and with the desk as well."""
    translator, card = chapter.load_translator(options.weights)
    size, sr = card["settings"]["size"], card["settings"]["size"]["sr"]
    classifier, _ = listener(sr, options.minutes)
    chosen = spread("test", 1, options.seconds, options)
    names = [(some[0], kind) for kind, some in chosen.items()]
    sources = [rendered(name, kind, sr, options.seconds) for name, kind in names]
    codes, rows = [chapter.codes_of(translator, y) for y in sources], []
    play = partial(translations, temperature=options.temperature)
    all_ways = {"decoder": partial(play, desk=False), "decoder and desk": play}
    if translator.foreteller is not None:
        all_ways = {"filters and noise": breaths} | all_ways
    for way, function in all_ways.items():
        both = partial(function, translator, codes=codes, size=size)
        rows += way_rows(way, both, names, sources, classifier, sr)
    return rows, f"ensembles: {len(sources)} test recordings, each to the five other kinds"


def breaths(translator, kind, codes, size):
    """Drive the filters of sketches with noise."""
    bands = translator.foreteller.envelopes.shape[1]
    sketches = [chapter.sketched(translator, kind, some)[:, : bands + 1] for some in codes]
    drive = partial(chapter.breathed, translator.foreteller, kind=kind, sr=size["sr"])
    return [drive(torch.from_numpy(sketch)).astype(np.float32) for sketch in sketches]


def way_rows(group, play, names, sources, classifier, sr):
    """Let all kinds play what the five others played, in one way."""
    found = {"chroma with the source": [], "called the target": [], "roughness": []}
    for number, target in enumerate(KINDS):
        for (name, kind), source, y in zip(names, sources, play(number), strict=True):
            if kind != target:
                y = y[: source.size]
                truth = rendered(name, target, sr, source.size / sr)
                right = np.mean(called(classifier, [y], sr) == target)
                rough = chapter.roughness(y, sr) / chapter.roughness(truth, sr)
                values = (metrics.chroma_correlation(y, source, sr), right, rough)
                for key, value in zip(found, values, strict=True):
                    found[key].append(value)
    better = ("higher", "higher", "lower")
    return [
        row(key, group, np.mean(values), "", way)
        for (key, values), way in zip(found.items(), better, strict=True)
    ]


# Pairs


def learning_sounds(sr, minutes):
    """Return what the training part of each kind holds, end to end."""
    kinds = chapter.built_in_kinds(minutes)
    return {kind.name: chapter.sound_of(kind.learn, sr, 2 * minutes) for kind in kinds}


@cache
def listener(sr, minutes):
    """Train the chapter's classifier on the training part; return it, and how good it is."""
    classifier, right = chapter.listener_of(learning_sounds(sr, minutes), sr), {}
    for kind in chapter.built_in_kinds(minutes):
        heard = [audio.load(path, sr)[0] for path in kind.test]
        right[kind.name] = np.mean(called(classifier, heard, sr) == kind.name)
    return classifier, right


def called(classifier, sounds, sr):
    """Return what the classifier calls sounds, each of them cut as those that it learned from."""
    heard = [piece for y in sounds for piece in chapter.pieces(y, sr)]
    return classifier.predict([chapter.timbre_of(y, sr) for y in heard])


def played_pairs(options):
    """Let all kinds play test pieces; yield what belongs to each pair, and the classifier."""
    translator, card = chapter.load_translator(options.weights)
    size, sr = card["settings"]["size"], card["settings"]["size"]["sr"]
    chosen = spread("test", options.tests, options.seconds, options)
    names = [(name, kind) for kind, some in chosen.items() for name in some]
    sources = [rendered(name, kind, sr, options.seconds) for name, kind in names]
    codes = [chapter.codes_of(translator, y) for y in sources]
    for number, target in enumerate(KINDS):
        heard = translations(translator, number, codes, size, options.temperature)
        for k, ((name, kind), source, y) in enumerate(zip(names, sources, heard, strict=True)):
            other = sources[(k + len(sources) // len(KINDS)) % len(sources)]
            truth = rendered(name, target, sr, options.seconds)
            n = min(x.size for x in (source, y, truth, other))
            yield name, kind, target, [x[:n] for x in (source, y, truth, other)], sr


def pairs(options):
    """Translate each kind to each, and measure the results beside the true renderings."""
    found = {}
    for name, kind, target, sounds, sr in played_pairs(options):
        classifier, _ = listener(sr, options.minutes)
        for way, key, value in measured(*sounds, classifier, target, sr):
            found.setdefault((key, way), []).append((name, kind != target, value))
    return pair_rows(found), said_of_pairs(options)


def said_of_pairs(options):
    count, length = options.tests * len(KINDS), options.seconds
    return f"ensembles: {count} test recordings of {length:g} s, each to six kinds"


def translations(translator, kind, codes, size, temperature, desk=True):
    """Play codes of many pieces, each as `chapter.played` would, or without its desk."""
    hand, hop = chapter.folded(translator.decoders[kind]), size["sr"] // chapter.FRAMES
    read = [chapter.sketched(translator, kind, some) for some in codes]
    sounds = wavenet.generate_many(hand, read, hop, temperature=temperature)
    sounds = [chapter.undone(y, size["emphasis"]) for y in sounds]
    if translator.foreteller is None or not desk:
        return sounds
    mend = partial(chapter.equalised, translator=translator, kind=kind, sr=size["sr"])
    for _ in range(2):
        both = zip(sounds, read, strict=True)
        sounds = [mend(y, sketch=sketch[:, : -hand.order]) for y, sketch in both]
    return sounds


def measured(source, y, truth, other, classifier, target, sr):
    """Measure a translation, the true rendering, a copy of the source, and an unrelated pair."""
    for way, sound in ((TRANSLATION, y), (TRUTH, truth), (COPY, source)):
        yield way, CALLED, np.mean(called(classifier, [sound], sr) == target)
    yield COPY, "distance to truth", metrics.log_spectral_distance(source, truth, sr)
    for way, pair in ((TRANSLATION, (source, y)), (TRUTH, (source, truth)), (OTHER, (other, y))):
        values = chapter.measures_of(*pair, truth, sr)
        shown = (*SAME, *AGAINST_TRUTH) if way == TRANSLATION else SAME
        yield from ((way, key, values[key]) for key in shown)


SAME = ("pitch", "pitch, aligned", "chroma")
AGAINST_TRUTH = ("chroma, truth", "distance to truth", "roughness")
TRANSLATION, TRUTH, COPY, OTHER = "translation", "truth", "copy", "another piece"
CALLED = "called the target"
UNITS = {"distance to truth": "dB"}
OTHERS = "to another kind"


def pair_rows(found):
    """Turn measures of recordings into means, of all pairs and of those of two kinds.

    A copy of the source is the true rendering where a kind is translated to itself. So it has a
    mean of the other pairs only.
    """
    rows = []
    for (key, way), values in found.items():
        show = partial(row, unit=UNITS.get(key, ""))
        others = np.array([value for _, different, value in values if different])
        everything = np.array([value for _, _, value in values])
        if way != COPY:
            rows += [show(key, way, everything.mean())]
        rows += [show(f"{key}, {OTHERS}", way, others.mean())]
        if way == TRANSLATION:
            names = {name: [v for n, _, v in values if n == name] for name, _, _ in values}
            ends = metrics.bootstrap_interval(np.array([np.mean(v) for v in names.values()]))
            for end, x in zip(("lower end", "upper end"), ends, strict=True):
                rows += [show(key, end, x)]
    return sorted(rows, key=lambda one: one["metric"])


def kinds(options):
    """Say from which kind to which the chords are kept, and what the results are called."""
    chroma, said, right = {}, {}, {}
    for _, kind, target, (source, y, _, _), sr in played_pairs(options):
        classifier, right = listener(sr, options.minutes)
        score = metrics.chroma_correlation(y, source, sr)
        chroma.setdefault((kind, target), []).append(score)
        said.setdefault(target, []).extend(called(classifier, [y], sr))
    rows = [row(f"chroma from {kind}", to, np.mean(v)) for (kind, to), v in chroma.items()]
    rows = sorted(rows, key=lambda one: KINDS.index(one["metric"].removeprefix("chroma from ")))
    rows += called_rows(said)
    rows += [row("true recordings: called what they are", kind, right[kind]) for kind in KINDS]
    return rows, said_of_pairs(options)


def called_rows(said):
    """Turn what the classifier called the translations to each target into rows."""
    return [
        row(f"called {kind}", target, np.mean(np.array(verdicts) == kind))
        for kind in KINDS
        for target, verdicts in said.items()
    ]


# Judges of pictures and codes


PIECE = 4  # seconds of each piece that judges hear


def pieces_for_judges(options):
    """Return the names of the pieces to learn from, and of those to be asked about."""
    return [
        list(chain(*spread(split, -(-count // len(KINDS)), PIECE, options).values()))[:count]
        for split, count in (("training", options.learn), ("test", options.ask))
    ]


def said_of(names):
    return f"ensembles: {len(names[0])} pieces to learn from, {len(names[1])} to be asked about"


def heard_by(hear, names, sr):
    """Do what `chapter.codes_by_kind` does, with any hearer, and each piece played once only."""
    return {
        kind: np.stack([hear(rendered(name, kind, sr, PIECE)) for name in names], axis=1)
        for kind in KINDS
    }


def on_one_scale(learn, ask):
    """Bring each number to mean 0 and spread 1 where judges learn; one that stays is only moved."""
    everything = np.concatenate(list(learn.values()), axis=1).astype(np.float64)
    mean, spread_ = everything.mean(axis=(0, 1)), everything.std(axis=(0, 1))
    scale = np.where(spread_ < 1e-5, 1, spread_)
    return [
        {kind: ((x - mean) / scale).astype(np.float32) for kind, x in part.items()}
        for part in (learn, ask)
    ]


def widened(heard):
    """Fill up with zeros what has fewer numbers than a code."""
    return {
        kind: np.pad(x, ((0, 0), (0, 0), (0, max(0, chapter.LATENT - x.shape[2]))))
        for kind, x in heard.items()
    }


def fresh_judge(heard, steps, seed):
    """Do what `chapter.fresh_judge` does, with as many numbers as there are."""
    torch.manual_seed(seed)
    judge, rng = chapter.Judge(len(heard)), np.random.default_rng(seed)
    everything = torch.from_numpy(np.concatenate(list(heard.values()), axis=1))
    if everything.shape[2] != chapter.LATENT:
        judge.layers[0] = nn.Linear(everything.shape[2], judge.layers[0].out_features)
    adam = torch.optim.Adam(judge.parameters(), 1e-3)
    kinds = torch.arange(len(heard)).repeat_interleave(everything.shape[1] // len(heard))
    for _ in range(steps):
        start = int(rng.integers(0, len(everything) - chapter.FRAMES + 1))
        verdict = judge(everything[start : start + chapter.FRAMES])
        adam.zero_grad()
        functional.cross_entropy(verdict, kinds).backward()
        adam.step()
    return judge


def share_right(learn, ask, options):
    """Return how often fresh judges are right about what they have not learned from."""
    learn, ask = widened(learn), widened(ask)
    return np.mean(
        [
            chapter.share_right(fresh_judge(learn, options.judge, seed), ask)
            for seed in range(options.seeds)
        ]
    )


RIGHT = "right about the kind"


def chance_row():
    return row(RIGHT, "chance", 1 / len(KINDS))


# Ears


def peaks_of(W):
    """Give a one to bands that are higher than those beside them, as `semitones_of` finds them."""
    highest = functional.max_pool1d(W.flatten(0, 1)[:, None], 3, stride=1, padding=1)
    return ((W >= highest[:, 0].view_as(W)) & (W > 0.3)).float()


def folded_semitones(W):
    """Fold four octaves of semitones into the twelve pitch classes."""
    return chapter.semitones_of(W)[..., :48].unflatten(-1, (4, 12)).amax(dim=-2)


TONES = chapter.SEMITONES  # where the classes begin on a page; they are twelve
PICTURES = {
    "whitened bands": lambda W, power: W,
    "peaks": lambda W, power: peaks_of(W),
    "semitones folded to pitch classes": lambda W, power: folded_semitones(W),
    "three strongest semitones": lambda W, power: chapter.tones_of(W)[..., :TONES],
    "four strongest pitch classes": lambda W, power: chapter.tones_of(W)[..., TONES:],
    "loudness and rise": lambda W, power: chapter.page_of(W, power)[..., TONES + 12 :],
    "the whole page": chapter.page_of,
}


@torch.no_grad()
def picture(spectrum, kind, y):
    """Take a picture of a sound as the ears hear it: (frames, numbers)."""
    W, power = spectrum(torch.from_numpy(chapter.levelled(y))[None])
    return PICTURES[kind](W, power)[0].numpy()


def ears(options):
    """Ask fresh judges about pictures of sound, from which no network has learned."""
    sr = chapter.load_translator(options.weights)[1]["settings"]["size"]["sr"]
    names, spectrum, rows = pieces_for_judges(options), chapter.Spectrum(sr), []
    for kind in PICTURES:
        hear = partial(picture, spectrum, kind)
        learn, ask = on_one_scale(*(heard_by(hear, some, sr) for some in names))
        rows.append(row(RIGHT, kind, share_right(learn, ask, options), "", "lower"))
    return [*rows, chance_row()], said_of(names)


# Confusion


def confusion(options):
    """Ask fresh judges about codes, and find out what of the music is left in them."""
    size = chapter.load_translator(options.weights)[1]["settings"]["size"]
    sr, names, rows = size["sr"], pieces_for_judges(options), []
    chroma = [heard_by(partial(chroma_of, sr), some, sr) for some in names]
    nothing = [{kind: x[..., :1] * 0 for kind, x in part.items()} for part in chroma]
    for name, hear in hearers(size, options):
        codes = [heard_by(hear, some, sr) for some in names]
        rows += judged(name, *codes, options)
        rows.append(row(READ, name, readable(codes, chroma), "", "higher"))
    rows += [chance_row(), row(READ, "the mean chroma, whatever sounds", readable(nothing, chroma))]
    return rows, said_of(names)


def hearers(size, options):
    """Give names of what turns sound into codes, and functions that do it."""
    sounds = learning_sounds(size["sr"], options.minutes)
    for secrecy in options.secrecies:
        taught = taught_ear(size, sounds, chapter.Lesson(options.sketches, secrecy))
        yield f"ear, secrecy {secrecy:g}", partial(chapter.codes_of, taught)
    translator, _ = chapter.load_translator(options.weights)
    yield Path(options.weights).stem, partial(chapter.codes_of, translator)
    seed_everything(0)
    new = chapter.new_translator(size, len(KINDS)).eval()
    yield "an encoder that has learned nothing", partial(chapter.codes_of, new)
    yield "mel spectra", partial(mel_codes, size["sr"])


def taught_ear(size, sounds, lesson):
    """Let an ear learn to write; return a translator that listens with it."""
    seed_everything(lesson.seed)
    translator = chapter.new_translator(size | {"encoder": "notes"}, len(sounds))
    with TemporaryDirectory() as folder:
        ear, sketcher = translator.encoder, translator.sketcher
        chapter.learn_to_write(ear, sketcher, sounds, size["sr"], lesson, folder)
    return translator.eval()


def mel_codes(sr, y):
    """Return as many mel levels of each 50 ms as a code has numbers: (frames, LATENT)."""
    hop = sr // chapter.FRAMES
    S = spectra.mel_spectrogram(chapter.levelled(y), sr, 4 * hop, hop, chapter.LATENT)
    return np.log(S + 1e-5).T[: y.size // hop].astype(np.float32)


def judged(name, learn, ask, options):
    """Return how often fresh judges are right, on codes as they are and brought to one scale."""
    ways = {RIGHT: (learn, ask), f"{RIGHT}, codes on one scale": on_one_scale(learn, ask)}
    return [
        row(said, name, share_right(*codes, options), "", "lower") for said, codes in ways.items()
    ]


READ = "chroma that can be read from the codes"


def chroma_of(sr, y):
    """Return chroma as `metrics.chroma_correlation` takes them: (frames, 12), each of length 1.

    A frame lies around the middle of its code. One that is silent is zeros.
    """
    import librosa

    hop = sr // chapter.FRAMES
    power = np.abs(spectra.stft(y[hop // 2 :], 4096, hop)[:, : y.size // hop]) ** 2
    chroma = librosa.feature.chroma_stft(S=power, sr=sr, norm=None, tuning=0.0)
    sounds = power.sum(axis=0) > max(1e-6 * power.sum(axis=0).max(), 1e-12)
    return (sounds * chroma / (np.linalg.norm(chroma, axis=0) + 1e-12)).T


def readable(codes, chroma):
    """Return how well a linear map finds the chroma from codes: the mean correlation of frames.

    Both are what `heard_by` gives, for the pieces to learn from and for those to be asked about.
    """
    X, Y = ([flat(with_neighbours(part)) for part in codes], [flat(part) for part in chroma])
    sounds = [y.any(axis=1) for y in Y]
    fitted = ridge(X[0][sounds[0]], Y[0][sounds[0]])
    return correlations(fitted(X[1][sounds[1]]), Y[1][sounds[1]]).mean()


def flat(heard):
    """Line up the frames of all pieces by all kinds."""
    return np.concatenate([x.reshape(-1, x.shape[2]) for x in heard.values()]).astype(np.float64)


def with_neighbours(heard):
    """Put the frame before and the one after beside each frame; at the ends, the frame itself."""
    padded = {kind: np.pad(x, ((1, 1), (0, 0), (0, 0)), "edge") for kind, x in heard.items()}
    return {k: np.concatenate([x[:-2], x[1:-1], x[2:]], axis=2) for k, x in padded.items()}


def ridge(X, Y, penalty=1e-4):
    """Fit a linear map from rows of X to rows of Y; return it."""
    mean, scale, middle = X.mean(axis=0), X.std(axis=0) + 1e-6, Y.mean(axis=0)
    Z = (X - mean) / scale
    weights = np.linalg.solve(Z.T @ Z + penalty * len(Z) * np.eye(Z.shape[1]), Z.T @ (Y - middle))
    return lambda x: (x - mean) / scale @ weights + middle


def correlations(A, B):
    """Return the correlation of each row of A with that of B; 0 where one is constant."""
    A, B = (x - x.mean(axis=1, keepdims=True) for x in (A, B))
    lengths = np.linalg.norm(A, axis=1) * np.linalg.norm(B, axis=1)
    return (A * B).sum(axis=1) / np.maximum(lengths, 1e-12)


# Unseen


def unseen(options):
    """Translate what is none of the six kinds."""
    size = chapter.load_translator(options.weights)[1]["settings"]["size"]
    sr, rows = size["sr"], []
    classifier, _ = listener(sr, options.minutes)
    given = {"weights": options.weights, "temperature": options.temperature}
    with TemporaryDirectory() as folder:
        files = unseen_files(Path(folder), options.unseen_seconds)
        sources = {name: audio.load(path, sr)[0] for name, path in files.items()}
        for name, path in files.items():
            for target in ("piano", "organ"):
                y, _ = chapter.translate_music(path, target, **given)
                rows += unseen_rows(name, target, sources, y, classifier, sr)
    return rows, f"librosa_examples, spoken, a whistle: {options.unseen_seconds:g} s at most"


WHISTLES = {"whistle": 0, "whistle an octave higher": 12}  # semitones above the chapter's


def unseen_files(folder, seconds):
    """Write an excerpt of each recording into a folder."""
    examples = load_dataset("librosa_examples").files
    spoken = load_dataset("spoken")
    sentence = next(n for n, label in spoken.labels.items() if label["part"] == "test")
    names = ("trumpet", "brahms", "nutcracker")
    sources = {name: audio.load(examples[name], PAPER_SR)[0] for name in names}
    sources["spoken sentence"] = audio.load(spoken.files[sentence], PAPER_SR)[0]
    for name, above in WHISTLES.items():
        sources[name] = chapter.whistled([note + above for note in chapter.ODE], PAPER_SR)
    paths = {}
    for name, y in sources.items():
        paths[name] = folder / f"{name.replace(' ', '_')}.wav"
        audio.save(paths[name], y[: round(seconds * PAPER_SR)], PAPER_SR)
    return paths


def unseen_rows(name, target, sources, y, classifier, sr):
    """Measure a translation of a source, beside the chroma of sources that it has not come from."""
    strangers = [x for other, x in sources.items() if other.split()[0] != name.split()[0]]
    right, loud = np.mean(called(classifier, [y], sr) == target), 20 * np.log10(y.std())
    rows = [
        row(f"{name}: chroma", target, same_chords(y, sources[name], sr), "", "higher"),
        row(
            f"{name}: chroma of others", target, np.mean([same_chords(y, x, sr) for x in strangers])
        ),
        row(f"{name}: called the target", target, right),
        row(f"{name}: level, 0 dB is full scale", target, loud, "dB"),
        row(f"{name}: samples that are cut", target, 100 * np.mean(np.abs(y) >= 0.999), "%"),
    ]
    if name in WHISTLES:
        kept = chapter.notes_kept(y, chapter.ODE, sr)
        rows += [row(f"{name}: notes kept, of {len(chapter.ODE)}", target, kept, "", "higher")]
    return rows


def same_chords(y, other, sr):
    """Return the correlation of the chroma of two sounds, for as long as both last."""
    n = min(y.size, other.size)
    return metrics.chroma_correlation(y[:n], other[:n], sr)


# All parts


def run(part, options):
    """Measure one part, and write what was measured."""
    began = time.perf_counter()
    rows, data = globals()[part](options)
    used = {name: value for name, value in vars(options).items() if name != "only"}
    threads = {"cores": cores(), "threads": torch.get_num_threads()}
    path = results.record(
        NAME,
        rows,
        data=data,
        settings=used | threads | {"load": round(os.getloadavg()[0], 2)},
        seconds=time.perf_counter() - began,
        profile="quick" if options.quick else "full",
        variant=part,
        command=os.environ.get("AUDIOSTYLE_COMMAND", "make bench CH=07"),
    )
    print(f"written: {path.name}")


# What --quick sets: enough to see that a part runs.
QUICK = {
    "lengths": [0.5],
    "layers": 2,
    "slow": 5,
    "stream": 50,
    "torch_streams": [2],
    "torch_steps": 5,
    "cuda_steps": 50,
    "join_pieces": 1,
    "seeds": 1,
    "shares": [0.0, 1.0],
    "repeats": 1,
    "minutes": 0.75,
    "tests": 1,
    "seconds": 2.0,
    "unseen_seconds": 2.0,
    "learn": 6,
    "ask": 6,
    "judge": 5,
    "sketches": 4,
    "secrecies": [0.0, 1.0],
}


# Options of the parts: names, with defaults and what they are; a list takes several values.
KNOBS = {
    "lengths": ([5.0, 60.0], "seconds, for generation"),
    "channels": (128, "of the decoder for generation"),
    "blocks": (4, "of the decoder for generation"),
    "layers": (10, "in a block of the decoder for generation"),
    "slow": (200, "samples of the ways in plain PyTorch"),
    "stream": (6000, "samples of one stream"),
    "torch_streams": ([64, 256], "of PyTorch"),
    "torch_steps": (150, "samples of each stream"),
    "cuda_steps": (3000, "samples of each stream"),
    "join_pieces": (2, "of each kind"),
    "seeds": (3, "for joins, ears and confusion"),
    "shares": ([0, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0], "warm-ups, of the reach, for joins"),
    "repeats": (3, "steps of each training"),
    "minutes": (20.0, "of each kind that the listener and the ears learn from"),
    "tests": (4, "recordings of each kind, for pairs"),
    "seconds": (5.0, "of each recording, for joins, ways and pairs"),
    "unseen_seconds": (10.0, "of each recording, at most, for unseen"),
    "temperature": (0.85, "of what is played, for joins, ways, pairs and unseen"),
    "learn": (30, "pieces that a judge learns from"),
    "ask": (12, "pieces that it is asked about"),
    "judge": (600, "steps of a judge"),
    "sketches": (2000, "steps in which an ear learns to write, for confusion"),
    "secrecies": ([0.0, 1.0, 40.0], "how much ears have to hide, for confusion"),
}


def options_of(arguments=None):
    """Read the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=PARTS, nargs="+", default=list(PARTS))
    parser.add_argument("--quick", action="store_true", help="little of all, to see that it runs")
    parser.add_argument("--weights", default=chapter.WEIGHTS, help="a name, or the path of a file")
    parser.add_argument("--warm-up", type=float, help="a shorter one beside, for generation")
    for name, (value, said) in KNOBS.items():
        several = isinstance(value, list)
        kind = type(value[-1] if several else value)
        how = {"type": kind, "default": value, "help": said} | ({"nargs": "+"} if several else {})
        parser.add_argument(f"--{name.replace('_', '-')}", **how)
    if parser.parse_known_args(arguments)[0].quick:
        parser.set_defaults(**QUICK)
    return parser.parse_args(arguments)


def main():
    """Run the parts that were asked for."""
    options = options_of()
    for part in options.only:
        run(part, options)


if __name__ == "__main__":
    main()
