"""Generation sample by sample, beside a plain network that sees all samples at once."""

from functools import cache
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiostyle_utils import InputError, spectra, wavenet
from audiostyle_utils.wavenet import drawing, stretches

HOP = 20


def make_decoder(R=8, S=6, layers=5, latent=3, seed=0, **changed):
    """Return a decoder with random weights, dilations 1, 2, 4 and so on in two blocks or more."""
    rng = np.random.default_rng(seed)

    def weights(*shape):
        return (rng.standard_normal(shape) / np.sqrt(shape[-2])).astype(np.float32)

    def bias(*shape):
        return (0.1 * rng.standard_normal(shape)).astype(np.float32)

    arrays = {
        "embed": weights(2, 256, R) * 16,
        "gate": weights(layers, 2 * R, 2 * R),
        "gate_codes": weights(layers, latent, 2 * R),
        "gate_bias": bias(layers, 2 * R),
        "mix": weights(layers, R, R + S),
        "mix_bias": bias(layers, R + S),
        "hidden": weights(S, S),
        "hidden_codes": weights(latent, S),
        "hidden_bias": bias(S),
        "out": weights(S, 256),
        "out_bias": bias(256),
        "dilations": 2 ** (np.arange(layers) % min(10, -(-layers // 2))),
    }
    if changed.get("order") and "foretold" not in changed:
        arrays["foretold"] = weights(256, R) * 16
    return wavenet.Decoder(**arrays | changed)


SMALL = make_decoder()
FORETELLING = make_decoder(foretold=np.random.default_rng(5).standard_normal((256, 8)), order=6)


def make_codes(frames, streams=None, latent=3, seed=1):
    shape = (frames, latent) if streams is None else (frames, streams, latent)
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def uniform(time, streams, seed=2):
    return np.random.default_rng(seed).random((time, streams))


def plain_logits(decoder, codes, samples, hop_length):
    """Restate the network over all samples at once, in double precision."""
    time, streams = samples.shape
    # One type for all, since NumPy multiplies matrices of two types the slow way.
    whole = {"dilations": decoder.dilations, "order": decoder.order}
    arrays = {name: x.astype(np.float64) for name, x in vars(decoder).items() if name != "order"}
    d = SimpleNamespace(**arrays | whole)
    R = d.embed.shape[2]
    code = codes.astype(np.float64)[np.arange(time) // hop_length]
    padded = np.concatenate([np.full((2, streams), 128), samples])
    x, skips = d.embed[0][padded[:-2]] + d.embed[1][padded[1:-1]], 0
    if d.order:
        code, filters = code[..., : -d.order], code[..., -d.order :]
        x = x + d.foretold[plain_foretold(padded[1:-1], filters)]
    for layer, dilation in enumerate(d.dilations):
        past = np.concatenate([np.zeros((dilation, streams, R)), x])[:time]
        z = np.concatenate([past, x], axis=-1) @ d.gate[layer]
        z += code @ d.gate_codes[layer] + d.gate_bias[layer]
        h = np.tanh(z[..., :R]) / (1 + np.exp(-z[..., R:]))
        m = h @ d.mix[layer] + d.mix_bias[layer]
        x, skips = x + m[..., :R], skips + m[..., R:]
    k = np.maximum(skips, 0) @ d.hidden + code @ d.hidden_codes + d.hidden_bias
    return np.maximum(k, 0) @ d.out + d.out_bias


def plain_foretold(before, filters):
    """Restate a filter for each sample and stream: levels before it, and (time, streams, order)."""
    order = filters.shape[2]
    heights = spectra.mu_law_decode(before).astype(np.float64)
    heights = np.concatenate([np.zeros((order - 1, before.shape[1])), heights])
    found = [np.sum(heights[t : t + order] * filters[t].T, axis=0) for t in range(len(before))]
    return spectra.mu_law_encode(np.clip(found, -1, 1))


def plain_picks(logits, uniforms, temperature=1.0):
    chances = np.exp((logits - logits.max(-1, keepdims=True)) / temperature)
    summed = (chances / chances.sum(-1, keepdims=True)).cumsum(-1)
    return (summed <= uniforms[..., np.newaxis]).sum(-1).clip(max=255)


# Logits -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("R", "S", "layers", "latent", "time", "streams"),
    [
        (8, 6, 5, 3, 130, 3),
        (5, 19, 3, 1, 90, 4),
        (16, 16, 12, 8, 2300, 2),
        (33, 7, 22, 17, 2100, 1),
        (128, 128, 8, 64, 60, 5),
        (1, 1, 1, 1, 7, 1),
    ],
)
def test_logits_are_those_of_the_plain_network(R, S, layers, latent, time, streams):
    decoder = make_decoder(R, S, layers, latent)
    codes = make_codes(-(-time // HOP), streams, latent)
    samples = np.random.default_rng(3).integers(0, 256, (time, streams))
    found = wavenet.logits(decoder, codes, samples, HOP)
    assert found.dtype == np.float32 and found.shape == (time, streams, 256)
    np.testing.assert_allclose(found, plain_logits(decoder, codes, samples, HOP), atol=1e-4)


@pytest.mark.parametrize(("order", "streams"), [(1, 2), (7, 3), (64, 1)])
def test_logits_with_what_filters_foretell(order, streams):
    rng = np.random.default_rng(0)
    table = rng.standard_normal((256, 8))
    decoder = make_decoder(foretold=table, order=order)
    codes = make_codes(9, streams, 3 + order) / np.r_[np.ones(3), np.full(order, order)]
    codes = codes.astype(np.float32)
    samples = rng.integers(0, 256, (9 * HOP, streams))
    found = wavenet.logits(decoder, codes, samples, HOP)
    wanted = plain_logits(decoder, codes, samples, HOP)
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    without = wavenet.logits(make_decoder(), codes[..., :3], samples, HOP)
    assert np.abs(found - without).max() > 0.1


def test_what_a_filter_foretells_is_what_is_drawn():
    # Two last samples foretell a tone. The network takes the level, and gives it back.
    w = 2 * np.pi / 25
    arrays = {"embed": np.zeros((2, 256, 256)), "gate": np.zeros((1, 512, 512))}
    arrays |= {"gate_codes": np.zeros((1, 1, 512)), "gate_bias": np.zeros((1, 512))}
    arrays["gate"][0, 256:, :256], arrays["gate_bias"][0, 256:] = np.eye(256), 30
    arrays |= {"mix": np.eye(256, 512, 256)[None], "mix_bias": np.zeros((1, 512))}
    arrays |= {"hidden": np.eye(256), "hidden_codes": np.zeros((1, 256))}
    arrays |= {"hidden_bias": np.zeros(256), "out": 100 * np.eye(256), "out_bias": np.zeros(256)}
    decoder = wavenet.Decoder(dilations=np.array([1]), foretold=np.eye(256), order=2, **arrays)
    codes = np.tile(np.float32([0, -1, 2 * np.cos(w)]), (10, 1, 1))
    start = spectra.mu_law_encode(0.5 * np.sin(w * np.arange(2)))[:, None]
    drawn = wavenet.draw(decoder, codes, HOP, uniform(200, 1), given=start)[:, 0]
    heights = spectra.mu_law_decode(drawn).astype(np.float64)
    wanted = spectra.mu_law_encode(2 * np.cos(w) * heights[1:-1] - heights[:-2])
    np.testing.assert_array_equal(drawn[2:], wanted)
    assert np.abs(np.fft.rfft(heights)).argmax() == 8  # 200 samples of 25 a period


def test_logits_at_the_size_of_the_paper():
    decoder = make_decoder(128, 128, 40, 64)
    codes, samples = make_codes(2, 3, 64), np.random.default_rng(3).integers(0, 256, (40, 3))
    found = wavenet.logits(decoder, codes, samples, HOP)
    wanted = plain_logits(decoder, codes, samples, HOP)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_logits_depend_on_nothing_later_and_on_the_stated_past():
    decoder = make_decoder(dilations=np.array([1, 2, 4, 1, 2]))
    assert decoder.past == 12
    samples = np.random.default_rng(3).integers(0, 256, (40, 1))
    other = samples.copy()
    other[20] = 255 - other[20]
    a, b = (wavenet.logits(decoder, make_codes(2, 1), x, HOP) for x in (samples, other))
    changed = np.flatnonzero((a != b).any(axis=(1, 2)))
    assert changed.min() == 21 and changed.max() == 20 + decoder.past


def test_the_past_at_the_size_of_the_paper():
    assert make_decoder(1, 1, 4, 1, dilations=np.array([1, 2, 4, 8])).past == 17
    assert make_decoder(1, 1, 40, 1).past == 4094
    assert make_decoder(1, 1, 40, 1, order=256).past == 4092 + 256


def test_large_gates_are_as_exact_as_small_ones():
    # The compiled loops have a tanh of their own.
    decoder = make_decoder(4, 4, 2, 1, embed=np.linspace(-30, 30, 2048).reshape(2, 256, 4))
    samples = np.random.default_rng(3).integers(0, 256, (200, 2))
    found = wavenet.logits(decoder, make_codes(10, 2, 1), samples, HOP)
    wanted = plain_logits(decoder, make_codes(10, 2, 1), samples, HOP)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


# Draws ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("streams", [1, 2, 5])
@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_samples_are_drawn_from_the_plain_network(streams, temperature):
    codes, uniforms = make_codes(10, streams), uniform(200, streams)
    samples = wavenet.draw(SMALL, codes, HOP, uniforms, temperature=temperature)
    assert samples.dtype == np.uint8 and len(np.unique(samples)) > 50
    logits = plain_logits(SMALL, codes, samples, HOP)
    np.testing.assert_array_equal(samples, plain_picks(logits, uniforms, temperature))


@given(
    streams=st.integers(1, 7),
    cores=st.integers(1, 4),
    known=st.integers(0, 30),
    steps=st.sampled_from([7, 256]),
    hop_length=st.integers(3, 50),
)
@settings(max_examples=25, deadline=None)
def test_a_stream_is_the_same_alone_and_in_any_group(streams, cores, known, steps, hop_length):
    codes, uniforms = make_codes(20, streams), uniform(60, streams)
    begin = np.random.default_rng(4).integers(0, 256, (known, streams))
    with mock.patch.multiple(drawing, cores=lambda: cores, _STEPS=steps):
        together = wavenet.draw(SMALL, codes, hop_length, uniforms, given=begin)
    b = streams - 1
    one = (codes[:, [b]], hop_length, uniforms[:, [b]])
    alone = wavenet.draw(SMALL, *one, given=begin[:, [b]])
    np.testing.assert_array_equal(together[:, [b]], alone)
    np.testing.assert_array_equal(together[:known], begin)


def test_the_single_stream_has_the_logits_of_the_batch_to_the_last_bit():
    decoder, codes = make_decoder(48, 24, 6, 5), make_codes(5, 3, 5)
    samples = np.random.default_rng(3).integers(0, 256, (100, 3))
    with mock.patch.object(drawing, "cores", lambda: 1):
        together = wavenet.logits(decoder, codes, samples, HOP)
    for b in range(3):
        alone = wavenet.logits(decoder, codes[:, [b]], samples[:, [b]], HOP)
        np.testing.assert_array_equal(together[:, [b]], alone)


def test_given_samples_are_what_the_rest_is_drawn_from():
    codes, uniforms = make_codes(10, 2), uniform(150, 2)
    begin = np.random.default_rng(4).integers(0, 256, (60, 2))
    samples = wavenet.draw(SMALL, codes, HOP, uniforms, given=begin)
    np.testing.assert_array_equal(samples[:60], begin)
    picks = plain_picks(plain_logits(SMALL, codes, samples, HOP), uniforms)
    np.testing.assert_array_equal(samples[60:], picks[60:])


def test_all_samples_may_be_given():
    begin = np.random.default_rng(4).integers(0, 256, (40, 2))
    samples = wavenet.draw(SMALL, make_codes(2, 2), HOP, uniform(40, 2), given=begin)
    np.testing.assert_array_equal(samples, begin)


def test_next_to_no_temperature_takes_the_likeliest():
    codes = make_codes(10, 2)
    samples = wavenet.draw(SMALL, codes, HOP, uniform(200, 2), temperature=1e-6)
    logits = wavenet.logits(SMALL, codes, samples, HOP)
    np.testing.assert_array_equal(samples, logits.argmax(-1))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_samples_have_the_probabilities_of_the_softmax(temperature):
    # Without weights but this bias, each sample is drawn from one known distribution.
    chances = np.zeros(256)
    chances[[3, 100, 255]] = 0.2, 0.5, 0.3
    with np.errstate(divide="ignore"):
        bias = np.maximum(np.log(chances), -80)
    decoder = make_decoder(out=np.zeros((6, 256)), out_bias=bias)
    uniforms = ((np.arange(1000) + 0.5) / 1000).reshape(10, 100)
    samples = wavenet.draw(decoder, make_codes(1, 100), HOP, uniforms, temperature=temperature)
    wanted = chances ** (1 / temperature) / (chances ** (1 / temperature)).sum()
    np.testing.assert_allclose(
        np.bincount(samples.ravel(), minlength=256) / 1000, wanted, atol=2e-3
    )


def test_the_ends_of_the_uniform_numbers():
    decoder = make_decoder(out=np.zeros((6, 256)), out_bias=np.zeros(256))
    uniforms = np.array([[0.0], [np.nextafter(1, 0)], [0.5]])
    samples = wavenet.draw(decoder, make_codes(1, 1), HOP, uniforms)
    np.testing.assert_array_equal(samples[:, 0], [0, 255, 128])


def test_nothing_given_is_changed():
    codes, uniforms = make_codes(5, 2), uniform(100, 2)
    before = codes.copy(), uniforms.copy(), SMALL.gate.copy()
    wavenet.draw(SMALL, codes, HOP, uniforms)
    for now, then in zip((codes, uniforms, SMALL.gate), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_decoder_keeps_its_weights_when_the_arrays_change():
    gate = np.array(SMALL.gate)
    decoder = make_decoder(gate=gate)
    gate[:] = 0
    np.testing.assert_array_equal(decoder.gate, SMALL.gate)


# Recordings -------------------------------------------------------------------------------------


@cache
def humming():
    """Return a decoder that hums a tone of 25 samples a period, whose phase wanders.

    Its one layer foretells 2 cos(w) times the last sample less the one before. It makes faint tones
    louder, and tanh holds loud ones down.
    """
    level = spectra.mu_law_decode(np.arange(256)).astype(np.float64)
    arrays = {"embed": np.zeros((2, 256, 2)), "gate": np.zeros((1, 4, 4))}
    arrays |= {"gate_codes": np.zeros((1, 3, 4)), "gate_bias": np.full((1, 4), 30.0)}
    arrays |= {"mix": np.zeros((1, 2, 4)), "mix_bias": np.zeros((1, 4)), "hidden": np.eye(2)}
    arrays |= {"hidden_codes": np.zeros((3, 2)), "hidden_bias": np.zeros(2)}
    arrays["embed"][:, :, 0] = np.stack([-level, 2 * np.cos(2 * np.pi / 25) * level])
    arrays["gate"][0, 2, 0], arrays["gate_bias"][0, :2] = 1, 0
    arrays["mix"][0, 0, 2:] = 1.02, -1.02
    # A normal distribution around what was foretold, which one of both channels has left.
    spread = 2 * 0.004**2
    arrays |= {"out": np.stack([2 * level, -2 * level]) / spread, "out_bias": -(level**2) / spread}
    return wavenet.Decoder(dilations=np.array([1]), **arrays)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_one_stretch_is_what_draw_gives(temperature):
    codes = make_codes(30)
    y = wavenet.generate(SMALL, codes, HOP, seed=5, streams=1, temperature=temperature)
    uniforms = np.random.default_rng(5).random((600, 1))
    samples = wavenet.draw(SMALL, codes[:, None], HOP, uniforms, temperature=temperature)
    np.testing.assert_array_equal(y, spectra.mu_law_decode(samples[:, 0]))


@given(
    frames=st.integers(1, 60),
    hop_length=st.integers(1, 40),
    streams=st.none() | st.integers(1, 6),
    warm_up=st.none() | st.integers(0, 50),
    fade=st.integers(0, 30),
)
@settings(max_examples=60, deadline=None)
def test_any_cut_gives_as_many_samples_as_the_codes_last(
    frames, hop_length, streams, warm_up, fade
):
    knobs = {"streams": streams, "warm_up": warm_up, "fade": fade}
    try:
        y = wavenet.generate(SMALL, make_codes(frames), hop_length, **knobs)
    except InputError as error:
        assert streams is not None and streams > 1 and "fewer streams" in str(error)
        return
    assert y.shape == (frames * hop_length,) and y.dtype == np.float32
    assert np.isfinite(y).all() and np.abs(y).max() <= 1


@given(
    size=st.integers(1, 3_000_000),
    past=st.integers(3, 70_000),
    fade=st.integers(0, 1000),
    streams=st.none() | st.integers(2, 40),
)
@settings(max_examples=200, deadline=None)
def test_stretches_reach_from_the_beginning_to_the_end(size, past, fade, streams):
    try:
        cut = stretches.lay_out(size, past, streams, None, fade)
    except InputError:
        assert streams is not None
        return
    assert 1 <= cut.streams == (streams or cut.streams)
    if streams is None:
        extra = cut.streams * cut.length - size
        assert cut.streams <= 24 and extra <= 0.5 * size + cut.search + cut.streams
    if cut.streams > 1:
        last = (cut.streams - 1) * cut.step
        assert size + cut.search <= last + cut.length < size + cut.search + cut.streams + 1
        # A join ends before the next one begins.
        assert cut.step >= cut.fade


def test_stretches_are_as_draw_makes_them_where_nothing_is_joined():
    codes, cut = make_codes(40), stretches.lay_out(40 * HOP, SMALL.past, 3, 50, 20)
    y = wavenet.generate(SMALL, codes, HOP, seed=3, streams=3, warm_up=50, fade=20)
    uniforms = np.random.default_rng(3).random((cut.length, 3))
    first = wavenet.draw(SMALL, codes[:, None], HOP, uniforms[:, [0]])[:, 0]
    join = cut.step + cut.warm_up + cut.search
    np.testing.assert_array_equal(y[:join], spectra.mu_law_decode(first[:join]))


def test_a_stretch_hears_the_codes_of_its_own_time():
    # These codes alone decide: each one names a sample.
    table = np.zeros((8, 8))
    table[np.arange(8), np.arange(8)] = 1
    out = np.full((8, 256), -60.0)
    out[np.arange(8), np.arange(8) * 30] = 60
    quiet = {"mix": np.zeros((5, 8, 16)), "mix_bias": np.zeros((5, 16))}
    decoder = make_decoder(
        8, 8, 5, 8, hidden_codes=table, hidden_bias=np.zeros(8), out=out, **quiet
    )
    names = np.random.default_rng(0).integers(0, 8, 60)
    y = wavenet.generate(decoder, np.eye(8)[names], HOP, streams=4, warm_up=30, fade=0)
    wanted = spectra.mu_law_decode(np.repeat(names * 30, HOP))
    np.testing.assert_array_equal(y, wanted)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_joins_jump_no_further_than_the_stretches_do(seed):
    codes, knobs = np.zeros((200, 3), np.float32), {"seed": seed, "warm_up": 400}
    one, many, cut = (
        wavenet.generate(humming(), codes, HOP, streams=streams, fade=fade, **knobs)
        for streams, fade in ((1, 0), (9, 80), (9, 0))
    )
    assert 0.1 < np.abs(one[1000:]).max() < 0.6
    most = np.abs(np.diff(one)).max()
    assert np.abs(np.diff(many)).max() < 1.15 * most
    # Stretches that are only put side by side do not fit.
    assert np.abs(np.diff(cut)).max() > 1.5 * most


@pytest.mark.parametrize("late", [-9, 0, 4, 9])
def test_a_later_stretch_is_moved_to_where_both_agree(late):
    t = np.arange(400)
    tone = np.sin(t * 2 * np.pi / 37).astype(np.float32)
    later = tone[100 - 20 + late :]
    moved, agreement = stretches._best(tone[100:180], later, 20)
    assert moved == 20 - late and agreement == pytest.approx(1, abs=1e-5)
    joined = stretches._faded(tone[100:180], later[moved : moved + 80], agreement)
    np.testing.assert_allclose(joined, tone[100:180], atol=1e-5)


def test_silence_is_not_moved():
    assert stretches._best(np.zeros(40), np.zeros(200), 20) == (20, 0)


def test_a_fade_between_unlike_signals_keeps_their_power():
    a, b = np.random.default_rng(0).standard_normal((2, 200, 4000)) * 0.1
    faded = np.stack([stretches._faded(x, y, 0.0) for x, y in zip(a.T, b.T, strict=True)])
    np.testing.assert_allclose((faded**2).mean(0), 0.01, rtol=0.12)


def test_the_seed_and_the_streams_decide():
    codes = make_codes(40)

    def make(**knobs):
        return wavenet.generate(SMALL, codes, HOP, **{"streams": 3, "fade": 20} | knobs)

    np.testing.assert_array_equal(make(), make())
    with mock.patch.object(drawing, "cores", lambda: 1):
        one_core = make(streams=None)
    with mock.patch.object(drawing, "cores", lambda: 3):
        np.testing.assert_array_equal(make(streams=None), one_core)
    assert not np.array_equal(make(), make(seed=1))
    assert not np.array_equal(make(), make(streams=2))


@pytest.mark.parametrize("streams", [None, 1, 2])
def test_recordings_made_together_are_those_made_alone(streams):
    recordings = [make_codes(frames, seed=frames) for frames in (30, 7, 60)]
    knobs = {"seed": 2, "streams": streams, "warm_up": 20, "fade": 8}
    together = wavenet.generate_many(SMALL, recordings, HOP, **knobs)
    for y, codes in zip(together, recordings, strict=True):
        alone = wavenet.generate(SMALL, codes, HOP, **knobs)
        np.testing.assert_array_equal(y, alone)


# PyTorch ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [0, 30])
@pytest.mark.parametrize("streams", [1, 4])
@pytest.mark.parametrize("decoder", [SMALL, FORETELLING], ids=["codes", "filters"])
def test_pytorch_draws_the_same_samples(known, streams, decoder):
    torch = pytest.importorskip("torch")
    codes, uniforms = make_codes(8, streams, decoder.width), uniform(150, streams)
    begin = np.random.default_rng(4).integers(0, 256, (known, streams))
    knobs = {"given": begin, "temperature": 0.8}
    found = wavenet.on_torch(decoder, codes, HOP, uniforms, device="cpu", **knobs)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, wavenet.draw(decoder, codes, HOP, uniforms, **knobs))
    single = {"device": torch.device("cpu"), "dtype": torch.float32}
    again = wavenet.on_torch(decoder, codes, HOP, uniforms, **knobs, **single)
    np.testing.assert_array_equal(again, found)


def test_pytorch_in_half_precision_draws_samples_of_the_same_kind():
    torch = pytest.importorskip("torch")
    codes, uniforms = make_codes(8, 4), uniform(150, 4)
    half = wavenet.on_torch(SMALL, codes, HOP, uniforms, device="cpu", dtype=torch.bfloat16)
    logits = plain_logits(SMALL, codes, half, HOP)
    picks = plain_picks(logits, uniforms)
    assert np.median(np.abs(picks - half.astype(int))) <= 2


def test_a_step_in_pytorch_goes_on_from_its_tensors_alone():
    # What a CUDA graph needs: steps that were run and undone leave nothing behind.
    torch = pytest.importorskip("torch")
    from audiostyle_utils.wavenet import graphs

    codes, uniforms = make_codes(8, 2), uniform(100, 2)
    plan = drawing.plan(SMALL, codes, HOP, uniforms, None)
    stepper = graphs._Stepper(SMALL, *plan, 1.0, torch.device("cpu"), torch.float32)
    kept = {name: x.data_ptr() for name, x in vars(stepper).items() if torch.is_tensor(x)}
    graphs._run(stepper, 40)
    stepper.reset()
    graphs._run(stepper, 100)
    assert kept == {name: x.data_ptr() for name, x in vars(stepper).items() if torch.is_tensor(x)}
    wanted = wavenet.draw(SMALL, codes, HOP, uniforms)
    np.testing.assert_array_equal(stepper.samples.numpy(), wanted)


@pytest.mark.parametrize("time", [1, 150])
def test_a_cuda_graph_draws_the_same_samples(time):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    codes, uniforms = make_codes(8, 4), uniform(time, 4)
    begin = np.random.default_rng(4).integers(0, 256, (time // 3, 4))
    found = wavenet.on_torch(SMALL, codes, HOP, uniforms, given=begin, device="cuda")
    wanted = wavenet.draw(SMALL, codes, HOP, uniforms, given=begin)
    np.testing.assert_array_equal(found, wanted)


# Bad input --------------------------------------------------------------------------------------

NAN = np.full((2, 1, 3), np.nan)
CODES, UNIFORMS, SAMPLES = make_codes(2, 1), uniform(40, 1), np.zeros((40, 1), int)
TOO_LARGE = make_decoder(out=np.full((6, 256), 3e38), hidden=np.full((6, 6), 3e38))


def draw(decoder=SMALL, codes=CODES, hop_length=HOP, uniforms=UNIFORMS, **knobs):
    return wavenet.draw(decoder, codes, hop_length, uniforms, **knobs)


def generate(codes=CODES[:, 0], hop_length=HOP, decoder=SMALL, **knobs):
    return wavenet.generate(decoder, codes, hop_length, **knobs)


def on_torch(decoder=SMALL, **knobs):
    return wavenet.on_torch(decoder, CODES, HOP, UNIFORMS, **{"device": "cpu"} | knobs)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: make_decoder(embed=np.zeros((256, 8))), r"embed has shape \(256, 8\)"),
        (lambda: make_decoder(embed=np.float32(1)), "embed is a single number"),
        (lambda: make_decoder(foretold=np.zeros((255, 8))), "foretold has shape"),
        (lambda: make_decoder(order=-1), "order is -1"),
        (lambda: make_decoder(order=4, foretold=None), "order is 4 and there is no foretold"),
        (
            lambda: draw(decoder=make_decoder(order=4)),
            "3 numbers wide.* 7: 3 for the code, and 4 for its filter",
        ),
        (lambda: make_decoder(gate=np.zeros((5, 16, 8))), "gate has shape"),
        (lambda: make_decoder(gate_codes=np.zeros((5, 2, 16))), "gate_codes has shape"),
        (lambda: make_decoder(gate_bias=np.zeros((5, 8))), "gate_bias has shape"),
        (lambda: make_decoder(mix=np.zeros((5, 8, 16))), "mix has shape"),
        (lambda: make_decoder(mix_bias=np.zeros((4, 14))), "mix_bias has shape"),
        (lambda: make_decoder(hidden=np.zeros((5, 6))), "hidden has shape"),
        (lambda: make_decoder(hidden_codes=np.zeros((3, 5))), "hidden_codes has shape"),
        (lambda: make_decoder(hidden_bias=np.zeros(5)), "hidden_bias has shape"),
        (lambda: make_decoder(out=np.zeros((6, 255))), "out has shape"),
        (lambda: make_decoder(out_bias=np.zeros(255)), "out_bias has shape"),
        (lambda: make_decoder(out_bias=np.zeros(256, int)), "out_bias has type int"),
        (lambda: make_decoder(mix=np.full((5, 8, 14), np.inf)), "mix holds NaN"),
        (lambda: make_decoder(mix=np.full((5, 8, 14), 1e300)), "mix holds NaN"),
        (lambda: make_decoder(dilations=np.array([1, 2, 0, 1, 2])), "dilations must be"),
        (lambda: make_decoder(dilations=np.ones(5)), "dilations must be"),
        (lambda: make_decoder(dilations=np.zeros(0, int)), "none of them 0"),
        (lambda: make_decoder(dilations=np.array([1, 2])), "With 2 dilations"),
        (lambda: draw(decoder=None), "decoder is a NoneType"),
        (lambda: draw(codes=CODES[:, 0]), "codes has shape"),
        (lambda: draw(codes=CODES[:0]), "codes has shape"),
        (lambda: draw(codes=NAN), "codes holds NaN"),
        (lambda: draw(codes=CODES[..., :2]), "2 numbers wide"),
        (lambda: draw(codes=np.zeros((2, 1, 3), int)), "codes has type int"),
        (lambda: draw(codes=make_codes(2, 2)), "as many streams"),
        (lambda: draw(hop_length=0), "hop_length is 0"),
        (lambda: draw(hop_length=20.0), "hop_length is 20.0"),
        (lambda: draw(hop_length=19), "last for 38 samples"),
        (lambda: draw(uniforms=UNIFORMS + 1), "below 1"),
        (lambda: draw(uniforms=UNIFORMS * np.nan), "below 1"),
        (lambda: draw(uniforms=-UNIFORMS), "0 or more"),
        (lambda: draw(uniforms=UNIFORMS[:, 0]), "uniforms has shape"),
        (lambda: draw(uniforms=UNIFORMS[:0]), "uniforms has shape"),
        (lambda: draw(uniforms=SAMPLES), "uniforms has type int"),
        (lambda: draw(given=np.zeros((41, 1), int)), "no more given"),
        (lambda: draw(given=np.zeros((4, 2), int)), "as many streams"),
        (lambda: draw(given=np.zeros(4, int)), "given has shape"),
        (lambda: draw(given=np.zeros((4, 1))), "given has type float"),
        (lambda: draw(given=np.full((4, 1), 256)), "given reaches from 256"),
        (lambda: draw(temperature=0), "temperature is 0"),
        (lambda: draw(temperature=np.inf), "temperature is inf"),
        (lambda: draw(temperature=True), "temperature is True"),
        (lambda: draw(decoder=TOO_LARGE), "logits are not finite"),
        (lambda: wavenet.logits(SMALL, CODES, SAMPLES - 1, HOP), "samples reaches from -1"),
        (lambda: wavenet.logits(SMALL, CODES, SAMPLES[:0], HOP), "samples has shape"),
        (lambda: wavenet.logits(SMALL, CODES, SAMPLES, 1), "last for 2 samples"),
        (lambda: generate(CODES), "codes has shape"),
        (lambda: generate(CODES[:0, 0]), "codes has shape"),
        (lambda: generate(CODES[:, 0, :2]), "2 numbers wide"),
        (lambda: generate(hop_length=-1), "hop_length is -1"),
        (lambda: generate(decoder=None), "decoder is a NoneType"),
        (lambda: generate(seed=-1), "seed is -1"),
        (lambda: generate(seed=0.5), "seed is 0.5"),
        (lambda: generate(temperature=-1), "temperature is -1"),
        (lambda: generate(streams=0), "streams is 0"),
        (lambda: generate(streams=2, fade=400), "Give fewer streams"),
        (lambda: generate(warm_up=-1), "warm_up is -1"),
        (lambda: generate(fade=1.5), "fade is 1.5"),
        (lambda: wavenet.generate_many(SMALL, CODES, HOP), "recordings is a ndarray"),
        (lambda: wavenet.generate_many(SMALL, [], HOP), "recordings is empty"),
        (lambda: on_torch(device="nowhere"), "device is 'nowhere'"),
        (lambda: on_torch(device="cuda:99"), "no such GPU"),
        (lambda: on_torch(dtype=int), "dtype is"),
        (lambda: on_torch(temperature=0), "temperature is 0"),
        (lambda: on_torch(decoder=TOO_LARGE), "logits are not finite"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(InputError, match=words):
        call()
