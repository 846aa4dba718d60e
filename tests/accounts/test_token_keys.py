"""Keys of the stored tokens: rotated without a pause, lost without a crash."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from psycopg import sql

from accounts.models import SpotifyConnection, User
from accounts.token_keys import rotate_token_keys
from accounts.tokens import ConnectionTokens
from sync.models import Library, SyncRequest
from sync.queue.scheduler import enqueue_due_syncs
from syncify.simulator.server import Simulator
from tests.accounts.signing_in import sign_in
from tests.builders import connect
from tests.driving import card, outcome, run, run_again, worker
from tests.waiting import PATIENCE, in_thread


def new_key() -> str:
    return Fernet.generate_key().decode()


def tokens(user: User) -> tuple[str, str]:
    held = SpotifyConnection.objects.get(user=user)
    return held.access_token, held.refresh_token


def test_tokens_outlive_the_key_that_encrypted_them(ada: User, bea: User, settings: Any) -> None:
    before, old, new = (tokens(ada), tokens(bea)), settings.TOKEN_KEYS, new_key()
    settings.TOKEN_KEYS = [new, *old]
    assert (tokens(ada), tokens(bea)) == before

    assert rotate_token_keys() == rotate_token_keys() == (2, 0)

    settings.TOKEN_KEYS = [new]
    assert (tokens(ada), tokens(bea)) == before


def test_what_no_key_decrypts_is_counted_and_kept(
    ada: User, bea: User, settings: Any, capsys: Any
) -> None:
    before, old, new = tokens(ada), settings.TOKEN_KEYS, new_key()
    settings.TOKEN_KEYS = [new]
    SpotifyConnection.objects.filter(user=bea).update(access_token="a", refresh_token="r")

    call_command("rotate_token_keys")

    assert "newest key: 1." in (said := capsys.readouterr().out)
    assert "no key decrypts: 1." in said
    settings.TOKEN_KEYS = old
    assert tokens(ada) == before


def test_who_signed_out_of_spotify_has_nothing_to_rotate(ada: User) -> None:
    SpotifyConnection.objects.update(access_token="", refresh_token="")

    assert rotate_token_keys() == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_a_token_that_is_refreshed_meanwhile_is_not_written_over(
    simulator: Simulator, settings: Any
) -> None:
    ada = connect(simulator, "ada")
    settings.TOKEN_KEYS = [new_key(), *settings.TOKEN_KEYS]
    SpotifyConnection.objects.update(access_expires_at=timezone.now())
    simulator.behaviour.rotate_refresh_token = True
    simulator.fault("latency", path="/api/token", seconds=0.3)
    asked = Event()
    simulator.after_request(lambda one: one.path == "/api/token", asked.set)

    with ThreadPoolExecutor(1) as pool:
        refreshed = in_thread(pool, ConnectionTokens(ada.pk).current)
        assert asked.wait(PATIENCE)
        assert rotate_token_keys() == (1, 0)

    access, refresh_token = tokens(ada)
    assert access == refreshed.result()
    assert refresh_token in simulator.grants.refreshable


@pytest.mark.django_db(transaction=True)
def test_a_rotation_that_was_interrupted_is_gone_on_with(
    simulator: Simulator, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bea = connect(simulator, "ada"), connect(simulator, "bea")
    before = (tokens(ada), tokens(bea))
    settings.TOKEN_KEYS = [new_key(), *settings.TOKEN_KEYS]
    save, saved = SpotifyConnection.save, []

    def save_one(self: SpotifyConnection, **kwargs: Any) -> None:
        if saved:
            raise KeyboardInterrupt
        saved.append(self.pk)
        save(self, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(SpotifyConnection, "save", save_one)
        with pytest.raises(KeyboardInterrupt):
            rotate_token_keys()
    assert (tokens(ada), tokens(bea)) == before

    assert rotate_token_keys() == (2, 0)
    settings.TOKEN_KEYS = settings.TOKEN_KEYS[:1]
    assert (tokens(ada), tokens(bea)) == before


# --- Lost ---------------------------------------------------------------------------------------


def test_a_lost_key_means_to_sign_in_again(
    client: Client, ada: User, simulator: Simulator, settings: Any
) -> None:
    run(ada)
    settings.TOKEN_KEYS = [new_key()]
    simulator.forget_requests()

    assert outcome(run(ada, "scheduled")) == ("dead", "sign_in_needed", 1)

    assert "Syncify has lost Spotify's permission" in card(client, ada)
    Library.objects.update(next_due=timezone.now() - timedelta(days=1))
    enqueue_due_syncs()
    assert not worker().run_one()
    assert simulator.requests == []
    sign_in(client, simulator, "ada")
    assert run_again(ada).state == "succeeded"


def test_a_key_that_is_found_again_brings_everybody_back(
    ada: User, simulator: Simulator, settings: Any
) -> None:
    found = settings.TOKEN_KEYS
    settings.TOKEN_KEYS = [new_key()]
    run(ada, "scheduled")
    settings.TOKEN_KEYS = [*settings.TOKEN_KEYS, *found]

    assert rotate_token_keys() == (1, 0)

    held = SpotifyConnection.objects.get()
    assert (held.state, held.state_reason) == ("connected", "")
    Library.objects.update(next_due=timezone.now())
    enqueue_due_syncs()
    assert worker().run_one()
    assert SyncRequest.objects.latest("id").state == "succeeded"


@pytest.mark.django_db
def test_a_dump_of_the_database_reveals_no_token(
    client: Client, simulator: Simulator, settings: Any
) -> None:
    settings.SPOTIFY_CLIENT_SECRET = ""  # PKCE: the session has held a verifier too
    code = sign_in(client, simulator, "ada").code
    ada = User.objects.get()
    issued = [code, *tokens(ada)]
    run_again(ada)
    SpotifyConnection.objects.update(access_expires_at=timezone.now())
    run(ada)
    issued += tokens(ada)

    dump = ""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(table)))
            dump += "".join(row for (row,) in cursor.fetchall())

    assert "playlist-modify-private" in dump
    assert "Liked Songs of Ada" in dump
    assert len(set(issued)) == 5
    assert [token for token in issued if token in dump] == []
