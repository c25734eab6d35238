"""Chapter 5: each loss by hand, who learns from which, and translation of any length."""

import copy
import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile as sf
import torch

from audiostyle_utils import InputError, audio, load_chapter, load_dataset, metrics, training


@pytest.fixture(scope="module")
def chapter():
    return load_chapter("05_melgan_vc")


@pytest.fixture
def parts(chapter):
    torch.manual_seed(0)
    made = chapter.new_parts(16, 1.2, -0.1)
    # As after some training: at first the last layer is zero, and hides what lies before it.
    for name in ("generator", "average"):
        torch.nn.init.normal_(made[name].last.weight, 0, 0.02)
    return made


def crops(chapter, count=3, seed=0, frames=None):
    frames = frames or chapter.CROP
    return 0.3 * torch.randn(
        count, chapter.N_MELS, frames, generator=torch.Generator().manual_seed(seed)
    )


def weights_of(module):
    return {name: value.clone() for name, value in module.named_parameters()}


def same(before, module):
    return all(torch.equal(before[name], value) for name, value in module.named_parameters())


# Losses, by hand


def test_hinge_losses_are_their_formulas(chapter):
    real, fake = [2.0, 0.5, -1.0], [-3.0, 0.0, 2.0]
    by_hand = (sum(max(0, 1 - r) for r in real) / 3 + sum(max(0, 1 + f) for f in fake) / 3) / 2
    found = chapter.critic_loss(torch.tensor(real), torch.tensor(fake))
    assert float(found) == pytest.approx(by_hand)
    assert float(chapter.fooling_loss(torch.tensor(fake))) == pytest.approx(1 / 3)


def test_arrows_are_those_of_all_pairs(chapter):
    points = np.random.default_rng(0).normal(size=(5, 3))
    found = chapter.arrows(torch.tensor(points)).numpy()
    wanted = [points[i] - points[j] for i in range(5) for j in range(i + 1, 5)]
    np.testing.assert_allclose(found, wanted)


def test_travel_and_margin_are_their_formulas(chapter):
    rng = np.random.default_rng(1)
    t, u = rng.normal(size=(2, 7, 4))
    cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(t, u, strict=True)]
    travel = np.mean([((a - b) ** 2).mean() for a, b in zip(t, u, strict=True)]) - np.mean(cosines)
    margin = np.mean([max(0, 2 - np.linalg.norm(a)) ** 2 for a in t])
    assert float(chapter.travel_loss(torch.tensor(t), torch.tensor(u))) == pytest.approx(travel)
    assert float(chapter.margin_loss(torch.tensor(t))) == pytest.approx(margin)


def test_a_translation_that_keeps_all_arrows_pays_least(chapter):
    t = chapter.arrows(torch.randn(6, 8))
    assert float(chapter.travel_loss(t, t)) == pytest.approx(-1)
    assert float(chapter.travel_loss(t, -t)) > 1


def test_difference_is_the_mean_absolute_one(chapter):
    assert float(chapter.difference(torch.tensor([0.5, -1.0]), torch.tensor([0.0, -0.5]))) == 0.5


# Who learns from which


def test_the_critics_step_changes_the_critic_alone(chapter, parts):
    before = {name: weights_of(parts[name]) for name in ("generator", "critic", "siamese")}
    fake = chapter.translated(parts["generator"], crops(chapter))
    chapter.critic_step(parts, fake, crops(chapter, seed=1))
    assert not same(before["critic"], parts["critic"])
    assert same(before["generator"], parts["generator"])
    assert same(before["siamese"], parts["siamese"])
    assert all(p.grad is None for p in parts["generator"].parameters())


def generator_step(chapter, parts, b_seed=1, **weights):
    a, b, near = (crops(chapter, seed=seed) for seed in (0, b_seed, 2))
    fake = chapter.translated(parts["generator"], a)
    used = chapter.WEIGHTS | weights
    return chapter.generator_step(parts, a, fake, b, near, used)


def test_the_generators_step_changes_generator_and_siamese_alone(chapter, parts):
    before = {name: weights_of(parts[name]) for name in ("generator", "critic", "siamese")}
    generator_step(chapter, parts)
    assert not same(before["generator"], parts["generator"])
    assert not same(before["siamese"], parts["siamese"])
    assert same(before["critic"], parts["critic"])


def test_the_total_is_the_weighted_sum_of_the_losses(chapter, parts):
    a, b, near = (crops(chapter, seed=seed) for seed in (0, 1, 2))
    weights = {"fooling": 0.5, "travel": 2.0, "margin": 3.0, "identity": 4.0, "neighbours": 5.0}
    wanted = copy.deepcopy(parts)
    fake = chapter.translated(wanted["generator"], a)
    t, u = (chapter.arrows(wanted["siamese"](chapter.chunks_of(x))) for x in (a, fake))
    total = -0.5 * wanted["critic"](fake).mean()
    total = total + 2 * (((t - u) ** 2).mean() - torch.cosine_similarity(t, u).mean())
    total = total + 3 * torch.clamp(2 - t.norm(dim=1), min=0).pow(2).mean()
    total = total + 4 * (wanted["generator"](b) - b).abs().mean() + 5 * (fake - near).abs().mean()
    total.backward()
    fake = chapter.translated(parts["generator"], a)
    chapter.generator_step(parts, a, fake, b, near, weights)
    for name in ("generator", "siamese"):
        for found, p in zip(parts[name].parameters(), wanted[name].parameters(), strict=True):
            torch.testing.assert_close(found.grad, p.grad, rtol=1e-3, atol=1e-6)


def test_a_loss_without_weight_is_left_out(chapter, parts):
    assert set(generator_step(chapter, parts, travel=0.0, identity=0.0)) == {
        "fooling",
        "margin",
        "neighbours",
    }


@pytest.mark.parametrize(
    ("loss", "reached"),
    [
        ("fooling", {"generator", "critic"}),  # the critic gets gradients, and does not step
        ("travel", {"generator", "siamese"}),
        ("margin", {"siamese"}),
        ("identity", {"generator"}),
        ("neighbours", {"generator"}),
    ],
)
def test_gradients_reach_the_networks_that_they_should(chapter, parts, loss, reached):
    parts["siamese"].head.weight.data *= 0.01  # short arrows, which pay the margin
    a, b, hint = (crops(chapter, seed=seed) for seed in (0, 1, 2))
    fake = chapter.translated(parts["generator"], a)
    chapter.generator_losses(parts, a, fake, b, hint)[loss].backward()
    found = {
        name
        for name in ("generator", "critic", "siamese")
        if any(p.grad is not None and p.grad.any() for p in parts[name].parameters())
    }
    assert found == reached


def test_without_identity_the_target_does_not_enter_the_generators_step(chapter, parts):
    state = copy.deepcopy(parts)
    for made, seed in ((parts, 1), (state, 5)):
        generator_step(chapter, made, b_seed=seed, identity=0.0)
    assert same(weights_of(parts["generator"]), state["generator"])


def test_the_critic_sees_pieces_side_by_side_or_alone(chapter):
    x = crops(chapter, 2)
    assert chapter.shown(x, 4) is x
    alone = chapter.shown(x, 4, joined=False)
    assert alone.shape == (8, chapter.N_MELS, chapter.CHUNK)
    torch.testing.assert_close(alone[2], x[0, :, chapter.CHUNK : 2 * chapter.CHUNK])


def test_the_average_moves_a_little_and_copies_what_is_no_weight(chapter, parts):
    new = parts["generator"]
    parts["average"].load_state_dict(new.state_dict())
    old = weights_of(new)
    for p in new.parameters():
        p.data += 1
    chapter.follow(parts["average"], new, 90)  # keeps 91 / 100
    for name, value in parts["average"].named_parameters():
        torch.testing.assert_close(value, old[name] + 0.09)
    for ours, theirs in zip(parts["average"].buffers(), new.buffers(), strict=True):
        assert torch.equal(ours, theirs)


# Neighbours


def test_envelope_and_stripes_are_waves_that_are_long_and_short(chapter):
    bands = (np.arange(chapter.N_MELS)[:, None] + 0.5) / chapter.N_MELS
    long_wave, short_wave = np.cos(np.pi * 5 * bands), np.cos(np.pi * 60 * bands)
    np.testing.assert_allclose(chapter.envelope_of(long_wave + short_wave), long_wave, atol=1e-9)


@pytest.mark.parametrize("content", ["envelope", "stripes"])
def test_a_strip_is_its_own_nearest_neighbour(chapter, content):
    X = strips(chapter, 120)["source"]
    searcher = chapter.searcher_of(X, content, count=1)
    found = chapter.neighbours_of(X, X, searcher, content)
    np.testing.assert_allclose(found, X, atol=1e-5)


def test_neighbours_are_found_whatever_the_level_of_the_bands(chapter):
    X = strips(chapter, 120)["source"]
    target = 0.5 * X + 0.2  # the same moments in a voice of another colour
    searcher = chapter.searcher_of(target, count=1)
    np.testing.assert_allclose(chapter.neighbours_of(X, X, searcher), target, atol=1e-5)


def test_a_hint_keeps_the_stripes_of_music_and_half_of_a_voices_envelope(chapter):
    made = {side: 0.3 * strip for side, strip in strips(chapter, 120).items()}
    X, near = made["source"], made["hints"]
    music = chapter.hint_for(X, near, made, "stripes")
    np.testing.assert_allclose(
        music, chapter.envelope_of(near) + X - chapter.envelope_of(X), atol=1e-6
    )
    voice = chapter.hint_for(X, near, made, "envelope")
    gain, shift = chapter.matched(made["source"], made["target"])
    envelopes = [chapter.envelope_of(Z) for Z in (voice, near, gain * X + shift)]
    np.testing.assert_allclose(envelopes[0], (envelopes[1] + envelopes[2]) / 2, atol=1e-5)
    np.testing.assert_allclose(voice - envelopes[0], near - chapter.envelope_of(near), atol=1e-5)


# The generator


def test_the_untrained_generator_is_the_transfer_of_means_and_spreads(chapter):
    rng = np.random.default_rng(0)
    a = rng.normal(-0.4, 0.1, (chapter.N_MELS, 4000))
    b = rng.normal(0.1, 0.2, (chapter.N_MELS, 3000))
    gain, shift = chapter.matched(a, b)
    moved = gain * a + shift
    np.testing.assert_allclose(moved.mean(1), b.mean(1), atol=1e-6)
    np.testing.assert_allclose(moved.std(1), b.std(1), rtol=1e-6)
    network = chapter.Generator(8, gain, shift)
    found = chapter.translate(network, a[:, :50])
    np.testing.assert_allclose(found, np.clip(moved[:, :50], -1, 1), atol=1e-5)


@pytest.mark.parametrize("frames", [1, 2, 3, 23, 24, 25, 71, 96, 97])
def test_any_length_keeps_its_length(chapter, parts, frames):
    X = crops(chapter, 1, frames=frames)[0].numpy()
    found = chapter.translate(parts["generator"], X)
    assert found.shape == X.shape and np.abs(found).max() <= 1


def test_the_reach_is_that_of_the_kernels(chapter):
    # 3 and 9 at the full rate, 7 at half of it; doubled frames carry one step further.
    before, after = chapter.reach_of()
    assert before + 1 + after == 43


def test_parts_are_translated_by_themselves(chapter, parts):
    a, network = crops(chapter), parts["generator"].eval()
    joined = chapter.translated(network, a, pieces=4)
    torch.testing.assert_close(joined[..., : chapter.CHUNK], network(a[..., : chapter.CHUNK]))
    assert not torch.allclose(joined, chapter.translated(network, a))


# Training


def strips(chapter, frames=600):
    rng = np.random.default_rng(0)
    places = {"source": -0.5, "target": 0.2, "hints": 0.1}
    return {
        name: np.clip(rng.normal(place, 0.2, (chapter.N_MELS, frames)), -1, 1).astype(np.float32)
        for name, place in places.items()
    }


def test_a_stopped_training_goes_on_bit_for_bit(chapter, tmp_path):
    def fresh():
        torch.manual_seed(0)
        return chapter.new_parts(8, 1.0, 0.0)

    small = {"round_of": 2, "batch": 2}
    unbroken, resumed = fresh(), fresh()
    wanted = chapter.train(unbroken, strips(chapter), 6, tmp_path / "a", **small)

    class StoppedError(Exception):
        pass

    def stop(step, network):
        if step == 4:
            raise StoppedError

    with pytest.raises(StoppedError):
        chapter.train(fresh(), strips(chapter), 6, tmp_path / "b", hear=stop, **small)
    history = chapter.train(resumed, strips(chapter), 6, tmp_path / "b", **small)
    losses = [{k: v for k, v in means.items() if k != "seconds"} for means in history]
    assert losses == [{k: v for k, v in means.items() if k != "seconds"} for means in wanted]
    for name in ("generator", "critic", "siamese", "average"):
        assert same(weights_of(unbroken[name]), resumed[name])


def test_too_little_sound_is_named(chapter, tmp_path):
    from audiostyle_utils.datasets import load_domain

    sf.write(tmp_path / "short.wav", 0.1 * np.random.default_rng(0).normal(size=8000), 16000)
    sf.write(tmp_path / "silent.wav", np.zeros(99999), 16000)
    with pytest.raises(InputError, match="0.5 s of sound; give 5 s"):
        chapter.strip_of(load_domain(tmp_path), ["short.wav", "silent.wav"])


def test_a_checkpoint_of_another_architecture_is_refused(chapter, tmp_path):
    given = strips(chapter)
    small = {"round_of": 1, "batch": 2}
    chapter.train(chapter.new_parts(8, 1.0, 0.0), given, 1, tmp_path, **small)
    with pytest.raises(InputError, match="shape"):
        chapter.train(chapter.new_parts(16, 1.0, 0.0), given, 2, tmp_path, **small)


TOGETHER = """
import sys
from pathlib import Path
import numpy as np, torch
from accelerate import debug_launcher
from audiostyle_utils import load_chapter

chapter = load_chapter("05_melgan_vc")
rng = np.random.default_rng(0)
names = ("source", "target", "hints")
strips = {n: rng.normal(0, 0.2, (chapter.N_MELS, 300)).astype(np.float32) for n in names}


def averaged():
    from accelerate import Accelerator

    accelerator = Accelerator()
    p = torch.nn.Parameter(torch.zeros(1))
    adam = torch.optim.SGD([p], lr=1.0)
    chapter.share_gradients(accelerator, adam)
    p.grad = torch.tensor([1.0 + 2 * accelerator.process_index])  # 1 and 3
    adam.step()
    Path(sys.argv[1], f"mean-{accelerator.process_index}").write_text(str(p.item()))


torch.set_num_threads(1)
knobs = {"round_of": 2, "batch": 2}
debug_launcher(averaged, num_processes=2)
debug_launcher(chapter.train_together, (strips, 2, sys.argv[1], 8, 1.0, 0.0, 0, None, knobs), 2)
"""


def test_two_processes_share_gradients_and_stay_the_same(chapter, tmp_path):
    script = tmp_path / "together.py"
    script.write_text(TOGETHER)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, script, tmp_path]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    means = [float((tmp_path / f"mean-{k}").read_text()) for k in (0, 1)]
    assert means == [-2.0, -2.0]
    made = [chapter.new_parts(8, 1.0, 0.0) for _ in (0, 1)]
    for k, parts in enumerate(made):
        training.TorchCheckpoint(tmp_path / f"process-{k}", {}).restore(parts)
    for name in ("generator", "critic", "siamese"):
        assert same(weights_of(made[0][name]), made[1][name])
    alone = chapter.new_parts(8, 1.0, 0.0)
    assert not same(weights_of(made[0]["generator"]), alone["generator"])


# Translation of any length


def test_blocks_with_context_are_one_pass(chapter, parts):
    X = crops(chapter, 1, frames=1003)[0].numpy()
    network = parts["generator"].eval()
    whole = chapter.translate(network, X)
    for size in (64, 500, 1024):
        np.testing.assert_allclose(chapter.translate_in_blocks(network, X, size), whole, atol=1e-5)


def test_too_little_context_is_not_one_pass(chapter, parts, monkeypatch):
    X, network = crops(chapter, 1, frames=300)[0].numpy(), parts["generator"].eval()
    monkeypatch.setattr(chapter, "CONTEXT", 8)
    found = chapter.translate_in_blocks(network, X, 64)
    assert np.abs(found - chapter.translate(network, X)).max() > 1e-3


@pytest.mark.parametrize("frames", [5, 24, 25, 240, 251])
@pytest.mark.parametrize("way", ["translate_in_chunks", "translate_overlapped"])
def test_chunks_keep_any_length(chapter, parts, way, frames):
    X = crops(chapter, 1, frames=frames)[0].numpy()
    assert getattr(chapter, way)(parts["generator"].eval(), X).shape == X.shape


@pytest.mark.parametrize("frames", [960, 1001])
def test_one_pass_has_no_seams_and_chunks_have(chapter, frames):
    network, _ = chapter.load_translator("05_melgan_vc_slt")
    y, _ = audio.load(load_dataset("previews").files["05_melgan_vc_bdl"], chapter.SR)
    X = chapter.picture_of(np.resize(y, frames * chapter.HOP))[:, :frames]
    assert X.shape[1] == frames
    borders = range(chapter.CHUNK, X.shape[1], chapter.CHUNK)
    ratios = {
        way: metrics.seam_ratio(getattr(chapter, way)(network, X), borders)
        for way in ("translate", "translate_in_blocks", "translate_in_chunks")
    }
    own = metrics.seam_ratio(X, borders)  # what these places of the recording have by chance
    assert abs(ratios["translate"] / own - 1) < 0.05
    assert abs(ratios["translate_in_blocks"] / own - 1) < 0.05
    assert ratios["translate_in_chunks"] / own > 1.05


@pytest.mark.parametrize("seconds", [0.4, 3.0, 12.29, 30.0])
def test_a_stream_is_the_whole_picture(chapter, tmp_path, seconds):
    rng = np.random.default_rng(0)
    y = (0.1 * rng.normal(size=round(seconds * chapter.SR))).astype(np.float32)
    audio.save(tmp_path / "noise.wav", y, chapter.SR)
    y, _ = audio.load(tmp_path / "noise.wav", chapter.SR)
    level, samples = chapter.level_of(tmp_path / "noise.wav")
    assert samples == y.size and level == pytest.approx(np.sqrt(np.mean(y**2)), rel=1e-5)
    pictures = [
        chapter.picture_of(piece, level)[:, before : before + count]
        for piece, before, count in chapter.pieces_of(tmp_path / "noise.wav", 256)
    ]
    found = np.concatenate(pictures, axis=1)
    np.testing.assert_allclose(found, chapter.picture_of(y, level), atol=1e-4)


# The reader's recordings


@pytest.fixture
def tone(tmp_path):
    def make(name, seconds=2.0, sr=44_100, level=0.2):
        t = np.arange(round(seconds * sr)) / sr
        audio.save(tmp_path / name, (level * np.sin(2 * np.pi * 220 * t)).astype(np.float32), sr)
        return tmp_path / name

    return make


@pytest.mark.parametrize(("name", "sr"), [("a.wav", 48_000), ("b.flac", 22_050), ("c.mp3", 44_100)])
def test_a_translation_lasts_as_long_and_is_as_loud(chapter, tmp_path, name, sr):
    voice, _ = audio.load(load_dataset("previews").files["05_melgan_vc_bdl"], sr)
    audio.save(tmp_path / name, 0.5 * voice, sr)
    y, rate = chapter.translate_audio(tmp_path / name)
    wanted, _ = audio.load(tmp_path / name, rate)
    assert rate == 16_000 and abs(y.size - wanted.size) <= 1 and y.dtype == np.float32
    loud = [float(np.sqrt(np.mean(z**2))) for z in (y, wanted)]
    assert np.abs(y).max() <= 1 and 0.5 < loud[0] / loud[1] < 2


def test_a_file_says_what_it_is(chapter, tone, tmp_path):
    target = tmp_path / "made.wav"
    chapter.translate_audio(tone("a.wav"), to="classical", save_to=target)
    with sf.SoundFile(target) as file:
        assert file.comment == chapter.NOTICE


def test_the_weights_are_chosen_by_name(chapter, tone):
    path = tone("a.wav")
    first, _ = chapter.translate_audio(path, to="slt")
    again, _ = chapter.translate_audio(path, weights="05_melgan_vc_slt")
    other, _ = chapter.translate_audio(path, to="classical")
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


def test_what_cannot_be_translated_is_said(chapter, tone, tmp_path):
    with pytest.raises(InputError, match="lasts 50 ms. Give 100"):
        chapter.translate_audio(tone("short.wav", 0.05))
    with pytest.raises(InputError, match="is silent"):
        chapter.translate_audio(tone("silent.wav", level=0.0))
    with pytest.raises(InputError, match="no_such.wav"):
        chapter.translate_audio(tmp_path / "no_such.wav")
    with pytest.raises(InputError, match="05_melgan_vc_slt"):
        chapter.translate_audio(tone("a.wav"), to="nobody")
    for bad, words in (("no/a.wav", "no folder"), ("a.xyz", "must end in"), ("b.wav", "itself")):
        with pytest.raises(InputError, match=words):
            chapter.translate_audio(tone("b.wav"), save_to=tmp_path / bad)
    with pytest.raises(InputError, match="another chapter"):
        chapter.translate_audio(tone("a.wav"), weights="03_lstm_music_fiddle")


def test_a_translated_voice_has_the_pitch_of_the_other(chapter):
    tape = load_dataset("previews").files["05_melgan_vc_bdl"]
    before, _ = audio.load(tape, chapter.SR)
    after, _ = chapter.translate_audio(tape, to="slt")
    assert chapter.pitch_of(before) < 140 < 155 < chapter.pitch_of(after) < 230


def test_jazz_keeps_its_notes(chapter):
    song = load_dataset("previews").files["05_melgan_vc_jazz"]
    before, _ = audio.load(song, chapter.SR)
    after, _ = chapter.translate_audio(song, to="classical")
    assert metrics.chroma_correlation(after, before, chapter.SR) > 0.7


# What is learned, and what is kept for the test


class Labelled:
    def __init__(self, labels):
        self.labels, self.files = labels, {name: name for name in labels}


@pytest.mark.parametrize(
    ("labels", "tested"),
    [
        ({"a": {"part": "training"}, "b": {"part": "test"}}, ["b"]),
        ({"x": {"sentence": "a0019"}, "y": {"sentence": "b0040"}}, ["y"]),
        ({"x": {"take": 44}, "y": {"take": 45}}, ["y"]),
        ({"x": {"artist": "jazz-5"}, "y": {"artist": "jazz-6"}}, ["y"]),
        ({"x": {"genre": "jazz", "filtered": "train"}, "y": {"filtered": "test"}}, ["y"]),
        ({str(k): {} for k in range(20)}, ["9", "19"]),
        ({"only": {}}, ["only"]),
    ],
)
def test_each_kind_of_data_keeps_its_test_part(chapter, labels, tested):
    learned, found = chapter.dealt(Labelled(labels))
    assert found == tested
    assert set(learned) | set(found) == set(labels)


def test_a_sentence_that_both_have_read_is_left_to_one_of_them(chapter):
    said = {
        "source": {"s1": "a0001", "s2": "a0002", "s3": "a0003", "s9": "a0009"},
        "target": {"t1": "a0001", "t2": "a0002", "t3": "a0003"},
    }
    domains = {
        side: Labelled({name: {"sentence": text} for name, text in names.items()})
        for side, names in said.items()
    }
    found = chapter.unshared(domains, {side: list(names) for side, names in said.items()})
    assert found == {"source": ["s1", "s3", "s9"], "target": ["t2"]}


def test_the_same_number_of_another_text_is_another_sentence(chapter):
    domains = {
        "source": Labelled({"a": {"sentence": 1, "text": "one"}, "b": {"text": "zero"}}),
        "target": Labelled({"x": {"sentence": 1, "text": "two"}, "y": {"text": "zero"}}),
    }
    learned = {"source": ["a", "b"], "target": ["x", "y"]}
    assert chapter.unshared(domains, learned) == learned


def test_test_recordings_are_paired_by_what_was_said(chapter):
    domains = {
        "source": Labelled({"a": {"sentence": "1"}, "b": {"sentence": "2"}, "c": {}}),
        "target": Labelled({"x": {"sentence": "2"}, "y": {"sentence": "1"}, "z": {}}),
    }
    tested = {"source": ["a", "b", "c"], "target": ["x", "z"]}
    assert chapter.twins(domains, tested) == {"b": "x"}


@pytest.mark.parametrize(
    ("y", "reason"),
    [
        (np.zeros(1000), "it is silent"),
        (np.clip(3 * np.sin(np.arange(1000)), -1, 1), "it is clipped"),
        (0.5 * np.sin(np.arange(1000) / 7), None),
    ],
)
def test_useless_recordings_are_named(chapter, y, reason):
    assert chapter.why_not(y) == reason


# The joins of the sound


def test_blocks_of_sound_join_as_smoothly_as_sound_in_one_piece(chapter):
    song = load_dataset("previews").files["05_melgan_vc_jazz"]
    network, _ = chapter.load_translator("05_melgan_vc_classical")
    level, _ = chapter.level_of(song)
    y, _ = audio.load(song, chapter.SR)
    whole = chapter.sound_of(chapter.translate(network, chapter.picture_of(y)))
    made = np.concatenate(list(chapter.translated_stream(network, song, level, frames=128)))
    assert abs(made.size - y.size) <= chapter.HOP
    middles = range(128 - chapter.OVERLAP // 2, y.size // chapter.HOP - chapter.OVERLAP, 128)
    ratios = [metrics.seam_ratio(chapter.picture_of(z), middles) for z in (made, whole)]
    assert ratios[0] / ratios[1] < 1.1
