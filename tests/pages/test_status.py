"""The words and the one button for each state that a listener can be in."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import CONSENT_LIFE, SpotifyConnection
from sync.models import Library, Mirror, SyncRequest
from sync.pages.status import Action, Status, describe, outcome, rhythm, steps
from syncify.spotify.models import Block

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=2, minutes=20)


#: What the database fills in.
BLANK: dict[str, Any] = {
    "run_at": NOW,
    "stage": "",
    "error_message": "",
    "progress": 0.0,
    "started": NOW,
    **dict.fromkeys(["song_count", "failures", "added", "removed", "moved", "skipped"], 0),
}


def status(request: dict[str, Any] | None = None, **facts: Any) -> Status:
    """Ada's status: connected, active and synced before, unless ``facts`` say otherwise."""
    connection = {"state": "connected", "authorized_at": NOW, **facts.get("connection", {})}
    library = {"full_read_at": NOW, **facts.get("library", {})}
    return describe(
        connection=SpotifyConnection(**connection),
        mirror=Mirror(**facts.get("mirror", {})),
        library=Library(**library),
        latest=None if request is None else SyncRequest(**{**BLANK, **request}),
        block=facts.get("block"),
        has_worker=facts.get("has_worker", True),
        is_told=facts.get("is_told", False),
        now=NOW,
    )


def done(**fields: Any) -> dict[str, Any]:
    return {"state": "succeeded", "completed": NOW, "song_count": 180, **fields}


def dead(**fields: Any) -> dict[str, Any]:
    return {"state": "dead", "completed": NOW, **fields}


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


def library(**fields: Any) -> dict[str, Any]:
    return {"library": fields}


AS_IT_IS = "Your playlist stays as it is."


@pytest.mark.parametrize(
    ("request_fields", "facts", "words", "action"),
    [
        (None, library(full_read_at=None), "has not been made yet", Action.SYNC),
        (None, {}, "No sync since 23 November", Action.SYNC),
        (queued(), {}, "waiting for its turn", Action.NONE),
        (queued(trigger="first"), {}, "about to be made. It starts in a moment", Action.NONE),
        (queued(), {"has_worker": False}, "no worker is running. The operator", Action.NONE),
        (
            queued(),
            blocked("quota"),
            f"wait. Its quota of requests for today is used up. {AS_IT_IS}",
            "",
        ),
        (queued(), blocked("credentials"), "is broken. Please tell the operator.", ""),
        (queued(), {**blocked("credentials"), "is_told": True}, "The operator was alerted.", ""),
        (
            queued(),
            blocked("premium"),
            "stopped this Syncify for now. Spotify requires the operator",
            "",
        ),
        (
            queued(run_at=LATER, failures=1, error_message="Spotify did not answer."),
            {},
            f"Spotify did not answer. {AS_IT_IS}",
            Action.SYNC,
        ),
        (
            queued(run_at=LATER, failures=1, error_message="It changed. It tries again soon."),
            {},
            f"It changed. It tries again soon. {AS_IT_IS}",
            Action.SYNC,
        ),
        (
            queued(run_at=LATER, error_message="Today's budget is spent."),
            {},
            f"Today's budget is spent. {AS_IT_IS}",
            Action.NONE,
        ),
        (running(), {}, "is starting", Action.NONE),
        (running(stage="reading"), {}, "Reading your Liked Songs. ", Action.NONE),
        (running(stage="reading", song_count=1250), {}, "1,250 so far", Action.NONE),
        (
            running(stage="reading", song_count=450, song_total=1250),
            {},
            "Songs. 450 of 1,250",
            Action.NONE,
        ),
        (running(stage="comparing", song_count=1), {}, "your playlist. 1 song", Action.NONE),
        (running(stage="writing", progress=0.62), {}, "62% done", Action.NONE),
        (
            running(stage="writing", progress=0.5, started=NOW - timedelta(minutes=2)),
            {},
            "50% done · about 2 minutes left",
            Action.NONE,
        ),
        (running(stage="writing", cancel_asked_at=NOW), {}, "next safe point", Action.NONE),
        (done(trigger="first", added=180), {}, "is ready. Copy its link", Action.SYNC),
        (done(added=3, removed=1), {}, "In step with your Liked Songs", Action.SYNC),
        (done(), {}, "In step with your Liked Songs", Action.SYNC),
        (done(song_count=0), {}, "You have no Liked Songs yet", Action.SYNC),
        ({"state": "cancelled", "completed": NOW}, {}, "The last sync was stopped", Action.SYNC),
        (
            dead(error_message="Spotify is down.", failures=5),
            {},
            "Spotify is down. Syncify gave up after 5 tries. Your playlist stays as the last",
            Action.RETRY,
        ),
        (dead(), {}, "for an unknown reason", Action.RETRY),
        (done(), connection(state="sign_in_needed"), "permission has ended. Your", Action.SIGN_IN),
        (queued(), connection(state="sign_in_needed"), "permission has ended", Action.SIGN_IN),
        (
            done(),
            connection(state="sign_in_needed", state_reason="tokens_lost"),
            "Syncify has lost Spotify's permission. Your playlist",
            Action.SIGN_IN,
        ),
        (done(), connection(authorized_at=NOW - CONSENT_LIFE), "In step", Action.SYNC),
        (
            done(),
            connection(state="refused", state_reason="not_registered"),
            f"Syncify also tries again once a day. {AS_IT_IS}",
            Action.SYNC,
        ),
        (
            done(),
            connection(state="refused", state_reason="scope_missing"),
            f"agree to all permissions. {AS_IT_IS}",
            Action.SIGN_IN,
        ),
        (
            done(),
            connection(state="refused", state_reason="forbidden"),
            "without a reason",
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
        (done(), mirror(state="removed"), "no longer in your library", Action.RETURN),
        (done(), library(confirm_after=LATER), "until a second check confirms it", Action.NONE),
    ],
)
def test_each_state_has_its_words_and_at_most_one_button(
    request_fields: dict[str, Any] | None, facts: dict[str, Any], words: str, action: str
) -> None:
    found = status(request_fields, **facts)

    assert words in f"{found.title}. {found.detail}"
    assert found.action == action


@pytest.mark.parametrize(
    ("request_fields", "facts", "since", "until"),
    [
        (done(), {}, NOW, None),
        (dead(), {}, NOW, None),
        (queued(), {}, None, None),
        (queued(run_at=LATER, failures=1), {}, None, LATER),
        (queued(run_at=LATER), {}, None, LATER),
        (queued(), blocked("quota"), None, LATER),
        # Nobody knows when the operator has mended it.
        (queued(), blocked("premium"), None, None),
        (done(), library(confirm_after=LATER), None, LATER),
        (done(), library(confirm_after=NOW - timedelta(hours=1)), None, None),
    ],
)
def test_a_state_tells_since_when_it_is_and_when_it_goes_on(
    request_fields: dict[str, Any],
    facts: dict[str, Any],
    since: datetime | None,
    until: datetime | None,
) -> None:
    found = status(request_fields, **facts)

    assert (found.since, found.until) == (since, until)


@pytest.mark.parametrize(
    ("stage", "places"),
    [
        ("", ["current", "to come", "to come"]),
        ("reading", ["current", "to come", "to come"]),
        ("comparing", ["done", "current", "to come"]),
        ("writing", ["done", "done", "current"]),
    ],
)
def test_the_steps_of_a_sync_show_where_it_is(stage: str, places: list[str]) -> None:
    found = steps(SyncRequest(stage=stage))

    assert [step.name for step in found] == ["Read", "Compare", "Write"]
    assert [step.place for step in found] == places


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (done(added=3, removed=1), "3 songs added, 1 removed"),
        (done(removed=1), "1 song removed"),
        (done(added=1200, moved=1), "1,200 songs added, 1 put in its place"),
        (done(moved=2), "2 songs put in their place"),
        (done(skipped=1), "1 song refused by Spotify"),
        (done(), "Nothing had changed"),
        (dead(error_message="Spotify is down. Try again."), "Spotify is down"),
        (dead(), "It failed"),
        ({"state": "cancelled", "added": 2}, "Stopped half-way: 2 songs added"),
        ({"state": "cancelled"}, "Stopped before it finished"),
    ],
)
def test_the_outcome_of_a_sync_is_a_headline(fields: dict[str, Any], words: str) -> None:
    assert outcome(SyncRequest(**{**BLANK, **fields})) == words


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
def test_every_state_reads_well(
    request: dict[str, Any], state: str, reason: str, rests: str
) -> None:
    found = status(
        request, connection={"state": state, "state_reason": reason}, mirror={"state": rests}
    )

    assert found.key
    assert found.title == found.title.strip(" .")
    assert found.detail == found.detail.strip()
    assert "None" not in found.title + found.detail


@pytest.mark.parametrize(
    ("state", "fields", "words"),
    [
        ("connected", {"next_due": LATER}, "Checks for changes every day"),
        ("connected", {"interval": "hourly", "next_due": LATER}, "Checks for changes every hour"),
        ("connected", {"interval": "off", "next_due": LATER}, "only when you ask"),
        ("connected", {"next_due": None}, "only when you ask"),
        ("connected", {"state": "paused", "next_due": LATER}, ""),
        ("sign_in_needed", {"next_due": LATER}, ""),
    ],
)
def test_the_rhythm_is_told_while_it_holds(state: str, fields: dict[str, Any], words: str) -> None:
    fields = {"interval": "daily", **fields}
    mirror = Mirror(state=fields.pop("state", "active"))
    told = rhythm(SpotifyConnection(state=state), mirror, Library(**fields))

    assert words in told
    assert bool(told) == bool(words)
