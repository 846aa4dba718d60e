"""A second listener, who likes some of the same songs, and must stay as they are."""

from typing import Any

from accounts.models import User
from sync.models import (
    InboxItem,
    Library,
    Mirror,
    MirrorTrack,
    Playlist,
    PlaylistItems,
    SavedTrack,
    StoredPage,
    SyncRequest,
    SyncResult,
)
from syncify.simulator.server import Simulator
from tests.builders import connect
from tests.driving import run

NAME = "iris"
TABLES: list[tuple[Any, str]] = [
    (Library, "user"),
    (Mirror, "user"),
    (SavedTrack, "user"),
    (StoredPage, "user"),
    (InboxItem, "user"),
    (SyncRequest, "user"),
    (SyncResult, "request__user"),
    (MirrorTrack, "mirror__user"),
    (Playlist, "mirror__user"),
    (PlaylistItems, "playlist__mirror__user"),
]


class Bystander:
    """Has been synced once; ``songs`` are uris that others like too."""

    def __init__(self, simulator: Simulator, *songs: str) -> None:
        self.simulator = simulator
        simulator.add_listener(NAME)
        simulator.set_liked(NAME, *songs, simulator.new_track())
        self.user: User = connect(simulator, NAME)
        assert run(self.user, "first").state == "succeeded"
        simulator.forget_requests()
        self._before = self._everything()

    def assert_untouched(self) -> None:
        assert self._everything() == self._before
        assert not [one for one in self.simulator.requests if one.listener == NAME]

    def _everything(self) -> list[object]:
        rows = [
            list(model.objects.filter(**{of: self.user}).order_by("pk").values())
            for model, of in TABLES
        ]
        for found in rows[TABLES.index((Playlist, "mirror__user"))]:
            del found["checked_at"]  # tests let days pass for everybody
        for found in rows[TABLES.index((Library, "user"))]:
            del found["full_read_at"]
        [playlist_id] = self.simulator.playlists(NAME)
        return [*rows, list(self.simulator.playlist(playlist_id).rows)]
