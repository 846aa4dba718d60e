"""Removes playlists and songs from a listener's library at Spotify, on their request."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from accounts.tokens import spotify_client_for
from syncify.spotify.errors import AccessRefused, Blocked, BudgetSpent, SignInNeeded, SpotifyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from accounts.models import User
    from syncify.spotify.client import SpotifyClient

#: The most songs of one request.
AT_ONCE = 40


class NotDone(Exception):
    """Spotify did not do it; the text gives the reason as a sentence."""


def remove_from_library(user: User, playlist_ids: Sequence[str]) -> None:
    """Remove these playlists from the listener's library at Spotify. Raises NotDone."""
    with _spotify_as(user) as client:
        for playlist_id in playlist_ids:
            client.unfollow_playlist(playlist_id)


def unlike(user: User, uris: Sequence[str]) -> None:
    """Remove these songs from the Liked Songs at Spotify. Raises NotDone.

    Then some of them may be removed.
    """
    with _spotify_as(user) as client:
        for at in range(0, len(uris), AT_ONCE):
            client.remove_tracks(uris[at : at + AT_ONCE])


def like_again(user: User, uris: Sequence[str]) -> None:
    """Like these songs at Spotify; the date is that of today. Raises NotDone."""
    with _spotify_as(user) as client:
        for at in range(0, len(uris), AT_ONCE):
            client.save_tracks(uris[at : at + AT_ONCE])


@contextmanager
def _spotify_as(user: User) -> Iterator[SpotifyClient]:
    client = spotify_client_for(user, reserve=True)
    try:
        yield client
    except SignInNeeded as error:
        raise NotDone("Spotify's permission has ended. Sign in again.") from error
    except AccessRefused as error:
        if error.reason != "scope_missing":
            raise NotDone("Spotify refused it.") from error
        raise NotDone("You have not allowed Syncify to change your library.") from error
    except (Blocked, BudgetSpent) as error:
        raise NotDone("Spotify takes no requests at present. Try again later.") from error
    except SpotifyError as error:
        raise NotDone("Spotify did not do it. Try again in a minute.") from error
    finally:
        client.close()
