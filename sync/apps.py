from django.apps import AppConfig

from accounts.signals import spotify_connected


class SyncConfig(AppConfig):
    name = "sync"

    def ready(self) -> None:
        from sync.services import connected  # noqa: PLC0415 - models are ready only now

        spotify_connected.connect(connected, dispatch_uid="sync.connected")
