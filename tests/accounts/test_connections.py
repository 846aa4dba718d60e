"""What a refusal by Spotify leaves behind, and when a refused listener is tried again."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.connections import (
    MAY_BE_SYNCED_SQL,
    RETRY_DUE_SQL,
    mark_connected,
    mark_refused,
    may_be_synced_q,
    near_q,
    retry_due_q,
    stage_of_near,
)
from accounts.consent import ConsentStage
from accounts.models import CONSENT_LIFE, SpotifyConnection, User
from tests.builders import make_user

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def ada() -> User:
    return make_user("ada")


def test_a_refusal_is_kept_until_a_success(ada: User) -> None:
    mark_refused(ada, "forbidden")
    first = SpotifyConnection.objects.get()
    SpotifyConnection.objects.update(retry_at=timezone.now())
    mark_refused(ada, "forbidden")

    held = SpotifyConnection.objects.get()
    assert (held.state, held.state_reason) == ("refused", "forbidden")
    assert held.state_since == first.state_since
    assert held.retry_at is not None
    assert abs(held.retry_at - timezone.now() - DAY) < HOUR

    mark_connected(ada)
    held = SpotifyConnection.objects.get()
    assert (held.state, held.state_reason, held.retry_at) == ("connected", "", None)


def test_a_refusal_does_not_hide_that_a_sign_in_is_needed(ada: User) -> None:
    SpotifyConnection.objects.update(state="sign_in_needed", state_reason="consent_ended")

    mark_refused(ada, "forbidden")
    mark_connected(ada)

    held = SpotifyConnection.objects.get()
    assert (held.state, held.retry_at) == ("sign_in_needed", None)


@pytest.mark.parametrize(
    ("state", "reason", "since", "retry_in", "is_due", "may_be_synced"),
    [
        ("connected", "", -9 * DAY, None, False, True),
        ("refused", "forbidden", -9 * DAY, -HOUR, True, True),
        ("refused", "not_registered", -9 * DAY, -HOUR, True, True),
        ("refused", "forbidden", -9 * DAY, HOUR, False, False),
        ("refused", "scope_missing", -9 * DAY, -HOUR, False, False),
        ("refused", "scope_missing", -9 * DAY, None, False, False),
        # By a version that knew no retries.
        ("refused", "forbidden", -DAY - HOUR, None, True, True),
        ("refused", "forbidden", -DAY + HOUR, None, False, False),
        ("sign_in_needed", "consent_ended", -9 * DAY, -HOUR, False, False),
        ("sign_in_needed", "tokens_lost", -9 * DAY, None, False, False),
    ],
)
def test_who_is_refused_is_tried_again_once_a_day(
    ada: User,
    state: str,
    reason: str,
    since: timedelta,
    retry_in: timedelta | None,
    is_due: bool,
    may_be_synced: bool,
) -> None:
    now = timezone.now()
    SpotifyConnection.objects.update(
        state=state,
        state_reason=reason,
        state_since=now + since,
        retry_at=None if retry_in is None else now + retry_in,
    )

    for query, condition, expected in (
        (retry_due_q(), RETRY_DUE_SQL, is_due),
        (may_be_synced_q(), MAY_BE_SYNCED_SQL, may_be_synced),
    ):
        assert SpotifyConnection.objects.filter(query).exists() == expected
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT count(*) FROM spotify_connections AS c WHERE {condition}"  # noqa: S608
            )
            assert cursor.fetchone() == (int(expected),)


@pytest.mark.parametrize("state", SpotifyConnection.State)
@pytest.mark.parametrize("edge", [-1, 0, 1, 7, 30])
@pytest.mark.parametrize("second", [-1, 0, 1])
def test_the_stage_of_a_consent_in_sql_is_the_same(
    ada: User, state: str, edge: int, second: int
) -> None:
    now = timezone.now()
    ends_at = now + edge * DAY + timedelta(seconds=second)
    SpotifyConnection.objects.update(state=state, authorized_at=ends_at - CONSENT_LIFE)

    near = SpotifyConnection.objects.filter(near_q(now)).annotate(stage=stage_of_near(now))

    stage = SpotifyConnection.objects.get().consent(now).stage
    assert [each.stage for each in near] == ([] if stage == ConsentStage.FAR else [stage])
