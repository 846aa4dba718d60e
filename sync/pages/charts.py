"""Shapes for the SVG charts of the templates; pure, in units of the viewBox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from math import ceil, sqrt

from django.utils.safestring import SafeString

#: Every chart is this high; each bar has a slot ten wide.
HEIGHT = 100
SLOT = 10
_BAR = 7
#: Of a heat map: 0 is nothing, the last the most.
LEVELS = 5


@dataclass(frozen=True, slots=True)
class Bar:
    label: str
    #: For narrow screens.
    short: str
    value: float
    #: The text for people.
    text: str
    #: The address of its songs.
    url: str
    x: float
    y: float
    height: float

    @property
    def width(self) -> float:
        return _BAR

    @property
    def shape(self) -> SafeString:
        """The attributes of its rectangle, independent of the locale."""
        drawn = f'x="{self.x:g}" y="{self.y:g}" width="{self.width:g}" height="{self.height:g}"'
        return SafeString(drawn)


@dataclass(frozen=True, slots=True)
class BarChart:
    bars: Sequence[Bar]
    #: The finding, as a sentence.
    finding: str

    @property
    def width(self) -> int:
        return max(1, len(self.bars)) * SLOT

    @property
    def most(self) -> Bar | None:
        return max(self.bars, key=lambda bar: bar.value, default=None)

    @property
    def is_dense(self) -> bool:
        """Whether a narrow screen has no room for every label."""
        return len(self.bars) > 8


@dataclass(frozen=True, slots=True)
class Entry:
    """A bar without a position."""

    label: str
    short: str
    value: float
    text: str
    url: str = ""


def bar_chart(entries: Sequence[Entry], finding: str = "") -> BarChart:
    """Bars, the highest as high as the chart; a value above 0 is always visible.

    ``finding`` may name the highest: "{0.label} has the most: {0.text}."
    """
    top = max((entry.value for entry in entries), default=0) or 1
    bars = []
    for place, entry in enumerate(entries):
        height = round(max(entry.value / top * HEIGHT, 1), 1) if entry.value > 0 else 0
        bars.append(
            Bar(
                entry.label,
                entry.short,
                entry.value,
                entry.text,
                entry.url,
                place * SLOT + (SLOT - _BAR) / 2,
                round(HEIGHT - height, 1),
                height,
            )
        )
    most = max(bars, key=lambda bar: bar.value, default=None)
    return BarChart(bars, finding.format(most) if most else "")


def without_links(chart: BarChart) -> BarChart:
    """The same chart without links to songs."""
    return replace(chart, bars=[replace(bar, url="") for bar in chart.bars])


@dataclass(frozen=True, slots=True)
class Line:
    """A total over the months, in two parts: before and since the listener signed up."""

    points: Sequence[tuple[date, int]]
    #: Of the points, how many lie before the sign-up.
    estimated: int
    width: int
    #: The path of each part, and of the area under it; "" where the part is empty.
    before: str
    before_area: str
    since: str
    since_area: str
    top: int
    #: The years, each with how many of the points are in it.
    years: Sequence[tuple[int, int]]


def line_chart(points: Sequence[tuple[date, int]], *, since: date) -> Line:
    """The total at the end of each month; months that ended before ``since`` are an estimate."""
    top = max((value for _, value in points), default=0) or 1
    places = [
        (place * SLOT + SLOT / 2, round(HEIGHT - value / top * HEIGHT, 1))
        for place, (_, value) in enumerate(points)
    ]
    first_exact = since.replace(day=1)
    estimated = sum(1 for month, _ in points if month < first_exact)
    years: dict[int, int] = {}
    for month, _ in points:
        years[month.year] = years.get(month.year, 0) + 1
    # The parts share a point, so that there is no gap.
    before, after = places[: estimated + 1], places[estimated:]
    return Line(
        points,
        estimated,
        max(1, len(points)) * SLOT,
        _path(before) if estimated else "",
        _area(before) if estimated else "",
        _path(after),
        _area(after),
        top,
        list(years.items()),
    )


def _path(places: Sequence[tuple[float, float]]) -> str:
    if not places:
        return ""
    # A single month is a short horizontal line.
    if len(places) == 1:
        [(x, y)] = places
        places = [(x - SLOT / 2, y), (x + SLOT / 2, y)]
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in places)


def _area(places: Sequence[tuple[float, float]]) -> str:
    if len(places) < 2:
        return ""
    (first, _), (last, _) = places[0], places[-1]
    return f"{_path(places)}V{HEIGHT}H{first:g}z" if last > first else ""


@dataclass(frozen=True, slots=True)
class Cell:
    month: int
    songs: int
    level: int

    @property
    def text(self) -> str:
        return str(self.songs)

    @property
    def period(self) -> str:
        """ "-03", behind the year."""
        return f"-{self.month:02}"


@dataclass(frozen=True, slots=True)
class Row:
    year: int
    cells: Sequence[Cell]
    songs: int

    @property
    def name(self) -> str:
        return str(self.year)


def heat_map(months: Mapping[tuple[int, int], int], years: Sequence[int]) -> list[Row]:
    """A row a year, newest first, a cell a month; levels grow with the root of the count."""
    top = max(months.values(), default=0) or 1
    rows = []
    for year in reversed(years):
        counts = [months.get((year, month), 0) for month in range(1, 13)]
        cells = [
            Cell(month, songs, ceil(sqrt(songs / top) * LEVELS))
            for month, songs in enumerate(counts, start=1)
        ]
        rows.append(Row(year, cells, sum(counts)))
    return rows


def steps(points: Sequence[tuple[date, int]]) -> list[tuple[str, str, str]]:
    """Each month with its total and the change to the month before, newest first, as text."""
    changes = [after - before for (_, before), (_, after) in pairwise([(None, 0), *points])]
    rows = [
        (f"{month:%b} {month.year}", f"{total:,}", f"{change:+,}" if change else "0")
        for (month, total), change in zip(points, changes, strict=True)
    ]
    return rows[::-1]
