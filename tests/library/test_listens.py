"""Plays from ListenBrainz, asked over HTTP: what is counted once, and what each refusal says."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from sync.library.history import count_plays, lock_history
from sync.library.listenbrainz import SERVICE
from sync.library.listens import history_of, queue_listens, run_listens, set_listenbrainz_user
from sync.library.plays import History
from sync.models import Incident, ListeningHistory, Play, ServiceGate, SyncRequest, Track
from sync.operations.alerts import check_incidents
from sync.operations.chores import CHORES
from sync.queue import store as queue
from sync.queue.job import Job
from sync.queue.worker import Worker
from syncify.simulator.listenbrainz import ListenBrainz
from tests.builders import make_user
from tests.driving import end_waits
from tests.library.rows import add_song, like
from tests.pages.test_playlists import words

pytestmark = pytest.mark.django_db

START = 1_700_000_000


@pytest.fixture
def listenbrainz(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[ListenBrainz]:
    monkeypatch.setattr(Job, "sleep", lambda *_: None)
    with ListenBrainz() as server:
        settings.LISTENBRAINZ_URL = server.url
        server.listens["ada"] = []
        yield server


@pytest.fixture
def ada(client: Client) -> User:
    user = make_user("ada")
    for name in ("Looped", "Swept"):
        like(user, add_song(name.lower(), name=name, artists=["Kiasmos"]), timezone.now())
    client.force_login(user)
    return user


def look(user: User) -> SyncRequest:
    """Let a worker ask once; returns the request."""
    ServiceGate.objects.all().delete()
    request, _ = queue.enqueue(user.pk, SyncRequest.Kind.LISTENS, trigger="scheduled")
    end_waits(user)
    assert Worker(runners={SyncRequest.Kind.LISTENS: run_listens}).run_one()
    request.refresh_from_db()
    return request


def plays(user: User) -> dict[str, tuple[int, int]]:
    """Number of plays and second of the last one, by track."""
    rows = Play.objects.filter(user=user)
    return {row.track_id: (row.plays, int(row.last_played.timestamp())) for row in rows}


def upload(user: User, *times: int, first: int, last: int) -> None:
    """As if an uploaded history covered this time, with plays of Looped."""
    history = History(first=first, last=last)
    for at in times:
        history.add(at, "looped")
    stored = lock_history(user.pk)
    count_plays(stored, history)
    stored.save()


# --- What is counted ------------------------------------------------------------------------------


def test_listens_are_found_by_spotifys_id_or_by_exact_names(
    ada: User, listenbrainz: ListenBrainz
) -> None:
    hear = listenbrainz.listen
    hear("ada", START, "Looped (Remastered 2020)", "?", spotify_id="looped", seconds=200)
    hear("ada", START + 1000, "swept", "KIASMOS")
    hear("ada", START + 2000, "Swept", "Somebody else")
    hear("ada", START + 3000, "Swept Away", "Kiasmos")
    set_listenbrainz_user(ada.pk, "ada")

    request = look(ada)

    assert (request.state, request.note) == ("succeeded", "4 listens read, 2 of liked songs.")
    assert plays(ada) == {"looped": (1, START + 200), "swept": (1, START + 1000)}
    assert listenbrainz.calls == ["GET /1/user/ada/listens"]


def test_each_look_reads_only_what_came_since(ada: User, listenbrainz: ListenBrainz) -> None:
    set_listenbrainz_user(ada.pk, "ada")
    for number in range(3):
        listenbrainz.listen("ada", START + 1000 * number, "Looped", "Kiasmos")
        assert look(ada).note == "1 listens read, 1 of liked songs."
        assert look(ada).note == "0 listens read, 0 of liked songs."

    assert plays(ada) == {"looped": (3, START + 2000)}
    assert ListeningHistory.objects.get(user=ada).known == [[START, START + 2000]]


def test_many_listens_are_read_page_by_page(
    ada: User, listenbrainz: ListenBrainz, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.library.listens.PAGE", 10)
    monkeypatch.setattr("sync.library.listenbrainz.PAGE", 10)
    monkeypatch.setattr("sync.library.listens.TURN", 2)
    for number in range(35):
        listenbrainz.listen("ada", START + 300 * number, "Looped", "Kiasmos")
    set_listenbrainz_user(ada.pk, "ada")

    first = look(ada)

    assert (first.state, first.error_code, first.failures) == ("queued", "listens_more", 0)
    assert plays(ada)["looped"][0] == 20
    assert look(ada).state == "succeeded"
    assert plays(ada)["looped"][0] == 35
    assert len(listenbrainz.calls) == 4


@pytest.mark.parametrize("order", list(itertools.permutations(["look", "upload", "again"])))
def test_no_play_is_counted_twice_whatever_comes_first(
    ada: User, listenbrainz: ListenBrainz, order: tuple[str, ...]
) -> None:
    """An upload and ListenBrainz tell of the same plays, in any order, one of them twice."""
    ends = [START + 1000, START + 2000, START + 3000]
    for end in ends:
        listenbrainz.listen("ada", end - 200, "Looped", "Kiasmos", seconds=200)
    set_listenbrainz_user(ada.pk, "ada")
    for step in order:
        if step == "look":
            assert look(ada).state == "succeeded"
        else:
            upload(ada, *ends, first=ends[0], last=ends[-1])

    assert plays(ada) == {"looped": (3, ends[-1])}


def test_asking_begins_where_the_known_plays_end(ada: User, listenbrainz: ListenBrainz) -> None:
    upload(ada, START, first=START - 5000, last=START)
    listenbrainz.listen("ada", START - 1000, "Swept", "Kiasmos")
    listenbrainz.listen("ada", START + 1000, "Looped", "Kiasmos")
    set_listenbrainz_user(ada.pk, "ada")

    look(ada)

    assert plays(ada) == {"looped": (2, START + 1000)}


def test_a_look_counts_for_its_own_listener_alone(ada: User, listenbrainz: ListenBrainz) -> None:
    bea = make_user("bea")
    like(bea, Track.objects.get(pk="looped"), timezone.now())
    listenbrainz.listen("ada", START, "Looped", "Kiasmos")
    set_listenbrainz_user(ada.pk, "ada")

    look(ada)

    assert plays(ada)
    assert not plays(bea)
    assert not ListeningHistory.objects.filter(user=bea).exists()


def test_a_name_that_changed_during_a_look_counts_nothing_of_the_old_one(
    ada: User, listenbrainz: ListenBrainz, monkeypatch: pytest.MonkeyPatch
) -> None:
    listenbrainz.listen("ada", START, "Looped", "Kiasmos")
    listenbrainz.listens["eve"] = []
    set_listenbrainz_user(ada.pk, "ada")

    def renamed(*args: Any, **kwargs: Any) -> History:
        """As the listener does it between the answer and the count."""
        ListeningHistory.objects.filter(user=ada).update(listenbrainz_user="eve")
        return history_of(*args, **kwargs)

    monkeypatch.setattr("sync.library.listens.history_of", renamed)

    look(ada)

    assert not plays(ada)


# --- Refusals and odd answers ---------------------------------------------------------------------


def test_an_unknown_name_is_told_and_asked_again_a_day_later(
    client: Client, ada: User, listenbrainz: ListenBrainz
) -> None:
    set_listenbrainz_user(ada.pk, "nobody/at all")

    request = look(ada)

    assert (request.state, request.error_code) == ("dead", "listens_no_user")
    page = words(client.get("/plays/"))
    assert "ListenBrainz knows no user “nobody/at all”. Check the name." in page
    assert listenbrainz.calls == ["GET /1/user/nobody%2Fat%20all/listens"]
    SyncRequest.objects.update(completed=timezone.now() - timedelta(hours=23))
    assert queue_listens() == 0
    SyncRequest.objects.update(completed=timezone.now() - timedelta(hours=25))
    assert queue_listens() == 1


def test_listens_that_are_not_public(client: Client, ada: User, listenbrainz: ListenBrainz) -> None:
    listenbrainz.hidden.add("ada")
    set_listenbrainz_user(ada.pk, "ada")

    assert look(ada).error_code == "listens_not_public"
    check_incidents()  # the operator can do nothing about it
    assert not Incident.objects.filter(key__startswith="dead").exists()
    assert "does not show the listens of “ada” to everyone" in words(client.get("/plays/"))


def test_a_limit_makes_everybody_wait_and_counts_no_failure(
    ada: User, listenbrainz: ListenBrainz
) -> None:
    listenbrainz.calls_max, listenbrainz.window = 0, 600.0
    set_listenbrainz_user(ada.pk, "ada")

    request = look(ada)

    assert (request.state, request.error_code, request.failures) == (
        "queued",
        "listenbrainz_busy",
        0,
    )
    until = ServiceGate.objects.get(service=SERVICE).next_at
    assert abs(until - timezone.now() - timedelta(seconds=600)) < timedelta(seconds=30)
    assert abs(request.run_at - until) < timedelta(seconds=5)


@pytest.mark.parametrize("status", [500, 502, 301, -1])
def test_other_trouble_is_tried_again_later(
    ada: User, listenbrainz: ListenBrainz, status: int
) -> None:
    listenbrainz.listen("ada", START, "Looped", "Kiasmos")
    listenbrainz.troubles.append(("/listens", status))
    set_listenbrainz_user(ada.pk, "ada")

    request = look(ada)

    assert (request.state, request.error_code, request.failures) == ("queued", "listenbrainz", 1)
    assert look(ada).state == "succeeded"
    assert plays(ada)["looped"][0] == 1


ODD: list[Any] = [
    None,
    {},
    {"listened_at": None},
    {"listened_at": "yesterday", "track_metadata": {"track_name": "Looped"}},
    {"listened_at": -5, "track_metadata": {"track_name": "Looped", "artist_name": "Kiasmos"}},
    {"listened_at": 2**70, "track_metadata": {"track_name": "Looped", "artist_name": "Kiasmos"}},
    {"listened_at": START, "track_metadata": []},
    {"listened_at": START, "track_metadata": {"track_name": 7, "artist_name": ["Kiasmos"]}},
    {
        "listened_at": START + 5,
        "track_metadata": {
            "track_name": "Looped",
            "artist_name": "Kiasmos feat. Bo",
            "additional_info": {"artist_names": ["Kiasmos", "Bo"], "duration_ms": -3},
        },
    },
]


def test_an_odd_listen_spoils_only_itself(
    ada: User, listenbrainz: ListenBrainz, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = {"payload": {"listens": ODD}}
    monkeypatch.setattr(ListenBrainz, "_listens", lambda *_: answer)
    set_listenbrainz_user(ada.pk, "ada")

    assert look(ada).note == "1 listens read, 1 of liked songs."
    assert plays(ada) == {"looped": (1, START + 5)}


@pytest.mark.parametrize("answer", [[], {}, {"payload": None}, {"payload": {"listens": 3}}])
def test_an_answer_that_is_no_list_counts_nothing(
    ada: User, listenbrainz: ListenBrainz, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    monkeypatch.setattr(ListenBrainz, "_listens", lambda *_: answer)
    set_listenbrainz_user(ada.pk, "ada")

    assert look(ada).error_code == "listenbrainz"
    assert ListeningHistory.objects.get(user=ada).listened_until == 0


# --- When it is asked -----------------------------------------------------------------------------


def test_the_scheduler_asks_hourly_for_listeners_with_a_name(
    ada: User, listenbrainz: ListenBrainz
) -> None:
    make_user("bea")
    blocked = make_user("eve")
    set_listenbrainz_user(blocked.pk, "eve")
    set_listenbrainz_user(ada.pk, "ada")
    User.objects.filter(pk=blocked.pk).update(is_active=False)
    SyncRequest.objects.filter(user=blocked).delete()

    assert queue_listens in CHORES
    assert queue_listens() == 0  # the name was just given
    look(ada)
    assert queue_listens() == 0
    SyncRequest.objects.update(completed=timezone.now() - timedelta(minutes=61))
    assert queue_listens() == 1
    assert queue_listens() == 0
    assert SyncRequest.objects.get(completed=None).user == ada


# --- The page -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("ada", "ada"),
        ("  Ada Lovelace ", "Ada Lovelace"),
        ("https://listenbrainz.org/user/ada/", "ada"),
        ("listenbrainz.org/user/Ada%20L/stats?range=week", "Ada L"),
        ("Ådä", "Ådä"),
        ("../../x", None),
        ("a\0b", None),
        ("x" * 101, None),
    ],
)
def test_a_name_is_taken_from_the_form(
    client: Client, ada: User, given: str, name: str | None
) -> None:
    answer = client.post("/plays/listenbrainz/", {"name": given}, follow=True)

    stored = ListeningHistory.objects.filter(user=ada).first()
    assert (stored.listenbrainz_user if stored else None) == name
    assert SyncRequest.objects.filter(kind="listens").count() == (name is not None)
    assert ("This is no name at ListenBrainz." in words(answer)) == (name is None)


def test_an_empty_name_ends_it_and_keeps_the_plays(
    client: Client, ada: User, listenbrainz: ListenBrainz
) -> None:
    listenbrainz.listen("ada", START, "Looped", "Kiasmos")
    client.post("/plays/listenbrainz/", {"name": "ada"})
    look(ada)
    page = words(client.get("/plays/"))
    day = datetime.fromtimestamp(START, UTC)
    assert "1 listens read, 1 of liked songs." in page
    assert f"from {day:%-d %B %Y}" in page

    client.post("/plays/listenbrainz/", {"name": ""})

    SyncRequest.objects.update(completed=timezone.now() - timedelta(days=2))
    assert queue_listens() == 0
    assert plays(ada)["looped"][0] == 1
    assert 'value="ada"' not in client.get("/plays/").content.decode()
