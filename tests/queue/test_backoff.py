"""What follows from each error, as a table; no database."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import SpotifyConnection
from sync.queue.backoff import JITTER, WAITS, Bury, Retry, Snooze, decide
from sync.queue.errors import GiveUp, RetryLater, SnoozeUntil
from sync.queue.store import SPOTIFY_ASKED
from syncify.spotify.errors import (
    AccessRefused,
    BadRequest,
    Blocked,
    BudgetSpent,
    NotFound,
    OutcomeUnknown,
    SignInNeeded,
    Unavailable,
)
from syncify.spotify.models import Block

LATER = datetime(2030, 1, 1, tzinfo=UTC)

PASSING = [
    (Unavailable(503), "unavailable"),
    (OutcomeUnknown(502), "outcome_unknown"),
    (NotFound(), "not_found"),
    (BadRequest("Invalid base62 id"), "bad_request"),
    (RetryLater("moving", "Your Liked Songs changed while they were read."), "moving"),
    (RuntimeError("the unforeseen"), "internal"),
    (KeyError("secret-token"), "internal"),
]


@pytest.mark.parametrize(("error", "code"), PASSING)
@pytest.mark.parametrize(("failures", "seconds"), [(0, 30), (1, 2 * 60), (2, 8 * 60), (3, 32 * 60)])
def test_passing_trouble_is_tried_again_after_growing_waits(
    error: Exception, code: str, failures: int, seconds: int
) -> None:
    decision = decide(error, failures, jitter=0)

    assert isinstance(decision, Retry)
    assert (decision.wait, decision.code) == (timedelta(seconds=seconds), code)


@pytest.mark.parametrize(("error", "code"), PASSING)
def test_the_fifth_failure_buries_with_an_alert(error: Exception, code: str) -> None:
    decision = decide(error, 4, jitter=0)

    assert isinstance(decision, Bury)
    assert (decision.code, decision.alert) == (code, True)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        *[(Blocked(LATER, because), because) for because in Block.Because],
        (BudgetSpent(LATER), "budget"),
        (SnoozeUntil("guard", "Wait for a second look.", until=LATER), "guard"),
    ],
)
@pytest.mark.parametrize("failures", [0, 4, 9])
def test_a_wait_that_is_nobodys_failure_is_a_snooze(
    error: Exception, code: str, failures: int
) -> None:
    decision = decide(error, failures, jitter=1)

    assert isinstance(decision, Snooze)
    assert (decision.until, decision.code) == (LATER, code)


@pytest.mark.parametrize(
    ("error", "code", "alert"),
    [
        (SignInNeeded(), "sign_in_needed", False),
        (AccessRefused("scope_missing"), "scope_missing", False),
        (AccessRefused("not_registered"), "not_registered", True),
        (AccessRefused("forbidden"), "forbidden", True),
        (GiveUp("too_many", "A hundred volumes are not enough."), "too_many", True),
    ],
)
def test_what_no_retry_cures_is_buried_at_once(error: Exception, code: str, alert: bool) -> None:
    decision = decide(error, 0, jitter=0)

    assert isinstance(decision, Bury)
    assert (decision.code, decision.alert) == (code, alert)


def test_every_cause_of_a_block_is_a_wait_that_no_wish_shortens() -> None:
    assert set(SPOTIFY_ASKED) == set(Block.Because)


#: Causes of a sign-in that is needed, which are no refusals.
SIGN_IN = {"consent_ended", "tokens_lost", "app_gone"}


@pytest.mark.parametrize("reason", set(SpotifyConnection.Reason) - SIGN_IN)
def test_every_refusal_has_its_sentence(reason: str) -> None:
    assert decide(AccessRefused(reason), 0, jitter=0).message.endswith(".")


@pytest.mark.parametrize("error", [error for error, _ in PASSING])
def test_sentences_for_people_hold_nothing_of_the_error(error: Exception) -> None:
    message = decide(error, 0, jitter=0).message

    assert message.endswith(".")
    assert not any(word in message for word in ("unforeseen", "secret", "base62", "50"))


@given(failures=st.integers(0, 3), jitter=st.floats(-1, 1))
def test_a_wait_stays_within_a_fifth_of_its_step(failures: int, jitter: float) -> None:
    decision = decide(Unavailable(), failures, jitter=jitter)

    assert isinstance(decision, Retry)
    assert abs(decision.wait / WAITS[failures] - 1) <= JITTER + 1e-6


@pytest.mark.parametrize(("jitter", "seconds"), [(-1, 24), (0, 30), (0.5, 33), (1, 36)])
def test_retries_of_many_are_spread(jitter: float, seconds: int) -> None:
    decision = decide(Unavailable(), 0, jitter=jitter)

    assert isinstance(decision, Retry)
    assert decision.wait.total_seconds() == pytest.approx(seconds)
