"""What the answers of the token endpoint mean."""

import json
import time
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from django.utils import timezone

from syncify.spotify.accounts_host import Grant, TokenRefused, exchange_code, refresh
from syncify.spotify.credentials import Credentials
from syncify.spotify.errors import Blocked, Unavailable
from syncify.spotify.quota import current_block
from tests.stand_in import StandIn

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
APP = Credentials("some-app", "some-secret")


def answer(host: StandIn, body: Any, *, status: int = 200, **headers: str) -> None:
    host.status, host.headers = status, headers
    host.body = body if isinstance(body, bytes) else json.dumps(body).encode()


def granted(**fields: Any) -> dict[str, Any]:
    return {"access_token": "access", "refresh_token": "refresh", "expires_in": 3600, **fields}


@pytest.mark.parametrize(
    ("expires_in", "life"),
    [
        (3600, HOUR),
        (120, 2 * timedelta(minutes=1)),
        (1800.5, timedelta(seconds=1800.5)),
        (10**30, timedelta(days=1)),
        # Not a usable number: the usual hour.
        (0, HOUR),
        (-5, HOUR),
        (True, HOUR),
        (None, HOUR),
        ("3600", HOUR),
        ({"seconds": 1}, HOUR),
        (float("inf"), HOUR),
        (float("nan"), HOUR),
    ],
)
def test_an_access_token_lasts_as_long_as_is_said(
    stand_in: StandIn, expires_in: Any, life: timedelta
) -> None:
    answer(stand_in, granted(expires_in=expires_in))

    ends_in = refresh(APP, "refresh").expires_at - timezone.now()

    assert abs(ends_in - life) < timedelta(seconds=5)


@pytest.mark.parametrize(
    ("fields", "refresh_token", "scopes"),
    [
        ({}, "refresh", None),
        ({"refresh_token": None}, "", None),
        ({"refresh_token": {"odd": 1}}, "", None),
        ({"refresh_token": "with a space"}, "", None),
        ({"refresh_token": "a\0b"}, "", None),
        ({"refresh_token": "x" * 5_000}, "", None),
        ({"scope": "one  two\0three"}, "refresh", "one two three"),
        ({"scope": ""}, "refresh", ""),
        ({"scope": ["one"]}, "refresh", None),
    ],
)
def test_odd_fields_count_as_left_out(
    stand_in: StandIn, fields: dict[str, Any], refresh_token: str, scopes: str | None
) -> None:
    answer(stand_in, granted(**fields))

    grant = refresh(APP, "refresh")

    assert isinstance(grant, Grant)
    assert (grant.access_token, grant.refresh_token) == ("access", refresh_token)
    assert grant.scopes == scopes


@pytest.mark.parametrize("token", [None, "", 7, "a\nb", "\ud800", "é", "x" * 5_000])
@pytest.mark.parametrize(
    "call", [refresh, lambda app, code: exchange_code(app, code, verifier="v" * 43)]
)
def test_an_answer_without_a_usable_token_is_none(stand_in: StandIn, token: Any, call: Any) -> None:
    answer(stand_in, granted(access_token=token))

    with pytest.raises(Unavailable):
        call(APP, "code")


@pytest.mark.parametrize(
    ("status", "body", "error", "is_blocked"),
    [
        (400, {"error": "invalid_grant"}, TokenRefused, False),
        (401, {"error": "invalid_grant"}, TokenRefused, False),
        (403, {"error": "invalid_grant"}, TokenRefused, False),
        (400, {"error": "invalid_client"}, Blocked, True),
        (401, {"error": "invalid_client"}, Blocked, True),
        (403, {"error": "unauthorized_client"}, Blocked, True),
        (400, {"error": "unauthorized_client"}, Blocked, True),
        (400, {"error": "invalid_request"}, Unavailable, False),
        (403, {"error": "\0" * 500}, Unavailable, False),
        (403, {"error": {"message": "invalid_grant"}}, Unavailable, False),
        (403, {}, Unavailable, False),
        (403, b"Forbidden", Unavailable, False),
        (403, [], Unavailable, False),
        (400, b"[" * 100_000, Unavailable, False),
        (500, {"error": "invalid_grant"}, Unavailable, False),
        (200, b"<html>", Unavailable, False),
        (200, None, Unavailable, False),
        (302, b"", Unavailable, False),
    ],
)
def test_only_a_refusal_of_the_grant_concerns_the_listener(
    stand_in: StandIn, status: int, body: Any, error: type[Exception], is_blocked: bool
) -> None:
    answer(stand_in, body, status=status)

    with pytest.raises(error):
        refresh(APP, "refresh")

    block = current_block()
    assert (block is not None) == is_blocked
    assert block is None or block.because == "credentials"
    assert stand_in.requests == 1


@pytest.mark.parametrize("status", [429, 503, 500, 403, 400])
def test_a_wait_that_is_named_holds_for_everybody(stand_in: StandIn, status: int) -> None:
    answer(stand_in, {"error": "invalid_grant"}, status=status, **{"Retry-After": "600"})

    with pytest.raises(Blocked) as raised:
        refresh(APP, "refresh")

    block = current_block()
    assert block is not None
    assert (block.because, block.until) == ("quota", raised.value.until)
    assert timedelta(minutes=10) <= block.until - timezone.now() < timedelta(minutes=13)


def test_a_success_with_a_named_wait_is_a_success(stand_in: StandIn) -> None:
    answer(stand_in, granted(), **{"Retry-After": "600"})

    assert refresh(APP, "refresh").access_token == "access"
    assert current_block() is None


@pytest.mark.parametrize("wait", ["0", "-5", "soon", ""])
def test_a_wait_that_is_none_blocks_nobody(stand_in: StandIn, wait: str) -> None:
    answer(stand_in, b"", status=503, **{"Retry-After": wait})

    with pytest.raises(Unavailable):
        refresh(APP, "refresh")

    assert current_block() is None


def test_an_answer_that_drips_is_given_up(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncify.spotify.accounts_host.DEADLINE", 0.3)
    answer(stand_in, granted())
    stand_in.pause = 1.0
    begun = time.monotonic()

    with pytest.raises(Unavailable):
        refresh(APP, "refresh")

    assert time.monotonic() - begun < 30  # the whole takes more than twice as long


def test_a_date_is_a_wait_too(stand_in: StandIn) -> None:
    later = format_datetime(timezone.now() + 2 * HOUR, usegmt=True)
    answer(stand_in, b"", status=503, **{"Retry-After": later})

    with pytest.raises(Blocked):
        refresh(APP, "refresh")
