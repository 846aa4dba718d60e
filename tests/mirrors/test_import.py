"""Coming from Syncify 2: its database, and the playlists whose links its listeners have shared."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import SpotifyConnection, User
from sync.mirrors.adoption import playlists_to_adopt
from sync.mirrors.services import change_settings
from sync.models import InboxItem, Mirror, Playlist, SyncRequest
from syncify.simulator.server import Simulator
from syncify.spotify import types
from tests.accounts.signing_in import sign_in
from tests.driving import mirrored, run_again, run_for, time_for_a_second_look, wait_of
from tests.scratch import client, scratch_database

pytestmark = pytest.mark.django_db

SCHEMA = b"""
CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
INSERT INTO alembic_version VALUES ('e9a99f2b6481');
CREATE TABLE users (id varchar PRIMARY KEY, refresh_token varchar NOT NULL);
CREATE TABLE sync_requests (
    id serial PRIMARY KEY,
    user_id varchar NOT NULL,
    song_count integer NOT NULL DEFAULT 0,
    progress double precision NOT NULL DEFAULT 0,
    created timestamptz NOT NULL DEFAULT now(),
    completed timestamptz,
    CONSTRAINT sync_requests_user FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE
);
"""
DAY = timedelta(days=1)
BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Syncify2:
    """A database of Syncify 2."""

    def __init__(self, address: str) -> None:
        self.address = address

    def execute(self, statement: str, *values: object) -> None:
        with psycopg.connect(self.address) as database:
            database.execute(statement.encode(), values)

    def user(self, spotify_id: str, token: str = "any") -> None:  # noqa: S107 - opens nothing
        self.execute("INSERT INTO users VALUES (%s, %s)", spotify_id, token)

    def sync(self, user: str, *, songs: int = 3, completed: datetime | None = BEGAN + DAY) -> None:
        self.execute(
            "INSERT INTO sync_requests (user_id, song_count, progress, created, completed)"
            " VALUES (%s, %s, 1, %s, %s)",
            *(user, songs, BEGAN, completed),
        )


@pytest.fixture
def old(db: None) -> Iterator[Syncify2]:
    with scratch_database() as address:
        client("psql", address, given=SCHEMA)
        yield Syncify2(address)


def import_from(address: str, *options: str) -> str:
    """What the command says."""
    said = StringIO()
    call_command("import_syncify2", address, *options, stdout=said)
    return said.getvalue()


def come_over(old: Syncify2, simulator: Simulator, listener: str) -> User:
    """A listener of Syncify 2 whose tokens Spotify knows, after the import."""
    old.user(listener, simulator.authorize(listener)["refresh_token"])
    import_from(old.address)
    return User.objects.get(spotify_id=listener)


def writes(simulator: Simulator) -> int:
    return simulator.count() - simulator.count("GET")


def dates(simulator: Simulator, playlist_id: str) -> dict[str | None, datetime]:
    return {row.uri: row.added_at for row in simulator.playlist(playlist_id).rows}


# --- From a dump to the first sync ------------------------------------------------------------


def test_a_restored_dump_comes_over_and_the_first_sync_keeps_the_link(
    old: Syncify2, simulator: Simulator
) -> None:
    old.user("ada", token := simulator.authorize("ada")["refresh_token"])
    old.sync("ada", songs=179)
    liked = simulator.liked("ada")
    decoy = simulator.create_playlist("bea", "Syncify 1/1", liked)
    link = simulator.create_playlist("ada", "Syncify 1/1", liked[1:90] + liked[91:])
    simulator.advance(DAY)
    simulator.unlike("ada", liked[40])
    simulator.follow("ada", decoy)  # on top in the list of playlists
    before = dates(simulator, link)

    with scratch_database() as restored:
        client("psql", restored, given=client("pg_dump", old.address))
        said = import_from(restored)
    user = User.objects.get(spotify_id="ada")
    first = run_again(user)

    assert said == "Came over: 1 listener with 1 finished sync.\n"
    past = SyncRequest.objects.exclude(pk=first.pk).get()
    assert (past.state, past.trigger, past.song_count) == ("succeeded", "manual", 179)
    assert (past.created, past.completed, past.progress) == (BEGAN, BEGAN + DAY, 1)

    assert (first.state, first.trigger) == ("succeeded", "first")
    assert (first.added, first.removed) == (2, 1)
    [volume] = Playlist.objects.all()
    assert volume.spotify_id == link
    assert mirrored(simulator, user) == simulator.liked("ada")
    assert writes(simulator) == 3 + 1  # the description asks for a new sign-in
    after = dates(simulator, link)
    assert [uri for uri in before if uri in after and after[uri] != before[uri]] == []
    assert simulator.playlist(link).name == Mirror.objects.get().name == "Syncify 1/1"
    assert simulator.playlist_uris(decoy) == liked

    with connection.cursor() as cursor:
        cursor.execute("SELECT refresh_token FROM spotify_connections")
        assert token not in cursor.fetchone()[0]
    consent = SpotifyConnection.objects.get()
    assert consent.refresh_token == token
    assert timedelta(days=6) < consent.consent_ends_at - timezone.now() <= timedelta(days=7)


@pytest.mark.usefixtures("small_volumes")
def test_all_playlists_of_a_large_library_keep_their_links_and_their_order(
    old: Syncify2, simulator: Simulator
) -> None:
    simulator.set_liked("cleo", *(simulator.new_track() for _ in range(80)))
    liked = simulator.liked("cleo")
    second = simulator.create_playlist("cleo", "Syncify 2/2", liked[50:])
    first = simulator.create_playlist("cleo", "Syncify 1/2", liked[:50])

    cleo = come_over(old, simulator, "cleo")
    request = run_again(cleo)

    assert request.state == "succeeded"
    assert [volume.spotify_id for volume in Playlist.objects.all()] == [first, second]
    assert mirrored(simulator, cleo) == liked
    assert writes(simulator) == 1  # as above


@pytest.mark.usefixtures("small_volumes")
def test_a_playlist_that_is_gone_is_made_anew_beside_the_one_that_is_there(
    old: Syncify2, simulator: Simulator
) -> None:
    simulator.set_liked("cleo", *(simulator.new_track() for _ in range(80)))
    liked = simulator.liked("cleo")
    second = simulator.create_playlist("cleo", "Syncify 2/2", liked[50:])

    cleo = come_over(old, simulator, "cleo")
    run_again(cleo)

    volumes = Playlist.objects.all()
    assert len(volumes) == 2
    assert volumes[1].spotify_id == second
    assert mirrored(simulator, cleo) == liked


@pytest.mark.parametrize(
    ("shown", "wait"),
    [(0, timedelta(hours=1)), (66, timedelta(minutes=10))],
    ids=["no likes", "half of the likes"],
)
def test_a_first_reading_that_shows_too_little_removes_nothing(
    old: Syncify2, simulator: Simulator, shown: int, wait: timedelta
) -> None:
    simulator.set_liked("emil", *(simulator.new_track() for _ in range(130)))
    liked = simulator.liked("emil")
    link = simulator.create_playlist("emil", "Syncify 1/1", liked)
    emil = come_over(old, simulator, "emil")
    simulator.fault("hide", path="/me/tracks", keep=shown, times=0)

    request = run_again(emil)

    assert (request.state, request.error_code) == ("queued", "confirming_removal")
    assert abs(wait_of(request) - wait) < timedelta(minutes=1)
    assert simulator.playlist_uris(link) == liked

    simulator.clear_faults()
    simulator.forget_requests()
    time_for_a_second_look()
    assert run_again(emil).state == "succeeded"
    assert simulator.playlist_uris(link) == liked
    assert simulator.count("GET", "/v1/me/tracks") == 3
    assert simulator.count("DELETE") == 0
    assert not InboxItem.objects.exists()


def test_without_a_playlist_to_adopt_a_new_one_is_made(old: Syncify2, simulator: Simulator) -> None:
    emil = come_over(old, simulator, "emil")

    run_again(emil)

    assert mirrored(simulator, emil) == simulator.liked("emil")
    [playlist] = simulator.playlists("emil")
    assert simulator.playlist(playlist).name == "Liked Songs of emil"


@pytest.mark.parametrize("calls", range(1, 5))
def test_a_first_sync_that_is_killed_on_the_way_still_adopts(
    calls: int, old: Syncify2, simulator: Simulator
) -> None:
    link = simulator.create_playlist("emil", "Syncify 1/1", simulator.liked("emil")[1:])
    emil = come_over(old, simulator, "emil")

    assert run_for(emil, calls, killed=True)
    run_again(emil)

    assert simulator.playlists("emil") == [link]
    assert simulator.playlist_uris(link) == simulator.liked("emil")


def test_a_name_given_here_before_the_first_sync_goes_to_the_adopted_playlist(
    old: Syncify2, simulator: Simulator
) -> None:
    link = simulator.create_playlist("emil", "Syncify 1/1", simulator.liked("emil"))
    emil = come_over(old, simulator, "emil")
    change_settings(mirror=Mirror.objects.get(user=emil), name="Hearts")

    run_again(emil)

    assert simulator.playlist(link).name == "Hearts"


@pytest.mark.parametrize(
    ("names", "songs", "adopted"),
    [
        (["Syncify 1/1"], 3, {1: 0}),
        (["Syncify 1/1"], 0, {1: 0}),
        (["Syncify 2/2", "Syncify 1/2"], 15_000, {1: 1, 2: 0}),
        (["Syncify 2/2"], 15_000, {2: 0}),
        # It was named otherwise once.
        (["Syncify (Liked Songs) 1/1"], 3, {1: 0}),
        (["Syncify (Liked Songs) 1/1", "Syncify 1/1"], 3, {1: 1}),
        # What it left behind when the number of playlists changed.
        (["Syncify 1/1", "Syncify 1/2", "Syncify 2/2"], 15_000, {1: 1, 2: 2}),
        (["Syncify 1/1", "Syncify 1/2", "Syncify 2/2"], 3, {1: 0}),
        (["Syncify 1/2", "Syncify 2/2"], 3, {1: 0}),
        (["Syncify 1/1"], 15_000, {1: 0}),
        # As it did itself, the first of a name.
        (["Syncify 1/1", "Syncify 1/1"], 3, {1: 0}),
        (["My Syncify 1/1", "Syncify", "Syncify 1/1 ", "Syncify 0/1", "Syncify 2/1"], 3, {}),
        (["Syncify 999/999"], 3, {}),
        ([], 3, {}),
    ],
)
def test_the_set_that_fits_is_adopted_by_number(
    names: list[str], songs: int, adopted: dict[int, int]
) -> None:
    own = [types.Playlist(str(at), name, "", None, "", 0, "ada") for at, name in enumerate(names)]

    found = playlists_to_adopt(own, songs)

    assert {number: int(playlist.id) for number, playlist in found.items()} == adopted


# --- What comes over --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"user": ("", "token")}, "Left out: listener '': this is no Spotify id."),
        ({"user": ("x" * 256, "token")}, "this is no Spotify id."),
        ({"user": ("bea", " ")}, "Left out: listener 'bea': there is no refresh token."),
        ({"user": ("zoe", "token")}, "'zoe': SYNCIFY_ALLOWED_USERS does not name them."),
        ({"sync": {"completed": BEGAN - DAY}}, "Left out: sync 1: it ended before it began."),
        ({"sync": {"completed": timezone.now() + DAY}}, "sync 1: it ends in the future."),
        ({"sync": {"songs": -1}}, "Left out: sync 1: it counted -1 songs."),
        ({"sync": {"completed": None}}, "Left out: 1 unfinished sync."),
        ({"stranger": {}}, "Left out: sync 1: its listener 'nobody' is unknown."),
    ],
)
def test_rows_that_make_no_sense_are_reported_and_left_out(
    row: dict[str, Any], said: str, old: Syncify2, settings: Any
) -> None:
    settings.ALLOWED_USERS = ["ada", "bea", "x" * 256]
    old.user("ada")
    match row:
        case {"user": (spotify_id, token)}:
            old.user(spotify_id, token)
        case {"sync": fields}:
            old.sync("ada", **fields)
        case {"stranger": fields}:
            old.execute("ALTER TABLE sync_requests DROP CONSTRAINT sync_requests_user")
            old.sync("nobody", **fields)
    old.sync("ada")

    report = import_from(old.address)

    assert said in report
    assert report.endswith("Came over: 1 listener with 1 finished sync.\n")
    assert [user.spotify_id for user in User.objects.all()] == ["ada"]
    assert SyncRequest.objects.filter(state="succeeded").count() == 1


def test_a_second_run_changes_nothing(old: Syncify2) -> None:
    old.user("ada")
    old.sync("ada")
    import_from(old.address)
    before = contents()

    report = import_from(old.address)

    assert "Already here, and as before: 1 listener." in report
    assert contents() == before


def test_a_consent_given_here_since_is_kept(old: Syncify2, simulator: Simulator) -> None:
    user = come_over(old, simulator, "ada")
    sign_in(Client(), simulator, "ada")
    user.refresh_from_db()
    before = contents()

    import_from(old.address)

    assert contents() == before
    assert user.display_name == "Ada"
    assert user.connection.authorized_at > timezone.now() - DAY


def test_a_dry_run_says_the_same_and_changes_nothing(old: Syncify2) -> None:
    old.user("ada")
    old.user("")
    old.sync("ada")

    report = import_from(old.address, "--dry-run")

    assert report.splitlines() == [
        "Left out: listener '': this is no Spotify id.",
        "Would come over: 1 listener with 1 finished sync.",
        "Nothing was changed.",
    ]
    assert contents() == [[], [], [], []]


def contents() -> list[list[dict[str, Any]]]:
    models = (User, SpotifyConnection, Mirror, SyncRequest)
    return [list(model.objects.order_by("pk").values()) for model in models]


# --- What cannot be read ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("nonsense", "The database cannot be read: "),
        ("postgresql://127.0.0.1:1/old", "The database cannot be read: connection failed"),
    ],
)
def test_an_address_that_leads_nowhere_says_so(address: str, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        import_from(address)


@pytest.mark.parametrize("table", ["users", "sync_requests"])
def test_a_database_without_the_tables_is_not_taken_for_syncify_2(
    table: str, old: Syncify2
) -> None:
    old.execute(f"DROP TABLE {table} CASCADE")

    with pytest.raises(CommandError, match=f'not a database of Syncify 2: relation "{table}"'):
        import_from(old.address)


def test_without_the_client_secret_no_token_would_work(old: Syncify2, settings: Any) -> None:
    settings.SPOTIFY_CLIENT_SECRET = ""

    with pytest.raises(CommandError, match="SPOTIFY_CLIENT_SECRET"):
        import_from(old.address)
