"""Uploaded listening histories in the database."""

import io
import json
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from sync.library.history import import_history
from sync.library.plays import HistoryRefused
from sync.models import ListeningHistory, Play
from tests.builders import make_like, make_user

pytestmark = pytest.mark.django_db


def upload(*plays: tuple[str, int]) -> io.BytesIO:
    rows: list[dict[str, Any]] = [
        {
            "ts": f"2020-01-01T00:00:{second:02}Z",
            "ms_played": 200_000,
            "ip_addr": "192.0.2.1",
            "spotify_track_uri": f"spotify:track:{key}",
        }
        for key, second in plays
    ]
    return io.BytesIO(json.dumps(rows).encode())


def plays_of(user: User) -> dict[str, tuple[int, int]]:
    rows = Play.objects.filter(user=user).values_list("track_id", "plays", "last_played")
    return {key: (plays, last.second) for key, plays, last in rows}


@pytest.fixture
def ada(db: None) -> User:
    user = make_user("ada")
    make_like(user, "looped")
    make_like(user, "held")
    return user


def test_an_upload_is_counted_once(ada: User) -> None:
    rows = upload(("looped", 1), ("looped", 5), ("other", 9))

    first = import_history(ada.pk, rows)
    again = import_history(ada.pk, rows)

    assert plays_of(ada) == {"looped": (2, 5)}
    assert first == again
    assert (first.plays_read, first.likes_found, first.likes_asked) == (3, 1, 2)
    assert first.covers[1] - first.covers[0] == 8
    history = ListeningHistory.objects.get(user=ada)
    assert history.known == [list(first.covers)]


def test_years_add_up_in_any_order(ada: User) -> None:
    import_history(ada.pk, upload(("looped", 30), ("held", 40)))
    import_history(ada.pk, upload(("looped", 1), ("looped", 5)))
    import_history(ada.pk, upload(("looped", 1), ("looped", 5), ("looped", 30), ("held", 40)))

    assert plays_of(ada) == {"looped": (3, 30), "held": (1, 40)}


def test_plays_are_those_of_the_one_who_sent_them(ada: User) -> None:
    bea = make_user("bea")
    make_like(bea, "looped")
    import_history(ada.pk, upload(("looped", 1)))

    assert plays_of(bea) == {}


def test_a_refused_upload_changes_nothing(ada: User) -> None:
    import_history(ada.pk, upload(("looped", 1)))
    before = ListeningHistory.objects.values().get()

    with pytest.raises(HistoryRefused):
        import_history(ada.pk, io.BytesIO(b"nothing"))

    assert plays_of(ada) == {"looped": (1, 1)}
    assert ListeningHistory.objects.values().get() == before


def test_no_address_reaches_the_database(ada: User) -> None:
    import_history(ada.pk, upload(("looped", 1)))

    with connection.cursor() as cursor:
        for table in ("plays", "listening_histories"):
            cursor.execute(f"SELECT string_agg(t::text, ' ') FROM {table} AS t")  # noqa: S608
            assert "192.0.2.1" not in cursor.fetchone()[0]
