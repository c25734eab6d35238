"""Every figure of the book: sounds, losses, what a classifier says, and how they are shown.

Each function draws on the `ax` that it is given, or on a new figure of its own, and returns
`fig, ax`. The figures are plain `matplotlib.figure.Figure` objects that pyplot knows nothing of:
nothing is shown twice, nothing piles up in memory, and no setting of the reader's is changed.
Colours come from maps and a cycle that readers with any common colour vision can tell apart.
"""

from __future__ import annotations

import copy
import io
import numbers
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from audiostyle_utils._checks import is_whole
from audiostyle_utils.errors import InputError
from audiostyle_utils.pictures import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from audiostyle_utils.scores import Piece

# The colours of Okabe and Ito that stand out on white, darkest contrasts first.
COLOURS = ("#0072B2", "#D55E00", "#000000", "#009E73", "#CC79A7", "#E69F00")
# Four more that stand apart from these and from each other, for groups of points.
MORE_COLOURS = ("#4411CC", "#CC1144", "#8877FF", "#660000")
LINE_STYLES = ("-", "--", "-.", (0, (1, 1)))
SPECTROGRAM_MAP = "magma"
SHARE_MAP = "Blues"
# Above this share the map is so dark that letters on it are white.
DARK_SHARE = 0.715

# A figure this wide keeps its letters at 10 pixels or more when a phone scales it to its screen.
WIDTH_INCHES = 6.0
TITLE_SIZE, LABEL_SIZE, TICK_SIZE = 14, 13, 12
PNG_DPI = 130
PAGE_DPI = 96
ENVELOPE_COLUMNS = 500
CLASS_ROWS = 10
# Each point of an SVG takes half a kilobyte; with more than these, PNG is smaller.
SVG_POINTS = 200


def panels(rows: int = 1, columns: int = 1, *, height: float = 2.9) -> tuple[Figure, Any]:
    """Make an empty figure with one or several axes, as wide as the page's column.

    Parameters
    ----------
    rows, columns : int
        Number of axes down and across, at least 1.
    height : float
        Height of one row in inches.

    Returns
    -------
    fig : matplotlib.figure.Figure
    axes : matplotlib.axes.Axes or np.ndarray of them
        One axes for 1 x 1, else an array: (rows,), (columns,) or (rows, columns).

    Raises
    ------
    InputError
        If a number is below 1.

    Chapter
    -------
    01_style_transfer
    """
    from matplotlib.figure import Figure

    if rows < 1 or columns < 1:
        raise InputError(f"panels needs at least one row and one column, got {rows} x {columns}")
    fig = Figure(figsize=(WIDTH_INCHES, height * rows), layout="constrained", facecolor="white")
    return fig, fig.subplots(rows, columns)


def spectrogram(
    D_or_db: np.ndarray,
    sr: float,
    hop_length: int = 512,
    *,
    ax: Axes | None = None,
    title: str | None = None,
    y_axis: str = "log",
    fmin: float = 0.0,
    fmax: float | None = None,
    top_db: float = 80.0,
    label: str = "Level (dB)",
) -> tuple[Figure, Axes]:
    """Draw a spectrogram: time across, frequency up, level as brightness.

    Parameters
    ----------
    D_or_db : np.ndarray, (1 + n_fft // 2, frames) or (n_mels, frames)
        A complex STFT, turned here into dB below its peak; or real values, drawn as they stand
        (in dB unless `label` says otherwise). Turn a magnitude into dB first: `spectra.to_db`.
    sr : float
        Sampling rate in Hz.
    hop_length : int
        Samples from one frame to the next.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure without it.
    title : str, optional
        Heading of the plot.
    y_axis : {"log", "linear", "mel"}
        Frequency axis. "mel" says that the rows are mel bands from `fmin` to `fmax`.
    fmin, fmax : float
        Ends of the mel bands in Hz; `fmax` is half the sampling rate without it.
    top_db : float
        Range of the colours below the loudest point, in the unit of `label`; above 0.
    label : str
        Name and unit beside the colour bar.

    Returns
    -------
    fig : matplotlib.figure.Figure
    ax : matplotlib.axes.Axes
        Time in seconds and frequency in Hz.

    Raises
    ------
    InputError
        If the array is not two-dimensional, finite and filled, or an option is not known.

    Chapter
    -------
    01_style_transfer
    """
    from librosa.display import specshow
    from matplotlib.ticker import MaxNLocator

    values = _levels(D_or_db, top_db)
    _check_axis(sr, hop_length, y_axis, top_db)
    if ax is None:
        ax = panels(height=3.2)[1]
    drawn = specshow(
        values,
        sr=sr,
        hop_length=hop_length,
        x_axis="s",
        y_axis=y_axis,
        fmin=fmin,
        fmax=sr / 2 if fmax is None else fmax,
        ax=ax,
        cmap=SPECTROGRAM_MAP,
        vmin=values.max() - top_db,
        vmax=values.max(),
    )
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    bar = ax.figure.colorbar(drawn, ax=ax, pad=0.02)
    bar.set_label(label, fontsize=LABEL_SIZE)
    bar.ax.tick_params(labelsize=TICK_SIZE)
    return _dress(ax, title, "Time (s)", "Frequency (Hz)")


def waveform(
    y: np.ndarray, sr: float, *, ax: Axes | None = None, title: str | None = None
) -> tuple[Figure, Axes]:
    """Draw a signal against time.

    A long signal is drawn as its envelope, the lowest and the highest sample of each of a few
    hundred stretches: it looks the same and weighs a hundredth.

    Parameters
    ----------
    y : np.ndarray, (samples,) or (channels, samples)
        The signal; each channel gets its own colour.
    sr : float
        Sampling rate in Hz.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure without it.
    title : str, optional
        Heading of the plot.

    Returns
    -------
    fig : matplotlib.figure.Figure
    ax : matplotlib.axes.Axes
        Time in seconds, amplitude without unit, the same distance above and below zero.

    Raises
    ------
    InputError
        If the signal is not one- or two-dimensional, finite and filled, or `sr` is not above 0.

    Chapter
    -------
    01_style_transfer
    """
    y = _finite(y, "y", (1, 2))
    if not sr > 0:
        raise InputError(f"sr={sr!r}: a sampling rate is above 0 Hz")
    channels = np.atleast_2d(y)
    if ax is None:
        ax = panels(height=2.2)[1]
    for i, channel in enumerate(channels):
        name = f"channel {i + 1}" if len(channels) > 1 else None
        _draw_channel(ax, channel, sr, COLOURS[i % len(COLOURS)], name)
    reach = 1.05 * float(np.abs(y).max()) or 1.0
    ax.set(xlim=(0, channels.shape[1] / sr), ylim=(-reach, reach))
    if len(channels) > 1:
        ax.legend(fontsize=TICK_SIZE, loc="upper right")
    return _dress(ax, title, "Time (s)", "Amplitude")


def loss_curve(
    losses: Sequence[float] | Sequence[Sequence[float]] | Mapping[str, Any],
    *,
    ax: Axes | None = None,
    labels: str | Sequence[str] | None = None,
    log: bool = True,
    x: Sequence[float] | None = None,
    xlabel: str = "Iteration",
    ylabel: str = "Loss",
    title: str | None = None,
) -> tuple[Figure, Axes]:
    """Draw one or several losses against the iteration, the time or whatever `x` is.

    Parameters
    ----------
    losses : sequence of float, sequence of sequences, or mapping
        One curve; several; or label -> values, or label -> (x, values) where each curve has
        an x of its own.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure without it.
    labels : str or sequence of str, optional
        Names of the curves, where `losses` is no mapping.
    log : bool
        Logarithmic loss axis; values of 0 and below are left out of it.
    x : sequence of float, optional
        Positions of the values; 0, 1, 2, ... without it.
    xlabel, ylabel : str
        Names of the axes, with their units.
    title : str, optional
        Heading of the plot.

    Returns
    -------
    fig : matplotlib.figure.Figure
    ax : matplotlib.axes.Axes

    Raises
    ------
    InputError
        If there is nothing to draw, or labels, x and values do not agree in number.

    Chapter
    -------
    01_style_transfer
    """
    curves = _curves(losses, labels, x)
    if ax is None:
        ax = panels(height=3.4)[1]
    for i, (name, at, values) in enumerate(curves):
        style = LINE_STYLES[i % len(LINE_STYLES)]
        colour = COLOURS[i % len(COLOURS)]
        ax.plot(at, values, linestyle=style, color=colour, linewidth=2, label=name)
    ax.set_yscale("log" if log else "linear", **({"nonpositive": "mask"} if log else {}))
    ax.grid(True, which="major", alpha=0.3)
    if any(name for name, _, _ in curves):
        ax.legend(fontsize=TICK_SIZE)
    return _dress(ax, title, xlabel, ylabel)


def confusion(
    matrix: np.ndarray, names: Sequence[str], *, ax: Axes | None = None, title: str | None = None
) -> tuple[Figure, Axes]:
    """Draw a confusion matrix: a row for each true class, a column for each predicted one.

    The numbers are counts, and zeros are left blank. The shade is the part of the row, so that a
    class with few tracks is as plain to see as one with many.

    Parameters
    ----------
    matrix : np.ndarray, (classes, classes)
        Counts, 0 or more, as `sklearn.metrics.confusion_matrix` gives them.
    names : sequence of str
        Names of the classes in the order of the matrix.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure without it.
    title : str, optional
        Heading of the plot.

    Returns
    -------
    fig : matplotlib.figure.Figure
    ax : matplotlib.axes.Axes
        Predicted classes across, true classes down.

    Raises
    ------
    InputError
        If the matrix is not square, finite and free of negative numbers, or `names` does not fit.

    Chapter
    -------
    02_genre_cnn
    """
    counts = _finite(matrix, "matrix", (2,))
    names = _names(names, len(counts))
    if counts.shape[0] != counts.shape[1] or counts.min() < 0:
        raise InputError(
            f"matrix has shape {counts.shape} and a least value of {counts.min():g}: "
            "give counts of 0 or more, one row and one column for each class"
        )
    if ax is None:
        ax = panels(height=1.6 + 0.38 * len(names))[1]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    # Separate cells, not one image: the figure stays SVG, with sharp numbers at any size.
    ax.pcolor(shares, cmap=SHARE_MAP, vmin=0, vmax=1, edgecolors="0.85", linewidth=0.5)
    for row, column in np.argwhere(counts > 0):
        colour = "white" if shares[row, column] > DARK_SHARE else "black"
        where = {"ha": "center", "va": "center", "fontsize": TICK_SIZE, "color": colour}
        ax.text(column + 0.5, row + 0.5, f"{counts[row, column]:.4g}", **where)
    centres = np.arange(len(names)) + 0.5
    ax.set_xticks(centres, names, rotation=90)
    ax.set_yticks(centres, names)
    ax.invert_yaxis()
    ax.tick_params(length=0)
    return _dress(ax, title, "Predicted", "True")


def probabilities_over_time(
    P: np.ndarray,
    times: Sequence[float],
    names: Sequence[str],
    *,
    ax: Axes | None = None,
    title: str | None = None,
) -> tuple[Figure, Axes]:
    """Draw how probable each class is along a recording: the darker, the more probable.

    The classes stand in the order of their mean probability, the most probable on top. Of more
    than ten, the first ten are shown.

    Parameters
    ----------
    P : np.ndarray, (times, classes)
        Probabilities, from 0 to 1.
    times : sequence of float
        The middle of the stretch that each row of `P` stands for, in seconds, rising.
    names : sequence of str
        Names of the classes in the order of the columns of `P`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure without it.
    title : str, optional
        Heading of the plot.

    Returns
    -------
    fig : matplotlib.figure.Figure
    ax : matplotlib.axes.Axes
        Time in seconds across, classes down.

    Raises
    ------
    InputError
        If `P` holds anything but probabilities, or `times` or `names` do not fit it.

    Chapter
    -------
    02_genre_cnn
    """
    from matplotlib.ticker import MaxNLocator

    P = _finite(P, "P", (2,))
    names, edges = _names(names, P.shape[1]), _edges(times, len(P))
    if P.min() < 0 or P.max() > 1 + 1e-3:
        raise InputError(f"P goes from {P.min():g} to {P.max():g}: give probabilities, 0 to 1")
    order = np.argsort(-P.mean(axis=0), kind="stable")[:CLASS_ROWS]
    if ax is None:
        ax = panels(height=1.4 + 0.26 * len(order))[1]
    rows = np.arange(len(order) + 1)
    drawn = ax.pcolormesh(edges, rows, P[:, order].T, cmap=SHARE_MAP, vmin=0, vmax=1)
    ax.set_yticks(rows[:-1] + 0.5, [names[i] for i in order])
    ax.tick_params(axis="y", length=0)
    ax.invert_yaxis()
    ax.hlines(rows[1:-1], edges[0], edges[-1], color="0.85", linewidth=0.5)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 3, 5, 6, 10]))
    bar = ax.figure.colorbar(drawn, ax=ax, pad=0.02)
    bar.set_label("Probability", fontsize=LABEL_SIZE)
    bar.ax.tick_params(labelsize=TICK_SIZE)
    return _dress(ax, title, "Time (s)", "")


def lattice(
    P: np.ndarray,
    states: Sequence[str],
    *,
    skips: Sequence[bool] = (),
    ax: Axes | None = None,
    title: str | None = None,
) -> tuple[Figure, Axes]:
    """Draw the states that paths may take at each step: the darker, the more probable.

    Lines show where a path may go: it stays, it goes on to the next state, or it skips one.

    Parameters
    ----------
    P : np.ndarray, (steps, states)
        Probability of each state at each step, from 0 to 1.
    states : sequence of str
        Names of the states in the order of the columns of `P`, drawn from the bottom to the top.
    skips : sequence of bool
        For each state, whether a path may come to it from the state before the last; none may
        without it.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure without it.
    title : str, optional
        Heading of the plot.

    Returns
    -------
    fig : matplotlib.figure.Figure
    ax : matplotlib.axes.Axes
        Steps across, counted from 1; states up.

    Raises
    ------
    InputError
        If `P` holds anything but probabilities, or `states` or `skips` do not fit it.

    Chapter
    -------
    04_ctc_transcription
    """
    P = _finite(P, "P", (2,))
    names = _names(states, P.shape[1])
    skips = list(skips) or [False] * len(names)
    if P.min() < -1e-3 or P.max() > 1 + 1e-3 or len(skips) != len(names):
        raise InputError(
            f"P goes from {P.min():g} to {P.max():g} with {len(skips)} skips for {len(names)} "
            "states: give probabilities, 0 to 1, and one skip for each state"
        )
    if ax is None:
        ax = panels(height=1.2 + 0.42 * len(names))[1]
    _draw_ways(ax, len(P), skips)
    step, state = np.indices(P.shape).reshape(2, -1)
    look = {"cmap": SHARE_MAP, "vmin": 0, "vmax": 1, "edgecolors": "0.3", "zorder": 2}
    drawn = ax.scatter(step + 1, state, 330, P.ravel(), **look)
    ax.set_yticks(range(len(names)), names)
    ax.set_xticks(range(1, len(P) + 1))
    ax.margins(0.08)
    bar = ax.figure.colorbar(drawn, ax=ax, pad=0.02)
    bar.set_label("Probability", fontsize=LABEL_SIZE)
    bar.ax.tick_params(labelsize=TICK_SIZE)
    return _dress(ax, title, "Step", "State")


def words(
    spans: Sequence[tuple[str, float, float]],
    *,
    ax: Axes,
    confidences: Sequence[float] = (),
) -> tuple[Figure, Axes]:
    """Write words into a picture over time, with lines where they begin and end.

    Parameters
    ----------
    spans : sequence of (str, float, float)
        Each word, with its beginning and its end in seconds.
    ax : matplotlib.axes.Axes
        The picture, such as `spectrogram` has drawn it.
    confidences : sequence of float, optional
        How sure each word is, from 0 to 1. It is written beside the word, in per cent.

    Returns
    -------
    fig : matplotlib.figure.Figure
    ax : matplotlib.axes.Axes
        The same axes, with room for the words above the picture.

    Raises
    ------
    InputError
        If a word ends before it begins, or the confidences do not fit the words.

    Chapter
    -------
    04_ctc_transcription
    """
    confidences = list(confidences)
    if confidences and len(confidences) != len(spans):
        raise InputError(f"{len(confidences)} confidences for {len(spans)} words: give one each")
    for k, (word, first, last) in enumerate(spans):
        if not 0 <= first <= last:
            raise InputError(f"the word {word!r} goes from {first} to {last} s: let it end later")
        middle, text = (first + last) / 2, word
        if confidences:
            text += f" {100 * confidences[k]:.0f} %"
        ax.axvspan(first, last, color="white", alpha=0.18 if k % 2 else 0, linewidth=0)
        ax.axvline(first, color="white", linewidth=1, linestyle="--")
        ax.axvline(last, color="white", linewidth=1, linestyle=":")
        where = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
        turned = {"rotation": 50, "rotation_mode": "anchor", "fontsize": TICK_SIZE - 1}
        ax.annotate(text, (middle, 1.0), (0, 3), **where, **turned)
    return ax.figure, ax


def piano_roll(
    piece: Piece,
    *,
    ax: Axes | None = None,
    start_bar: int = 0,
    bars: int | None = None,
    mark: int | None = None,
    title: str | None = None,
) -> tuple[Figure, Axes]:
    """Draw notes as bars: time across, pitch up, a colour for each part.

    There are ten colours: of more than ten parts the eleventh has the colour of the first again,
    and so on.

    Parameters
    ----------
    piece : scores.Piece
        The music.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure without it.
    start_bar : int
        How many bars to leave out at the beginning.
    bars : int, optional
        How many to draw; None draws all that follow.
    mark : int, optional
        How many bars of the piece were given; what follows the line drawn after them is by the
        network.
    title : str, optional
        Heading of the plot.

    Returns
    -------
    fig : matplotlib.figure.Figure
    ax : matplotlib.axes.Axes
        Time in steps across, with the numbers of the bars, counted from 1, at their barlines; MIDI
        pitch up, with the names of the Cs.

    Raises
    ------
    InputError
        If a number of bars is not whole or out of the piece, or `mark` is not within what is drawn.

    Chapter
    -------
    03_lstm_music
    """
    _check_bars(start_bar=start_bar, bars=bars, mark=mark)
    lines = _lines_of(piece, start_bar, bars)
    if ax is None:
        ax = panels(height=3.4)[1]
    seen = [n for n in piece.notes if n.onset < lines[-1] and n.onset + n.length > lines[0]]
    pitches = [note.pitch for note in seen] or [60]
    low, high = min(pitches) - 2, max(pitches) + 2
    if mark is not None:
        high += max(3, (high - low) // 7)  # room for the words beside the line
    ax.vlines(lines, low, high, color="0.8", linewidth=0.8, zorder=0)
    _draw_notes(ax, piece, seen)
    ax.set(xlim=(lines[0], lines[-1]), ylim=(low, high))
    step = -(-(len(lines) - 1) // 12)
    ax.set_xticks(lines[:-1:step], range(start_bar + 1, start_bar + len(lines), step))
    octaves = range(-(-low // 12), high // 12 + 1)
    ax.set_yticks([12 * octave for octave in octaves], [f"C{octave - 1}" for octave in octaves])
    if mark is not None:
        _draw_mark(ax, mark - start_bar, lines, high)
    return _dress(ax, title, "Bar", "Pitch")


def palette(n: int) -> tuple[str, ...]:
    """Give colours for groups, told apart by readers with any common colour vision.

    More than six of them are only as good as the names beside them: write each group's name where
    its points lie, too.

    Parameters
    ----------
    n : int
        How many, from 1 to 10.

    Returns
    -------
    tuple of str
        Colours as ``#RRGGBB``; the same first ones for any `n`.

    Raises
    ------
    InputError
        If `n` is not from 1 to 10: more colours cannot be told apart.

    Chapter
    -------
    02_genre_cnn
    """
    colours = COLOURS + MORE_COLOURS
    if not isinstance(n, numbers.Integral) or not 1 <= n <= len(colours):
        raise InputError(f"palette({n!r}): give a number from 1 to {len(colours)}, or merge groups")
    return colours[:n]


def theme(height: float = 4.5) -> Any:
    """Give a plotnine plot the size and the letters of the other figures.

    Parameters
    ----------
    height : float
        Height of the figure in inches.

    Returns
    -------
    plotnine.theme
        To be added to a plot, after any other whole theme: ``ggplot(...) + ... + plots.theme()``.

    Raises
    ------
    InputError
        If `height` is not above 0.

    Chapter
    -------
    02_genre_cnn
    """
    from plotnine import element_text, theme, theme_minimal

    if not height > 0:
        raise InputError(f"height={height!r}: give inches above 0")
    return theme_minimal(base_size=TICK_SIZE) + theme(
        figure_size=(WIDTH_INCHES, height),
        axis_text=element_text(size=TICK_SIZE),
        axis_title=element_text(size=LABEL_SIZE),
        legend_text=element_text(size=TICK_SIZE),
        legend_title=element_text(size=LABEL_SIZE),
        strip_text=element_text(size=LABEL_SIZE),
        plot_title=element_text(size=TITLE_SIZE),
    )


def show(fig: Any, alt: str) -> Picture:
    """Turn a figure into something that a notebook shows, with a description for every reader.

    Figures of lines become SVG, sharp at any size. Those that hold an image, a spectrogram or
    hundreds of points become PNG, which is far smaller for them.

    Parameters
    ----------
    fig : matplotlib.figure.Figure or plotnine.ggplot
        The figure; if pyplot made it, it is closed there, so that it is not shown twice. A plot of
        plotnine is drawn.
    alt : str
        What the figure shows, in a sentence or two, for a reader who cannot see it.

    Returns
    -------
    Picture
        Displays itself when it is the last value of a cell.

    Raises
    ------
    InputError
        If `alt` is missing or blank.

    Chapter
    -------
    01_style_transfer
    """
    if not isinstance(alt, str) or not alt.strip():
        raise InputError("alt is blank: say in a sentence what the figure shows")
    if type(fig).__module__.partition(".")[0] == "plotnine":
        # A plot keeps what was drawn of it, and a second drawing would go on top.
        fig = copy.deepcopy(fig).draw()
    fig = fig.figure  # a subfigure is saved with the figure that it belongs to
    kind, data = _image(fig)
    # Only look pyplot up: importing it here would choose a backend for the reader.
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(fig)
    width, height = (round(PAGE_DPI * inches) for inches in fig.get_size_inches())
    return Picture(" ".join(alt.split()), kind, data, (width, height))


def _image(fig: Figure) -> tuple[str, bytes]:
    from matplotlib import rc_context
    from matplotlib.collections import PathCollection, QuadMesh
    from matplotlib.image import AxesImage

    buffer = io.BytesIO()
    points = sum(len(artist.get_offsets()) for artist in fig.findobj(PathCollection))
    if points > SVG_POINTS or fig.findobj(lambda a: isinstance(a, AxesImage | QuadMesh)):
        fig.savefig(buffer, format="png", dpi=PNG_DPI)
        return "image/png", _palette(buffer)
    # No date and fixed names inside: the same figure gives the same bytes.
    with rc_context({"svg.hashsalt": "audiostyle", "svg.fonttype": "path"}):
        fig.savefig(buffer, format="svg", metadata={"Date": None})
    return "image/svg+xml", buffer.getvalue()


def _palette(png: io.BytesIO) -> bytes:
    """Store an image with 256 colours: a spectrogram looks the same and weighs a third."""
    from PIL import Image

    small = io.BytesIO()
    image = Image.open(png).convert("RGB")
    image.quantize(256, dither=Image.Dither.NONE).save(small, format="png", optimize=True)
    return small.getvalue()


def _finite(values: Any, name: str, dimensions: tuple[int, ...]) -> np.ndarray:
    values = np.asarray(values)
    if values.ndim not in dimensions or not values.size:
        wanted = " or ".join(str(d) for d in dimensions)
        raise InputError(
            f"{name} has shape {values.shape}: give a filled array of {wanted} dimension(s)"
        )
    if not np.issubdtype(values.dtype, np.number) or not np.isfinite(values).all():
        raise InputError(f"{name} holds values that are not finite numbers: repair or drop them")
    return values


def _names(names: Sequence[str], classes: int) -> list[str]:
    names = [str(name) for name in names]
    if len(names) != classes:
        raise InputError(f"{len(names)} names for {classes} classes: give one for each")
    return names


def _check_bars(start_bar: Any, **optional: Any) -> None:
    given = {name: value for name, value in optional.items() if value is not None}
    for name, value in {"start_bar": start_bar, **given}.items():
        if not is_whole(value):
            raise InputError(f"{name} is {value!r}: give a whole number of bars")


def _lines_of(piece: Piece, start_bar: int, bars: int | None) -> list[int]:
    """Return the barlines of the bars asked for, in steps."""
    lines = piece.barlines
    last = len(lines) - 1 if bars is None else min(start_bar + bars, len(lines) - 1)
    if not 0 <= start_bar < last:
        raise InputError(
            f"start_bar={start_bar!r}, bars={bars!r}: the piece has {len(lines) - 1} bars; "
            "leave out fewer of them, and draw at least one"
        )
    return lines[start_bar : last + 1]


def _draw_notes(ax: Axes, piece: Piece, notes: Sequence[Any]) -> None:
    from matplotlib.collections import PolyCollection

    from audiostyle_utils.scores import instruments

    names = [*instruments(), "Drums"]
    labels = [names[program] for program in piece.parts]
    if len(set(labels)) < len(labels):
        labels = [f"Part {part + 1}" for part in range(len(labels))]
    colours = palette(10)
    for part, label in enumerate(labels):
        corners = [
            [(left, low), (right, low), (right, low + 1), (left, low + 1)]
            for left, right, low in (
                (n.onset, n.onset + n.length, n.pitch - 0.5) for n in notes if n.part == part
            )
        ]
        # The white edge parts a note from the same one repeated.
        style = {"facecolor": colours[part % 10], "edgecolor": "white", "linewidth": 0.3}
        ax.add_collection(PolyCollection(corners, label=label, **style), autolim=False)
    if len(labels) > 1:
        where = {"loc": "upper left", "bbox_to_anchor": (0, -0.18), "ncols": min(4, len(labels))}
        ax.legend(fontsize=TICK_SIZE, frameon=False, handlelength=1, columnspacing=1, **where)


def _draw_ways(ax: Axes, steps: int, skips: Sequence[bool]) -> None:
    """Draw a line for each way from one step to the next."""
    for state, skip in enumerate(skips):
        for jump in range(min(state, 2 if skip else 1) + 1):
            across, up = np.arange(1, steps)[:, None] + [0, 1], [state - jump, state]
            ax.plot(across.T, np.tile(up, (steps - 1, 1)).T, color="0.75", linewidth=1, zorder=1)


def _draw_mark(ax: Axes, mark: int, lines: list[int], high: int) -> None:
    if not 0 <= mark < len(lines):
        raise InputError(
            "mark is not among the bars drawn: give the number of bars that come before the line"
        )
    ax.axvline(lines[mark], color="black", linestyle="--", linewidth=1.5)
    right = 2 * mark < len(lines)
    where = {"xytext": (5 if right else -5, -4), "textcoords": "offset points", "va": "top"}
    where["ha"] = "left" if right else "right"
    words = "by the network from here" if right else "from here by the network \u2192"
    ax.annotate(words, (lines[mark], high), fontsize=TICK_SIZE, **where)


def _edges(times: Sequence[float], count: int) -> np.ndarray:
    """Return where the stretches around `times` meet, and the ends of the first and the last."""
    times = _finite(times, "times", (1,)).astype(float)
    if len(times) != count or (np.diff(times) <= 0).any():
        raise InputError(
            f"times has {len(times)} values for {count} rows of P, or does not rise: "
            "give one time in seconds for each row, each later than the one before"
        )
    if count == 1:  # nothing tells how long the only stretch is
        return times + np.array([-0.5, 0.5])
    middles = (times[1:] + times[:-1]) / 2
    return np.concatenate([[2 * times[0] - middles[0]], middles, [2 * times[-1] - middles[-1]]])


def _levels(D_or_db: np.ndarray, top_db: float) -> np.ndarray:
    values = _finite(D_or_db, "the spectrogram", (2,))
    if not np.iscomplexobj(values):
        return values
    S = np.abs(values)
    peak = S.max()
    if peak == 0:  # silence: nothing stands above the floor
        return np.full(S.shape, -float(top_db))
    return 20 * np.log10(np.maximum(S / peak, 10 ** (-top_db / 20)))


def _check_axis(sr: float, hop_length: int, y_axis: str, top_db: float) -> None:
    if not sr > 0 or not hop_length > 0 or not top_db > 0:
        raise InputError(
            f"sr={sr!r}, hop_length={hop_length!r}, top_db={top_db!r}: all must be above 0"
        )
    if y_axis not in ("log", "linear", "mel"):
        raise InputError(f'y_axis={y_axis!r}: use "log", "linear" or "mel"')


def _draw_channel(ax: Axes, y: np.ndarray, sr: float, colour: str, name: str | None) -> None:
    if len(y) <= 2 * ENVELOPE_COLUMNS:
        ax.plot(np.arange(len(y)) / sr, y, color=colour, linewidth=1.2, label=name)
        return
    starts = np.linspace(0, len(y), ENVELOPE_COLUMNS, endpoint=False).astype(int)
    low, high = np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)
    ax.fill_between(starts / sr, low, high, color=colour, alpha=0.8, linewidth=0.6, label=name)


def _curves(losses: Any, labels: Any, x: Any) -> list[tuple[str | None, np.ndarray, np.ndarray]]:
    if isinstance(losses, Mapping):
        named = list(losses.items())
    else:
        several = len(losses) > 0 and np.ndim(losses[0]) > 0
        curves = list(losses) if several else [losses]
        names = [labels] if isinstance(labels, str) else labels or [None] * len(curves)
        if len(names) != len(curves):
            raise InputError(f"{len(names)} labels for {len(curves)} curves: give one for each")
        named = list(zip(names, curves, strict=True))
    if not named:
        raise InputError("losses is empty: there is nothing to draw")
    return [_curve(name, curve, x) for name, curve in named]


def _curve(name: str | None, curve: Any, x: Any) -> tuple[str | None, np.ndarray, np.ndarray]:
    # A tuple of two sequences is (x, values); a list or an array of two numbers is a short curve.
    if isinstance(curve, tuple) and len(curve) == 2 and np.ndim(curve[0]) == 1:
        x, curve = curve
    values = np.asarray(curve, dtype=float)
    at = np.arange(values.size) if x is None else np.asarray(x, dtype=float)
    if values.ndim != 1 or not values.size or at.shape != values.shape:
        raise InputError(
            f"curve {name or ''} has values of shape {values.shape} and x of shape {at.shape}: "
            "give one x for each value, and at least one value"
        )
    return name, at, values


def _dress(ax: Axes, title: str | None, xlabel: str, ylabel: str) -> tuple[Figure, Axes]:
    ax.set_xlabel(xlabel, fontsize=LABEL_SIZE)
    ax.set_ylabel(ylabel, fontsize=LABEL_SIZE)
    ax.tick_params(labelsize=TICK_SIZE)
    if title:
        ax.set_title(title, fontsize=TITLE_SIZE)
    return ax.figure, ax
