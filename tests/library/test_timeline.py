"""The library as it was, against a replay of the history."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.library.timeline import (
    came,
    changed,
    end_of,
    first_liked_at,
    gone,
    open_at,
    went,
)
from sync.models import SavedTrack
from tests.builders import make_user
from tests.library.libraries import BEGIN, Drawn, libraries, stored
from tests.library.rows import add_song, at, like

pytestmark = pytest.mark.django_db

moments = st.integers(-10, 24 * 1500).map(lambda hours: BEGIN + timedelta(hours=hours))
drawing = settings(max_examples=80)


def replayed(likes: list[SavedTrack], until: datetime) -> dict[str, int]:
    """Each song that is liked after all that happened before ``until``, with its like."""
    events = [(each.added_at, 1, each) for each in likes]
    events += [(each.removed_at, 0, each) for each in likes if each.removed_at]
    held: dict[str, list[int]] = {}
    for moment, begins, each in sorted(events, key=lambda event: (event[0], event[2].pk)):
        if moment >= until:
            break
        if begins:
            held.setdefault(each.track_id, []).append(each.pk)
        else:
            held[each.track_id].remove(each.pk)
    return {track: max(rows) for track, rows in held.items() if rows}


@drawing
@given(drawn=libraries, moment=moments)
def test_the_library_at_any_moment_is_what_the_replay_leaves(
    drawn: list[Drawn], moment: datetime
) -> None:
    with stored(drawn) as ada:
        likes = list(SavedTrack.objects.filter(user=ada))

        rows = list(open_at(ada, moment))

    assert {each.track_id: each.pk for each in rows} == replayed(likes, moment)
    assert len(rows) == len({each.track_id for each in rows})


@drawing
@given(drawn=libraries, since=moments, until=moments)
def test_two_days_are_compared_by_their_songs(
    drawn: list[Drawn], since: datetime, until: datetime
) -> None:
    with stored(drawn) as ada:
        likes = list(SavedTrack.objects.filter(user=ada))
        before, after = replayed(likes, since), replayed(likes, until)

        new = {each.track_id for each in came(ada, since=since, until=until)}
        lost = {each.track_id for each in went(ada, since=since, until=until)}
        numbers = changed(ada, since=since, until=until)

    assert (new, lost) == (after.keys() - before.keys(), before.keys() - after.keys())
    assert numbers == (len(new), len(lost))


@drawing
@given(drawn=libraries)
def test_gone_are_the_last_likes_of_songs_that_are_not_liked(drawn: list[Drawn]) -> None:
    with stored(drawn) as ada:
        likes = list(SavedTrack.objects.filter(user=ada).order_by("pk"))
        last = {each.track_id: each for each in likes}

        rows = {each.pk for each in gone(ada)}

    assert rows == {each.pk for each in last.values() if each.removed_at}


def test_a_day_ends_at_the_listeners_midnight() -> None:
    ada = make_user("ada")
    like(ada, add_song("late"), at("2024-05-01 22:30"))
    day = at("2024-05-01").date()

    assert not open_at(ada, end_of(day, ZoneInfo("Europe/Berlin"))).exists()
    assert open_at(ada, end_of(day, UTC)).exists()


def test_the_first_like_may_have_ended() -> None:
    ada = make_user("ada")
    like(ada, add_song("held"), at("2021-01-01"))
    like(ada, add_song("gone"), at("2020-01-01"), removed_at=at("2022-01-01"))

    assert first_liked_at(ada) == at("2020-01-01")
    assert first_liked_at(make_user("bea")) is None
