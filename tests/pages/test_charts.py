"""Shapes of charts: they fit the viewBox and stand in proportion to their numbers."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.pages.charts import HEIGHT, LEVELS, SLOT, Entry, bar_chart, heat_map, line_chart, steps

counts = st.integers(0, 10_000)


@given(st.lists(counts, max_size=20))
def test_bars_stand_on_the_line_in_proportion_and_never_vanish(values: list[int]) -> None:
    chart = bar_chart([Entry(str(n), str(n), value, str(value)) for n, value in enumerate(values)])

    assert [bar.value for bar in chart.bars] == values
    top = max(values, default=0)
    for place, bar in enumerate(chart.bars):
        assert bar.y + bar.height == pytest.approx(HEIGHT)
        assert place * SLOT <= bar.x <= bar.x + bar.width <= (place + 1) * SLOT <= chart.width
        assert (bar.height > 0) == (bar.value > 0)
        if bar.value:
            assert bar.height == pytest.approx(max(bar.value / top * HEIGHT, 1), abs=0.06)


@given(
    st.lists(counts, min_size=1, max_size=60),
    st.dates(date(2015, 1, 1), date(2026, 1, 1)),
    st.integers(-10, 70),
)
def test_the_line_has_a_point_a_month_and_is_parted_at_the_sign_up(
    totals: list[int], begin: date, months_until: int
) -> None:
    first = begin.replace(day=1)
    points = []
    for total in totals:
        points.append((first, total))
        first = (first + timedelta(days=32)).replace(day=1)
    joined = begin + timedelta(days=31 * months_until)

    line = line_chart(points, since=joined)

    before = [
        month for month, _ in points if (month.year, month.month) < (joined.year, joined.month)
    ]
    assert line.estimated == len(before)
    assert bool(line.before) == bool(before)
    assert sum(count for _, count in line.years) == len(points)
    assert line.width == SLOT * len(points)
    # Each part has its points; the first of the second is the last of the first.
    drawn = line.before.count("L") + line.since.count("L")
    if len(points) > 1 and 0 < len(before) < len(points) - 1:
        assert drawn == len(points) - 1


@given(st.dictionaries(st.tuples(st.integers(2015, 2026), st.integers(1, 12)), counts))
def test_the_heat_map_has_every_month_and_more_songs_are_never_paler(
    months: dict[tuple[int, int], int],
) -> None:
    years = sorted({year for year, _ in months})

    rows = heat_map(months, years)

    assert [row.year for row in rows] == years[::-1]
    assert sum(row.songs for row in rows) == sum(months.values())
    cells = sorted((cell.songs, cell.level) for row in rows for cell in row.cells)
    assert [level for _, level in cells] == sorted(level for _, level in cells)
    assert all((level == 0) == (songs == 0) and level <= LEVELS for songs, level in cells)


def test_the_numbers_of_the_line_have_the_change_to_the_month_before() -> None:
    points = [(date(2024, 1, 1), 5), (date(2024, 2, 1), 3), (date(2024, 3, 1), 9)]

    assert steps(points) == [
        ("Mar 2024", "9", "+6"),
        ("Feb 2024", "3", "-2"),
        ("Jan 2024", "5", "+5"),
    ]
