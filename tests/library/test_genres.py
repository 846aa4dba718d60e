"""Genres: the tree, the calls to MusicBrainz and their turns, and the job that makes them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from sync.library import genre_tree, genres, musicbrainz
from sync.library.gate import GateClosed, rest, take_turn
from sync.library.genre_tree import is_below, usual, with_below
from sync.library.genres import (
    clear_genres,
    coverage,
    due_artists,
    queue_lookups,
    run_genres,
    set_genres,
)
from sync.library.musicbrainz import MusicBrainz, MusicBrainzUnavailable
from sync.models import (
    Artist,
    ArtistGenre,
    Library,
    SavedTrack,
    ServiceGate,
    SyncRequest,
    TrackArtist,
)
from sync.queue import store as queue
from sync.queue.errors import GiveUp, RetryLater, SnoozeUntil
from sync.queue.job import Job
from syncify.simulator.musicbrainz import MusicBrainzServer, mbid_of
from tests.builders import make_like, make_request, make_user
from tests.waiting import at_once


@pytest.mark.parametrize(
    ("name", "genre", "expected"),
    [
        ("bebop", "jazz", True),
        ("Hard Bop", "jazz", True),
        ("hard bop", "bebop", True),
        ("jazz", "bebop", False),
        ("black metal", "rock", True),
        ("bossa nova", "latin", True),
        ("bossa nova", "jazz", True),
        ("hip-hop", "rap", True),
        ("drum & bass", "electronic", True),
        ("zeuhl", "rock", False),
        ("zeuhl", "Zeuhl", True),
    ],
)
def test_a_genre_belongs_to_those_above_it(name: str, genre: str, *, expected: bool) -> None:
    assert is_below(name, genre) is expected


def test_the_tree_is_large_and_its_names_are_folded() -> None:
    assert len(genre_tree.genres()) >= 300
    assert all(usual(name) == usual(name.upper()) for name in genre_tree.spellings())


@given(st.sampled_from(genre_tree.genres()))
def test_what_is_below_is_closed(name: str) -> None:
    below = with_below([name])

    assert name in below
    assert with_below(below) == below


@pytest.fixture
def server(settings: Any) -> Iterator[MusicBrainzServer]:
    with MusicBrainzServer() as server:
        settings.MUSICBRAINZ_URL = server.url
        settings.MUSICBRAINZ_CONTACT = "operator@example.org"
        server.answers.is_strict = False
        yield server


@pytest.fixture
def client(server: MusicBrainzServer) -> Iterator[MusicBrainz]:
    """Its waits for a turn take no time."""
    with MusicBrainz(sleep=lambda _: None) as client:
        yield client


@pytest.mark.django_db
class TestClient:
    def test_a_hundred_artists_are_one_call(self, server: MusicBrainzServer) -> None:
        ids = [f"{number:022}" for number in range(100)]
        server.answers.unknown = {ids[3]}

        with MusicBrainz() as client:
            found = client.artists(ids)

        assert found == {each: mbid_of(each) for each in ids if each != ids[3]}
        assert len(server.answers.paths) == 1
        assert len(server.answers.paths[0]) < 8_000
        assert "operator@example.org" in server.answers.user_agent

    def test_an_address_without_a_slash_at_its_end_works_too(
        self, server: MusicBrainzServer, settings: Any
    ) -> None:
        settings.MUSICBRAINZ_URL = server.url.rstrip("/")

        with MusicBrainz() as client:
            assert client.artists(["a"]) == {"a": mbid_of("a")}

    def test_one_artist_is_answered_without_a_list(
        self, server: MusicBrainzServer, client: MusicBrainz
    ) -> None:
        server.answers.unknown = {"b"}

        assert client.artists(["a"]) == {"a": mbid_of("a")}
        assert client.artists(["b"]) == {}

    def test_more_than_a_hundred_are_refused_here(self, client: MusicBrainz) -> None:
        with pytest.raises(ValueError, match="at most 100"):
            client.artists(["a"] * 101)

    def test_paths_of_the_api_follow_the_address_in_the_settings(self) -> None:
        # The fixture's address replaces the one that the settings make.
        made = import_module("syncify.settings")

        assert made.MUSICBRAINZ_URL == "https://musicbrainz.org/ws/2/"

    def test_genres_with_few_votes_are_left_out(
        self, server: MusicBrainzServer, client: MusicBrainz
    ) -> None:
        server.answers.genres = {"a": {"techno": 10, "Hip-Hop": 3, "folk": 2, "noise": 0}}
        mbid = client.artists(["a"])["a"]

        assert client.genres(mbid) == ["techno", "hip hop"]

    def test_an_artist_that_was_deleted_has_no_genres(self, client: MusicBrainz) -> None:
        assert client.genres("nobody") == []

    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [({"Retry-After": "40"}, 40), ({}, 60), ({"Retry-After": "soon"}, 60),
         ({"Retry-After": "99999999999999"}, 6 * 3600)],
    )  # fmt: skip
    def test_a_refusal_closes_the_gate_for_all(
        self, server: MusicBrainzServer, client: MusicBrainz, headers: dict[str, str], seconds: int
    ) -> None:
        server.answers.queued = [(503, headers, b"")]

        with pytest.raises(GateClosed) as closed:
            client.genres("x")
        with MusicBrainz() as other, pytest.raises(GateClosed):
            other.genres("x")

        assert closed.value.until - now() == pytest.approx(
            timedelta(seconds=seconds), abs=timedelta(seconds=5)
        )
        assert len(server.answers.paths) == 1

    @pytest.mark.parametrize(
        "answer", [(500, {}, b""), (200, {}, b"<html>"), (200, {}, b"[]"), (403, {}, b"{}")]
    )
    def test_an_odd_answer_is_unavailable(
        self, server: MusicBrainzServer, client: MusicBrainz, answer: Any
    ) -> None:
        server.answers.queued = [answer]

        with pytest.raises(MusicBrainzUnavailable):
            client.artists(["a", "b"])

    @pytest.mark.parametrize(
        "body",
        [b"{}", b'{"urls": 5}', b'{"urls": [5, {}, {"resource": 5}]}',
         b'{"urls": [{"resource": "https://open.spotify.com/artist/a", "relations": [5, {}]}]}',
         b'{"urls": [{"resource": "https://open.spotify.com/artist/z", "relations": []}]}'],
    )  # fmt: skip
    def test_odd_rows_name_nobody(
        self, server: MusicBrainzServer, client: MusicBrainz, body: bytes
    ) -> None:
        server.answers.queued = [(200, {}, body)]

        assert client.artists(["a", "b"]) == {}

    def test_no_answer_is_unavailable(self, settings: Any) -> None:
        settings.MUSICBRAINZ_CONTACT = "operator@example.org"
        settings.MUSICBRAINZ_URL = "http://127.0.0.1:9/ws/2/"
        with MusicBrainz() as client, pytest.raises(MusicBrainzUnavailable):
            client.genres("x")

    def test_without_a_contact_there_is_no_client(self, settings: Any) -> None:
        settings.MUSICBRAINZ_CONTACT = ""
        with pytest.raises(RuntimeError):
            MusicBrainz()


def now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment


@pytest.mark.django_db
def test_turns_are_apart_and_a_long_wait_is_refused() -> None:
    apart, patience = timedelta(seconds=1.1), timedelta(seconds=5)
    waits = [take_turn("x", apart=apart, patience=patience).total_seconds() for _ in range(5)]

    assert waits[0] <= 0
    assert [round(wait) for wait in waits[1:]] == [1, 2, 3, 4]
    with pytest.raises(GateClosed):
        take_turn("x", apart=apart, patience=timedelta(seconds=1))
    assert take_turn("y", apart=apart, patience=patience) <= timedelta()


@pytest.mark.django_db
def test_a_shorter_rest_does_not_end_a_longer_one() -> None:
    until = rest("x", timedelta(hours=1))

    assert rest("x", timedelta(seconds=1)) == until


@pytest.mark.django_db(transaction=True)
def test_two_workers_never_take_the_same_turn() -> None:
    apart = timedelta(seconds=1.1)
    begin = now()

    def work() -> None:
        for _ in range(10):
            take_turn("x", apart=apart, patience=timedelta(minutes=1))

    at_once(work, work)

    assert ServiceGate.objects.get(service="x").next_at - begin >= 20 * apart


@pytest.mark.django_db
def test_a_call_waits_for_its_turn(server: MusicBrainzServer) -> None:
    slept: list[float] = []
    rest("musicbrainz", timedelta(seconds=15))

    with MusicBrainz(sleep=slept.append) as client:
        client.artists(["a"])

    assert len(slept) == 1
    assert 5 < slept[0] <= 15


def like(user: User, name: str, *artists: str) -> None:
    make_like(user, name)
    for place, artist in enumerate(artists):
        Artist.objects.get_or_create(id=artist, defaults={"name": artist})
        TrackArtist.objects.get_or_create(track_id=name, artist_id=artist, position=place)


def genres_of(artist: str) -> set[str]:
    rows = ArtistGenre.objects.filter(artist=artist, user=None)
    return set(rows.values_list("genre", flat=True))


@pytest.fixture
def user(db: None) -> User:
    user = make_user("ada")
    like(user, "looped", "kiasmos")
    like(user, "held", "kiasmos", "guest")
    like(user, "so what", "miles")
    return user


@pytest.fixture
def job(user: User) -> Iterator[Job]:
    queue.enqueue(user.pk, "genres", trigger="scheduled")
    request = queue.claim(worker="test")
    assert request is not None
    job = Job(request)
    job.sleep = lambda _: None  # type: ignore[method-assign]  # turns take no time here
    yield job
    job.close()


def test_the_job_finds_genres_and_says_what_it_covers(job: Job, server: MusicBrainzServer) -> None:
    server.answers.genres = {"kiasmos": {"techno": 4}, "miles": {"bebop": 9, "jazz": 8}}
    server.answers.unknown = {"guest"}

    run_genres(job)

    assert genres_of("kiasmos") == {"techno"}
    assert genres_of("miles") == {"bebop", "jazz"}
    assert Artist.objects.get(pk="guest").mbid == ""
    request = SyncRequest.objects.get()
    assert request.state == "succeeded"
    assert request.note == "The genre of 3 of 3 songs is known."
    # One call for the addresses and one for each artist that was found; nothing of the listener.
    assert len(server.answers.paths) == 3
    assert not any("ada" in path or "looped" in path for path in server.answers.paths)


def test_the_most_liked_artist_goes_first(user: User) -> None:
    assert [artist.pk for artist in due_artists(user.pk)] == ["kiasmos", "guest", "miles"]


def test_artists_of_ended_and_other_peoples_likes_are_not_asked_for(user: User) -> None:
    bea = make_user("bea")
    like(bea, "hers", "bonobo")
    make_like(user, "gone", removed_at=datetime(2020, 1, 1, tzinfo=UTC))
    Artist.objects.create(id="former", name="former")
    TrackArtist.objects.create(track_id="gone", artist_id="former", position=0)

    assert {artist.pk for artist in due_artists(user.pk)} == {"kiasmos", "guest", "miles"}


@pytest.mark.parametrize(
    ("mbid", "days", "due"), [("m", 364, False), ("m", 366, True), ("", 89, False), ("", 91, True)]
)
def test_artists_are_looked_up_again(user: User, mbid: str, days: int, *, due: bool) -> None:
    Artist.objects.update(mbid=mbid, genres_checked_at=now() - timedelta(days=days))

    assert due_artists(user.pk).exists() is due


def test_a_turn_ends_before_all_are_looked_up(
    job: Job, server: MusicBrainzServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.library.genres.TURN", 2)

    with pytest.raises(SnoozeUntil):
        run_genres(job)

    assert [artist.pk for artist in due_artists(job.request.user_id)] == ["miles"]


def test_a_pause_snoozes_the_job_and_keeps_what_was_found(
    job: Job, server: MusicBrainzServer, user: User
) -> None:
    with MusicBrainz(sleep=lambda _: None) as client:
        mbids = client.artists(["kiasmos"])
    assert mbids
    server.answers.queued = [(503, {"Retry-After": "100"}, b"")]

    with pytest.raises(SnoozeUntil) as snooze:
        run_genres(job)

    assert snooze.value.code == "musicbrainz_busy"
    assert snooze.value.until > now() + timedelta(seconds=90)
    assert due_artists(user.pk).count() == 3


def test_no_answer_is_tried_again_later(job: Job, server: MusicBrainzServer) -> None:
    server.answers.queued = [(500, {}, b"")]

    with pytest.raises(RetryLater):
        run_genres(job)


def test_nothing_is_called_without_a_contact(
    job: Job, server: MusicBrainzServer, settings: Any
) -> None:
    settings.MUSICBRAINZ_CONTACT = ""

    with pytest.raises(GiveUp):
        run_genres(job)

    assert server.answers.paths == []


def test_a_listeners_own_genres_stand_before_those_found(user: User) -> None:
    ArtistGenre.objects.create(artist_id="kiasmos", genre="techno")
    assert coverage(user.pk) == (2, 3)

    set_genres(user.pk, "miles", ["Jazz", "JAZZ", ""])
    assert coverage(user.pk) == (3, 3)
    set_genres(user.pk, "kiasmos", [])
    assert coverage(user.pk) == (1, 3)
    clear_genres(user.pk, "kiasmos")

    assert coverage(user.pk) == (3, 3)
    assert coverage(make_user("bea").pk) == (0, 0)


def test_batches_hold_what_one_call_takes() -> None:
    assert [len(batch) for batch in musicbrainz.batches(map(str, range(250)))] == [100, 100, 50]


def test_lookups_are_queued_for_who_has_artists_to_look_up(
    user: User, server: MusicBrainzServer
) -> None:
    bea = make_user("bea")
    for each in (user, bea):
        Library.objects.get_or_create(user=each)

    assert queue_lookups() == 1
    assert queue_lookups() == 0
    request = SyncRequest.objects.get()
    assert (request.user_id, request.kind, request.state) == (user.pk, "genres", "queued")
    assert server.answers.paths == []


@pytest.mark.parametrize(("hours", "queued"), [(23, 0), (25, 1)])
def test_a_lookup_that_was_given_up_is_not_queued_again_the_same_day(
    user: User, server: MusicBrainzServer, hours: int, queued: int
) -> None:
    Library.objects.get_or_create(user=user)
    make_request(user, kind="genres", state="dead", completed=now() - timedelta(hours=hours))

    assert queue_lookups() == queued


def test_no_lookup_is_queued_without_a_contact(user: User, settings: Any) -> None:
    Library.objects.get_or_create(user=user)
    settings.MUSICBRAINZ_CONTACT = ""

    assert queue_lookups() == 0
    assert not SyncRequest.objects.exists()


def test_of_many_listeners_a_turn_looks_at_some_and_in_time_at_all(
    user: User, server: MusicBrainzServer, monkeypatch: Any
) -> None:
    monkeypatch.setattr(genres, "LISTENERS_A_TURN", 2)
    likes = SavedTrack.objects.filter(user=user)
    for name in ("bea", "cy", "dora", "eve"):
        another = make_user(name)
        for like in likes:
            SavedTrack.objects.create(user=another, track=like.track, added_at=like.added_at)
    make_user("zoe")
    Library.objects.get_or_create(user=user)

    queued = []
    while sum(queued) < 5:
        queued.append(queue_lookups())
        assert len(queued) < 1000

    assert max(queued) <= 2
    lookups = SyncRequest.objects.filter(kind="genres").values_list("user__spotify_id", flat=True)
    assert sorted(lookups) == sorted([user.spotify_id, "bea", "cy", "dora", "eve"])
    with CaptureQueriesContext(connection) as captured:
        queue_lookups()
    assert len(captured) <= 4
