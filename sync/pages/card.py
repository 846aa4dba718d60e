"""The card of one mirror: what it shows, read in two statements; nothing here writes.

A card is drawn for every open page at every change, so its statements are written by hand, read no
column that the card does not show, and are prepared: PostgreSQL takes ten times as long to plan the
first as to execute it.
"""

# ruff: noqa: S608 - statements are put together from constants of this file

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypedDict

from django.conf import settings
from django.db import models
from django.db.models import QuerySet
from django.urls import reverse

from accounts.models import SpotifyConnection, User
from accounts.spotify_apps import block_of
from sync.library.continued import STOPPED, came_with, unfinished, went_with
from sync.models import Library, Mirror, SavedTrack, SyncRequest, SyncResult
from sync.pages.held import VERSIONS_SQL, rows_in
from sync.pages.status import (
    Action,
    Permission,
    Status,
    Step,
    Tone,
    describe,
    outcome,
    permission,
    rhythm,
    steps,
)
from sync.pages.words import exact
from sync.queue.alerted import was_delivered
from sync.queue.fair import PRESSABLE_AT_SQL
from sync.queue.processes import WORKER
from syncify.postgresql.prepared import prepared_cursor

#: Songs of each kind that a card names.
_NAMED = 5
#: Songs that are looked at for four different covers.
_WITH_COVERS = 20


class Song(TypedDict):
    name: str
    artists: list[str]


class Songs(NamedTuple):
    """The first few of them, and how many more there are."""

    shown: Sequence[Song]
    more: int


@dataclass(frozen=True, slots=True)
class PastSync:
    """A finished request and the songs that it changed."""

    request: SyncRequest
    outcome: str
    added: Songs
    removed: Songs


@dataclass(frozen=True, slots=True)
class Volume:
    """One of the mirror's playlists in Spotify."""

    number: int
    url: str


@dataclass(frozen=True, slots=True)
class Press:
    """A button that posts a form."""

    #: With the mirror's id behind it, the id of the button.
    name: str
    url: str
    label: str
    #: Classes of the button.
    style: str = "button"
    #: A field that the form sends, if any.
    field: str = ""
    #: Leads away from the page, so that the whole page follows.
    leaves: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """The live region of a mirror."""

    mirror: Mirror
    library: Library
    volumes: Sequence[Volume]
    status: Status
    latest: SyncRequest | None
    #: Addresses of the covers of the first songs.
    covers: Sequence[str]
    #: The way of the sync that runs; empty when none does.
    steps: Sequence[Step]
    #: The last sync that changed something in this mirror.
    last_change: PastSync | None
    #: Songs in the playlist after the last sync that succeeded, and when that was; else None.
    song_count: int | None
    synced_at: datetime | None
    #: Songs that Spotify would not take.
    refused: Songs
    #: Empty rows and local files, which go only when the playlist is written anew.
    odd_rows: int
    #: When syncs happen by themselves, in words.
    rhythm: str
    consent: Permission
    #: What a listener may press beside the status, beside the rhythm, and beside the consent.
    presses: Sequence[Press]
    #: From when on its button asks for a sync again; "" for now, and where it does something else.
    pressable_at: str
    pause: Press | None
    renew: Press | None
    #: An operator asks for a sign-in at another Spotify app.
    is_to_move: bool = False

    @property
    def is_open(self) -> bool:
        return self.latest is not None and self.latest.is_open

    @property
    def is_ready(self) -> bool:
        """There is a playlist, and nothing to worry about: sharing it comes first."""
        return bool(self.volumes) and self.status.tone == Tone.GOOD

    @property
    def all_links(self) -> str:
        """The links of all volumes, one a line."""
        return "\n".join(volume.url for volume in self.volumes)


class _Part(NamedTuple):
    """Fields of a model that a card needs, in the model's own order, and where they come from."""

    alias: str
    model: type[models.Model]
    names: list[str]

    @property
    def columns(self) -> str:
        fields = self.model._meta.concrete_fields
        return ", ".join(f"{self.alias}.{f.column}" for f in fields if f.attname in self.names)


def _part(alias: str, model: type[models.Model], *names: str) -> _Part:
    fields = [field.attname for field in model._meta.concrete_fields if field.attname in names]
    return _Part(alias, model, fields)


_PARTS = [
    _part("m", Mirror, "id", "user_id", "is_main", "name", "state", "cover"),
    _part(
        "l", Library, "user_id", "interval", "preferred_hour", "next_due", "is_paused",
        "full_read_at", "confirm_after", "song_count",
    ),
    _part(
        "c", SpotifyConnection, "user_id", "authorized_at", "state", "state_reason", "client_id",
        "move_to",
    ),
    _part(
        "r", SyncRequest, "id", "trigger", "state", "stage", "song_count", "progress", "failures",
        "run_at", "cancel_asked_at", "started", "completed", "error_code", "error_message", "added",
        "removed", "moved", "skipped", "note",
    ),
    _part("changed", SyncRequest, "id", "trigger", "state", "completed", "error_message"),
    _part("x", SyncResult, "added", "removed", "moved", "skipped", "note"),
]  # fmt: skip

_OWN = "user_id = m.user_id AND kind = 'spotify'"
_FACTS = f"""
SELECT {", ".join(part.columns for part in _PARTS)},
       done.completed,
       done.song_count,
       -- The main playlist holds all likes, unless some are kept elsewhere or count as the same.
       m.is_main AND m.keep_same = 'all' AND m.keep_twin = 'both' AND NOT EXISTS (
           SELECT FROM mirrors AS o WHERE o.user_id = m.user_id AND o.takes_from_main),
       (SELECT count(*) FROM mirror_tracks AS t
         WHERE t.mirror_id = m.id AND t.refused_at IS NOT NULL),
       {PRESSABLE_AT_SQL},
       {VERSIONS_SQL},
       EXISTS (SELECT FROM processes WHERE kind = %(worker)s AND alive_until > now()),
       ARRAY(SELECT p.number || ' ' || p.spotify_id FROM playlists AS p
              WHERE p.mirror_id = m.id AND p.spotify_id IS NOT NULL ORDER BY p.number),
       ARRAY(SELECT a.cover_url
               FROM (SELECT track_id, added_at, rank FROM saved_tracks
                      WHERE m.is_main AND user_id = m.user_id AND removed_at IS NULL
                      ORDER BY added_at DESC, rank LIMIT {_WITH_COVERS}) AS newest
               JOIN tracks AS t ON t.id = newest.track_id
               JOIN albums AS a ON a.id = t.album_id AND a.cover_url <> ''
              ORDER BY newest.added_at DESC, newest.rank)
       || ARRAY(SELECT a.cover_url
                  FROM playlists AS p JOIN playlist_items AS held ON held.playlist_id = p.id,
                       unnest(held.uris[:{_WITH_COVERS}]) WITH ORDINALITY AS item (uri, place)
                  JOIN tracks AS t ON t.id = substr(item.uri, length('spotify:track:') + 1)
                  JOIN albums AS a ON a.id = t.album_id AND a.cover_url <> ''
                 WHERE NOT m.is_main AND p.mirror_id = m.id AND p.number = 1
                 ORDER BY item.place)
  FROM mirrors AS m
  JOIN libraries AS l ON l.user_id = m.user_id
  JOIN spotify_connections AS c ON c.user_id = m.user_id
  LEFT JOIN LATERAL (
       SELECT * FROM sync_requests WHERE {_OWN} ORDER BY id DESC LIMIT 1) AS r ON true
  LEFT JOIN LATERAL (
       SELECT completed, song_count FROM sync_requests
        WHERE {_OWN} AND state = 'succeeded' ORDER BY id DESC LIMIT 1) AS done ON true
  LEFT JOIN (sync_results AS x JOIN sync_requests AS changed ON changed.id = x.request_id)
    ON x.mirror_id = m.id AND x.request_id = (
       SELECT s.id FROM sync_requests AS s
         JOIN sync_results AS found ON found.request_id = s.id AND found.mirror_id = m.id
        WHERE s.user_id = m.user_id AND s.kind = 'spotify' AND s.completed IS NOT NULL
          AND (found.added, found.removed, found.moved, found.skipped) <> (0, 0, 0, 0)
        ORDER BY s.id DESC LIMIT 1)
 WHERE m.user_id = %(user)s
   AND (m.id = %(mirror)s OR %(mirror)s::bigint IS NULL AND m.is_main)"""

_NAMES = f"""
(SELECT 'added', t.name, t.artists FROM saved_tracks AS s JOIN tracks AS t ON t.id = s.track_id
  WHERE s.user_id = %(user)s AND s.added_in_id = %(request)s
  ORDER BY s.added_at DESC, s.rank LIMIT {_NAMED})
UNION ALL
(SELECT 'removed', t.name, t.artists FROM saved_tracks AS s JOIN tracks AS t ON t.id = s.track_id
  WHERE s.user_id = %(user)s AND s.removed_in_id = %(request)s
  ORDER BY s.added_at DESC, s.rank LIMIT {_NAMED})
UNION ALL
(SELECT 'refused', t.name, t.artists FROM mirror_tracks AS m JOIN tracks AS t ON t.id = m.track_id
  WHERE m.mirror_id = %(mirror)s AND m.refused_at IS NOT NULL
  ORDER BY m.refused_at DESC, m.id DESC LIMIT {_NAMED})"""


def card_for(user: User, *, now: datetime, mirror: int | None = None) -> Card:
    """The card of one of the listener's mirrors; of the main one, if none is named.

    Raises Mirror.DoesNotExist, also for a mirror of somebody else.
    """
    params = {
        "user": user.pk,
        "mirror": mirror,
        "worker": WORKER,
    }
    with prepared_cursor() as cursor:
        cursor.execute(_FACTS, params)
        if (row := cursor.fetchone()) is None:
            raise Mirror.DoesNotExist
    shown, library, consent, latest, changed, result, *facts = _parted(row)
    synced_at, likes, has_all_likes, refused_count, pressable_at, *others = facts
    items, has_worker, playlists, covers = others
    held = [rows_in(version) for version in items]
    rows = sum(each.rows for each in held) if held else None
    is_queued = latest is not None and latest.state == SyncRequest.State.QUEUED
    is_running = latest is not None and latest.state == SyncRequest.State.RUNNING
    block = block_of(consent) if is_queued else None
    status = describe(
        connection=consent,
        mirror=shown,
        library=library,
        latest=latest,
        block=block,
        has_worker=has_worker,
        is_told=block is not None and was_delivered(block.incident),
        now=now,
    )
    # What came to the library and left it; other mirrors only tell how many songs.
    names = _names(shown, changed if shown.is_main else None, refused_count)
    told = rhythm(consent, shown, library)
    notice = permission(consent, now)
    return Card(
        mirror=shown,
        library=library,
        volumes=[_volume(each) for each in playlists],
        status=status,
        latest=latest,
        covers=covers,
        steps=steps(latest) if latest and is_running else [],
        last_change=_past(changed, result, names) if changed and result else None,
        song_count=likes if has_all_likes else rows,
        synced_at=synced_at,
        refused=_first(names["refused"], refused_count),
        odd_rows=sum(each.odd for each in held),
        rhythm=told,
        consent=notice,
        presses=_presses(shown, status, latest),
        pressable_at=exact(pressable_at) if pressable_at and status.asks_for_sync else "",
        pause=_pause(shown, "link") if told else None,
        renew=_renew(notice, status),
        is_to_move=bool(consent.move_to),
    )


def _parted(row: Sequence[Any]) -> list[Any]:
    """The instances that a row of _FACTS begins with, None for one that is missing; the rest."""
    parts: list[Any] = []
    at = 0
    for _, model, names in _PARTS:
        values = row[at : at + len(names)]
        at += len(names)
        is_missing = all(value is None for value in values)
        parts.append(None if is_missing else model.from_db(None, names, values))
    return [*parts, *row[at:]]


def _names(mirror: Mirror, changed: SyncRequest | None, refused: int) -> dict[str, list[Song]]:
    names: dict[str, list[Song]] = {"added": [], "removed": [], "refused": []}
    if changed or refused:
        params = {
            "user": mirror.user_id,
            "mirror": mirror.pk,
            "request": changed.pk if changed else None,
        }
        with prepared_cursor() as cursor:
            cursor.execute(_NAMES, params)
            for kind, name, artists in cursor:
                names[kind].append(Song(name=name, artists=artists))
    if changed and changed.state in STOPPED and changed.pk in unfinished(mirror.user_id):
        names["added"] = _songs(came_with(mirror.user_id, changed.pk))
        names["removed"] = _songs(went_with(mirror.user_id, changed.pk))
    return names


def _songs(likes: QuerySet[SavedTrack]) -> list[Song]:
    rows = likes.order_by("-added_at", "rank").select_related("track")[:_NAMED]
    return [Song(name=like.track.name, artists=like.track.artists) for like in rows]


def _past(request: SyncRequest, result: SyncResult, names: dict[str, list[Song]]) -> PastSync:
    """What ``request`` did to this mirror alone."""
    for field in ("added", "removed", "moved", "skipped", "note"):
        setattr(request, field, getattr(result, field))
    return PastSync(
        request=request,
        outcome=outcome(request),
        added=_first(names["added"], result.added if names["added"] else 0),
        removed=_first(names["removed"], result.removed if names["removed"] else 0),
    )


def _first(shown: Sequence[Song], count: int) -> Songs:
    """These songs of so many."""
    return Songs(shown, max(0, count - len(shown)))


def _volume(playlist: str) -> Volume:
    number, spotify_id = playlist.split(" ", 1)
    return Volume(int(number), f"{settings.SPOTIFY_OPEN_URL}/playlist/{spotify_id}")


# --- Buttons ------------------------------------------------------------------------------------


def _presses(mirror: Mirror, status: Status, latest: SyncRequest | None) -> list[Press]:
    presses = []
    # A playlist that is right is there to be shared: its other button is quiet.
    style = "button" if status.tone == Tone.GOOD else "button primary"
    match status.action:
        case Action.SIGN_IN:
            presses.append(Press("sign-in", reverse("login"), status.label, style, leaves=True))
        case Action.RETRY if latest is not None:
            url = reverse("mirror_retry", args=[mirror.pk, latest.pk])
            presses.append(Press("retry", url, status.label, style))
        case Action.RESUME:
            presses.append(_pause(mirror, "button primary"))
        case Action.RETURN:
            url = reverse("mirror_repair", args=[mirror.pk])
            presses.append(Press("return", url, status.label, style, field="return"))
        case Action.SYNC:
            url = reverse("mirror_sync", args=[mirror.pk])
            presses.append(Press("sync-now", url, status.label, style))
        case Action.MAKE:
            url = reverse("mirror_repair", args=[mirror.pk])
            presses.append(Press("anew", url, status.label, style, field="anew"))
    if latest is not None and latest.is_open and not latest.is_cancelling:
        url = reverse("mirror_cancel", args=[mirror.pk, latest.pk])
        presses.append(Press("cancel", url, "Cancel"))
    return presses


def _pause(mirror: Mirror, style: str) -> Press:
    url = reverse("mirror_pause", args=[mirror.pk])
    if mirror.state == Mirror.State.PAUSED:
        return Press("resume", url, "Resume", style, field="resume")
    return Press("pause", url, "Pause", style)


def _renew(notice: Permission, status: Status) -> Press | None:
    if not notice.notice or status.action == Action.SIGN_IN:
        return None
    return Press("renew", reverse("login"), "Sign in again", leaves=True)
