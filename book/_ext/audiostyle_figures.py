"""The figures of the results page, with descriptions that are written from the same numbers."""

import textwrap

from audiostyle_nodes import number
from matplotlib.figure import Figure

from audiostyle_utils import plots

# Letters of a name that fit beside a plot.
_LETTERS = 23
_TITLE_LETTERS = 58
_MARKS = "D^vPX*<>"
# Of more rows than this, the description gives ranges.
_MANY = 8
BETTER = {"lower": "lower is better", "higher": "higher is better"}


def draw_headlines(panels):
    """Draw one bar for each method, a plot for each measure, each with a scale of its own."""
    rows = [len(panel.values) for panel in panels]
    height = sum(0.42 * count + 0.75 for count in rows)
    fig = Figure(figsize=(plots.WIDTH_INCHES, height), layout="constrained", facecolor="white")
    ratios = [0.42 * count + 0.5 for count in rows]
    axes = fig.subplots(len(panels), 1, height_ratios=ratios, squeeze=False)[:, 0]
    for ax, panel in zip(axes, panels, strict=True):
        _bars(ax, panel)
    fig.get_layout_engine().set(hspace=0.08)
    return plots.show(fig, " ".join(map(describe_panel, panels)))


def _bars(ax, panel):
    names = [textwrap.fill(name, _LETTERS) for name, _ in panel.values]
    values = [value.value for _, value in panel.values]
    ax.barh(names, values, height=0.66, color=[_look(name, 0)[0] for name, _ in panel.values])
    ends = [value.value if value.high is None else value.high for _, value in panel.values]
    beside = {"xytext": (5, 0), "textcoords": "offset points", "va": "center"}
    words = [value.short for _, value in panel.values]
    for place, (_, value) in enumerate(panel.values):
        if value.low is not None:
            ax.plot([value.low, value.high], [place, place], color="0.35", linewidth=1.5)
        ax.annotate(words[place], (max(ends[place], 0), place), **beside, fontsize=plots.TICK_SIZE)
    ax.invert_yaxis()
    room = 1.05 + 0.035 * max(map(len, words))
    ax.set_xlim(min(*values, 0.0) * 1.05, max(*ends, 0.0) * room)
    ax.set_xticks([])
    ax.tick_params(axis="y", labelsize=plots.TICK_SIZE, length=0)
    ax.spines[["top", "right", "bottom"]].set_visible(False)
    _head(ax, _titled(panel.title, panel.unit_of_title, panel.better))


def _head(ax, title):
    """Write a title that begins at the left end of the figure, not of the plot."""
    lines = textwrap.wrap(title, _TITLE_LETTERS)
    # The plot's own title only keeps the room.
    ax.set_title("\n".join(" " for _ in lines), fontsize=plots.LABEL_SIZE)
    ax.annotate(
        "\n".join(lines),
        (0.01, 1.0),
        (0, 6),
        xycoords=("figure fraction", "axes fraction"),
        textcoords="offset points",
        fontsize=plots.LABEL_SIZE,
        in_layout=False,
    )


def _look(name, place):
    """Give colour and mark: always the same for the published method and for ours."""
    fixed = {"published": (plots.COLOURS[1], "o"), "ours": (plots.COLOURS[0], "s")}
    colours = ("0.6", *plots.palette(10)[2:])
    return fixed.get(name, (colours[place % len(colours)], _MARKS[place % len(_MARKS)]))


def _titled(title, unit, better):
    note = ", ".join(filter(None, (unit, BETTER.get(better))))
    return f"{title} ({note})" if note else title


def draw_sources(sources):
    """Draw one row for each source of data, a mark for each method, and intervals."""
    rows, series = sources.rows, sources.series
    height = 0.42 * len(rows) + 1.0 + 0.3 * -(-len(series) // 3)
    fig = Figure(figsize=(plots.WIDTH_INCHES, height), layout="constrained", facecolor="white")
    ax = fig.subplots()
    for place, name in enumerate(series):
        _dots(ax, rows, name, place, len(series))
    ax.set_yticks(range(len(rows)), [textwrap.fill(label, _LETTERS) for label, _ in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.tick_params(labelsize=plots.TICK_SIZE)
    ax.grid(axis="x", color="0.9")
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    note = ", ".join(filter(None, (sources.unit, BETTER.get(sources.better))))
    ax.set_xlabel(textwrap.fill(note, 42), fontsize=plots.TICK_SIZE)
    fig.suptitle(textwrap.fill(sources.title, 58), fontsize=plots.LABEL_SIZE, x=0.01, ha="left")
    where = {"loc": "outside lower left", "ncols": 3, "frameon": False}
    fig.legend(**where, fontsize=plots.TICK_SIZE, columnspacing=1.2, handletextpad=0.4)
    return plots.show(fig, describe_sources(sources))


def _dots(ax, rows, name, place, count):
    """Draw the marks of one method, a little above or below those of the others."""
    colour, mark = _look(name, place + 1)
    shift = (place - (count - 1) / 2) * min(0.22, 0.6 / count)
    found = [(i + shift, values[name]) for i, (_, values) in enumerate(rows) if name in values]
    for y, value in found:
        if value.low is not None:
            ax.plot([value.low, value.high], [y, y], color=colour, linewidth=1.8)
    xs, ys = [value.value for _, value in found], [y for y, _ in found]
    ax.plot(xs, ys, mark, linestyle="none", color=colour, markersize=7.5, label=name)


def describe_panel(panel):
    """Say what a plot of bars shows."""
    values = ", ".join(f"{name} {value.text}" for name, value in panel.values)
    return f"{_titled(panel.title, '', panel.better)}: {values}."


def describe_sources(sources):
    """Say what a plot over sources shows: each value, or ranges where there are many rows."""
    head = _titled(sources.title, "", sources.better)
    if len(sources.rows) <= _MANY and len(sources.series) <= 4:
        rows = [
            f"{label}: " + ", ".join(f"{name} {value.text}" for name, value in values.items())
            for label, values in sources.rows
        ]
        return f"{head}. {'; '.join(rows)}."
    ranges = [_range_of(sources, name) for name in sources.series]
    return f"{head}, {len(sources.rows)} rows: {'; '.join(ranges)}."


def _range_of(sources, name):
    found = {label: values[name].value for label, values in sources.rows if name in values}
    low, high = min(found, key=found.get), max(found, key=found.get)
    return f"{name} from {number(found[low])} ({low}) to {number(found[high])} ({high})"
