"""Reads the playlists of a mirror, and finds changes of other people and of Spotify."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn

from sync.mirrors import edits, looking, tracks
from sync.mirrors.inbox import Additions, additions, record_additions
from sync.mirrors.relinks import Recording, as_added, relinked
from sync.mirrors.shared import is_shared
from sync.models import Mirror, Track
from sync.queue.errors import GiveUp
from syncify.spotify.errors import NotFound

if TYPE_CHECKING:
    from datetime import datetime

    from sync.library.record import Record
    from sync.mirrors.details import Details
    from sync.mirrors.looking import Looks
    from sync.mirrors.tracks import Facts
    from sync.mirrors.volumes import Volume
    from sync.queue.job import Job
    from syncify.spotify import types
    from syncify.spotify.types import PlaylistRow


@dataclass(frozen=True, slots=True)
class Before:
    """The stored state of a playlist. ``is_sure``: no write has started since."""

    base: list[str | None]
    has_base: bool
    is_sure: bool
    snapshot_id: str
    checked_at: datetime | None


class Look:
    """``wanted`` are the mirror's songs in order; ``say`` tells the history of edits."""

    def __init__(
        self,
        job: Job,
        record: Record,
        mirror: Mirror,
        *,
        looks: Looks,
        details: Details,
        facts: Facts,
        wanted: Sequence[str],
        is_manual: bool,
        say: Callable[[str], None],
    ) -> None:
        self._job = job
        self._record = record
        self._mirror = mirror
        self._looks = looks
        self._details = details
        self._facts = facts
        self._wanted = wanted
        self._is_manual = is_manual
        self._say = say

    def at(self, volumes: Sequence[Volume]) -> None:
        """Update the stored state of ``volumes``.

        Raises SnoozeUntil, RetryLater or GiveUp if a playlist is lost.
        """
        missing: list[str] = []
        for volume in volumes:
            others = {uri for one in volumes if one is not volume for uri in one.uris if uri}
            missing += self._at(volume, others)
        if missing or self._facts.missing:
            with self._record.fenced(self._mirror):
                given_up = tracks.count_missing(self._mirror, missing, set(self._wanted))
                tracks.refuse(self._mirror, given_up, tracks.NOT_KEPT)

    def _at(self, volume: Volume, others: set[str]) -> list[str]:
        """Compare a playlist's snapshot id with the stored one, and read it if they differ.

        Returns the songs that Syncify added and that are missing.
        """
        self._job.safe_point()
        if self._looks.is_due(volume) and self._looks.held(volume) is False:
            self._bring_back(volume)
        row = volume.playlist
        is_sure = row.items_known and volume.has_base
        before = Before(volume.uris, volume.has_base, is_sure, row.snapshot_id, row.checked_at)
        try:
            playlist = self._shown_as_left(volume) or self._job.client.playlist(volume.spotify_id)
            rows = self._rows(volume, playlist)
        except NotFound:
            is_held = self._looks.is_held(volume)
            self._miss(volume, looking.not_found(volume, self._job.now(), is_held=is_held))
        row.items_known, row.snapshot_id = True, playlist.snapshot_id
        row.checked_at, row.seen_public, row.missing_since = self._job.now(), playlist.public, None
        if rows is None:
            with self._record.fenced(self._mirror):
                self._details.adopt(row, playlist)
                volume.save()
            return []
        return self._take_in(volume, playlist, rows, before=before, others=others)

    def _shown_as_left(self, volume: Volume) -> types.Playlist | None:
        """The playlist as the list of playlists shows it, if nothing changed there.

        The list may leave out the number of songs, which shows an edit that is as old as our last
        write: then, and where anything differs, the playlist itself is asked.
        """
        shown = self._looks.take(volume)
        if shown is None or shown.total is None:
            return None
        return shown if _is_as_left(volume, shown) else None

    def _rows(self, volume: Volume, playlist: types.Playlist) -> Sequence[PlaylistRow] | None:
        """The items of the playlist; None if it is unchanged."""
        if _is_as_left(volume, playlist):
            return None
        if playlist.total == 0 and not volume.uris:
            return []
        return self._job.client.playlist_rows(volume.spotify_id)

    # --- A playlist that is not where it was ----------------------------------------------------

    def _bring_back(self, volume: Volume) -> None:
        """Restore the playlist to the library, if a person asked for this sync."""
        if not self._is_manual:
            self._miss(volume, looking.not_in_library(volume, self._job.now()))
        if looking.restore(self._job, volume):
            self._say("The playlist had left your library, and is back in it.")

    def _miss(self, volume: Volume, error: Exception) -> NoReturn:
        with self._record.fenced(self._mirror):
            volume.save()
            if isinstance(error, GiveUp):
                self._mirror.state = Mirror.State.REMOVED
                self._mirror.save(update_fields=["state"])
        raise error

    # --- What the rows tell ---------------------------------------------------------------------

    def _take_in(
        self,
        volume: Volume,
        playlist: types.Playlist,
        rows: Sequence[PlaylistRow],
        *,
        before: Before,
        others: set[str],
    ) -> list[str]:
        base = before.base
        uris = as_added([row.uri for row in rows], self._facts.shown_as, self._wanted)
        renamed = self._relinked(base, rows, uris)
        if renamed:
            names = {**self._facts.shown_as, **renamed}
            uris = as_added([row.uri for row in rows], names, self._wanted)
        named = [replace(row, uri=uri) for row, uri in zip(rows, uris, strict=True)]
        stuck, missing = set[str](), list[str]()
        if before.is_sure:
            unliked_at = tracks.when_unliked(self._mirror.user_id, edits.surplus(base, uris))
            stuck = edits.stuck(base, named, unliked_at, before.checked_at)
            missing = edits.missing(base, uris)
            # Without an edit since our last write, Spotify itself has left them out.
            is_edited = playlist.snapshot_id != before.snapshot_id != ""
            doubtful = self._facts.missing.intersection(missing) if is_edited else set(missing)
            put_right = not self._mirror.keeps_additions
            told = edits.sentence(base, uris, stuck=stuck, doubtful=doubtful, put_right=put_right)
            if told:
                self._say(told)
        if odd := edits.odd_rows(named):
            self._say(odd)
        arrived = Additions()
        if playlist.snapshot_id != before.snapshot_id:
            arrived = self._arrived(named, before, others, stuck)
        if arrived.is_much:
            self._say("So much had changed at once that the inbox lists none of it.")
        volume.uris = uris
        with self._record.fenced(self._mirror):
            self._details.adopt(volume.playlist, playlist)
            volume.save()
            tracks.remember_shown_as(self._mirror, renamed)
            tracks.refuse(self._mirror, stuck, tracks.NOT_REMOVED)
            record_additions(self._mirror, arrived, {*uris, *others})
        return missing

    def _relinked(
        self, base: Sequence[str | None], rows: Sequence[PlaylistRow], uris: Sequence[str | None]
    ) -> dict[str, str]:
        ids = [tracks.track_id(uri) for uri in edits.missing(base, uris) if tracks.is_track(uri)]
        if not ids:
            return {}
        known = {
            tracks.track_uri(song.pk): Recording(
                song.name, tuple(song.artists), song.isrc, song.duration_ms
            )
            for song in Track.objects.filter(pk__in=ids)
        }
        return relinked(
            base, [replace(row, uri=uri) for row, uri in zip(rows, uris, strict=True)], known
        )

    def _arrived(
        self, named: Sequence[PlaylistRow], before: Before, others: set[str], stuck: set[str]
    ) -> Additions:
        """The inbox items of an edited playlist.

        Where a write of ours was under way, all that Syncify ever put there counts as its own; of
        a mirror with songs of other listeners that is not known, so nothing is told.
        """
        if is_shared(self._mirror) and not before.is_sure:
            return Additions()
        base = set(before.base)
        foreign = [row.uri for row in named if row.uri and row.uri not in base]
        count = tracks.liked_now if before.is_sure else tracks.ever_liked
        own = count(self._mirror.user_id, foreign) if foreign else set()
        missing = edits.missing(before.base, [row.uri for row in named])
        return additions(
            before.base if before.has_base else None,
            named,
            set(self._wanted),
            own=own | others,
            refused=self._facts.refused | self._facts.stuck | stuck,
            verified=set(missing) - self._facts.missing if before.is_sure else (),
        )


def _is_as_left(volume: Volume, playlist: types.Playlist) -> bool:
    row = volume.playlist
    return (
        row.items_known
        and row.snapshot_id != ""
        and playlist.snapshot_id == row.snapshot_id
        and playlist.total in {None, len(volume.uris)}
    )
