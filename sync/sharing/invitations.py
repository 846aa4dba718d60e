"""Invitations of guests: how somebody without account gets one of the seats of a Spotify app.

A Spotify app in development mode takes those whose e-mail address its owner has typed at Spotify's
dashboard. The guest types theirs at a secret address, of which only a hash is stored; operators
alone see it, and it goes once they have added it, when the guest signs in, and after 14 days.
"""

import secrets
from datetime import timedelta
from hashlib import sha256

from django.db import transaction
from django.db.models import Count, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest

from accounts.access import may_use
from accounts.models import User
from accounts.spotify_apps import SEATS, App, NoApp, app_of, listeners_by_app
from sync.models import Invitation
from sync.queue.locks import lock_listener

#: 128 bits.
_CODE_BYTES = 16
LASTS = timedelta(days=14)
#: Open invitations of one operator.
MOST_INVITATIONS = 20
#: Holds the code in the guest's browser, so that their sign-in ends the invitation.
COOKIE = "invitation"


class TooManyInvitations(Exception):
    """The operator has MOST_INVITATIONS already."""


def invite(operator: User, client_id: str = "") -> str:
    """A new code for one guest of the app. Raises TooManyInvitations."""
    with transaction.atomic():
        lock_listener(operator.pk)
        if open_invitations().filter(user=operator).count() >= MOST_INVITATIONS:
            raise TooManyInvitations
        code = secrets.token_urlsafe(_CODE_BYTES)
        Invitation.objects.create(
            user=operator,
            code_hash=_digest(code),
            expires=Now() + LASTS,
            email="",
            client_id=client_id,
        )
    return code


def open_invitations() -> QuerySet[Invitation]:
    """Of all operators, the newest first."""
    found = Invitation.objects.filter(expires__gt=Now())
    return found.select_related("user").order_by("-id")


def waiting_guests() -> QuerySet[Invitation]:
    """Invitations whose guest has given an address that nobody has added yet."""
    return open_invitations().filter(given__isnull=False, added=None)


def find_invitation(code: str) -> Invitation | None:
    """The open invitation with this code; None also where its author is no operator any more."""
    found = open_invitations().filter(code_hash=_digest(code)).first()
    is_valid = found is not None and may_use(found.user) and found.user.is_operator
    return found if is_valid else None


def give_address(invitation: Invitation, email: str) -> bool:
    """Store the guest's address for the operators; False if one was given already."""
    # Of two who use a code at once, one gets in.
    unused = Invitation.objects.filter(pk=invitation.pk, given=None, expires__gt=Now())
    return unused.update(email=email, given=Now()) > 0


def mark_added(invitation: Invitation) -> bool:
    """The guest has a seat at Spotify, and their address is deleted; False if it was before."""
    waiting = Invitation.objects.filter(pk=invitation.pk, given__isnull=False, added=None)
    return waiting.update(email="", added=Now()) > 0


def app_of_guest(invitation: Invitation) -> App | None:
    """The app with the guest's seat; None if the app is gone, and the invitation with it."""
    try:
        return app_of(invitation.client_id)
    except NoApp:
        return None


def seats_taken(app: App) -> int | None:
    """How many of the SEATS of ``app`` are taken, as far as it is known here.

    These are the listeners whom Spotify lets in, and guests who were added and have not signed in.
    None where more than SEATS have signed in: then Spotify has given the app more.
    """
    listeners = listeners_by_app()[app.client_id]
    if listeners > SEATS:
        return None
    ids = [app.client_id] if app.credentials.key else [app.client_id, ""]
    added = open_invitations().filter(added__isnull=False, client_id__in=ids)
    return min(SEATS, listeners + added.count())


def promised(**signal: object) -> dict[str, int]:  # noqa: ARG001
    """Open invitations by Client ID. Receives ``accounts.signals.seats_promised``."""
    rows = open_invitations().order_by().values_list("client_id")
    return dict(rows.annotate(Count("pk")))


def drop_expired() -> None:
    """Delete invitations that are too old, with the addresses in them."""
    Invitation.objects.filter(expires__lte=Now()).delete()


def signed_in(*, request: HttpRequest, **signal: object) -> None:  # noqa: ARG001
    """End the invitation of a guest who is a listener now.

    Receives ``django.contrib.auth.signals.user_logged_in``.
    """
    if code := getattr(request, "COOKIES", {}).get(COOKIE):
        Invitation.objects.filter(code_hash=_digest(code), given__isnull=False).delete()


def _digest(code: str) -> str:
    return sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
