"""Adds an uploaded listening history to the plays of a listener's likes."""

from collections.abc import Callable
from typing import IO, NamedTuple

from django.db import transaction
from django.db.models.functions import Now

from sync.library.plays import Heard, History, Range, finder, merge, read_history
from sync.library.songs import load_songs
from sync.models import ListeningHistory, Play
from sync.queue.locks import lock_user


class Imported(NamedTuple):
    """The result of an upload, for the page."""

    plays_read: int
    rows_skipped: int
    likes_found: int
    likes_asked: int
    #: First and last second of the upload, since 1970.
    covers: Range


def import_history(
    user_id: int, upload: IO[bytes], on_progress: Callable[[float], None] = lambda _: None
) -> Imported:
    """Count the plays in ``upload``. Raises HistoryRefused; then nothing was changed.

    The same upload twice, or several in any order, have the same result.
    """
    songs = load_songs(user_id)
    history = read_history(upload, finder(songs), on_progress)
    with transaction.atomic():
        stored = lock_history(user_id)
        count_plays(stored, history)
        stored.plays_read = history.plays_read
        stored.likes_found = len(history.tracks)
        stored.likes_asked = len({song.id for song in songs})
        stored.imported_at = Now()
        stored.save()
    assert history.first is not None  # noqa: S101 - a history without plays is refused
    assert history.last is not None  # noqa: S101
    return Imported(
        plays_read=history.plays_read,
        rows_skipped=history.rows_skipped,
        likes_found=stored.likes_found,
        likes_asked=stored.likes_asked,
        covers=(history.first, history.last),
    )


def lock_history(user_id: int) -> ListeningHistory:
    """What is known of a listener's plays, locked: two that count for one listener take turns.

    The user is locked before, because plays refer to them.
    """
    lock_user(user_id)
    ListeningHistory.objects.get_or_create(user_id=user_id)
    return ListeningHistory.objects.select_for_update().get(user_id=user_id)


def count_plays(stored: ListeningHistory, history: History) -> None:
    """Count ``history`` into the plays, and note in ``stored``, unsaved, what it covers.

    A stretch of time counts once, as the history tells it that covered it first.
    """
    user_id = stored.user_id
    known = [(first, last) for first, last in stored.known]
    before = {
        track_id: Heard(plays, last_played)
        for track_id, plays, last_played in Play.objects.filter(user=user_id).values_list(
            "track_id", "plays", "last_played"
        )
    }
    after, stored.known = merge(history, known, before)
    _store(user_id, {key: each for key, each in after.items() if before.get(key) != each})


def _store(user_id: int, heard: dict[str, Heard]) -> None:
    Play.objects.bulk_create(
        (
            Play(user_id=user_id, track_id=key, plays=each.plays, last_played=each.last_played)
            for key, each in sorted(heard.items())
        ),
        update_conflicts=True,
        unique_fields=["user", "track"],
        update_fields=["plays", "last_played"],
        batch_size=1000,
    )
