"""The numbers of the charts: they add up, and each one equals the songs behind it."""

from collections import Counter
from datetime import UTC, date, timedelta
from itertools import pairwise
from statistics import median
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import cache
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.library.search import Query, search
from sync.library.stats import Calendar, facts_of
from sync.library.timeline import end_of, open_at
from tests.builders import make_user
from tests.library.libraries import Drawn, libraries, liked, stored
from tests.library.rows import add_song, at, like

pytestmark = pytest.mark.django_db

ZONES = st.sampled_from(["UTC", "Pacific/Auckland", "America/St_Johns"]).map(ZoneInfo)
drawing = settings(max_examples=60)


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    cache.clear()


def steps_of(growth: list[tuple[date, int]]) -> list[int]:
    """What each month added."""
    totals = [0, *(total for _, total in growth)]
    return [after - before for before, after in pairwise(totals)]


@drawing
@given(drawn=libraries, zone=ZONES)
def test_every_chart_adds_up_to_all_songs(drawn: list[Drawn], zone: ZoneInfo) -> None:
    with stored(drawn) as ada:
        songs = len(liked(ada))
        calendar = Calendar.of(ada, zone=zone)
        facts = facts_of(ada, calendar, zone=zone)
        dated = sum(1 for each in liked(ada) if each.track.released)

    assert calendar.songs == facts.songs == songs
    assert sum(calendar.months.values()) == songs
    growth = list(calendar.growth_of_liked())
    assert [total for _, total in growth] == sorted(total for _, total in growth)
    assert [total for _, total in growth[-1:]] == ([songs] if songs else [])
    added = dict(zip([month for month, _ in growth], steps_of(growth), strict=True))
    assert all(added[date(*month, 1)] == count for month, count in calendar.months.items())
    assert sum(each["songs"] for each in facts.decades) == songs
    assert sum(each["songs"] for each in facts.ages) == dated
    *_, last = calendar.growth() if calendar.days else [(None, 0)]
    assert last[1] == songs


@drawing
@given(drawn=libraries, zone=ZONES)
def test_each_number_is_that_of_the_songs_it_leads_to(drawn: list[Drawn], zone: ZoneInfo) -> None:
    with stored(drawn) as ada:
        calendar = Calendar.of(ada, zone=zone)
        facts = facts_of(ada, calendar, zone=zone, top=99)

        numbers = {f"{year}-{month:02}": n for (year, month), n in calendar.months.items()}
        shown = [(Query(liked=month), n) for month, n in numbers.items()]
        shown += [
            (Query(decade=str(each["decade"] or "unknown")), each["songs"])
            for each in facts.decades
        ]
        shown += [(Query(artist=each["name"]), each["songs"]) for each in facts.artists]
        shown += [(Query(album=each["key"]), each["songs"]) for each in facts.albums]
        shown += [(Query(liked=str(day.day)), day.liked) for day in calendar.days]
        counts = [(query, search(ada, query, zone=zone).count()) for query, _ in shown]

    assert counts == shown


@drawing
@given(drawn=libraries, zone=ZONES)
def test_the_growth_is_the_size_of_the_library_at_each_months_end(
    drawn: list[Drawn], zone: ZoneInfo
) -> None:
    with stored(drawn) as ada:
        points = list(Calendar.of(ada, zone=zone).growth())[::5]
        sizes = [
            open_at(
                ada, end_of((month + timedelta(days=32)).replace(day=1) - timedelta(days=1), zone)
            ).count()
            for month, _ in points
        ]

    assert [total for _, total in points] == sizes


@drawing
@given(drawn=libraries)
def test_artists_ages_and_moments_are_those_of_plain_python(drawn: list[Drawn]) -> None:
    with stored(drawn) as ada:
        likes = liked(ada)
        facts = facts_of(ada, Calendar.of(ada, zone=UTC), zone=UTC)

    artists = Counter(artist for each in likes for artist in each.track.artists)
    expected = sorted(artists.items(), key=lambda found: (-found[1], found[0]))[:12]
    assert [(each["name"], each["songs"]) for each in facts.artists] == expected
    ages: dict[int, list[float]] = {}
    for each in likes:
        if each.track.released:
            days = max(0, (each.added_at.date() - each.track.released).days)
            ages.setdefault(each.added_at.year, []).append(days / 365.25)
    assert {each["year"]: each["years"] for each in facts.ages} == pytest.approx(
        {year: median(found) for year, found in ages.items()}
    )
    dated = [each for each in likes if each.track.released]
    by_pk = {each.pk: each for each in likes}
    if likes:
        assert by_pk[facts.moments["first"] or 0].added_at == likes[-1].added_at
        assert by_pk[facts.moments["last"] or 0].added_at == likes[0].added_at
    if dated:
        assert by_pk[facts.moments["oldest"] or 0].track.released == min(
            each.track.released for each in dated if each.track.released
        )
    assert facts.explicit == sum(each.track.explicit for each in likes)
    assert facts.milliseconds == sum(each.track.duration_ms for each in likes)


@drawing
@given(drawn=libraries)
def test_the_facts_of_the_years_add_up_to_all(drawn: list[Drawn]) -> None:
    with stored(drawn) as ada:
        calendar = Calendar.of(ada, zone=UTC)
        years = [facts_of(ada, calendar, zone=UTC, year=year) for year in calendar.years]

    assert sum(facts.songs for facts in years) == calendar.songs


def test_a_like_belongs_to_the_month_of_the_listeners_calendar() -> None:
    ada = make_user("ada")
    like(ada, add_song("late"), at("2024-01-31 23:30"))

    for zone, month in [("UTC", 1), ("Pacific/Auckland", 2)]:
        assert Calendar.of(ada, zone=ZoneInfo(zone)).months == {(2024, month): 1}


def test_the_longest_break_the_busiest_day_and_this_day_of_other_years() -> None:
    ada = make_user("ada")
    days = ["2020-02-29", "2021-03-01", "2021-03-02", "2021-03-02", "2022-03-02", "2026-03-02"]
    for number, day in enumerate(days):
        like(ada, add_song(f"song{number}"), at(f"{day} 12:00"))

    calendar = Calendar.of(ada, zone=UTC)

    busiest, pause = calendar.busiest(), calendar.longest_break()
    assert busiest is not None
    assert pause is not None
    assert (busiest.day, busiest.liked) == (date(2021, 3, 2), 2)
    assert [day.day.year for day in pause] == [2022, 2026]
    assert [day.day.year for day in calendar.on_this_day(date(2026, 3, 2))] == [2022, 2021]


def test_kept_facts_are_read_anew_after_a_like_and_after_an_unlike() -> None:
    ada = make_user("ada")
    kept = like(ada, add_song("looped"), at("2024-01-01"))
    assert facts_of(ada, Calendar.of(ada, zone=UTC), zone=UTC).songs == 1

    like(ada, add_song("swayed"), at("2024-01-01"))
    assert facts_of(ada, Calendar.of(ada, zone=UTC), zone=UTC).songs == 2
    kept.removed_at = at("2024-01-02")
    kept.save()
    assert facts_of(ada, Calendar.of(ada, zone=UTC), zone=UTC).songs == 1


def test_kept_facts_cost_no_query(django_assert_num_queries: object) -> None:
    ada = make_user("ada")
    like(ada, add_song("looped"), at("2024-01-01"))
    calendar = Calendar.of(ada, zone=UTC)
    facts = facts_of(ada, calendar, zone=UTC)

    with django_assert_num_queries(0):  # type: ignore[operator]
        again = facts_of(ada, calendar, zone=UTC)

    assert again == facts


def test_nobody_is_counted_among_somebody_elses_songs() -> None:
    ada, bea = make_user("ada"), make_user("bea")
    like(bea, add_song("hers"), at("2024-01-01"))

    calendar = Calendar.of(ada, zone=UTC)

    assert (calendar.days, facts_of(ada, calendar, zone=UTC).songs) == ([], 0)
