"""The meaning of any answer that is not a success."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncify.spotify.answers import SPARE, Pause, Renew, Stop, Trouble, meaning
from syncify.spotify.errors import AccessRefused, BadRequest, NotFound, SpotifyError
from syncify.spotify.waits import LONGEST_BLOCK, LONGEST_MARGIN, SHORTEST_BLOCK


@pytest.mark.parametrize(
    "body", ["", "null", "[]", '"x"', '{"error": "x"}', '{"error": null}', "{"]
)
@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 408, 413, 429, 500, 503])
def test_no_shape_of_body_is_too_odd(status: int, body: str) -> None:
    kinds = {
        302: Trouble,
        401: Renew,
        403: AccessRefused,
        404: NotFound,
        408: Trouble,
        429: Stop,
        500: Trouble,
        503: Trouble,
    }
    assert isinstance(meaning(status, {}, body), kinds.get(status, BadRequest))


@given(status=st.integers(100, 999), retry_after=st.text(), body=st.text())
def test_every_answer_has_a_meaning(status: int, retry_after: str, body: str) -> None:
    heard = meaning(status, {"Retry-After": retry_after}, body)

    assert isinstance(heard, Renew | Pause | Stop | Trouble | SpotifyError)


@given(seconds=st.integers(0, 10**18 - 1), quota=st.booleans())
def test_no_wait_is_shorter_than_spotify_asked_for(seconds: int, quota: bool) -> None:
    body = (
        '{"error": {"status": 429, "reason": "QUOTA_EXCEEDED"}}' if quota else "Too many requests"
    )

    heard = meaning(429, {"Retry-After": str(seconds)}, body)

    assert isinstance(heard, Pause | Stop)
    assert isinstance(heard, Stop) or (seconds <= 30 and not quota)
    asked = min(seconds, LONGEST_BLOCK.total_seconds())
    most = max(asked + LONGEST_MARGIN.total_seconds(), SHORTEST_BLOCK.total_seconds())
    assert asked < heard.wait.total_seconds() <= most


NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECONDS_8, HOURS_20 = timedelta(seconds=8), timedelta(hours=20)


@pytest.mark.parametrize(
    ("status", "waits_briefly"),
    [
        (401, Renew(SECONDS_8 + SPARE)),
        (500, Trouble(500, wait=SECONDS_8 + SPARE)),
        (503, Trouble(503, wait=SECONDS_8 + SPARE)),
        (429, Pause(SECONDS_8 + SPARE)),
    ],
)
def test_a_short_wait_that_is_named_goes_with_any_answer(
    status: int, waits_briefly: object
) -> None:
    assert meaning(status, {"Retry-After": "8"}, "", now=NOW) == waits_briefly


@pytest.mark.parametrize(
    ("status", "error"), [(400, BadRequest), (403, AccessRefused), (404, NotFound)]
)
def test_a_refusal_that_asks_to_wait_is_believed_after_the_wait(
    status: int, error: type[SpotifyError]
) -> None:
    heard = meaning(status, {"Retry-After": "8"}, "", now=NOW)

    assert isinstance(heard, Pause)
    assert heard.wait == SECONDS_8 + SPARE
    assert isinstance(heard.then, error)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
@pytest.mark.parametrize(
    "written", ["72000", "72000.0", "Wed, 25 Nov 2026 08:00:00 GMT"], ids=["int", "decimal", "date"]
)
def test_a_long_wait_that_is_named_is_everybodys(status: int, written: str) -> None:
    heard = meaning(status, {"Retry-After": written}, "", now=NOW)

    assert isinstance(heard, Stop)
    assert HOURS_20 <= heard.wait <= HOURS_20 + LONGEST_MARGIN
    assert heard.sent == (status >= 500)
    assert heard.because == "quota"


def test_a_lapsed_premium_stays_one_beside_a_wait() -> None:
    text = "Active premium subscription required for the owner of the app."

    heard = meaning(403, {"Retry-After": "8"}, text, now=NOW)

    assert isinstance(heard, Stop)
    assert heard.because == "premium"


@pytest.mark.parametrize("written", ["0", "-3", "3", "Mon, 23 Nov 2026 08:00:00 GMT"])
def test_a_spent_quota_is_left_alone_for_a_minute_at_least(written: str) -> None:
    body = json.dumps({"error": {"status": 429, "reason": "QUOTA_EXCEEDED"}})

    heard = meaning(429, {"Retry-After": written}, body, now=NOW)

    assert heard == Stop(SHORTEST_BLOCK, "quota", is_quota=True)


@pytest.mark.parametrize("depth", [1_000, 100_000])
def test_a_deeply_nested_body_is_an_answer_too(depth: int) -> None:
    heard: Any = meaning(400, {}, '{"error":' * depth)

    assert isinstance(heard, BadRequest)
    assert len(heard.message) <= 300


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
def test_half_a_minute_is_the_longest_wait_that_a_call_sits_out(status: int) -> None:
    heard = meaning(status, {"Retry-After": "30"}, "", now=NOW)

    assert not isinstance(heard, Stop | SpotifyError)
    assert heard.wait == timedelta(seconds=30) + SPARE
    assert isinstance(meaning(status, {"Retry-After": "31"}, "", now=NOW), Stop)
