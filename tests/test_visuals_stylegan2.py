"""The StyleGAN2 generator: its formulas restated, and numbers that the official code gave."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from audiostyle_utils.errors import InputError
from audiostyle_utils.visuals.stylegan2 import (
    Generator,
    modulated_conv2d,
    normalize_2nd_moment,
    upsample2d,
)

TINY = {"num_layers": 2, "channel_base": 64, "channel_max": 8}
FILTER = torch.tensor(np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64, dtype=torch.float32)


def tiny(z_dim=6, c_dim=3, w_dim=8, size=16, **settings):
    torch.manual_seed(0)
    return Generator(z_dim, c_dim, w_dim, size, **(TINY | settings)).eval().requires_grad_(False)


def inputs(n=2, seed=1):
    z = torch.randn(n, 6, generator=torch.Generator().manual_seed(seed))
    return z, torch.eye(3)[torch.arange(n) % 3]


# What NVIDIA's code (commit d72cc7d, float32, CPU) gives for the weights and inputs set below:
# image[:, :, 3::9, 5::7] for 'const' at psi 0.7, and the mean of each channel for 'none' at psi 1.
OFFICIAL = {
    "skip": (
        "-3.09957 -2.91001 -3.09343 -2.74573 0.05325 -1.30528 0.4022 -1.49543 7.10703 5.32822 "
        "6.94862 5.20094 -3.34642 -2.86689 -3.29669 -2.45257 0.08658 -1.52206 0.33862 -1.54014 "
        "7.17105 5.01901 6.97652 4.80815",
        "-2.85489 0.15268 5.94679 -2.7586 0.1322 5.78074",
    ),
    "orig": (
        "-2.5 -1.08633 -2.5 0.02842 -2.5 -1.25438 -2.5 -0.22988 -1.60879 1.02217 -0.27881 1.68881 "
        "-2.5 -1.39804 -2.5 -0.00081 -2.5 -1.2878 -2.5 0.00743 -1.60207 1.27576 -0.15101 2.13068",
        "-2.30434 -2.25977 0.05423 -2.32262 -2.22944 0.38816",
    ),
    "resnet": (
        "-1.80157 -1.75111 -1.86201 -2.0491 -0.41296 -0.17986 0.19328 -0.45797 1.86213 2.21698 "
        "2.5 2.0314 -2.2003 -2.20517 -2.5 -2.5 -0.61202 -0.44384 -0.09753 -0.70945 1.91473 "
        "2.21204 2.5 2.16068",
        "-1.78357 -0.09247 2.30858 -2.28814 -0.16097 2.41095",
    ),
}


@pytest.mark.parametrize("architecture", OFFICIAL)
def test_pictures_equal_the_official_codes(architecture):
    generator = tiny(conv_clamp=2.5, architecture=architecture)
    for place, (name, value) in enumerate(generator.state_dict().items()):
        if not name.endswith("resample_filter"):
            numbers = torch.arange(value.numel(), dtype=torch.float64)
            waves = torch.sin(numbers * 1.7 + place) * (150 if "fc" in name else 1.4)
            value.copy_(waves.reshape(value.shape))
    z = torch.sin(torch.arange(12.0) * 0.9).reshape(2, 6)
    c = torch.tensor([[0, 1, 0], [0.25, 0, 0.75]])
    pixels, means = (np.array(text.split(), float) for text in OFFICIAL[architecture])
    image = generator(z, c, truncation_psi=0.7, noise_mode="const")
    np.testing.assert_allclose(image[:, :, 3::9, 5::7].flatten().numpy(), pixels, atol=1e-4)
    image = generator(z, c, noise_mode="none")
    np.testing.assert_allclose(image.mean((2, 3)).flatten().numpy(), means, atol=1e-4)


def test_names_and_shapes_are_the_official_ones():
    shapes = {name: tuple(value.shape) for name, value in tiny(size=8).state_dict().items()}
    conv = ("affine.weight", "affine.bias", "weight", "bias")
    conv += ("noise_strength", "noise_const", "resample_filter")
    rgb = ("weight", "bias", "affine.weight", "affine.bias")
    wanted = {"synthesis.b4.const", "synthesis.b4.resample_filter", "synthesis.b8.resample_filter"}
    wanted |= {
        f"synthesis.{layer}.{end}" for layer in ("b4.conv1", "b8.conv0", "b8.conv1") for end in conv
    }
    wanted |= {f"synthesis.{block}.torgb.{end}" for block in ("b4", "b8") for end in rgb}
    wanted |= {
        f"mapping.{layer}.{end}" for layer in ("embed", "fc0", "fc1") for end in ("weight", "bias")
    }
    assert set(shapes) == wanted | {"mapping.w_avg"}
    assert shapes["mapping.fc0.weight"] == (8, 6 + 8)
    assert shapes["synthesis.b4.const"] == (8, 4, 4)
    assert shapes["synthesis.b8.conv0.noise_const"] == (8, 8)
    assert shapes["synthesis.b8.conv0.noise_strength"] == ()
    assert shapes["synthesis.b8.torgb.weight"] == (3, 8, 1, 1)


def test_without_classes_and_noise_their_weights_are_missing():
    names = tiny(c_dim=0, use_noise=False).state_dict()
    assert not [name for name in names if "noise" in name or "embed" in name]
    assert names["mapping.fc0.weight"].shape == (8, 6)


def test_residual_blocks_and_last_block_have_the_official_layers():
    orig, resnet = (tiny(architecture=name).state_dict() for name in ("orig", "resnet"))
    assert [n for n in orig if "torgb.weight" in n] == ["synthesis.b16.torgb.weight"]
    added = {name for name in resnet if name not in orig}
    ends = ("weight", "resample_filter")
    assert added == {f"synthesis.b{r}.skip.{end}" for r in (8, 16) for end in ends}


@pytest.mark.parametrize("demodulate", [True, False])
def test_modulated_convolution_equals_one_with_weights_for_each_sample(demodulate):
    torch.manual_seed(1)
    x, weight, styles = torch.randn(3, 5, 7, 6), torch.randn(4, 5, 3, 3), torch.randn(3, 5)
    ours = modulated_conv2d(x, weight, styles, demodulate)
    for picture, style, found in zip(x, styles, ours, strict=True):
        own = weight * style[None, :, None, None]
        if demodulate:
            own = own / own.flatten(1).norm(dim=1)[:, None, None, None]
        wanted = nn.functional.conv2d(picture[None], own, padding=1)[0]
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


def test_doubling_convolution_is_doubling_and_then_convolving():
    # Both are linear and keep their place, so that (away from the border) they may change order.
    torch.manual_seed(1)
    x, weight = torch.randn(2, 5, 8, 8), torch.randn(4, 5, 3, 3)
    ours = modulated_conv2d(x, weight, torch.ones(2, 5), False, FILTER)
    wanted = nn.functional.conv2d(upsample2d(x, FILTER), weight.flip((2, 3)), padding=1)
    assert ours.shape == (2, 4, 16, 16)
    torch.testing.assert_close(ours[..., 3:-3, 3:-3], wanted[..., 3:-3, 3:-3], atol=1e-4, rtol=1e-4)


def test_doubling_puts_zeros_between_and_filters():
    x = torch.randn(1, 2, 5, 4, generator=torch.Generator().manual_seed(3))
    spread = np.zeros((2, 10, 8))
    spread[:, ::2, ::2] = x[0].numpy()
    taps = np.array([1, 3, 3, 1]) / 4  # with sum 2 along each side: half of the points are zeros
    rows = np.apply_along_axis(np.convolve, 1, spread, taps)[:, 1:-2]
    both = np.apply_along_axis(np.convolve, 2, rows, taps)[:, :, 1:-2]
    np.testing.assert_allclose(upsample2d(x, FILTER)[0].numpy(), both, atol=1e-5)


def test_doubling_keeps_a_constant():
    inner = upsample2d(torch.full((1, 3, 6, 6), 2.5), FILTER)[..., 1:-1, 1:-1]
    torch.testing.assert_close(inner, torch.full((1, 3, 10, 10), 2.5))


def test_normalised_vectors_have_unit_mean_square():
    x = torch.randn(4, 50, generator=torch.Generator().manual_seed(0)) * 7
    torch.testing.assert_close(normalize_2nd_moment(x).square().mean(1), torch.ones(4))
    assert not normalize_2nd_moment(torch.zeros(1, 5)).any()


def test_mapping_formulas():
    mapping = tiny(lr_multiplier=0.1).mapping
    for name, value in mapping.named_parameters():
        if name.endswith("bias"):
            value.normal_()
    z, c = inputs()
    state = {name: value.double().numpy() for name, value in mapping.state_dict().items()}
    label = c.numpy() @ state["embed.weight"].T / math.sqrt(3) + state["embed.bias"]
    unit = [a / np.sqrt((a**2).mean(1, keepdims=True)) for a in (z.numpy(), label)]
    w = np.concatenate(unit, 1)
    for layer in ("fc0", "fc1"):
        weight, bias = state[f"{layer}.weight"] * 0.1, state[f"{layer}.bias"] * 0.1
        w = w @ weight.T / math.sqrt(w.shape[1]) + bias
        w = np.where(w > 0, w, 0.2 * w) * math.sqrt(2)
    ws = mapping(z, c)
    assert ws.shape == (2, 6, 8)  # 16 px: one convolution at 4, two at 8 and 16, the last colours
    for i in range(6):
        np.testing.assert_allclose(ws[:, i].numpy(), w, atol=1e-5)


def test_only_the_direction_of_z_matters():
    generator, (z, c) = tiny(), inputs()
    torch.testing.assert_close(generator(z * 9, c), generator(z, c), atol=1e-4, rtol=1e-4)
    assert (generator(-z, c) - generator(z, c)).abs().mean() > 0.01


def test_truncation_moves_styles_towards_the_average():
    mapping, (z, c) = tiny().mapping, inputs()
    mapping.w_avg.normal_()
    full, none, half = (mapping(z, c, psi) for psi in (1, 0, 0.5))
    torch.testing.assert_close(none, mapping.w_avg.expand(2, 6, 8))
    torch.testing.assert_close(half, (full + mapping.w_avg) / 2)
    cut = mapping(z, c, 0.5, truncation_cutoff=2)
    torch.testing.assert_close(cut, torch.cat([half[:, :2], full[:, 2:]], 1))


def test_training_follows_the_average_style_and_drawing_does_not():
    mapping, (z, c) = tiny().mapping, inputs(3)
    w = mapping(z, c)[:, 0]
    assert not mapping.w_avg.any()
    mapping.train()
    mapping(z, c)
    torch.testing.assert_close(mapping.w_avg, w.mean(0) * 0.005)


def test_the_class_changes_the_picture_and_classes_mix():
    generator, (z, _) = tiny(), inputs()
    one, two, mixed = (
        generator(z, torch.tensor([c] * 2)) for c in ((1.0, 0, 0), (0, 1.0, 0), (0.5, 0.5, 0))
    )
    for a, b in ((one, two), (one, mixed), (two, mixed)):
        assert (a - b).abs().mean() > 0.01


def test_each_style_changes_the_picture():
    synthesis, ws = (
        tiny().synthesis,
        torch.randn(1, 6, 8, generator=torch.Generator().manual_seed(4)),
    )
    image = synthesis(ws)
    for i in range(6):
        changed = ws.clone()
        changed[:, i] *= -1
        assert (synthesis(changed) - image).abs().mean() > 1e-3


def test_noise_is_kept_fresh_or_left_out():
    generator, (z, c) = tiny(), inputs()
    silent = {mode: generator(z, c, noise_mode=mode) for mode in ("none", "const", "random")}
    for image in silent.values():
        torch.testing.assert_close(image, silent["none"])  # noise begins with strength 0
    for name, value in generator.named_parameters():
        if name.endswith("noise_strength"):
            value.fill_(0.5)
    const, again = (generator(z, c, noise_mode="const") for _ in range(2))
    fresh, other = (generator(z, c, noise_mode="random") for _ in range(2))
    torch.testing.assert_close(generator(z, c, noise_mode="none"), silent["none"])
    torch.testing.assert_close(const, again)
    for a, b in ((const, silent["none"]), (fresh, other), (fresh, const)):
        assert (a - b).abs().mean() > 0.01


@pytest.mark.parametrize("size", [4, 8, 64])
def test_shapes(size):
    generator = tiny(size=size, img_channels=2)
    z, c = inputs(3)
    image = generator(z, c)
    assert image.shape == (3, 2, size, size) and image.dtype == torch.float32
    assert generator.num_ws == 2 * math.log2(size) - 2
    # A picture does not depend on the others of its batch.
    torch.testing.assert_close(generator(z[1:2], c[1:2]), image[1:2], atol=1e-5, rtol=1e-5)


def test_channels_fall_with_the_resolution():
    generator = tiny(size=32, channel_base=128, channel_max=10)
    found = [getattr(generator.synthesis, f"b{r}").conv1.weight.shape[0] for r in (4, 8, 16, 32)]
    assert found == [10, 10, 8, 4]


def test_a_generator_learns():
    torch.manual_seed(0)
    generator = Generator(6, 3, 8, 16, **TINY)
    adam = torch.optim.Adam(generator.parameters(), 0.02)
    z, c = inputs(3)
    target = torch.linspace(-1, 1, 3)[:, None, None, None].expand(3, 3, 16, 16)
    losses = []
    for _ in range(60):
        loss = (generator(z, c) - target).square().mean()
        adam.zero_grad()
        loss.backward()
        assert all(p.grad is not None for p in generator.parameters())
        adam.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


@pytest.mark.parametrize(
    "changed",
    [
        {"z_dim": 0},
        {"c_dim": -1},
        {"w_dim": 1.5},
        {"size": 48},
        {"size": 2},
        {"img_channels": 0},
        {"num_layers": 0},
        {"channel_base": 8},
        {"channel_max": True},
        {"conv_clamp": 0},
        {"architecture": "dense"},
        {"lr_multiplier": 0},
    ],
)
def test_wrong_settings_are_named(changed):
    name = next(iter(changed)).replace("size", "img_resolution")
    with pytest.raises(InputError, match=f"{name} is"):
        tiny(**changed)


def test_wrong_inputs_are_named():
    generator, (z, c) = tiny(), inputs()
    with pytest.raises(InputError, match=r"z has shape \(2, 5\)"):
        generator(z[:, :5], c)
    with pytest.raises(InputError, match="c is missing"):
        generator(z)
    with pytest.raises(InputError, match=r"c is of shape \(1, 3\)"):
        generator(z, c[:1])
    with pytest.raises(InputError, match="noise_mode is 'loud'"):
        generator(z, c, noise_mode="loud")
    with pytest.raises(InputError, match=r"ws has shape \(2, 8\): give \(batch, 6, 8\)"):
        generator.synthesis(torch.zeros(2, 8))
