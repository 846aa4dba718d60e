"""No token reaches a log line, whoever writes it, and nobody else writes one."""

import json
import logging
import logging.config
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.test import RequestFactory

from syncify.logs import hide_secrets, logging_config

TOKEN = "BQDx-3kf0_9a.b~c/d+e="


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {TOKEN}",
        f"{{'Authorization': 'Basic {TOKEN}'}}",
        f'{{"access_token": "{TOKEN}", "expires_in": 3600}}',
        f"grant_type=refresh_token&refresh_token={TOKEN}",
        f"client_secret={TOKEN}",
        f"GET /accounts/callback/?code={TOKEN}&state=abc",
        f"code_verifier: '{TOKEN}'",
    ],
)
def test_credential_is_hidden(text: str) -> None:
    assert TOKEN not in hide_secrets(text)


@pytest.mark.parametrize(
    "text",
    [
        "request claimed request=12 trigger=manual attempt=1",
        "GET /sync/ status=200",
        "sync ended code=404",
        "the refresh token of user=3 was refused code=invalid_grant",
    ],
)
def test_ordinary_line_stays_as_it_is(text: str) -> None:
    assert hide_secrets(text) == text


@pytest.fixture(params=["text", "json"])
def form(request: Any) -> str:
    return str(request.param)


@pytest.fixture
def written(form: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """What a handler that is configured as ours writes."""
    monkeypatch.setenv("SYNCIFY_LOG_FORMAT", form)
    stream, ours = StringIO(), logging_config()
    console = {**ours["handlers"]["console"], "stream": stream}
    logger = {"handlers": ["console"], "propagate": False}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": ours["filters"],
            "formatters": ours["formatters"],
            "handlers": {"console": console},
            "loggers": {"tests.logs": logger},
        }
    )
    yield stream
    logging.getLogger("tests.logs").handlers.clear()


def test_credential_among_the_arguments_is_hidden(written: StringIO) -> None:
    logging.getLogger("tests.logs").warning("answer %s status=%d", {"access_token": TOKEN}, 200)

    assert TOKEN not in written.getvalue()
    assert "status=200" in written.getvalue()


def test_credential_in_a_traceback_is_hidden(written: StringIO) -> None:
    try:
        int(f"refresh_token={TOKEN}")
    except ValueError:
        logging.getLogger("tests.logs").exception("refresh failed user=%d", 3)

    assert TOKEN not in written.getvalue()
    assert "refresh failed user=3" in written.getvalue()
    assert "ValueError: invalid literal" in written.getvalue()


def test_address_of_a_request_is_not_told(written: StringIO) -> None:
    callback = RequestFactory().get("/accounts/callback/", {"code": TOKEN})

    logging.getLogger("tests.logs").warning("Not Found", extra={"request": callback})

    assert TOKEN not in written.getvalue()


@pytest.mark.parametrize("form", ["json"])
def test_json_is_one_object_a_line(written: StringIO) -> None:
    try:
        int("unheard of")
    except ValueError:
        logging.getLogger("tests.logs").exception("sync failed user=%d", 3)
    logging.getLogger("tests.logs").warning("second line")

    first, second = [json.loads(line) for line in written.getvalue().splitlines()]
    assert {key: first[key] for key in ("level", "logger", "message")} == {
        "level": "ERROR",
        "logger": "tests.logs",
        "message": "sync failed user=3",
    }
    assert first["traceback"].endswith("base 10: 'unheard of'")
    assert second.keys() == {"time", "level", "logger", "message"}


@pytest.mark.parametrize("form", ["text"])
def test_what_others_wrote_begins_no_line_and_turns_none_round(written: StringIO) -> None:
    nasty = "Looped\r\n2026-01-01 WARNING fake\x1b[2J\u2028\u202eevil"
    error = ValueError(nasty)
    logging.getLogger("tests.logs").error("sync failed name=%s", nasty, exc_info=error)

    first, *rest = written.getvalue().removesuffix("\n").split("\n")
    assert first.endswith(
        r"sync failed name=Looped\r\n2026-01-01 WARNING fake\x1b[2J\u2028\u202eevil"
    )
    assert all(line.startswith("  ") for line in rest)
    assert not set("".join(rest)) & set("\r\x1b\u2028\u202e")
