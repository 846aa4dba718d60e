"""Covers of playlists: drawn by Syncify, chosen by the listener, sent by a sync."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models.functions import Now

from accounts import scopes
from sync.mirrors.services import request_sync
from sync.models import Mirror
from syncify.spotify.errors import BadRequest, CoverRefused, NotFound

if TYPE_CHECKING:
    from sync.models import Playlist
    from sync.queue.job import Job

logger = logging.getLogger(__name__)

#: The optional permission that an upload needs.
SCOPE = "ugc-image-upload"
_TIMES = ("cover_changed_at", "details_changed_at", "cover_written_at")

_REFUSALS = {
    "scope_missing": "Spotify did not take the cover: you have not allowed Syncify to change it.",
    "too_large": "Spotify did not take the cover: it says that the picture is too large.",
    "too_often": "Spotify takes no more covers at present. The next sync tries again.",
}
_REFUSED = "Spotify did not take the cover. To try again, choose it once more."


class NoSuchPalette(ValueError):
    pass


def choose_cover(*, mirror: Mirror, palette: str) -> None:
    """Put the cover in this palette on the mirror's playlists with the next sync, queued here.

    "" ends the changes by Syncify; the present cover stays. Raises NoSuchPalette.
    """
    from sync.mirrors.drawing import PALETTES  # noqa: PLC0415 - Pillow is 8 MB

    if palette and palette not in PALETTES:
        raise NoSuchPalette(palette)
    with transaction.atomic():
        Mirror.objects.filter(pk=mirror.pk).update(cover=palette, cover_changed_at=Now())
        if palette and mirror.state == Mirror.State.ACTIVE:
            request_sync(user=mirror.user)


def is_due(mirror: Mirror) -> bool:
    """Whether the playlist shows another cover than the one that is wanted, or another name."""
    if not mirror.cover:
        return False
    wanted = max(filter(None, [mirror.cover_changed_at, mirror.details_changed_at]))
    return mirror.cover_written_at is None or mirror.cover_written_at < wanted


def write_cover(
    job: Job, mirror: Mirror, playlists: Sequence[Playlist], *, say: Callable[[str], object]
) -> None:
    """Send the cover to all volumes if it is due; ``say`` adds errors to the history.

    A refused cover does not fail the sync. It counts as written until it changes, except if Spotify
    asks for a wait.
    """
    if not is_due(mirror):
        return
    began = job.now()
    # It may have been chosen since the sync began.
    mirror.refresh_from_db(fields=["name", "cover", *_TIMES])
    if not is_due(mirror):
        return
    if not scopes.has(job.user, SCOPE):
        say(_REFUSALS["scope_missing"])
        return
    from sync.mirrors.drawing import cover  # noqa: PLC0415 - Pillow is 8 MB

    for playlist in playlists:
        if not playlist.spotify_id:
            continue
        title = mirror.name if playlist.number == 1 else f"{mirror.name} ({playlist.number})"
        job.safe_point()
        try:
            job.client.upload_cover(playlist.spotify_id, cover(title, mirror.cover))
        except CoverRefused as error:
            say(_REFUSALS.get(error.reason, _REFUSED))
            logger.warning("cover refused mirror=%s reason=%s", mirror.pk, error.reason)
            if error.reason == "too_often":
                return
        except (BadRequest, NotFound) as error:
            say(_REFUSED)
            logger.warning("cover refused mirror=%s error=%s", mirror.pk, error)
    # A change that was made meanwhile is later than this.
    Mirror.objects.filter(pk=mirror.pk).update(cover_written_at=began)
