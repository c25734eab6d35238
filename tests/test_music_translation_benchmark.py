"""The benchmark of chapter 7: is what it restates what it says, and do its parts run?"""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def bench():
    path = ROOT / "benchmarks/07_music_translation.py"
    spec = importlib.util.spec_from_file_location("bench_07", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@torch.no_grad()
def test_queues_give_what_the_published_network_gives(bench):
    torch.manual_seed(0)
    network = bench.PublishedWaveNet(8, blocks=2, layers=4)
    x, codes = torch.rand(1, 1, 70) - 0.5, torch.randn(1, bench.chapter.LATENT, 70)
    wanted = network.out(x, codes)
    queued = network.queued()
    steps = zip(x.split(1, dim=2), codes.split(1, dim=2), strict=True)
    found = torch.cat([queued.out(*step) for step in steps], dim=2)
    torch.testing.assert_close(found, wanted)
    drawn = bench.published_draw(queued, codes[:, :, :2], 5, 10)
    assert drawn.shape == (10,) and 0 <= drawn.min() and drawn.max() < 256


@torch.no_grad()
def test_the_published_network_sees_nothing_of_what_it_is_to_say(bench):
    network = bench.PublishedWaveNet(8, blocks=1, layers=4)
    q, codes = torch.randint(0, 256, (1, 60)).float(), torch.randn(1, bench.chapter.LATENT, 2)
    changed = q.clone()
    changed[0, 30] = 255 - changed[0, 30]
    differs = (network(q, codes) != network(changed, codes)).any(dim=1)[0]
    # 1 + 2 + 4 + 8 samples back, one for the first convolution, one for the shift.
    assert torch.nonzero(differs).flatten().tolist() == list(range(31, 31 + 17))


def test_a_published_step_lowers_the_loss_and_moves_the_judge(bench):
    step = bench.published_step((8, 1, 4), (8, 1, 4), 400, 4, 2)
    losses = [step() for _ in range(12)]
    assert losses[-1][0] < losses[0][0] and losses[-1][1] != losses[0][1]


def test_the_arithmetic_of_a_sample(bench):
    decoder = bench.chapter.folded(bench.chapter.WaveNet(128, 4, 10))
    layer = 256 * 256 + 128 * 256
    assert bench.flop_of(decoder) == 2 * (40 * layer + 128 * 128 + 128 * 256)


def test_a_change_is_looked_for_where_the_stretches_are_joined(bench):
    sr, rng = 8000, np.random.default_rng(0)
    t = np.arange(4 * sr) / sr
    place = 2 * sr - bench.FADE // 2
    tones = np.where(t < 2, np.sin(2 * np.pi * 440 * t), np.sin(2 * np.pi * 990 * t))
    y = (0.2 * tones + 0.01 * rng.standard_normal(t.size)).astype(np.float32)
    assert bench.change_at(y, [place], sr) > 2
    assert bench.change_at(y, [place - sr], sr) < 1


def test_rows_of_pairs_are_means_of_all_and_of_other_kinds(bench, capsys):
    values = [("one", False, 1.0), ("one", True, 0.2), ("two", False, 0.8), ("two", True, 0.4)]
    found = {("chroma", bench.TRANSLATION): values, ("distance to truth", bench.COPY): values}
    rows = bench.pair_rows(found)
    means = {(one["metric"], one["group"]): one["value"] for one in rows}
    others = f"chroma, {bench.OTHERS}"
    assert means["chroma", bench.TRANSLATION] == pytest.approx(0.6)
    assert means[others, bench.TRANSLATION] == pytest.approx(0.3)
    # Each recording has a mean of 0.6, so that nothing is left to chance.
    for end in ("lower end", "upper end"):
        assert means["chroma", end] == pytest.approx(0.6)
    assert means[f"distance to truth, {bench.OTHERS}", bench.COPY] == pytest.approx(0.3)
    assert ("distance to truth", bench.COPY) not in means  # it is the truth for its own kind
    assert {one["unit"] for one in rows if one["metric"].startswith("distance")} == {"dB"}


def test_what_translations_are_called_is_counted_by_target(bench, capsys):
    said = {kind: np.array([kind, kind, kind, "piano"]) for kind in bench.KINDS}
    found = {(one["metric"], one["group"]): one["value"] for one in bench.called_rows(said)}
    assert len(found) == 36 and found["called organ", "organ"] == 0.75
    assert found["called piano", "organ"] == 0.25 and found["called piano", "piano"] == 1
    assert found["called organ", "choir"] == 0


class Counter:
    """A classifier that calls sounds by how long they are, and says how many it was given."""

    def predict(self, inputs):
        return np.array([f"{len(x)} of {len(inputs)}" for x in inputs])


def test_the_listener_hears_pieces_as_long_as_those_it_learned_from(bench, monkeypatch):
    monkeypatch.setattr(bench.chapter, "timbre_of", lambda y, sr: y)
    said = bench.called(Counter(), [np.zeros(1000), np.zeros(450), np.zeros(30)], 100)
    assert said.tolist() == ["400 of 4"] * 3 + ["30 of 4"]


def test_translations_are_played_at_the_temperature(bench):
    torch.manual_seed(0)
    size = {"sr": 2400, "encoder": "notes", "channels": 8, "blocks": 1, "layers": 4}
    size |= {"emphasis": 0.85}
    translator, codes = bench.chapter.new_translator(size, 2, shared=False), bench.random_codes(10)
    cool, warm = (bench.translations(translator, 1, [codes], size, t)[0] for t in (0.5, 1.0))
    for y, temperature in ((cool, 0.5), (warm, 1.0)):
        wanted = bench.chapter.played(translator, 1, codes, size, 0, temperature)
        np.testing.assert_array_equal(y, wanted)
    assert not np.array_equal(cool, warm)


def test_the_unseen_are_played_at_the_temperature_and_heard_in_pieces(bench, monkeypatch, capsys):
    used, whole = [], np.random.default_rng(0).standard_normal(9 * 8000).astype(np.float32)

    class Organist:
        def predict(self, inputs):
            return np.array(["organ", *["piano"] * (len(inputs) - 1)])

    def translate(path, target, weights, temperature):
        used.append(temperature)
        return 0.1 * whole, 8000

    monkeypatch.setattr(bench, "listener", lambda sr, minutes: (Organist(), {}))
    monkeypatch.setattr(bench, "unseen_files", lambda folder, seconds: {"noise": 1, "hiss": 2})
    monkeypatch.setattr(bench.audio, "load", lambda path, sr: (whole, sr))
    monkeypatch.setattr(bench.chapter, "translate_music", translate)
    rows, _ = bench.unseen(bench.options_of(["--temperature", "0.7"]))
    found = {(one["metric"], one["group"]): one["value"] for one in rows}
    assert used == [0.7] * 4
    assert found["noise: called the target", "organ"] == 0.5  # two pieces of four seconds
    assert found["noise: chroma", "piano"] == pytest.approx(1, abs=1e-3)
    assert found["hiss: chroma of others", "piano"] == pytest.approx(1, abs=1e-3)  # the same noise
    assert found["noise: level, 0 dB is full scale", "organ"] == pytest.approx(-20, abs=0.1)


def numbers_by_kind(bench, width, seed, leak=0.0, pieces=20):
    """Return noise by kind (40 frames, pieces, width); the kind may lie in the last two numbers."""
    rng, heard = np.random.default_rng(seed), {}
    for number, kind in enumerate(bench.KINDS):
        heard[kind] = rng.standard_normal((40, pieces, width)).astype(np.float32)
        angle = 2 * np.pi * number / len(bench.KINDS)
        heard[kind][:, :, -2:] += leak * np.float32([np.cos(angle), np.sin(angle)])
    return heard


@pytest.mark.parametrize("width", [3, 64, 150])
def test_judges_of_any_width_find_a_leak_and_nothing_where_nothing_is(bench, width):
    options = bench.options_of(["--judge", "60", "--seeds", "1"])
    learn, ask = (numbers_by_kind(bench, width, seed, leak=3) for seed in (0, 1))
    assert bench.share_right(*bench.on_one_scale(learn, ask), options) > 0.9
    learn, ask = (numbers_by_kind(bench, width, seed) for seed in (2, 3))
    right = bench.share_right(*bench.on_one_scale(learn, ask), options)
    assert abs(right - 1 / 6) < 0.1  # of 240 guesses: four standard deviations


def test_judges_of_codes_are_those_of_the_chapter(bench):
    heard = numbers_by_kind(bench, bench.chapter.LATENT, 0, pieces=2)
    ours = bench.fresh_judge(heard, 5, 1).state_dict()
    theirs = bench.chapter.fresh_judge(heard, 5, 1).state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert bench.fresh_judge(numbers_by_kind(bench, 70, 0), 1, 1).layers[0].in_features == 70


def test_zeros_fill_up_what_is_narrow_and_nothing_else(bench):
    narrow = bench.widened(numbers_by_kind(bench, 2, 0))["organ"]
    assert narrow.shape == (40, 20, 64) and not narrow[:, :, 2:].any() and narrow[:, :, :2].all()
    assert bench.widened(numbers_by_kind(bench, 70, 0))["organ"].shape == (40, 20, 70)


def test_numbers_are_brought_to_the_scale_of_what_is_learned_from(bench):
    learn, ask = (numbers_by_kind(bench, 3, seed) for seed in (0, 1))
    for part in (learn, ask):
        for x in part.values():
            x[:, :, 0] = 7.1  # always the same
            x[:, :, 1] = 5 + 20 * x[:, :, 1]
    ask = {kind: x + 2 for kind, x in ask.items()}
    scaled, asked = (np.concatenate(list(x.values())) for x in bench.on_one_scale(learn, ask))
    np.testing.assert_allclose(scaled.mean(axis=(0, 1)), 0, atol=1e-3)
    np.testing.assert_allclose(scaled[:, :, 1:].std(axis=(0, 1)), 1, atol=1e-3)
    np.testing.assert_allclose(asked[:, :, 0], 2, atol=1e-3)
    assert asked[:, :, 1].mean() == pytest.approx(0.1, abs=0.05)


def tone(hertz, seconds=2.0, sr=8000):
    return (0.1 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * sr)) / sr)).astype(
        np.float32
    )


def test_pictures_show_what_they_are_called(bench):
    spectrum = bench.chapter.Spectrum(8000)
    shots = {kind: bench.picture(spectrum, kind, tone(440)) for kind in bench.PICTURES}
    inside = slice(5, -5)
    widths = {kind: shot.shape[1] for kind, shot in shots.items()}
    bands = widths.pop("whitened bands")
    assert list(widths.values()) == [bands, 12, 50, 12, 2, 64]
    assert all(len(shot) == 40 for shot in shots.values())
    for kind, shot in shots.items():  # however loud
        softer = bench.picture(spectrum, kind, 0.1 * tone(440))
        np.testing.assert_allclose(softer, shot, atol=1e-2)
    assert (shots["whitened bands"][inside].argmax(axis=1) == 108).all()  # 36 an octave from 55 Hz
    peaks = shots["peaks"][inside]
    assert set(np.unique(peaks)) == {0, 1} and peaks[:, 108].all()
    assert not peaks[:, [107, 109]].any()
    assert (shots["semitones folded to pitch classes"][inside].argmax(axis=1) == 0).all()
    assert shots["three strongest semitones"][inside, 36].all()
    assert shots["three strongest semitones"].sum(axis=1).max() <= 3
    assert shots["four strongest pitch classes"][inside, 0].all()
    whole = [list(bench.PICTURES)[k] for k in (3, 4, 5)]
    joined = np.concatenate([shots[kind] for kind in whole], axis=1)
    np.testing.assert_array_equal(joined, shots["the whole page"])


def test_a_linear_map_is_read_from_codes_exactly_and_nothing_from_noise(bench):
    codes = [numbers_by_kind(bench, 9, seed) for seed in (0, 1)]
    weights = np.random.default_rng(2).standard_normal((27, 12))
    chroma = [
        {kind: x @ weights + 5 for kind, x in bench.with_neighbours(part).items()} for part in codes
    ]
    assert bench.readable(codes, chroma) > 0.9999
    others = [numbers_by_kind(bench, 9, seed) for seed in (3, 4)]
    noise = [numbers_by_kind(bench, 12, seed) for seed in (5, 6)]
    assert abs(bench.readable(others, noise)) < 0.03  # of 4800 frames: six standard deviations
    for part in chroma:  # silent frames count for nothing
        part["organ"][::2] = 0
    assert bench.readable(codes, chroma) > 0.9999


def test_a_ridge_fit_solves_its_equation(bench):
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((50, 4)) * [1, 10, 0.1, 1] + 3, rng.standard_normal((50, 2))
    fitted = bench.ridge(X, Y, penalty=0.5)
    Z, middle = (X - X.mean(axis=0)) / X.std(axis=0), Y.mean(axis=0)
    rows = np.concatenate([Z, np.sqrt(0.5 * 50) * np.eye(4)])  # the penalty as more equations
    weights = np.linalg.lstsq(rows, np.concatenate([Y - middle, np.zeros((4, 2))]))[0]
    np.testing.assert_allclose(fitted(X), Z @ weights + middle, atol=1e-4)


def test_neighbours_stand_beside_each_frame(bench):
    x = np.arange(3.0).reshape(3, 1, 1)
    beside = bench.with_neighbours({"organ": x})["organ"][:, 0]
    assert beside.tolist() == [[0, 0, 1], [0, 1, 2], [1, 2, 2]]


def test_correlations_of_rows(bench):
    A = np.array([[1.0, 2, 3], [1, 2, 3], [2, 2, 2]])
    B = np.array([[10.0, 20, 30], [3, 2, 1], [1, 2, 3]])
    np.testing.assert_allclose(bench.correlations(A, B), [1, -1, 0], atol=1e-12)


def test_chroma_are_those_of_the_metric_and_stand_where_the_codes_are(bench):
    y = np.concatenate([tone(440), 0 * tone(440, 1), tone(523.25)])
    chroma = bench.chroma_of(8000, y)
    assert chroma.shape == (100, 12)
    assert (chroma[:34].argmax(axis=1) == 9).all() and (chroma[66:].argmax(axis=1) == 0).all()
    sounds = chroma.any(axis=1)
    silent = np.flatnonzero(~sounds)
    assert 40 <= silent[0] < 50 and silent[0] + silent[-1] == 99  # the same from both ends
    lengths = np.linalg.norm(chroma[sounds], axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-5)
    chord = tone(440, 4) + tone(660, 4) * np.linspace(0, 2, 4 * 8000, dtype=np.float32)
    other = tone(440, 4)
    ours = bench.correlations(*(bench.chroma_of(8000, x) for x in (chord, other))).mean()
    assert ours == pytest.approx(bench.metrics.chroma_correlation(chord, other, 8000), abs=0.02)


def test_spectra_stand_in_for_codes(bench):
    codes = bench.mel_codes(8000, np.sin(np.arange(8000)).astype(np.float32))
    assert codes.shape == (20, bench.chapter.LATENT) and codes.dtype == np.float32


@pytest.fixture
def made_up(bench, monkeypatch):
    """Let kinds be colours of sound: the same tunes, and noise at a place of its own."""

    def rendered(name, kind, sr, seconds):
        beats = np.random.default_rng(name).choice(12, 8)
        y = np.concatenate([tone(220 * 2 ** (k / 12), seconds / 8, sr) for k in beats])
        hiss = np.sin(2 * np.pi * (900 + 400 * bench.KINDS.index(kind)) * np.arange(y.size) / sr)
        return (y + 0.05 * hiss).astype(np.float32)

    def piece_names(split, minutes):
        first = 0 if split == "training" else 100
        return {kind: {first + 10 * k: 9.0} for k, kind in enumerate(bench.KINDS)}

    sounds = {kind: rendered(5, kind, 8000, 4) for kind in bench.KINDS}
    monkeypatch.setattr(bench, "rendered", rendered)
    monkeypatch.setattr(bench, "piece_names", piece_names)
    monkeypatch.setattr(bench, "learning_sounds", lambda sr, minutes: sounds)
    return bench


def test_ears_and_confusion_tell_what_is_heard_in_pictures_and_codes(made_up, capsys):
    small = ["--learn", "4", "--ask", "3"]
    options = made_up.options_of(["--quick", "--judge", "30", "--secrecies", "1", *small])
    found = {}
    for part in (made_up.ears, made_up.confusion):
        rows, data = part(options)
        assert data == "ensembles: 4 pieces to learn from, 3 to be asked about"
        found |= {(one["metric"], one["group"]): one["value"] for one in rows}
    right, read = made_up.RIGHT, made_up.READ
    groups = {group for metric, group in found if metric == read}
    mean = "the mean chroma, whatever sounds"
    untaught = "an encoder that has learned nothing"
    ears = {"ear, secrecy 1", made_up.chapter.WEIGHTS, untaught, "mel spectra"}
    assert groups == {mean, *ears}
    assert {group for metric, group in found if metric == right} == {
        *made_up.PICTURES,
        "chance",
        *ears,
    }
    # A hiss at a place of its own is plain to see, and nothing in what does not look there.
    assert found[right, "whitened bands"] > 0.95 and found[right, "mel spectra"] > 0.95
    assert found[right, "loudness and rise"] < 0.5
    assert found[read, "mel spectra"] > found[read, mean] + 0.3


def test_an_ear_is_taught_alike_each_time_and_hears_with_what_it_learned(made_up):
    size = made_up.chapter.load_translator()[1]["settings"]["size"]
    sounds, lesson = made_up.learning_sounds(8000, 1), made_up.chapter.Lesson(3, 1.0)
    first, second = (made_up.taught_ear(size, sounds, lesson).encoder for _ in range(2))
    untaught = made_up.taught_ear(size, sounds, lesson._replace(steps=0)).encoder
    assert not first.training and not any(p.requires_grad for p in first.parameters())
    heard = torch.from_numpy(sounds["organ"])[None]
    torch.testing.assert_close(first(heard), second(heard))
    assert not torch.allclose(first(heard), untaught(heard), atol=1e-2)


def test_quick_options_are_small_and_can_be_changed(bench):
    plain, quick = bench.options_of([]), bench.options_of(["--quick", "--tests", "2"])
    assert plain.only == list(bench.PARTS) and plain.minutes == 20
    assert quick.minutes < 1 and quick.tests == 2
    assert set(bench.QUICK) <= set(bench.KNOBS)


def test_a_part_runs_and_is_written_down(bench, tmp_path, monkeypatch):
    record = bench.results.record
    monkeypatch.setattr(bench.results, "record", lambda *a, **b: record(*a, folder=tmp_path, **b))
    bench.run("training", bench.options_of(["--quick"]))
    found = json.loads((tmp_path / "07_music_translation-quick-training.json").read_text())
    ways = {entry["group"] for entry in found["metrics"]}
    assert ways == {"published", "one decoder", "a decoder for each kind"}
