"""A listener's data: complete in the download, gone after the deletion; read off the models."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db.models import Model
from django.test import Client
from django.utils import timezone

from accounts.deletion import delete_account
from accounts.models import SpotifyApp, SpotifyConnection, User
from sync.library.export import OWNER, SECRETS, SECTIONS
from sync.models import (
    Artist,
    ArtistGenre,
    Connection,
    DifferentSongs,
    Household,
    HouseholdMember,
    InboxItem,
    Incident,
    Invitation,
    ListeningHistory,
    MirrorTrack,
    Pair,
    PairInvitation,
    Play,
    Playlist,
    PlaylistItems,
    ShareLink,
    StoredPage,
    SyncResult,
    TargetCatalogue,
    TargetPlaylist,
    Track,
    TrackLink,
    UploadPart,
)
from tests.builders import main_mirror, make_like, make_request, make_user

pytestmark = pytest.mark.django_db


def names_a_listener(model: type[Model]) -> bool:
    """Whether a row of it belongs to a user, by however many steps."""
    targets = [field.related_model for field in model._meta.concrete_fields if field.is_relation]
    return model is User or any(names_a_listener(target) for target in targets)  # type: ignore[arg-type]


TABLES = [model for model in apps.get_models() if names_a_listener(model)]


def full(name: str) -> User:
    """A listener with at least a row in each table."""
    user = make_user(name)
    SpotifyConnection.objects.filter(user=user).update(access_token="AT", refresh_token="RT")
    mirror = main_mirror(user)
    playlist = Playlist.objects.create(mirror=mirror, number=1, spotify_id=f"of-{name}")
    PlaylistItems.objects.create(playlist=playlist, uris=["spotify:track:looped"])
    MirrorTrack.objects.create(mirror=mirror, track_id="looped")
    InboxItem.objects.create(user=user, mirror=mirror, track_id="held")
    request = make_request(user, state="dead", errors=[{"attempt": 1, "message": "No answer."}])
    SyncResult.objects.create(request=request, mirror=mirror)
    make_like(user, "looped", added_in=request)
    Play.objects.create(user=user, track_id="looped", plays=3, last_played=timezone.now())
    UploadPart.objects.create(user=user, number=0, data=b"x")
    ListeningHistory.objects.create(user=user, known=[[1, 2]])
    DifferentSongs.objects.create(user=user, first="looped", second="swayed")
    artist, _ = Artist.objects.get_or_create(id="kiasmos", defaults={"name": "Kiasmos"})
    ArtistGenre.objects.create(artist=artist, genre="techno", user=user)
    ShareLink.objects.create(user=user, kind="page", token_hash=f"hash-of-{name}")
    friend = make_user(f"friend-of-{user.pk}")
    Pair.objects.create(first=user, second=friend)
    household = Household.objects.create(owner=user)
    HouseholdMember.objects.create(household=household, user=user)
    expires = timezone.now() + timedelta(days=7)
    PairInvitation.objects.create(user=user, code_hash=f"hash-of-{name}", expires=expires)
    Invitation.objects.create(
        user=user,
        code_hash=f"hash-of-{name}",
        expires=expires,
        given=expires,
        email="g@c.org",
    )
    connection = Connection.objects.create(user=user, service="subsonic", secret="PW")
    TrackLink.objects.create(connection=connection, track_id="looped")
    TargetPlaylist.objects.create(connection=connection, mirror=mirror)
    TargetCatalogue.objects.create(connection=connection, packed=b"")
    make_like(user, "swayed", removed_at=timezone.now(), added_at=timezone.now() - timedelta(1))
    StoredPage.objects.create(user=user, offset=0, total=2, items=[["looped", "2026-11-20"]])
    SpotifyApp.objects.create(label=name, client_id=name, secret="hidden", created_by=user)
    Incident.objects.create(key=f"consent:{user.pk}", message=f"{user} has to sign in", user=user)
    return user


def count(model: type[Model], user: User) -> int:
    if model is User:
        return User.objects.filter(pk=user.pk).count()
    if model is Pair:
        return Pair.objects.filter(first=user).count()
    return model._default_manager.filter(**{OWNER.get(model, "user"): user}).count()


def download(client: Client, user: User) -> Any:
    client.force_login(user)
    response = client.get("/accounts/export/")
    assert response.status_code == 200
    assert response.headers["Content-Disposition"].startswith("attachment")
    return json.loads(response.content)


def test_every_table_that_names_a_listener_has_a_place_in_the_export() -> None:
    assert set(TABLES) == set(SECTIONS)


@pytest.mark.parametrize("model", TABLES)
def test_the_export_has_every_row_and_column_of_ones_own(
    client: Client, model: type[Model]
) -> None:
    ada = full("ada")
    full("bea")

    rows = download(client, ada)[SECTIONS[model]]

    assert len(rows) == count(model, ada) > 0
    columns = {field.attname for field in model._meta.concrete_fields}
    assert columns - set(rows[0]) <= SECRETS
    assert "bea" not in json.dumps(rows)
    assert '"AT"' not in json.dumps(rows)


def test_the_export_tells_what_a_person_wants_to_know(client: Client) -> None:
    data = download(client, full("ada"))

    assert data["account"][0]["spotify_id"] == "ada"
    assert data["consent"][0]["ends_at"] > data["consent"][0]["authorized_at"]
    assert data["playlists"][0]["spotify_id"] == "of-ada"
    assert [like["track"]["name"] for like in data["likes"]] == ["looped", "swayed"]
    assert [bool(like["removed_at"]) for like in data["likes"]] == [False, True]
    assert data["syncs"][0]["errors"] == [{"attempt": 1, "message": "No answer."}]


def test_the_queries_of_an_export_do_not_grow(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    ada = full("ada")
    for number in range(20):
        make_like(ada, f"song {number}")
        make_request(ada, state="succeeded")

    client.force_login(ada)
    with django_assert_max_num_queries(len(TABLES) + 2):
        client.get("/accounts/export/")


@pytest.mark.parametrize("model", TABLES)
def test_deletion_leaves_no_row_of_theirs_and_all_of_others(model: type[Model]) -> None:
    ada, bea = full("ada"), full("bea")
    rest = count(model, bea)

    delete_account(ada)

    assert (count(model, ada), count(model, bea)) == (0, rest)
    assert Track.objects.count() == 2


@pytest.mark.parametrize("path", ["/settings/", "/accounts/delete/"])
def test_the_download_is_offered(client: Client, path: str) -> None:
    client.force_login(make_user("ada"))

    assert 'href="/accounts/export/"' in client.get(path).content.decode()
