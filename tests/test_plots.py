"""The book's figures: right axes, right units, legible to every reader, nothing left behind."""

import io
import itertools
import re
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from audiostyle_utils import plots
from audiostyle_utils.errors import InputError

SR = 8000


def tone(frequency=1000.0, seconds=1.0, sr=SR):
    return np.sin(2 * np.pi * frequency * np.arange(int(seconds * sr)) / sr)


def stft(y, n_fft=512, hop_length=128):
    frames = np.lib.stride_tricks.sliding_window_view(y, n_fft)[::hop_length]
    return np.fft.rfft(frames * np.hanning(n_fft)).T


def drawn(ax):
    """The level, time and frequency that a spectrogram's mesh shows."""
    (mesh,) = ax.collections
    corners = mesh.get_coordinates()
    return np.asarray(mesh.get_array()), corners[..., 0], corners[..., 1]


@pytest.mark.parametrize("y_axis", ["log", "linear"])
def test_spectrogram_puts_a_tone_at_its_frequency_below_the_peak(y_axis):
    fig, ax = plots.spectrogram(stft(tone()), SR, 128, y_axis=y_axis)
    levels, times, frequencies = drawn(ax)
    row = levels[:, levels.shape[1] // 2].argmax()
    assert frequencies[row, 0] <= 1000 <= frequencies[row + 1, 0]
    assert levels.max() == pytest.approx(0, abs=1e-6)
    assert levels.min() >= -80 - 1e-6
    assert times[0, -1] == pytest.approx(levels.shape[1] * 128 / SR, abs=128 / SR)
    assert ax.get_ylim()[1] == pytest.approx(SR / 2, rel=0.01)


def test_spectrogram_names_its_units():
    fig, ax = plots.spectrogram(stft(tone()), SR, 128, title="A tone")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Time (s)", "Frequency (Hz)")
    assert ax.get_title() == "A tone"
    assert "Level (dB)" in [other.get_ylabel() for other in fig.axes]


def test_real_levels_are_drawn_as_they_stand_over_the_asked_range():
    levels = np.linspace(-30, 12, 60).reshape(6, 10)
    fig, ax = plots.spectrogram(levels, SR, y_axis="linear", top_db=25)
    assert np.allclose(drawn(ax)[0], levels)
    assert ax.collections[0].get_clim() == pytest.approx((-13, 12))


def test_mel_rows_span_the_asked_band():
    fig, ax = plots.spectrogram(np.zeros((40, 10)), SR, y_axis="mel", fmin=100, fmax=3000)
    low, high = ax.get_ylim()
    assert low == pytest.approx(100, abs=40) and high == pytest.approx(3000, rel=0.05)


def test_silence_is_drawn_as_the_floor():
    fig, ax = plots.spectrogram(np.zeros((5, 4), complex), SR)
    assert (drawn(ax)[0] == -80).all()


@pytest.mark.parametrize("samples", [50, 20_000])
def test_waveform_keeps_duration_and_extremes(samples):
    y = tone(440, samples / SR) * 0.5
    y[samples // 3] = -0.9  # one sample must survive the drawing of an envelope
    fig, ax = plots.waveform(y, SR)
    assert ax.get_xlim() == pytest.approx((0, samples / SR))
    heights = (
        ax.lines[0].get_ydata() if ax.lines else ax.collections[0].get_paths()[0].vertices[:, 1]
    )
    assert heights.min() == pytest.approx(-0.9)
    assert heights.max() == pytest.approx(y.max())
    low, high = ax.get_ylim()
    assert low == -high and high > 0.9


def test_a_long_signal_makes_a_light_figure():
    fig, ax = plots.waveform(np.random.default_rng(0).uniform(-1, 1, 600_000), 22050)
    assert len(plots.show(fig, "noise").data) < 100_000


def test_stereo_has_a_colour_and_a_name_for_each_channel():
    fig, ax = plots.waveform(np.stack([tone(), 0.5 * tone(500)]), SR)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["channel 1", "channel 2"]
    colours = {tuple(np.ravel(part.get_facecolor())) for part in ax.collections}
    assert len(colours) == 2


def test_silent_waveform_still_has_an_axis():
    fig, ax = plots.waveform(np.zeros(100), SR)
    assert ax.get_ylim() == (-1, 1)


def test_loss_curve_takes_one_curve_many_or_a_mapping():
    fig, ax = plots.loss_curve([4.0, 2.0, 1.0])
    assert ax.get_yscale() == "log" and ax.get_legend() is None
    assert ax.lines[0].get_xdata().tolist() == [0, 1, 2]

    fig, ax = plots.loss_curve([[3, 2], [5, 1]], labels=["a", "b"], x=[10, 20], log=False)
    assert ax.get_yscale() == "linear"
    assert [line.get_label() for line in ax.lines] == ["a", "b"]
    assert ax.lines[1].get_xdata().tolist() == [10, 20]

    fig, ax = plots.loss_curve({"slow": [3, 2, 1], "fast": ([0.1, 0.2], [3, 1])}, xlabel="Seconds")
    assert ax.lines[1].get_xdata().tolist() == [0.1, 0.2]
    assert ax.lines[1].get_ydata().tolist() == [3, 1]
    assert ax.get_xlabel() == "Seconds"


def test_functions_draw_on_the_given_axes():
    fig, axes = plots.panels(3)
    calls = [
        plots.spectrogram(stft(tone()), SR, 128, ax=axes[0]),
        plots.waveform(tone(), SR, ax=axes[1]),
        plots.loss_curve([1, 2], ax=axes[2]),
    ]
    for (returned, ax), given in zip(calls, axes, strict=True):
        assert returned is fig and ax is given
    assert len(fig.axes) == 4  # three, and the colour bar


def test_no_pyplot_figure_is_opened_or_left_open_and_no_setting_changes():
    import matplotlib
    import matplotlib.pyplot as plt

    before = dict(matplotlib.rcParams)
    fig, ax = plots.spectrogram(stft(tone()), SR, 128)
    plots.show(fig, "a tone")
    plots.show(plots.waveform(tone(), SR)[0], "a wave")
    assert plt.get_fignums() == []
    own, ax = plt.subplots()
    plots.loss_curve([1, 2], ax=ax)
    plots.show(own, "a loss")
    assert plt.get_fignums() == []
    assert dict(matplotlib.rcParams) == before


def test_importing_plots_is_light():
    code = "import sys, audiostyle_utils.plots; print(*{'matplotlib', 'librosa'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_lines_are_shown_as_svg_and_spectrograms_as_png():
    lines = plots.show(plots.loss_curve([1, 2])[0], "a loss")
    image = plots.show(plots.spectrogram(stft(tone()), SR, 128)[0], "a tone")
    assert lines.kind == "image/svg+xml" and b"<svg" in lines.data
    assert image.kind == "image/png" and image.data.startswith(b"\x89PNG")


def test_a_noisy_spectrogram_makes_a_light_and_faithful_image():
    from PIL import Image

    noise = np.random.default_rng(0).normal(size=80_000)
    fig, _ = plots.spectrogram(stft(noise), SR, 128, y_axis="linear")
    whole = io.BytesIO()
    fig.savefig(whole, format="png", dpi=plots.PNG_DPI)
    shown = plots.show(fig, "noise").data
    assert len(shown) < 0.5 * len(whole.getvalue())
    pixels = [np.asarray(Image.open(f).convert("RGB"), float) for f in (whole, io.BytesIO(shown))]
    assert np.abs(pixels[0] - pixels[1]).mean() < 4  # of 255


def test_the_same_figure_gives_the_same_bytes():
    first, second = (plots.show(plots.loss_curve([3, 2, 1])[0], "loss").data for _ in range(2))
    assert first == second


def test_html_carries_the_escaped_description():
    picture = plots.show(plots.loss_curve([1, 2])[0], 'loss "a" < loss b & c\n falls')
    rendered = picture._repr_html_()
    assert 'alt="loss &quot;a&quot; &lt; loss b &amp; c falls"' in rendered
    assert 'loading="lazy"' in rendered and "max-width:100%" in rendered
    assert re.match(r'<figure class="audiostyle-figure"><img [^>]+></figure>$', rendered)
    assert "falls" in repr(picture)


def test_the_place_of_a_figure_is_kept_until_it_is_loaded():
    fig, _ = plots.panels(2, height=2)
    rendered = plots.show(fig, "two empty axes")._repr_html_()
    width, height = (
        int(re.search(rf' {name}="(\d+)"', rendered)[1]) for name in ("width", "height")
    )
    assert width / height == pytest.approx(plots.WIDTH_INCHES / 4, rel=0.01)


@pytest.mark.parametrize("alt", ["", "  \n", None, 3])
def test_a_figure_without_description_is_refused(alt):
    with pytest.raises(InputError, match="alt"):
        plots.show(plots.loss_curve([1, 2])[0], alt)


def test_a_subfigure_is_shown_whole():
    fig, _ = plots.panels()
    sub = fig.subfigures()
    plots.loss_curve([1, 2], ax=sub.subplots())
    assert plots.show(sub, "a loss").kind == "image/svg+xml"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: plots.spectrogram(np.zeros(5), SR), "shape"),
        (lambda: plots.spectrogram(np.full((3, 3), np.nan), SR), "finite"),
        (lambda: plots.spectrogram(np.zeros((3, 0)), SR), "shape"),
        (lambda: plots.spectrogram(np.zeros((3, 3)), 0), "sr"),
        (lambda: plots.spectrogram(np.zeros((3, 3)), SR, y_axis="cqt"), "y_axis"),
        (lambda: plots.spectrogram(np.zeros((3, 3)), SR, top_db=0), "top_db"),
        (lambda: plots.waveform([], SR), "shape"),
        (lambda: plots.waveform([0.0, np.inf], SR), "finite"),
        (lambda: plots.waveform(["a"], SR), "finite"),
        (lambda: plots.waveform([0.0, 1.0], -1), "sr"),
        (lambda: plots.loss_curve([]), "shape"),
        (lambda: plots.loss_curve({}), "empty"),
        (lambda: plots.loss_curve([1, 2], x=[1, 2, 3]), "one x"),
        (lambda: plots.loss_curve([[1, 2], [3, 4]], labels=["a"]), "labels"),
        (lambda: plots.panels(0), "at least one"),
    ],
)
def test_bad_input_says_what_is_wrong(call, said):
    with pytest.raises(InputError, match=said):
        call()


# How the three cones of a reader without green ones see linear RGB (Viénot, Brettel and Mollon
# 1999), so that two colours which differ only from red to green fall together.
DEUTERANOPIA = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1]])


def lab(colour, vision):
    """CIE L*a*b* of a colour as seen through a matrix on linear RGB."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = to_xyz @ np.clip(vision @ linear, 0, 1) / (to_xyz @ np.ones(3))
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("vision", [np.eye(3), DEUTERANOPIA], ids=["usual", "deuteranopia"])
def test_colours_of_curves_can_be_told_apart(vision):
    fig, ax = plots.loss_curve([[1, 2]] * 5)
    colours = [line.get_color() for line in ax.lines]
    for a, b in itertools.combinations(colours, 2):
        assert np.linalg.norm(lab(a, vision) - lab(b, vision)) > 15, (a, b)


def test_the_map_of_spectrograms_only_ever_gets_brighter():
    from matplotlib import colormaps

    shades = colormaps[plots.SPECTROGRAM_MAP](np.linspace(0, 1, 64))[:, :3]
    brightness = [lab(shade, DEUTERANOPIA)[0] for shade in shades]
    assert (np.diff(brightness) > 0).all()
