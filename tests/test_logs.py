"""No token reaches a log line, whoever writes it, and nobody else writes one."""

import logging
from collections.abc import Iterator
from io import StringIO

import pytest

from syncify.logs import HideSecrets, hide_secrets

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


@pytest.fixture
def written() -> Iterator[StringIO]:
    """What a handler with our filter writes."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(HideSecrets())
    logger = logging.getLogger("tests.logs")
    logger.propagate = False
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)


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


def test_what_others_wrote_begins_no_line_and_turns_none_round(written: StringIO) -> None:
    nasty = "Looped\r\n2026-01-01 WARNING fake\x1b[2J\u2028\u202eevil"
    error = ValueError(nasty)
    logging.getLogger("tests.logs").error("sync failed name=%s", nasty, exc_info=error)

    first, *rest = written.getvalue().removesuffix("\n").split("\n")
    assert first == (r"sync failed name=Looped\r\n2026-01-01 WARNING fake\x1b[2J\u2028\u202eevil")
    assert all(line.startswith("  ") for line in rest)
    assert not set("".join(rest)) & set("\r\x1b\u2028\u202e")
