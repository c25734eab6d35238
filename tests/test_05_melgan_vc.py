"""Chapter 5: each loss by hand, who learns from which, and translation of any length."""

import copy

import numpy as np
import pytest
import torch

from audiostyle_utils import InputError, load_chapter


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


def test_identity_is_the_mean_absolute_difference(chapter):
    b, again = torch.tensor([0.5, -1.0]), torch.tensor([0.0, -0.5])
    assert float(chapter.identity_loss(b, again)) == 0.5


# Who learns from which


def test_the_critics_step_changes_the_critic_alone(chapter, parts):
    before = {name: weights_of(parts[name]) for name in ("generator", "critic", "siamese")}
    chapter.critic_step(parts, crops(chapter), crops(chapter, seed=1))
    assert not same(before["critic"], parts["critic"])
    assert same(before["generator"], parts["generator"])
    assert same(before["siamese"], parts["siamese"])
    assert all(p.grad is None for p in parts["generator"].parameters())


def test_the_generators_step_changes_generator_and_siamese_alone(chapter, parts):
    before = {name: weights_of(parts[name]) for name in ("generator", "critic", "siamese")}
    chapter.generator_step(parts, crops(chapter), crops(chapter, seed=1))
    assert not same(before["generator"], parts["generator"])
    assert not same(before["siamese"], parts["siamese"])
    assert same(before["critic"], parts["critic"])


@pytest.mark.parametrize(
    ("loss", "generator", "siamese"),
    [("fooling", True, False), ("travel", True, True), ("margin", False, True)],
)
def test_gradients_reach_the_networks_that_they_should(chapter, parts, loss, generator, siamese):
    a = crops(chapter)
    fake = chapter.translated(parts["generator"], a)
    before, after = (chapter.arrows(parts["siamese"](chapter.chunks_of(x))) for x in (a, fake))
    value = {
        "fooling": lambda: chapter.fooling_loss(parts["critic"](fake)),
        "travel": lambda: chapter.travel_loss(before, after),
        "margin": lambda: chapter.margin_loss(before, delta=50.0),
    }[loss]()
    value.backward()
    reached = {
        name: any(p.grad is not None and p.grad.any() for p in parts[name].parameters())
        for name in ("generator", "siamese")
    }
    assert reached == {"generator": generator, "siamese": siamese}


def test_without_identity_the_target_does_not_enter_the_generators_step(chapter, parts):
    a, state = crops(chapter), copy.deepcopy(parts)
    for made, seed in ((parts, 1), (state, 2)):
        chapter.generator_step(made, a, crops(chapter, seed=seed), identity=0)
    assert same(weights_of(parts["generator"]), state["generator"])


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
    joined = chapter.translated(network, a, 4)
    torch.testing.assert_close(joined[..., : chapter.CHUNK], network(a[..., : chapter.CHUNK]))
    assert not torch.allclose(joined, chapter.translated(network, a))


# Training


def strips(chapter, frames=600):
    rng = np.random.default_rng(0)
    return {
        side: np.clip(rng.normal(place, 0.2, (chapter.N_MELS, frames)), -1, 1).astype(np.float32)
        for side, place in (("source", -0.5), ("target", 0.2))
    }


def test_a_stopped_training_goes_on_bit_for_bit(chapter, tmp_path):
    def fresh():
        torch.manual_seed(0)
        return chapter.new_parts(8, 1.0, 0.0)

    small = {"round_of": 2, "batch": 2}
    unbroken, resumed = fresh(), fresh()
    wanted = chapter.train(unbroken, strips(chapter), 6, tmp_path / "a", **small)

    class Stopped(Exception):
        pass

    def stop(step, network):
        if step == 4:
            raise Stopped

    with pytest.raises(Stopped):
        chapter.train(fresh(), strips(chapter), 6, tmp_path / "b", hear=stop, **small)
    history = chapter.train(resumed, strips(chapter), 6, tmp_path / "b", **small)
    losses = [{k: v for k, v in means.items() if k != "seconds"} for means in history]
    assert losses == [{k: v for k, v in means.items() if k != "seconds"} for means in wanted]
    for name in ("generator", "critic", "siamese", "average"):
        assert same(weights_of(unbroken[name]), resumed[name])


def test_too_little_sound_is_named(chapter, tmp_path):
    import soundfile as sf

    from audiostyle_utils.datasets import load_domain

    sf.write(tmp_path / "short.wav", 0.1 * np.random.default_rng(0).normal(size=8000), 16000)
    sf.write(tmp_path / "silent.wav", np.zeros(99999), 16000)
    with pytest.raises(InputError, match="0.5 s of sound; give 5 s"):
        chapter.strip_of(load_domain(tmp_path), ["short.wav", "silent.wav"])
