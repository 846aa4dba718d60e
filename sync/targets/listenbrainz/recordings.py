"""The recordings of songs at ListenBrainz; looked up once and stored."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now

from sync.models import TrackRecording
from sync.targets.listenbrainz.client import LOOKUP_CHARACTERS, LOOKUPS, ListenBrainzClient
from sync.targets.matching import Wanted, agrees

#: Songs that were not found are looked up again after this time.
AGAIN_AFTER = timedelta(days=90)
_CHUNK = 2_000


def known(ids: Iterable[str]) -> dict[str, str]:
    """Stored recordings that are still valid; "" for songs that were not found."""
    found: dict[str, str] = {}
    unique = list(dict.fromkeys(ids))
    fresh = ~Q(mbid="") | Q(checked_at__gt=Now() - AGAIN_AFTER)
    for start in range(0, len(unique), _CHUNK):
        rows = TrackRecording.objects.filter(fresh, track__in=unique[start : start + _CHUNK])
        found.update(rows.values_list("track_id", "mbid"))
    return found


def look_up(
    client: ListenBrainzClient,
    wanted: Mapping[str, Wanted],
    *,
    on_progress: Callable[[float], None],
) -> dict[str, str]:
    """The recording of each song, "" where none is known. Stored batch by batch."""
    found = known(wanted)
    missing = [song for key, song in wanted.items() if key not in found]
    for start in range(0, len(missing), LOOKUPS):
        batch = missing[start : start + LOOKUPS]
        answers = _ask(client, batch)
        TrackRecording.objects.bulk_create(
            [
                TrackRecording(track_id=song.id, mbid=answers.get(song.id, ""), checked_at=Now())
                # In order of the key, so that two workers cannot deadlock.
                for song in sorted(batch, key=lambda song: song.id)
            ],
            update_conflicts=True,
            unique_fields=["track"],
            update_fields=["mbid", "checked_at"],
        )
        found.update({song.id: answers.get(song.id, "") for song in batch})
        on_progress((start + len(batch)) / len(missing))
    return found


def _ask(client: ListenBrainzClient, batch: list[Wanted]) -> dict[str, str]:
    """The recordings that ListenBrainz knows; a result counts only if the names match."""
    askable = [
        song
        for song in batch
        if song.title.strip()
        and song.artist.strip()
        and len(song.title) + len(song.artist) <= LOOKUP_CHARACTERS
    ]
    if not askable:
        return {}
    rows = client.look_up([(song.title, song.artist) for song in askable])
    return {
        song.id: row[0]
        for song, row in zip(askable, rows, strict=True)
        if row and agrees(song, title=row[1], artist=row[2])
    }
