"""Whether Spotify lets Syncify act for a listener, as syncs record it."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Case, CharField, Q, Value, When
from django.db.models.functions import Now

from accounts.consent import NEAR, STAGES, ConsentStage
from accounts.models import CONSENT_LIFE, SpotifyConnection, User
from accounts.signals import connection_changed
from accounts.spotify_apps import all_apps

State, Reason = SpotifyConnection.State, SpotifyConnection.Reason

#: A refused listener is tried again after this long: the operator may have added them at Spotify.
RETRY_AFTER = timedelta(days=1)

#: ``retry_due_q`` for raw SQL, of the row ``c`` of ``spotify_connections``.
RETRY_DUE_SQL = """(c.state = 'refused' AND c.state_reason <> 'scope_missing'
    AND coalesce(c.retry_at, c.state_since + interval '1 day') <= statement_timestamp())"""

#: ``may_be_synced_q`` for raw SQL, likewise.
MAY_BE_SYNCED_SQL = f"(c.state = 'connected' OR {RETRY_DUE_SQL})"


def retry_due_q() -> Q:
    """Connections that Spotify refused a day ago or longer, other than for a missing scope.

    A missing scope needs a new sign-in, which makes the connection CONNECTED.
    """
    # Rows of an older version have no ``retry_at``.
    is_due = Q(retry_at__lte=Now()) | Q(retry_at=None, state_since__lte=Now() - RETRY_AFTER)
    return Q(state=State.REFUSED) & ~Q(state_reason=Reason.SCOPE_MISSING) & is_due


def may_be_synced_q() -> Q:
    """Connections that scheduled syncs include."""
    return Q(state=State.CONNECTED) | retry_due_q()


def near_q(now: datetime) -> Q:
    """Connections whose consent is at any stage but ConsentStage.FAR."""
    # The states are listed, so that PostgreSQL uses the index of state and date.
    has_token = Q(state__in=[State.CONNECTED, State.REFUSED])
    return Q(state=State.SIGN_IN_NEEDED) | has_token & Q(
        authorized_at__lte=now + NEAR - CONSENT_LIFE
    )


def moved_lately_q(now: datetime, lately: timedelta) -> Q:
    """Connections that may have another ``Consent.stage`` than ``lately`` ago."""
    has_token = Q(state__in=[State.CONNECTED, State.REFUSED])
    moved = Q(state_since__gt=now - lately)
    # Signed in, or come to a stage, within that time.
    for until in [now, *(now + timedelta(days=most) - CONSENT_LIFE for most, _ in STAGES)]:
        moved |= has_token & Q(authorized_at__lte=until, authorized_at__gt=until - lately)
    return moved


def stage_of_near(now: datetime) -> Case:
    """The ``Consent.stage`` of a connection of ``near_q``, as an expression."""
    reached = [
        When(authorized_at__lte=now + timedelta(days=most) - CONSENT_LIFE, then=Value(stage))
        for most, stage in STAGES
    ]
    return Case(
        When(state=State.SIGN_IN_NEEDED, then=Value(ConsentStage.ENDED)),
        *reached,
        output_field=CharField(),
    )


@transaction.atomic
def mark_refused(user: User, reason: str) -> None:
    """Spotify answers 403 for ``user``; ``reason`` is a value of ``SpotifyConnection.Reason``."""
    held = SpotifyConnection.objects.filter(user=user).exclude(state=State.SIGN_IN_NEEDED)
    held.update(retry_at=Now() + RETRY_AFTER)
    news = held.exclude(state=State.REFUSED, state_reason=reason)
    if news.update(state=State.REFUSED, state_reason=reason, state_since=Now()):
        connection_changed.send(sender=SpotifyConnection, user_id=user.pk)


@transaction.atomic
def mark_connected(user: User) -> None:
    """Clear a refusal after a successful sync."""
    refused = SpotifyConnection.objects.filter(user=user, state=State.REFUSED)
    if refused.update(state=State.CONNECTED, state_reason="", state_since=Now(), retry_at=None):
        connection_changed.send(sender=SpotifyConnection, user_id=user.pk)


@transaction.atomic
def reconnect_returned() -> None:
    """Connect the listeners whose app was missing from the settings and is there again."""
    known = [app.client_id for app in all_apps()]
    gone = SpotifyConnection.objects.filter(
        state=State.SIGN_IN_NEEDED, state_reason=Reason.APP_GONE, client_id__in=known
    ).exclude(refresh_token="")
    for user_id in gone.values_list("pk", flat=True):
        if gone.filter(pk=user_id).update(
            state=State.CONNECTED, state_reason="", state_since=Now()
        ):
            connection_changed.send(sender=SpotifyConnection, user_id=user_id)
