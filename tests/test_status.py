"""The one sentence and the one button for each state that a listener can be in."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import CONSENT_LIFE, SpotifyConnection
from sync.models import Mirror, SyncRequest
from sync.status import Action, Status, clock, describe, schedule, song_list
from syncify.spotify.models import Block

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=2, minutes=20)


#: What the database fills in.
BLANK: dict[str, Any] = {
    "run_at": NOW,
    "stage": "",
    "error_message": "",
    "progress": 0.0,
    **dict.fromkeys(["song_count", "failures", "added", "removed", "moved", "skipped"], 0),
}


def status(request: dict[str, Any] | None = None, **facts: Any) -> Status:
    """Ada's status: connected, active and synced before, unless ``facts`` say otherwise."""
    connection = {"state": "connected", "authorized_at": NOW, **facts.get("connection", {})}
    mirror = {"full_read_at": NOW, **facts.get("mirror", {})}
    return describe(
        connection=SpotifyConnection(**connection),
        mirror=Mirror(**mirror),
        latest=None if request is None else SyncRequest(**{**BLANK, **request}),
        block=facts.get("block"),
        has_worker=facts.get("has_worker", True),
        now=NOW,
    )


def done(**fields: Any) -> dict[str, Any]:
    return {"state": "succeeded", "completed": NOW, "song_count": 180, **fields}


def running(**fields: Any) -> dict[str, Any]:
    return {"state": "running", **fields}


def queued(**fields: Any) -> dict[str, Any]:
    return {"state": "queued", **fields}


def blocked(because: str) -> dict[str, Any]:
    return {"block": Block(until=LATER, because=because)}


def connection(**fields: Any) -> dict[str, Any]:
    return {"connection": fields}


def mirror(**fields: Any) -> dict[str, Any]:
    return {"mirror": fields}


@pytest.mark.parametrize(
    ("request_fields", "facts", "words", "action"),
    [
        (None, mirror(full_read_at=None), "has not been made yet", Action.SYNC),
        (None, {}, "no sync since 23 November", Action.SYNC),
        (queued(), {}, "waiting for its turn", Action.NONE),
        (queued(trigger="first"), {}, "first sync starts in a moment", Action.NONE),
        (queued(), {"has_worker": False}, "no worker is running", Action.NONE),
        (queued(), blocked("quota"), "quota is used up, and it asks us to wait until 14:20", ""),
        (queued(), blocked("credentials"), "This Syncify's own access to Spotify is broken", ""),
        (queued(), blocked("premium"), "This Syncify's own access to Spotify is broken", ""),
        (
            queued(run_at=LATER, failures=1, error_message="Spotify did not answer."),
            {},
            "Spotify did not answer. We try again at 14:20 UTC.",
            Action.SYNC,
        ),
        (
            queued(run_at=LATER, error_message="Today's budget is spent."),
            {},
            "Today's budget is spent. Your sync goes on by itself at 14:20 UTC.",
            Action.NONE,
        ),
        (running(), {}, "is starting", Action.NONE),
        (running(stage="reading"), {}, "Reading your Liked Songs.", Action.NONE),
        (running(stage="reading", song_count=1250), {}, "1,250 so far", Action.NONE),
        (running(stage="comparing", song_count=1), {}, "your 1 song with", Action.NONE),
        (running(stage="writing", progress=0.62), {}, "62% done", Action.NONE),
        (running(stage="writing", cancel_asked_at=NOW), {}, "next safe point", Action.NONE),
        (
            done(trigger="first", added=180),
            {},
            "ready: 180 songs copied just now",
            Action.SYNC,
        ),
        (done(added=3, removed=1), {}, "3 songs added, 1 removed just now.", Action.SYNC),
        (done(removed=1), {}, "Up to date: 1 song removed just now.", Action.SYNC),
        (done(moved=2), {}, "2 songs put in their place", Action.SYNC),
        (done(skipped=1), {}, "1 song refused by Spotify", Action.SYNC),
        (done(), {}, "nothing had changed when we looked just now", Action.SYNC),
        (
            done(completed=NOW - timedelta(days=1)),
            {},
            "looked yesterday at 12:00 UTC",
            Action.SYNC,
        ),
        (done(song_count=0), {}, "You have no Liked Songs yet", Action.SYNC),
        ({"state": "cancelled", "completed": NOW}, {}, "was stopped just now", Action.SYNC),
        (
            {"state": "dead", "completed": NOW, "error_message": "Spotify is down."},
            {},
            "Spotify is down.",
            Action.RETRY,
        ),
        ({"state": "dead", "completed": NOW}, {}, "for a reason we do not know", Action.RETRY),
        (done(), connection(state="sign_in_needed"), "permission has ended", Action.SIGN_IN),
        (queued(), connection(state="sign_in_needed"), "permission has ended", Action.SIGN_IN),
        (
            done(),
            connection(state="sign_in_needed", state_reason="tokens_lost"),
            "can no longer read the permission that Spotify gave it for you. Sign in again",
            Action.SIGN_IN,
        ),
        (done(), connection(authorized_at=NOW - CONSENT_LIFE), "Up to date", Action.SYNC),
        (
            done(),
            connection(state="refused", state_reason="not_registered"),
            "Ask its operator to add you",
            Action.SYNC,
        ),
        (
            done(),
            connection(state="refused", state_reason="scope_missing"),
            "agree to all of them",
            Action.SIGN_IN,
        ),
        (
            done(),
            connection(state="refused", state_reason="forbidden"),
            "does not say why",
            Action.SYNC,
        ),
        (
            queued(),
            connection(state="refused", state_reason="not_registered"),
            "waiting for its turn",
            Action.NONE,
        ),
        (done(), mirror(state="paused"), "Paused", Action.RESUME),
        (queued(), mirror(state="paused"), "waiting for its turn", Action.NONE),
        (done(), mirror(state="removed"), "no longer in your Spotify library", Action.SYNC),
        (
            done(),
            mirror(confirm_after=LATER),
            "before a second look, at 14:20 UTC or later",
            Action.SYNC,
        ),
    ],
)
def test_each_state_has_a_sentence_and_at_most_one_button(
    request_fields: dict[str, Any] | None, facts: dict[str, Any], words: str, action: str
) -> None:
    found = status(request_fields, **facts)

    assert words in found.sentence
    assert found.action == action


def test_a_removed_playlist_is_offered_back() -> None:
    assert status(done(), mirror={"state": "removed"}).label == "Bring it back"


@given(
    request=st.fixed_dictionaries(
        {
            "state": st.sampled_from(SyncRequest.State.values),
            "stage": st.sampled_from(["", *SyncRequest.Stage.values]),
            "trigger": st.sampled_from(SyncRequest.Trigger.values),
            "song_count": st.integers(0, 60_000),
            "added": st.integers(0, 60_000),
            "failures": st.integers(0, 5),
            "progress": st.floats(0, 1),
            "run_at": st.sampled_from([NOW, LATER]),
        }
    ),
    state=st.sampled_from(SpotifyConnection.State.values),
    reason=st.sampled_from(["", *SpotifyConnection.Reason.values]),
    rests=st.sampled_from(Mirror.State.values),
)
def test_every_state_ends_in_one_readable_sentence(
    request: dict[str, Any], state: str, reason: str, rests: str
) -> None:
    found = status(
        request, connection={"state": state, "state_reason": reason}, mirror={"state": rests}
    )

    assert found.key
    assert found.sentence.endswith(".")
    assert found.sentence == found.sentence.strip()
    assert "None" not in found.sentence


@pytest.mark.parametrize(
    ("names", "total", "words"),
    [
        ([], 0, ""),
        ([], 1, "1 song"),
        ([], 1200, "1,200 songs"),
        (["A"], 1, "A"),
        (["A", "B"], 2, "A and B"),
        (["A", "B", "C"], 3, "A, B and C"),
        (["A", "B", "C"], 7, "A, B, C and 4 more"),
        (["A", "B"], 1, "A and B"),
    ],
)
def test_a_list_of_songs_names_the_first_and_counts_the_rest(
    names: list[str], total: int, words: str
) -> None:
    assert song_list(names, total) == words


@pytest.mark.parametrize(
    ("state", "fields", "words"),
    [
        ("connected", {"next_due": LATER}, "every day; the next time at 14:20 UTC or so."),
        ("connected", {"next_due": NOW}, "every day; the next time shortly."),
        ("connected", {"interval": "hourly", "next_due": LATER}, "every hour"),
        ("connected", {"interval": "off", "next_due": LATER}, "only when you ask"),
        ("connected", {"next_due": None}, "only when you ask"),
        ("connected", {"state": "paused", "next_due": LATER}, ""),
        ("sign_in_needed", {"next_due": LATER}, ""),
    ],
)
def test_the_schedule_is_told_while_it_runs(state: str, fields: dict[str, Any], words: str) -> None:
    told = schedule(SpotifyConnection(state=state), Mirror(**fields), NOW)

    assert words in told
    assert bool(told) == bool(words)


@pytest.mark.parametrize(
    ("moment", "zone", "words"),
    [
        (NOW, "UTC", "12:00 UTC"),
        (NOW, "Europe/Berlin", "13:00"),
        (NOW + timedelta(hours=12), "Europe/Berlin", "tomorrow at 01:00"),
        (NOW - timedelta(hours=14), "Europe/Berlin", "yesterday at 23:00"),
        (NOW + timedelta(days=10), "America/New_York", "3 December at 07:00"),
    ],
)
def test_times_are_told_in_the_zone_of_the_listener(
    moment: datetime, zone: str, words: str
) -> None:
    with timezone.override(zone):
        assert clock(moment, NOW) == words
