"""The apps at Spotify that this installation has, and which of them a listener belongs to.

They come from SPOTIFY_CLIENT_ID, from SPOTIFY_APPS and from the operator's page, in this order; the
one at the top is *the first app*. An id that appears again is ignored.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings
from django.db import transaction
from django.db.models import Count

from accounts.models import SpotifyApp, SpotifyConnection, User
from accounts.signals import connection_changed, seats_promised
from syncify.spotify.credentials import Credentials
from syncify.spotify.models import Silence
from syncify.spotify.quota import current_block

logger = logging.getLogger(__name__)

#: The number of listeners that Spotify allows for an app in Development Mode.
SEATS = 5
FIRST_LABEL = "First app"


class Source(StrEnum):
    ENVIRONMENT = "environment"  #: SPOTIFY_CLIENT_ID
    LIST = "list"  #: SPOTIFY_APPS
    PAGE = "page"  #: an operator entered it


@dataclass(frozen=True, slots=True)
class App:
    label: str
    credentials: Credentials
    source: Source
    is_resting: bool = False
    #: Of its row; None unless an operator entered it.
    pk: int | None = None

    @property
    def client_id(self) -> str:
        return self.credentials.client_id

    @property
    def developer(self) -> str:
        return self.credentials.developer

    @property
    def owner(self) -> str:
        """The person who can add people to the app at Spotify, as part of a sentence."""
        return self.developer or "the operator"


class NoApp(LookupError):
    """There is no such app, or none at all."""


def all_apps() -> list[App]:
    """The first app first."""
    return list(_apps(with_page=True))


def first_app() -> App | None:
    return next(_apps(with_page=False), None) or next(_apps(with_page=True), None)


def app_of(client_id: str) -> App:
    """The app with this id, or the first for "". Raises NoApp.

    Needs no query for apps that the settings name.
    """
    for with_page in (False, True):
        for app in _apps(with_page=with_page):
            if client_id in {"", app.client_id}:
                return app
    raise NoApp(client_id)


def credentials_of(user_id: int) -> Credentials | None:
    """The app that the listener belongs to; None if there is none."""
    held = SpotifyConnection.objects.filter(user=user_id).values_list("client_id", flat=True)
    try:
        return app_of(held.first() or "").credentials
    except NoApp:
        return None


def own_app(held: SpotifyConnection) -> App | None:
    """The app that a connection belongs to; None where there is no such app any more."""
    try:
        return app_of(held.client_id)
    except NoApp:
        return None


def lent_app(held: SpotifyConnection) -> App | None:
    """The app that a connection belongs to, if that is not the first one."""
    own = own_app(held)
    return own if own and own.credentials.key else None


def block_of(held: SpotifyConnection) -> Silence | None:
    """The block that keeps a listener's syncs waiting."""
    own = own_app(held)
    return current_block(own.credentials) if own else None


def _apps(*, with_page: bool) -> Iterator[App]:
    """The apps of the settings and, ``with_page``, those that operators entered."""
    seen: set[str] = set()
    for app in _listed(with_page=with_page):
        if app.client_id not in seen:
            seen.add(app.client_id)
            if len(seen) == 1:
                yield app
            else:
                yield _keyed(app)


def _keyed(app: App) -> App:
    held = app.credentials
    keyed = Credentials(held.client_id, held.secret, held.developer, key=held.client_id)
    return App(app.label, keyed, app.source, app.is_resting, app.pk)


def _listed(*, with_page: bool) -> Iterator[App]:
    if client_id := settings.SPOTIFY_CLIENT_ID:
        credentials = Credentials(client_id, settings.SPOTIFY_CLIENT_SECRET)
        yield App(FIRST_LABEL, credentials, Source.ENVIRONMENT)
    for row in settings.SPOTIFY_APPS:
        yield App(row.label, Credentials(row.client_id, row.secret, row.developer), Source.LIST)
    if with_page:
        for kept in SpotifyApp.objects.order_by("pk"):
            credentials = Credentials(kept.client_id, kept.secret, kept.developer)
            yield App(kept.label, credentials, Source.PAGE, kept.is_resting, kept.pk)


# --- Seats ------------------------------------------------------------------------------------


def listeners_by_app() -> Counter[str]:
    """How many have a seat at Spotify, by Client ID; those of the first app also under ""."""
    refused = SpotifyConnection.Reason.NOT_REGISTERED
    rows = SpotifyConnection.objects.exclude(state_reason=refused).values_list("client_id")
    return _with_first(dict(rows.annotate(Count("pk"))))


def seats_by_app() -> Counter[str]:
    """``listeners_by_app`` with the seats that moves and open invitations have promised."""
    moves = SpotifyConnection.objects.exclude(move_to="").values_list("move_to")
    promised = Counter(dict(moves.annotate(Count("pk"))))
    for _, more in seats_promised.send(sender=SpotifyApp):
        promised.update(more)
    return listeners_by_app() + _with_first(promised)


def free_app(apps: Sequence[App]) -> App | None:
    """The first of ``apps`` that takes listeners and has a free seat."""
    taken = seats_by_app()
    found = (app for app in apps if not app.is_resting and taken[app.client_id] < SEATS)
    return next(found, None)


def _with_first(counts: Mapping[str, int]) -> Counter[str]:
    """``counts`` by Client ID, with what older versions left under "" at the first app."""
    found = Counter(counts)
    if first := first_app():
        found[first.client_id] += found.pop("", 0)
    return found


# --- Changes ----------------------------------------------------------------------------------


class NotChanged(Exception):
    """``str`` says, for operators, why an app or a listener stays as it is."""


def hold_app(client_id: str) -> bool:
    """Whether an app with this id exists; one of a page stays so until the transaction ends."""
    if any(client_id in {"", app.client_id} for app in _apps(with_page=False)):
        return True
    # ``delete_app`` locks the same row before it looks for listeners.
    kept = SpotifyApp.objects.select_for_update(no_key=True).filter(client_id=client_id)
    return kept.first() is not None


@transaction.atomic
def keep_app(*, label: str, client_id: str, secret: str, developer: str, by: User | None) -> None:
    """Add an app, or replace the stored app with this id.

    Raises NotChanged where a setting has this id, or another app this label.
    """
    for app in all_apps():
        if app.client_id == client_id and app.source != Source.PAGE:
            raise NotChanged(f"The settings have this app, as “{app.label}”, and they win.")
        if app.client_id != client_id and app.label.casefold() == label.casefold():
            raise NotChanged("Another app has this label.")
    SpotifyApp.objects.update_or_create(
        client_id=client_id,
        defaults={"label": label, "secret": secret, "developer": same_developer(developer)},
        create_defaults={
            "label": label,
            "secret": secret,
            "developer": same_developer(developer),
            "created_by": by,
        },
    )
    logger.info("spotify app stored client_id=%s", client_id)


def same_developer(name: str) -> str:
    """``name`` as an app already has it: upper and lower case make no difference."""
    known = {app.developer.casefold(): app.developer for app in all_apps()}
    return known.get(name.casefold(), name)


def rest_app(pk: int, *, rests: bool) -> None:
    """Stop an app from taking further listeners, or let it take them again."""
    SpotifyApp.objects.filter(pk=pk).update(is_resting=rests)


@transaction.atomic
def delete_app(pk: int) -> None:
    """Delete an app. Raises NotChanged while listeners belong to it."""
    kept = SpotifyApp.objects.select_for_update().filter(pk=pk).first()
    if kept is None:
        return
    if listeners_of(kept.client_id):
        raise NotChanged(
            f"Listeners use “{kept.label}”. Move them to another app, or let it rest until they "
            "have gone."
        )
    SpotifyConnection.objects.filter(move_to=kept.client_id).update(move_to="")
    kept.delete()
    logger.info("spotify app deleted client_id=%s", kept.client_id)


def listeners_of(client_id: str) -> int:
    """The number of connections that belong to the app, with or without a seat."""
    first = first_app()
    ids = {client_id, ""} if first and first.client_id == client_id else {client_id}
    return SpotifyConnection.objects.filter(client_id__in=ids).count()


@transaction.atomic
def ask_to_move(user_id: int, app: App) -> None:
    """Make the listener's next sign-in use ``app``; until then nothing changes.

    For the app that they belong to, this cancels an earlier call. Raises NotChanged if the app
    rests or has no free seat.
    """
    held = SpotifyConnection.objects.select_for_update().filter(user=user_id).first()
    if held is None:
        raise NotChanged("This listener has no connection to Spotify.")
    is_there = own_app(held) == app
    if not is_there and held.move_to != app.client_id and free_app([app]) is None:
        raise NotChanged(f"“{app.label}” has no free seat.")
    wanted = "" if is_there else app.client_id
    SpotifyConnection.objects.filter(pk=held.pk).update(move_to=wanted)
    connection_changed.send(sender=SpotifyConnection, user_id=held.pk)
