"""The book's figures: right axes, right units, legible to every reader, nothing left behind."""

import io
import itertools
import re
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from audiostyle_utils import plots, scores
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
        (lambda: plots.confusion([[1, 2]], ["a"]), "one row and one column"),
        (lambda: plots.confusion([[1, -2], [0, 1]], ["a", "b"]), "least value of -2"),
        (lambda: plots.confusion([[1, np.nan], [0, 1]], ["a", "b"]), "finite"),
        (lambda: plots.confusion(np.eye(3), ["a", "b"]), "2 names for 3 classes"),
        (lambda: plots.probabilities_over_time(np.eye(2), [1, 2], ["a"]), "1 names for 2"),
        (lambda: plots.probabilities_over_time(np.eye(2), [1], ["a", "b"]), "1 values for 2 rows"),
        (lambda: plots.probabilities_over_time(np.eye(2), [2, 1], ["a", "b"]), "does not rise"),
        (lambda: plots.probabilities_over_time(2 * np.eye(2), [1, 2], ["a", "b"]), "from 0 to 2"),
        (lambda: plots.probabilities_over_time(np.eye(2)[0], [1], ["a"]), "shape"),
        (lambda: plots.lattice([0.5, 0.5], ["a", "b"]), "shape"),
        (lambda: plots.lattice([[0.5, np.nan]], ["a", "b"]), "finite"),
        (lambda: plots.lattice([[0.5, 1.5]], ["a", "b"]), "from 0.5 to 1.5"),
        (lambda: plots.lattice([[-0.5, 1]], ["a", "b"]), "from -0.5 to 1"),
        (lambda: plots.lattice(np.eye(3), ["a", "b"]), "2 names for 3"),
        (lambda: plots.lattice(np.eye(2), ["a", "b"], skips=[True]), "1 skips for 2 states"),
        (lambda: said(("late", 0.5, 0.4)), "'late' goes from 0.5 to 0.4"),
        (lambda: said(("early", -0.1, 0.4)), "'early' goes from -0.1"),
        (lambda: said(("never", np.nan, 0.4)), "'never' goes from nan"),
        (lambda: said(("one", 0, 0.4), confidences=[0.5, 0.6]), "2 confidences for 1 words"),
        (lambda: plots.palette(0), "from 1 to 10"),
        (lambda: plots.palette(11), "from 1 to 10"),
        (lambda: plots.palette(2.0), "from 1 to 10"),
        (lambda: plots.theme(0), "height"),
        (lambda: plots.piano_roll(piece(), start_bar=4), "4 bars"),
        (lambda: plots.piano_roll(piece(), start_bar=-1), "4 bars"),
        (lambda: plots.piano_roll(piece(), bars=0), "at least one"),
        (lambda: plots.piano_roll(piece(), mark=5), "mark"),
        (lambda: plots.piano_roll(piece(), start_bar=2, mark=1), "mark"),
    ],
)
def test_bad_input_says_what_is_wrong(call, said):
    with pytest.raises(InputError, match=said):
        call()


GENRES = "blues classical country disco hiphop jazz metal pop reggae rock".split()
LONG = [f"progressive {name}" for name in GENRES]


def counts(classes=10):
    matrix = np.random.default_rng(0).integers(0, 200, (classes, classes))
    matrix[:, ::3] = 0
    return matrix + 500 * np.eye(classes, dtype=int)


def test_confusion_writes_counts_and_shades_by_row():
    matrix = [[6, 2, 0], [0, 0, 0], [1, 0, 999]]
    fig, ax = plots.confusion(matrix, ["a", "b", "c"], title="Sure")
    cells = {(text.get_position()[1], text.get_position()[0]): text.get_text() for text in ax.texts}
    assert cells == {(0.5, 0.5): "6", (0.5, 1.5): "2", (2.5, 0.5): "1", (2.5, 2.5): "999"}
    (mesh,) = ax.collections
    shares = np.asarray(mesh.get_array()).reshape(3, 3)
    assert shares == pytest.approx(np.array([[0.75, 0.25, 0], [0, 0, 0], [0.001, 0, 0.999]]))
    assert mesh.get_clim() == (0, 1)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Predicted", "True")
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b", "c"]
    low, high = ax.get_ylim()
    assert low > high  # the first class on top
    assert plots.show(fig, "a table").kind == "image/svg+xml"


@pytest.mark.parametrize("names", [GENRES, LONG], ids=["genres", "long"])
def test_confusion_of_ten_classes_is_legible_on_a_phone(names):
    fig, ax = plots.confusion(counts(), names)
    fig.draw_without_rendering()
    shrunk = 390 / (72 * plots.WIDTH_INCHES)
    for texts in (ax.get_xticklabels(), ax.get_yticklabels(), ax.texts):
        assert min(text.get_fontsize() for text in texts) * shrunk >= 10
        boxes = [text.get_window_extent() for text in texts]
        assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
        assert all(0 <= box.x0 and box.x1 <= fig.bbox.x1 and 0 <= box.y0 for box in boxes)
    widest = max(text.get_window_extent().width for text in ax.texts)
    assert widest < ax.get_window_extent().width / 10


def test_numbers_stand_out_from_their_cells():
    for share in np.linspace(0.01, 1, 40):
        fig, ax = plots.confusion([[share, 1 - share + 1e-9], [0, 1]], ["a", "b"])
        (mesh,) = ax.collections
        cell = mesh.cmap(mesh.norm(share))[:3]
        light = sorted(brightness(colour) for colour in (cell, ax.texts[0].get_color()))
        assert (light[1] + 0.05) / (light[0] + 0.05) >= 4.5, share


def brightness(colour):
    """Relative luminance as the web's rules for contrast take it."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_probabilities_over_time_put_the_likeliest_on_top():
    P = np.array([[0.1, 0.7, 0.2], [0.3, 0.4, 0.3], [0.0, 0.1, 0.9], [0.1, 0.5, 0.4]])
    fig, ax = plots.probabilities_over_time(P, [1, 2, 4, 5], ["a", "b", "c"], title="A song")
    mesh = ax.collections[0]
    corners = mesh.get_coordinates()
    assert np.allclose(mesh.get_array(), P[:, [2, 1, 0]].T)
    assert corners[0, :, 0].tolist() == [0.5, 1.5, 3, 4.5, 5.5]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["c", "b", "a"]
    low, high = ax.get_ylim()
    assert low > high
    assert ax.get_xlabel() == "Time (s)" and mesh.get_clim() == (0, 1)
    assert "Probability" in [other.get_ylabel() for other in fig.axes]
    assert plots.show(fig, "a song").kind == "image/png"


def test_probabilities_over_time_show_ten_classes_at_most():
    P = np.random.default_rng(0).dirichlet(np.arange(1, 15), size=3)
    fig, ax = plots.probabilities_over_time(P, [0, 1, 2], [f"class {i}" for i in range(14)])
    shown = [label.get_text() for label in ax.get_yticklabels()]
    assert shown == [f"class {i}" for i in np.argsort(-P.mean(axis=0))[:10]]
    fig.draw_without_rendering()
    boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def test_a_clip_of_one_stretch_can_be_drawn():
    fig, ax = plots.probabilities_over_time([[0.2, 0.8]], [1.5], ["a", "b"])
    assert ax.collections[0].get_coordinates()[0, :, 0].tolist() == [1, 2]


def scatter(points, groups=4):
    import pandas as pd
    import plotnine as p9

    rng = np.random.default_rng(0)
    data = pd.DataFrame(rng.standard_normal((points, 2)), columns=["x", "y"])
    data["group"] = [GENRES[i % groups] for i in range(points)]
    plot = p9.ggplot(data, p9.aes("x", "y", colour="group")) + p9.geom_point()
    return plot + p9.scale_colour_manual(values=plots.palette(groups)) + plots.theme(height=4)


def test_a_plot_of_plotnine_is_shown_and_leaves_nothing_behind():
    import matplotlib
    import matplotlib.pyplot as plt

    plot = scatter(100)
    before = dict(matplotlib.rcParams)
    first, second = plots.show(plot, "100 points"), plots.show(plot, "100 points")
    assert first.kind == "image/svg+xml" and first.data == second.data
    assert plt.get_fignums() == []
    assert dict(matplotlib.rcParams) == before
    assert first.size == (plots.PAGE_DPI * plots.WIDTH_INCHES, plots.PAGE_DPI * 4)


def test_hundreds_of_points_become_a_light_image():
    picture = plots.show(scatter(1000, groups=10), "1000 points")
    assert picture.kind == "image/png" and len(picture.data) < 100_000
    fig, ax = plots.panels()
    ax.scatter(np.arange(1000), np.arange(1000))
    assert plots.show(fig, "1000 points").kind == "image/png"


def test_the_theme_gives_plotnine_the_letters_of_the_other_figures():
    fig = scatter(20).draw()
    fig.draw_without_rendering()
    (ax,) = fig.axes
    sizes = [label.get_fontsize() for label in (*ax.get_xticklabels(), *ax.get_yticklabels())]
    assert set(sizes) == {plots.TICK_SIZE}
    written = {text.get_text(): text.get_fontsize() for text in fig.findobj(Text)}
    assert written["x"] == written["group"] == plots.LABEL_SIZE
    assert written["blues"] == plots.TICK_SIZE


# How the three cones of a reader without green ones see linear RGB (Viénot, Brettel and Mollon
# 1999), so that two colours which differ only from red to green fall together.
DEUTERANOPIA = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1]])
# The same without red ones.
PROTANOPIA = np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1]])


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


@pytest.mark.parametrize(
    "vision", [np.eye(3), DEUTERANOPIA, PROTANOPIA], ids=["usual", "deuteranopia", "protanopia"]
)
def test_colours_of_the_palette_can_be_told_apart_and_seen_on_white(vision):
    colours = plots.palette(10)
    assert len(colours) == 10 and colours[:4] == plots.palette(4)
    for a, b in itertools.combinations([*colours, "#FFFFFF"], 2):
        assert np.linalg.norm(lab(a, vision) - lab(b, vision)) > 15, (a, b)
    assert all(1.05 / (brightness(colour) + 0.05) > 2 for colour in colours)


def piece(parts=(40, 42)):
    """Four bars, of 3/4 and then of 2/4: in each part a note of a quarter on every beat."""
    notes = [
        scores.Note(24 * beat, 24, 60 + beat - 7 * part, part)
        for beat in range(10)
        for part in range(len(parts))
    ]
    meters = [scores.Meter(0, 3, 4), scores.Meter(144, 2, 4)]
    return scores.make_piece(notes, parts, meters)


def boxes(ax):
    """Left, right, middle and colour of every note in a piano roll."""
    return [
        (*path.get_extents().intervalx, path.get_extents().intervaly.mean(), to_rgb(colour))
        for notes in ax.collections[1:]
        for path in notes.get_paths()
        for colour in [notes.get_facecolor()[0][:3]]
    ]


def test_a_piano_roll_shows_each_note_where_it_sounds():
    shown = piece()
    fig, ax = plots.piano_roll(shown, title="Two parts")
    colours = [to_rgb(colour) for colour in plots.palette(2)]
    assert sorted(boxes(ax)) == sorted(
        (note.onset, note.onset + note.length, note.pitch, colours[note.part])
        for note in shown.notes
    )
    assert ax.get_xlim() == (0, 240)
    assert ax.get_xticks().tolist() == [0, 72, 144, 192] and labels(ax.xaxis) == [
        "1",
        "2",
        "3",
        "4",
    ]
    assert dict(zip(ax.get_yticks(), labels(ax.yaxis), strict=True)) == {60: "C4"}
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("Bar", "Pitch", "Two parts")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["Violin", "Cello"]
    assert plots.show(fig, "two parts").kind == "image/svg+xml"


def labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_a_piano_roll_can_show_some_bars():
    fig, ax = plots.piano_roll(piece(), start_bar=1, bars=2)
    assert ax.get_xlim() == (72, 192)
    assert labels(ax.xaxis) == ["2", "3"]
    assert {(left, right) for left, right, *_ in boxes(ax)} == {
        (24 * beat, 24 * beat + 24) for beat in range(3, 8)
    }


@pytest.mark.parametrize(("mark", "step"), [(0, 0), (1, 72), (3, 192), (4, 240)])
def test_a_piano_roll_marks_where_the_network_begins(mark, step):
    fig, ax = plots.piano_roll(piece(), mark=mark)
    (line,) = ax.lines
    assert set(line.get_xdata()) == {step}
    (words,) = ax.texts
    fig.draw_without_rendering()
    assert "network" in words.get_text()
    edge, box = ax.get_window_extent(), words.get_window_extent()
    assert edge.x0 <= box.x0 and box.x1 <= edge.x1
    top = ax.transData.transform((0, max(middle for *_, middle, _ in boxes(ax)) + 0.5))[1]
    assert box.y0 >= top  # no note is hidden


def test_parts_of_one_instrument_are_numbered_and_one_part_needs_no_name():
    names = [
        text.get_text() for text in plots.piano_roll(piece((0, 0)))[1].get_legend().get_texts()
    ]
    assert names == ["Part 1", "Part 2"]
    assert plots.piano_roll(piece((0,)))[1].get_legend() is None


@pytest.mark.parametrize("name", ["start_bar", "bars", "mark"])
@pytest.mark.parametrize("value", [1.5, 2.0, "2", True])
def test_bars_of_a_piano_roll_are_whole(name, value):
    with pytest.raises(InputError, match=f"{name} is {value!r}: give a whole number"):
        plots.piano_roll(piece(), **{name: value})


def test_bars_of_a_piano_roll_may_be_numbers_of_numpy():
    fig, ax = plots.piano_roll(piece(), start_bar=np.int64(1), bars=np.int64(2), mark=np.int64(2))
    assert ax.get_xlim() == (72, 192)


def test_of_more_than_ten_parts_the_colours_repeat():
    notes = [scores.Note(0, 24, 40 + part, part) for part in range(12)]
    colours = [box[-1] for box in boxes(plots.piano_roll(scores.make_piece(notes, [0] * 12))[1])]
    assert colours[10:] == colours[:2] and len(set(colours)) == 10


def test_a_piano_roll_of_many_bars_and_parts_is_legible():
    notes = [
        scores.Note(96 * bar, 96, 40 + 2 * part, part) for bar in range(90) for part in range(12)
    ]
    fig, ax = plots.piano_roll(scores.make_piece(notes, [0] * 11 + [128]))
    fig.draw_without_rendering()
    shown = [label.get_window_extent() for label in ax.get_xticklabels()]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(shown, 2))
    assert len(ax.get_legend().get_texts()) == 12


SEE = list("·s·e·e·")
SKIPS = [False, False, False, True, False, False, False]  # from "s" to "e", but not to the next "e"


def see(steps=6):
    return np.random.default_rng(0).dirichlet(np.ones(len(SEE)), steps)


def test_a_lattice_has_a_circle_for_each_state_at_each_step():
    P = see()
    fig, ax = plots.lattice(P, SEE, skips=SKIPS, title="All paths")
    (circles,) = ax.collections
    places = map(tuple, np.asarray(circles.get_offsets()).tolist())
    shown = dict(zip(places, np.asarray(circles.get_array()), strict=True))
    expected = {(t + 1, j): P[t, j] for t, j in np.ndindex(P.shape)}
    assert shown == pytest.approx(expected)
    assert circles.get_clim() == (0, 1)
    assert labels(ax.yaxis) == SEE and labels(ax.xaxis) == list("123456")
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("Step", "State", "All paths")
    assert "Probability" in [other.get_ylabel() for other in fig.axes]
    plots.show(fig, "a lattice")


def test_the_darker_a_circle_the_more_probable_its_state():
    fig, ax = plots.lattice(np.linspace(0, 1, 12).reshape(4, 3), ["a", "b", "c"])
    fig.draw_without_rendering()
    (circles,) = ax.collections
    shades = [lab(colour[:3], DEUTERANOPIA)[0] for colour in circles.get_facecolors()]
    assert (np.diff(shades) < 0).all()


def ways(ax):
    """From which state to which a lattice draws a way, at each step."""
    found = {}
    for line in ax.lines:
        (t, after), (lower, upper) = line.get_xdata(), line.get_ydata()
        assert after == t + 1
        found.setdefault(int(t), []).append((int(lower), int(upper)))
    return {t: sorted(lines) for t, lines in found.items()}


@pytest.mark.parametrize("skips", [(), SKIPS, np.array(SKIPS)], ids=["none", "list", "array"])
def test_a_lattice_draws_each_way_once(skips):
    stay, go = [(j, j) for j in range(7)], [(j, j + 1) for j in range(6)]
    expected = sorted(stay + go + ([(1, 3)] if len(skips) else []))
    assert ways(plots.lattice(see(), SEE, skips=skips)[1]) == {t: expected for t in range(1, 6)}


def test_a_lattice_of_one_step_has_no_ways():
    assert ways(plots.lattice(see(1), SEE, skips=SKIPS)[1]) == {}


def test_the_circles_of_a_long_word_do_not_touch():
    fig, ax = plots.lattice(see(10)[:, [0, 1, 2, 3, 4, 5, 6] * 2], SEE * 2)
    fig.draw_without_rendering()
    (circles,) = ax.collections
    width = np.sqrt(circles.get_sizes()[0]) * fig.dpi / 72
    across, up = np.diff(ax.transData.transform([(1, 0), (2, 1)]), axis=0)[0]
    assert width < across and width < up


def said(*spans, **options):
    """A spectrogram of a second with words in it."""
    ax = plots.spectrogram(stft(tone()), SR, 128)[1]
    return plots.words(spans, ax=ax, **options)


def test_words_stand_above_the_picture_where_they_are_spoken():
    fig, ax = plots.spectrogram(stft(tone()), SR, 128)
    limits = ax.get_xlim(), ax.get_ylim()
    spans = [("see", 0.1, 0.3), ("it", 0.35, 0.45), ("now", 0.6, 0.9)]
    assert plots.words(spans, ax=ax) == (fig, ax)
    assert (ax.get_xlim(), ax.get_ylim()) == limits  # the time axis is that of the sound
    assert [(text.get_text(), text.xy[0]) for text in ax.texts] == [
        ("see", pytest.approx(0.2)),
        ("it", pytest.approx(0.4)),
        ("now", pytest.approx(0.75)),
    ]
    starts = [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == "--"]
    ends = [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == ":"]
    assert (starts, ends) == ([0.1, 0.35, 0.6], [0.3, 0.45, 0.9])
    top = ax.get_window_extent().y1
    fig.draw_without_rendering()
    assert all(text.get_window_extent().y0 >= top - 10 for text in ax.texts)
    assert plots.show(fig, "three words").kind == "image/png"


def test_words_may_tell_how_sure_they_are():
    fig, ax = said(("see", 0.1, 0.3), ("it", 0.35, 0.45), confidences=[0.987, 0.1])
    assert [text.get_text() for text in ax.texts] == ["see 99 %", "it 10 %"]


def test_no_words_and_words_without_length_can_be_drawn():
    assert list(said()[1].texts) == []
    assert [text.get_text() for text in said(("a", 0.5, 0.5))[1].texts] == ["a"]


def test_words_stay_in_the_figure_and_apart():
    spoken = "we saw the grandmother near my house today".split()
    spans = [(word, k / 8, (k + 0.9) / 8) for k, word in enumerate(spoken)]
    fig, ax = said(*spans, confidences=[1.0] * 8)
    fig.draw_without_rendering()
    extents = [text.get_window_extent() for text in ax.texts]
    assert all(0 <= box.x0 and box.x1 <= fig.bbox.x1 and box.y1 <= fig.bbox.y1 for box in extents)
    # They are turned, so what counts is how far apart their lines run.
    feet = np.array([ax.transData.transform((text.xy[0], 0))[0] for text in ax.texts])
    apart = np.diff(feet) * np.sin(np.radians(ax.texts[0].get_rotation()))
    assert (apart > ax.texts[0].get_fontsize() * fig.dpi / 72).all()
