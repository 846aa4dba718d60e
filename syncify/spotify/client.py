"""SpotifyClient: Syncify's calls to Spotify, with spotipy below and our names, types and errors."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from typing import Any

from syncify.spotify import parsing
from syncify.spotify.answers import Meaning, Pause, Renew, Stop
from syncify.spotify.calls import PAUSES, READ_TRIES, TIMEOUT, Caller, Gate, Tokens
from syncify.spotify.errors import (
    AccessRefused,
    BadRequest,
    CoverRefused,
    LibraryUnknown,
    NotFound,
    SpotifyError,
    Unavailable,
)
from syncify.spotify.types import (
    Playlist,
    PlaylistItemsPage,
    PlaylistRow,
    PlaylistsPage,
    Profile,
    SavedTracksPage,
)

__all__ = ["PAGE", "PAUSES", "READ_TRIES", "TIMEOUT", "Gate", "SpotifyClient", "Tokens"]

PAGE = 50
RESTARTS = 2
#: Spotify keeps 10,000 entries in a playlist and about 11,000 playlists in a library: what goes on
#: beyond this has no end.
MOST_ROWS = 15_000

# Asked for under the new names and the old: which of them Spotify sends is not settled.
_PLAYLIST_FIELDS = "id,name,description,public,snapshot_id,owner(id),items(total),tracks(total)"
_SONG_FIELDS = (
    "uri,name,duration_ms,explicit,external_ids(isrc),artists(name),album(name,images(url,width))"
)
_ITEMS_FIELDS = (
    f"total,next,items(added_at,added_by(id),item({_SONG_FIELDS}),track({_SONG_FIELDS}))"
)


class SpotifyClient(Caller):
    """Spotify as one listener; for one thread at a time.

    Positions and uris are those of Spotify. ``errors`` lists what a call raises; ``Caller``
    describes how it is sent and repeated.
    """

    @cached_property
    def _pictures(self) -> tuple[str, ...]:
        return parsing.picture_hosts(self._api_url)

    # --- Reading ------------------------------------------------------------------------------

    def me(self) -> Profile:
        return self._read(self._spotify.me, parsing.profile)

    def saved_tracks(self, offset: int) -> SavedTracksPage:
        """Newest first, from ``offset`` on: 50, or as many as Spotify sends."""
        # No market: with one, Spotify may answer with the ids of other songs.
        return self._read(
            lambda: self._spotify.current_user_saved_tracks(limit=PAGE, offset=offset),
            partial(parsing.saved_tracks, offset=offset, pictures=self._pictures),
        )

    def playlist(self, playlist_id: str) -> Playlist:
        return self._read(
            lambda: self._spotify.playlist(playlist_id, fields=_PLAYLIST_FIELDS), parsing.playlist
        )

    def playlist_items(self, playlist_id: str, offset: int) -> PlaylistItemsPage:
        """Entries in order, from ``offset`` on: 50, or as many as Spotify sends.

        Raises Unavailable for a page that does not show its entries or their total.
        """

        def answer(fields: str | None) -> Any:
            return self._spotify.playlist_items(
                playlist_id, fields=fields, limit=PAGE, offset=offset
            )

        parse = partial(parsing.playlist_items, offset=offset, pictures=self._pictures)
        page, is_filtered_out = self._read(
            lambda: answer(_ITEMS_FIELDS),
            lambda found: (parse(found), parsing.names_no_item(found)),
        )
        # A filter that Spotify does not understand must not look like empty rows.
        return self._read(lambda: answer(None), parse) if is_filtered_out else page

    def playlist_rows(self, playlist_id: str) -> list[PlaylistRow]:
        """Every entry in order, begun again when the playlist changes on the way.

        The end is where Spotify says that there is no more. A page that contradicts the total is
        read once more, and believed then. Raises Unavailable when the playlist never holds still,
        or a part of it cannot be seen.
        """
        for _ in range(1 + RESTARTS):
            if (rows := self._rows_at_once(playlist_id)) is not None:
                return rows
        raise Unavailable

    def playlist_uris(self, playlist_id: str) -> list[str | None]:
        """The uris of ``playlist_rows``; None for an entry that cannot be addressed."""
        return [row.uri for row in self.playlist_rows(playlist_id)]

    def _rows_at_once(self, playlist_id: str) -> list[PlaylistRow] | None:
        """None when the playlist changed meanwhile."""
        rows: list[PlaylistRow] = []
        first, total, doubts, has_next = None, 0, 1, True
        while has_next:
            page = self.playlist_items(playlist_id, len(rows))
            if doubts and _contradicts(page, total if first else page.total):
                doubts -= 1
                page = self.playlist_items(playlist_id, len(rows))
            if first is None:
                first, total = page, page.total
            if page.total != total:
                # Either the playlist has changed, or the total of the first page was wrong.
                if len(rows) > len(first.rows) or not self._still_begins(playlist_id, first):
                    return None
                total = page.total
            if not page.rows and (page.has_next or len(rows) < total):
                raise Unavailable  # the rest is there, and is not shown
            if len(rows) > MOST_ROWS:
                raise Unavailable
            rows += page.rows
            has_next = page.has_next
        return rows

    def _still_begins(self, playlist_id: str, first: PlaylistItemsPage) -> bool:
        """Whether the playlist still begins with this first page."""
        return self.playlist_items(playlist_id, 0).uris == first.uris

    def playlists_page(self, offset: int) -> PlaylistsPage:
        """The playlists in the listener's library: their own, and those that they follow.

        Newest first, from ``offset`` on: 50, or as many as Spotify sends.
        """
        return self._read(
            lambda: self._spotify.current_user_playlists(limit=PAGE, offset=offset),
            partial(parsing.playlists, offset=offset),
        )

    def own_playlists(self) -> Iterator[Playlist]:
        """All of ``playlists_page``, each once."""
        offset, seen = 0, set[str]()
        while offset <= MOST_ROWS:
            page = self.playlists_page(offset)
            if page.has_next and not page.received:
                page = self.playlists_page(offset)
            fresh = [one for one in page.playlists if one.id not in seen]
            seen.update(one.id for one in fresh)
            yield from fresh
            offset += page.received
            if not (page.has_next and page.received) or (page.playlists and not fresh):
                return

    def in_library(self, uris: Sequence[str]) -> list[bool]:
        """Whether each of at most 40 uris is in the listener's library.

        Raises LibraryUnknown if Spotify refuses, or its answer is incomplete.
        """

        def parse(answer: Any) -> list[bool]:
            try:
                return parsing.contained(answer, len(uris))
            except parsing.Unreadable as error:
                raise LibraryUnknown from error

        try:
            return self._read(
                lambda: self._spotify._get("me/library/contains", uris=",".join(uris)), parse
            )
        except (BadRequest, AccessRefused, NotFound) as error:
            raise LibraryUnknown from error

    # --- Writing ------------------------------------------------------------------------------

    def create_playlist(self, *, name: str, description: str, public: bool) -> Playlist:
        return self._write(
            lambda: self._spotify.current_user_playlist_create(
                name, public=public, description=description
            ),
            parsing.playlist,
        )

    def change_details(
        self,
        playlist_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        public: bool | None = None,
    ) -> None:
        """The details that are not None."""
        self._write(
            lambda: self._spotify.playlist_change_details(
                playlist_id, name=name, description=description, public=public
            ),
            parsing.nothing,
        )

    def add_items(self, playlist_id: str, uris: Sequence[str], position: int) -> str:
        """At most 100, the first of them at ``position``; returns the snapshot id, as all below."""
        body = {"uris": list(uris), "position": position}
        return self._write(
            lambda: self._spotify._post(f"playlists/{playlist_id}/items", payload=body),
            parsing.snapshot_id,
        )

    def remove_items(self, playlist_id: str, uris: Sequence[str]) -> str:
        """Remove every occurrence of at most 100 uris."""
        body = {"items": [{"uri": uri} for uri in uris]}
        return self._write(
            lambda: self._spotify._delete(f"playlists/{playlist_id}/items", payload=body),
            parsing.snapshot_id,
        )

    def move_items(self, playlist_id: str, *, start: int, length: int, before: int) -> str:
        """Move a range; all positions are those before the move."""
        return self._write(
            lambda: self._spotify.playlist_reorder_items(
                playlist_id, range_start=start, insert_before=before, range_length=length
            ),
            parsing.snapshot_id,
        )

    def replace_items(self, playlist_id: str, uris: Sequence[str]) -> str:
        """Replace all items by at most 100 uris; none empties the playlist."""
        body = {"uris": list(uris)}
        return self._write(
            lambda: self._spotify._put(f"playlists/{playlist_id}/items", payload=body),
            parsing.snapshot_id,
        )

    def save_to_library(self, uri: str) -> None:
        """Restore a playlist that the listener removed from their library."""
        self._save([uri])

    def save_tracks(self, uris: Sequence[str]) -> None:
        """Like at most 40 songs, the first of them on top; the date is that of the call."""
        self._save(uris)

    def remove_tracks(self, uris: Sequence[str]) -> None:
        """Unlike at most 40 songs."""
        self._remove(uris)

    def unfollow_playlist(self, playlist_id: str) -> None:
        """Remove a playlist from the library. It stays readable, and can be restored."""
        self._remove([f"spotify:playlist:{playlist_id}"])

    def _save(self, uris: Sequence[str]) -> None:
        self._write(lambda: self._spotify._put("me/library", uris=",".join(uris)), parsing.nothing)

    def _remove(self, uris: Sequence[str]) -> None:
        self._write(
            lambda: self._spotify._delete("me/library", uris=",".join(uris)), parsing.nothing
        )

    def upload_cover(self, playlist_id: str, jpeg: bytes) -> None:
        """Make ``jpeg``, at most about 190 kB, the playlist's picture.

        Raises CoverRefused. Pictures have their own limit, which does not block other calls.
        """
        picture = b64encode(jpeg).decode()
        try:
            self._write(
                lambda: self._spotify._put(
                    f"playlists/{playlist_id}/images", payload=picture, content_type="image/jpeg"
                ),
                parsing.nothing,
                special=_cover_refused,
            )
        except BadRequest as error:
            if error.status == 413:
                raise CoverRefused("too_large") from error
            raise


def _contradicts(page: PlaylistItemsPage, total: int) -> bool:
    """Whether a page says that there is more than the total, or less, or shows nothing of it."""
    end = page.offset + len(page.rows)
    if page.has_next:
        return page.total != total or not page.rows or end >= total
    return page.total != total or end != total


def _cover_refused(heard: Meaning, renewals: int) -> SpotifyError | None:
    """The meaning of a response to an upload, where it differs from other calls."""
    match heard:
        case Renew() if not renewals:  # Spotify's message for a missing scope
            return CoverRefused("scope_missing")
        case Pause(wait, None) | Stop(wait, "quota", is_quota=False, sent=False):
            return CoverRefused("too_often", wait)
        case AccessRefused(reason="scope_missing"):
            return CoverRefused("scope_missing")
    return None
