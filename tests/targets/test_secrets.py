"""Passwords and tokens of connected services: encrypted, and carried over to new keys."""

from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.db import connection as database

from accounts.token_keys import rotate_secrets
from sync.models import Connection
from tests.builders import make_user
from tests.targets.scenes import connect

pytestmark = pytest.mark.django_db


def test_the_database_never_sees_a_password() -> None:
    connect(make_user("ada"), "subsonic", secret="s3cret")

    with database.cursor() as cursor:
        cursor.execute("SELECT c::text FROM connections AS c")
        [(row,)] = cursor.fetchall()

    assert "s3cret" not in row


def test_passwords_outlive_the_key_that_encrypted_them(settings: Any, capsys: Any) -> None:
    connect(make_user("ada"), "subsonic", secret="s3cret")
    connect(make_user("bea"), "listenbrainz", secret="token")
    new = Fernet.generate_key().decode()
    settings.TOKEN_KEYS = [new, *settings.TOKEN_KEYS]

    call_command("rotate_token_keys")

    settings.TOKEN_KEYS = [new]
    secrets = Connection.objects.order_by("service").values_list("secret", flat=True)
    assert list(secrets) == ["token", "s3cret"]
    assert "passwords of other services: 2." in capsys.readouterr().out


def test_a_password_that_no_key_decrypts_is_counted_and_kept(settings: Any) -> None:
    connect(make_user("ada"), "subsonic", secret="s3cret")
    old, settings.TOKEN_KEYS = settings.TOKEN_KEYS, [Fernet.generate_key().decode()]

    assert rotate_secrets() == (0, 1)

    settings.TOKEN_KEYS = old
    assert Connection.objects.get().secret == "s3cret"
