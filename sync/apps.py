from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in

from accounts.signals import (
    access_ended,
    account_locked,
    connection_changed,
    seats_promised,
    spotify_connected,
)


class SyncConfig(AppConfig):
    name = "sync"

    def ready(self) -> None:
        # Models are ready only now.
        from sync.mirrors.services import connected  # noqa: PLC0415
        from sync.mirrors.shared import provide  # noqa: PLC0415
        from sync.queue.changes import tell_pages  # noqa: PLC0415
        from sync.queue.locks import lock_all  # noqa: PLC0415
        from sync.sharing.invitations import promised, signed_in  # noqa: PLC0415
        from sync.sharing.sources import shared_songs  # noqa: PLC0415

        account_locked.connect(lock_all, dispatch_uid="sync.account_locked")
        spotify_connected.connect(connected, dispatch_uid="sync.connected")
        user_logged_in.connect(signed_in, dispatch_uid="sync.signed_in")
        seats_promised.connect(promised, dispatch_uid="sync.seats_promised")
        provide(shared_songs)
        access_ended.connect(tell_pages, dispatch_uid="sync.access_ended")
        connection_changed.connect(tell_pages, dispatch_uid="sync.connection_changed")
