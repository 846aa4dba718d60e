"""How near the end of a consent is, and who is told of it: the listener and the operator."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.consent import ConsentStage
from accounts.models import CONSENT_LIFE, SpotifyConnection, User
from sync.models import Incident, Mirror
from sync.operations.alerts import check_incidents
from sync.pages.status import permission
from tests.builders import at_playlist, make_user

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.mark.parametrize(
    ("left", "state", "days_left", "stage", "sentence", "notice"),
    [
        (181 * DAY, "connected", 181, "far", "lasts another 181 days", ""),
        (30 * DAY + HOUR, "connected", 31, "far", "lasts another 31 days", ""),
        (30 * DAY, "connected", 30, "month", "", "ends in 30 days, on 23 December."),
        (8 * DAY, "refused", 8, "month", "", "ends in 8 days, on 1 December."),
        (7 * DAY, "connected", 7, "week", "", "ends in 7 days, on 30 November."),
        (DAY + HOUR, "connected", 2, "week", "", "ends in 2 days, on 24 November."),
        (DAY, "connected", 1, "day", "", "ends within a day."),
        (0 * DAY, "connected", 0, "day", "", "ends any moment now."),
        (-2 * DAY, "connected", 0, "day", "", "ends any moment now."),
        (-4 * DAY, "sign_in_needed", 0, "ended", "", ""),
        (90 * DAY, "sign_in_needed", 0, "ended", "", ""),
    ],
)
def test_days_left_and_what_is_said_of_them(
    left: timedelta, state: str, days_left: int, stage: str, sentence: str, notice: str
) -> None:
    held = SpotifyConnection(state=state, authorized_at=NOW + left - CONSENT_LIFE)

    told, consent = permission(held, NOW), held.consent(NOW)

    assert (consent.days_left, consent.stage) == (days_left, stage)
    assert (sentence in told.sentence, notice in told.notice) == (True, True)
    assert [bool(told.sentence), bool(told.notice)] == [bool(sentence), bool(notice)]
    assert consent.ends_soon == (stage in {"week", "day", "ended"})


def with_days_left(user: User, days: float, **fields: Any) -> None:
    given = timezone.now() + timedelta(days=days) - CONSENT_LIFE
    SpotifyConnection.objects.filter(user=user).update(authorized_at=given, **fields)


# --- The listener's page ------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("days", "fields", "says"),
    [
        (100, {}, "lasts another 100 days"),
        (20, {}, "ends in 20 days"),
        (20, {"state": "refused", "state_reason": "scope_missing"}, "ends in 20 days"),
        (-3, {"state": "sign_in_needed"}, "permission has ended"),
    ],
)
def test_the_card_asks_for_a_sign_in_once_and_tells_of_the_playlist_too(
    client: Client, days: int, fields: dict[str, str], says: str
) -> None:
    ada = make_user("ada")
    with_days_left(ada, days, **fields)

    client.force_login(ada)
    page = client.get(at_playlist(ada, "card/")).content.decode()

    assert says in page
    assert page.count("Sign in again</button>") == (days < 30)
    assert 'class="sentence"' in page


# --- The operator -------------------------------------------------------------------------------


def told_of(inbox: list[dict[str, str]]) -> list[str]:
    return [alert["message"].splitlines()[0] for alert in inbox]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("days", "within"),
    [
        ((31, 30, 29, 8, 7, 2, 1, -2), ["30 days", "7 days", "a day"]),
        ((31, 3), ["3 days"]),  # a scheduler that was off for weeks tells the newest stage only
    ],
)
def test_each_stage_is_one_alert_with_the_name(
    inbox: list[dict[str, str]], days: tuple[int, ...], within: list[str]
) -> None:
    ada = make_user("ada")
    for left in days:
        with_days_left(ada, left)
        check_incidents()
        check_incidents()

    told = [message.partition(". ")[0] for message in told_of(inbox)]
    assert told == [f"Spotify's permission to act for Ada ends within {time}" for time in within]


@pytest.mark.django_db
def test_a_stage_is_told_once_for_each_consent(inbox: list[dict[str, str]]) -> None:
    ada = make_user("ada")
    with_days_left(ada, 5)
    check_incidents()

    # They rested for a while: the same consent, the same stage.
    Mirror.objects.update(state="paused")
    check_incidents()
    assert not Incident.objects.filter(closed=None).exists()
    Mirror.objects.update(state="active")
    check_incidents()
    assert len(inbox) == 1

    # They signed in again, and half a year has passed since.
    Incident.objects.update(opened=timezone.now() - 200 * DAY)
    with_days_left(ada, 181)
    check_incidents()
    with_days_left(ada, 5)
    check_incidents()
    assert len(inbox) == 2
    assert Incident.objects.filter(closed=None).count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("rest", ["paused", "removed", "blocked"])
def test_nobody_is_told_of_a_listener_who_rests(rest: str) -> None:
    ada = make_user("ada")
    with_days_left(ada, 5)
    if rest == "blocked":
        User.objects.update(is_active=False)
    else:
        Mirror.objects.update(state=rest)

    check_incidents()

    assert not Incident.objects.exists()


@pytest.mark.django_db
def test_a_lost_key_is_the_operators_to_find(inbox: list[dict[str, str]]) -> None:
    make_user("ada")
    SpotifyConnection.objects.update(state="sign_in_needed", state_reason="tokens_lost")

    check_incidents()

    assert "SYNCIFY_TOKEN_KEYS decrypts the tokens of Ada" in told_of(inbox)[0]


@pytest.mark.django_db
def test_a_name_cannot_write_lines_into_the_log(caplog: Any) -> None:
    ada = make_user("ada")
    User.objects.update(display_name="Ada\nERROR forged")
    with_days_left(ada, 5)

    check_incidents()

    assert "\n" not in caplog.text.strip()
    assert ConsentStage.WEEK in Incident.objects.get().key
