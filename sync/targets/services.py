"""Actions of listeners on connected services; each queues the run that it needs."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from accounts.models import User
from sync.models import Connection, Mirror, SavedTrack, SyncRequest, TargetPlaylist, TrackLink
from sync.queue import store as queue
from sync.queue.locks import lock_user
from sync.targets.access import channel
from sync.targets.listenbrainz.client import ListenBrainzClient
from sync.targets.matching import How, Missing
from sync.targets.protocol import Check, RateLimited
from sync.targets.subsonic.client import SubsonicClient

SUBSONIC, LISTENBRAINZ = Connection.Service.SUBSONIC, Connection.Service.LISTENBRAINZ


def check_subsonic(*, address: str, username: str, password: str) -> list[Check]:
    """Test a music server. Raises TargetError if the sign-in fails."""
    with channel(address) as way:
        return SubsonicClient(way, username=username, password=password).check()


def check_listenbrainz(*, token: str) -> tuple[str, list[Check]]:
    """Test a token: its user, and the working functions. Raises TargetError if it fails."""
    with channel(settings.LISTENBRAINZ_URL) as way:
        client = ListenBrainzClient(way, token=token, sleep=_refuse_to_wait)
        return client.user_name(), client.check()


def _refuse_to_wait(seconds: float) -> None:
    """Raise RateLimited at once: a page does not wait."""
    raise RateLimited(timedelta(seconds=seconds))


def connect(
    *, user: User, service: str, secret: str, address: str = "", username: str = ""
) -> Connection:
    """Connect a service, or connect it again; the first run is queued.

    The same account keeps its playlists, matches and choices by hand. Another account starts
    without them, with the main mirror selected.
    """
    with transaction.atomic():
        _lock_mirrors(user.pk)
        queue.enqueue(user.pk, service, trigger=SyncRequest.Trigger.FIRST)
        Connection.objects.filter(user=user, service=service).exclude(
            address=address, username=username
        ).delete()
        connection, is_new = Connection.objects.update_or_create(
            user=user,
            service=service,
            defaults={
                "address": address,
                "username": username,
                "secret": secret,
                "state": Connection.State.ACTIVE,
                "state_reason": "",
            },
        )
        # The kind of sign-in and a refusal are determined again.
        of_runs = {"sign_in", "refused_at"}
        kept = {name: each for name, each in connection.settings.items() if name not in of_runs}
        Connection.objects.filter(pk=connection.pk).update(settings=kept)
        if is_new:
            main = Mirror.objects.get(user=user, is_main=True)
            TargetPlaylist.objects.create(connection=connection, mirror=main)
    return connection


def disconnect(connection: Connection) -> None:
    """Delete the connection with its secret and all matches. The service's content stays."""
    with transaction.atomic():
        lock_user(connection.user_id)
        # First, so that a running job sees it and writes nothing more.
        _ask_open_to_stop(connection)
        connection.delete()


def request_run(connection: Connection) -> SyncRequest:
    """Queue a run, or return the one that is open; a service that refused is tried again."""
    with transaction.atomic():
        lock_user(connection.user_id)
        request, _ = queue.enqueue(
            connection.user_id, connection.service, trigger=SyncRequest.Trigger.MANUAL
        )
        Connection.objects.filter(pk=connection.pk, state=Connection.State.REFUSED).update(
            state=Connection.State.FAILING
        )
    return request


def pause(connection: Connection) -> None:
    """Stop all runs of the service until ``resume``."""
    with transaction.atomic():
        lock_user(connection.user_id)
        _ask_open_to_stop(connection)
        Connection.objects.filter(pk=connection.pk).update(state=Connection.State.PAUSED)


def resume(connection: Connection) -> None:
    with transaction.atomic():
        lock_user(connection.user_id)
        queue.enqueue(connection.user_id, connection.service, trigger=SyncRequest.Trigger.MANUAL)
        Connection.objects.filter(pk=connection.pk, state=Connection.State.PAUSED).update(
            state=Connection.State.ACTIVE
        )


def set_options(
    connection: Connection, *, mirrors: Iterable[Mirror], options: Mapping[str, Any]
) -> None:
    """Set the mirrors that the service gets, and its options; other playlists stay there."""
    chosen = list(mirrors)
    with transaction.atomic():
        _lock_mirrors(connection.user_id)
        queue.enqueue(connection.user_id, connection.service, trigger=SyncRequest.Trigger.MANUAL)
        row = Connection.objects.select_for_update().get(pk=connection.pk)
        row.settings = {**row.settings, **options}
        row.save(update_fields=["settings"])
        TargetPlaylist.objects.filter(connection=row).exclude(mirror__in=chosen).delete()
        TargetPlaylist.objects.bulk_create(
            [TargetPlaylist(connection=row, mirror=mirror) for mirror in chosen],
            ignore_conflicts=True,
        )


def _lock_mirrors(user_id: int) -> None:
    """Lock mirrors before requests, as everywhere: a new target playlist locks its mirror."""
    lock_user(user_id)
    mirrors = Mirror.objects.select_for_update(no_key=True).filter(user=user_id)
    list(mirrors.order_by("pk").values("pk"))


def _ask_open_to_stop(connection: Connection) -> None:
    for request in SyncRequest.objects.filter(
        user=connection.user_id, kind=connection.service, completed=None
    ):
        queue.ask_cancel(request)


# --- Matches ------------------------------------------------------------------------------------


def links_of(connection: Connection) -> QuerySet[TrackLink]:
    """The matches of songs that are liked, the newest like first."""
    likes = SavedTrack.objects.filter(
        user=connection.user_id, track=OuterRef("track"), removed_at=None
    )
    links = TrackLink.objects.filter(Exists(likes), connection=connection)
    newest = likes.order_by().values("added_at")[:1]
    return links.select_related("track").annotate(liked_at=newest).order_by("-liked_at", "pk")


def missing_of(connection: Connection) -> QuerySet[TrackLink]:
    return links_of(connection).filter(Q(remote_id="") | Q(how=Missing.GONE))


@contextmanager
def server_of(connection: Connection) -> Iterator[SubsonicClient]:
    """The music server as the listener, for as long as a page needs it."""
    with channel(connection.address) as way:
        yield SubsonicClient(
            way,
            username=connection.username,
            password=connection.secret,
            sign_in=connection.settings.get("sign_in", ""),
        )


def choose(link: TrackLink, remote_id: str) -> None:
    """Store the listener's choice of a song, "" for none; it stays until they change it."""
    _change(link, remote_id=remote_id, how=How.BY_HAND, instead="", by_hand=True)


def forget_choice(link: TrackLink) -> None:
    """Delete the choice, so that the next run matches the song."""
    _change(link, remote_id="", how=Missing.NOT_THERE, instead="", by_hand=False)


def _change(link: TrackLink, **changes: Any) -> None:
    connection = link.connection
    with transaction.atomic():
        lock_user(connection.user_id)
        queue.enqueue(connection.user_id, connection.service, trigger=SyncRequest.Trigger.MANUAL)
        TrackLink.objects.filter(pk=link.pk).update(checked_at=Now(), **changes)
