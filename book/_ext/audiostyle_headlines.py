"""Which recorded measures the page of results puts first, and where each of them is found.

``book/results_headlines.yml`` names them: a file of ``results/``, a metric in it, and a group of
that metric. The numbers themselves are read from the files. What is named and not there is an
error of the build that says what is missing.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import yaml
from audiostyle_nodes import number
from sphinx.errors import ExtensionError

FILE = "book/results_headlines.yml"
# Units of more letters than this stand beside the name of a measure.
SHORT_UNIT = 2
_PARTS = ("file", "metric", "group")


class HeadlineError(ExtensionError):
    """The list of headlines names what is not there, or is not what it should be."""


@dataclass(frozen=True)
class Value:
    """One measured value, with its interval where there is one."""

    value: float
    unit: str
    better: str
    low: float | None = None
    high: float | None = None

    @property
    def short(self):
        """The value and its unit, if that is a short one; a long one stands in the title."""
        unit = self.unit if len(self.unit) <= SHORT_UNIT else ""
        return f"{number(self.value)} {unit}".strip()

    @property
    def text(self):
        """The value as it is read aloud, with its unit and its interval."""
        shown = f"{number(self.value)} {self.unit}".strip()
        if self.low is None:
            return shown
        return f"{shown} ({number(self.low)} to {number(self.high)})"


@dataclass(frozen=True)
class Panel:
    """What one measure was with each method: a row of the overview, a part of a figure."""

    title: str
    better: str
    values: tuple[tuple[str, Value], ...]

    @property
    def unit_of_title(self):
        """The unit, where it is too long to stand behind each value."""
        unit = self.values[-1][1].unit
        return unit if len(unit) > SHORT_UNIT else ""


@dataclass(frozen=True)
class Sources:
    """One measure on several sources of data, by several methods."""

    title: str
    unit: str
    better: str
    rows: tuple[tuple[str, dict[str, Value]], ...]

    @property
    def series(self):
        """The methods, in the order in which they are first named."""
        return list(dict.fromkeys(name for _, values in self.rows for name in values))


def read(path):
    """Read the list of headlines."""
    if not Path(path).is_file():
        raise HeadlineError(f"{FILE} is missing: it names the headlines of the results page")
    try:
        chapters = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise HeadlineError(f"{FILE} cannot be read: {error}") from error
    for chapter, entry in chapters.items():
        if not isinstance(entry, dict) or "headlines" not in entry:
            raise HeadlineError(f"{FILE}: {chapter} has no list named headlines")
        for one in entry.get("stated", []):
            _check_stated(chapter, one)
    return chapters


def _check_stated(chapter, one):
    lacking = {"measure", "value", "role", "by", "data", "cite"} - set(one)
    if lacking:
        raise HeadlineError(f"{FILE}: {chapter}, stated {one}: give {', '.join(sorted(lacking))}")
    if one["role"] not in ("source", "peer"):
        raise HeadlineError(f"{FILE}: {chapter}, role {one['role']!r}: use source or peer")


def file_of(spec, kept):
    """Return the file of ``results/`` that a headline names."""
    name = spec.get("file")
    if name not in kept:
        raise HeadlineError(f"{FILE} names results/{name}.json, and there is no such file")
    return kept[name]


def find(spec, kept):
    """Return the metric that a file, a metric's name and a group name."""
    metrics = file_of(spec, kept)["metrics"]
    named = [metric for metric in metrics if metric["metric"] == spec.get("metric")]
    place = f"{FILE}: results/{spec['file']}.json"
    if not named:
        known = sorted({metric["metric"] for metric in metrics})
        raise HeadlineError(f"{place} has no metric {spec.get('metric')!r}; it has {known}")
    wanted = spec.get("group", "")
    found = [metric for metric in named if metric.get("group", "") == wanted]
    if len(found) != 1:
        known = [metric.get("group", "") for metric in named]
        raise HeadlineError(
            f"{place}, {spec['metric']!r}: {len(found)} values of the group {wanted!r}; "
            f"the groups are {known}"
        )
    return found[0]


def value(given, defaults, kept):
    """Return one value: `given` is a group, or says more than `defaults` does."""
    spec = {**defaults, **({"group": given} if isinstance(given, str) else given)}
    metric = find(spec, kept)
    ends = {}
    for end in ("low", "high"):
        if end in spec:
            other = spec[end]
            own = {key: spec[key] for key in _PARTS if key in spec}
            own |= {"group": other} if isinstance(other, str) else other
            ends[end] = find(own, kept)["value"]
    if len(ends) == 1:
        raise HeadlineError(f"{FILE}: {spec} has one end of an interval; give low and high")
    unit = spec.get("unit", metric["unit"])
    better = spec.get("better", metric.get("better", ""))
    return Value(metric["value"], unit, better, **ends)


def panel(one, kept):
    """Return what a headline shows: the published way first, ours last."""
    defaults = {key: one[key] for key in (*_PARTS, "unit", "better", "low", "high") if key in one}
    named = {"published": one.get("published"), **one.get("others", {}), "ours": one.get("ours")}
    if one.get("ours") is None:
        raise HeadlineError(f"{FILE}: {one.get('measure')!r} does not say which group is ours")
    values = [(name, value(of, defaults, kept)) for name, of in named.items() if of is not None]
    return Panel(one["measure"], values[-1][1].better, tuple(values))


def panels(headlines, kept):
    """Return what each headline of a chapter shows."""
    return [panel(one, kept) for one in headlines]


def sources(figure, kept):
    """Return one measure on several sources: rows as they are listed, or one for each match."""
    rows = []
    for one in figure["rows"]:
        for label, spec in _expanded(one, kept):
            defaults = {key: spec[key] for key in (*_PARTS, "low", "high") if key in spec}
            shown = {n: value(of, defaults, kept) for n, of in spec["values"].items()}
            rows.append((label, shown))
    return Sources(figure["title"], figure.get("unit", ""), figure.get("better", ""), tuple(rows))


def _expanded(one, kept):
    """Yield the rows that an entry stands for: with ``*`` in its metric, one for each match."""
    if "*" not in one.get("metric", ""):
        yield one["label"], one
        return
    pattern = "([^:,]+)".join(map(re.escape, one["metric"].split("*", 1)))
    names = dict.fromkeys(metric["metric"] for metric in file_of(one, kept)["metrics"])
    found = [(name, match[1]) for name in names if (match := re.fullmatch(pattern, name))]
    if not found:
        place = f"results/{one['file']}.json"
        raise HeadlineError(f"{FILE}: {place} has no metric like {one['metric']!r}")
    for name, matched in found:
        yield one.get("names", {}).get(matched, matched), {**one, "metric": name}
