"""The check of the demo: it signs in over HTTP, syncs, and compares at the simulated Spotify."""

import re
import sys
import time
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from sync.models import SyncRequest

#: Seconds in which everything must have started, and each sync of the check ended.
PATIENCE = 120
OFFERED_FIELD = re.compile(r'name="(address|username|password)"\s+value="([^"]+)"')
HIDDEN_FIELD = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class DemoFailed(Exception):
    """``str`` says why, for people."""


def check(pages: str, spotify: str) -> None:
    """Raises DemoFailed unless every playlist equals its Liked Songs and a sync does its part."""
    visitors = {}
    for listener in ("dora", "ada", "cleo"):
        visitors[listener] = sign_in(pages, listener)
        _await_sync(listener, number=1)
        _report(spotify, listener)

    liked = at_spotify(spotify, listener := "ada")["liked"]
    control = f"{spotify}/simulator/listeners/{listener}"
    requests.post(f"{control}/like", timeout=10).raise_for_status()
    requests.post(f"{control}/unlike", data={"uri": liked[90]}, timeout=10).raise_for_status()
    say(f"{listener} likes one song, unlikes another, and presses “Sync now”.")
    press(visitors[listener], pages, "/sync/")
    _await_sync(listener, number=2)
    added, removed = _report(spotify, listener)
    if (added, removed) != (1, 1):
        raise DemoFailed(f"1 added and 1 removed was to be expected, not {added} and {removed}.")
    say("All playlists equal their Liked Songs.")
    _check_music_server(visitors[listener], pages, listener)
    _check_genres(listener)


def _check_music_server(visitor: requests.Session, pages: str, listener: str) -> None:
    """Connects the offered music server, and waits for the first run."""
    page = visitor.get(f"{pages}/connections/subsonic/", timeout=30).text
    form = dict(OFFERED_FIELD.findall(page))
    press(visitor, pages, "/connections/subsonic/", **form)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        run = next(iter(_syncs(listener, kind="subsonic")), None)
        if run and run.completed:
            if run.state != "succeeded" or run.added < run.song_count / 2:
                raise DemoFailed(f"{listener}'s run for the music server is {run.state}.")
            say(f"{listener}: {run.note} {run.added:,} added at the pretend music server.")
            return
        time.sleep(0.1)
    raise DemoFailed(f"{listener}'s run for the music server did not end.")


def _check_genres(listener: str) -> None:
    """Asks for genres as the scheduler does once a minute, and waits for the first."""
    from sync.library.genres import queue_lookups  # noqa: PLC0415 - as in _syncs
    from sync.models import ArtistGenre  # noqa: PLC0415

    queue_lookups()
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := ArtistGenre.objects.select_related("artist").first():
            say(f"{listener}: the genre of {found.artist.name} is {found.genre}.")
            return
        time.sleep(0.1)
    raise DemoFailed("no genre of any artist became known.")


def sign_in(pages: str, listener: str) -> requests.Session:
    """As a browser does it: our button, Spotify's consent page, and back."""
    visitor = requests.Session()
    to_spotify = press(visitor, pages, "/accounts/login/")
    form = {"listener": listener, "answer": "agree"}
    arrival = visitor.post(to_spotify.headers["Location"], data=form, timeout=30)
    if not arrival.ok or not arrival.url.startswith(pages):
        raise DemoFailed(f"{listener} could not sign in: {arrival.status_code} {arrival.url}")
    return visitor


def press(visitor: requests.Session, pages: str, path: str, **form: str) -> requests.Response:
    found = HIDDEN_FIELD.search(visitor.get(f"{pages}/", timeout=30).text)
    form["csrfmiddlewaretoken"] = found[1] if found else ""
    return visitor.post(f"{pages}{path}", data=form, allow_redirects=False, timeout=30)


def _await_sync(listener: str, *, number: int) -> None:
    """Until the listener's sync with this number has succeeded."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        syncs = _syncs(listener)
        if len(syncs) >= number and syncs[number - 1].completed:
            if syncs[number - 1].state != "succeeded":
                raise DemoFailed(f"{listener}'s sync is {syncs[number - 1].state}.")
            return
        time.sleep(0.1)
    raise DemoFailed(f"{listener}'s sync did not end within {PATIENCE} seconds.")


def _report(spotify: str, listener: str) -> tuple[int, int]:
    """Print what the latest sync did and compare; returns how many songs were added and removed."""
    from sync.models import Playlist  # noqa: PLC0415 - as in _syncs

    sync = _syncs(listener)[-1]
    shown = at_spotify(spotify, listener)
    uris_of = {playlist["id"]: playlist["uris"] for playlist in shown["playlists"]}
    volumes = Playlist.objects.filter(mirror__user__spotify_id=listener)
    mirrored = [uri for volume in volumes for uri in uris_of[volume.spotify_id]]
    are_equal = mirrored == shown["liked"]
    say(
        f"{listener}: {sync.song_count:,} songs read; {sync.added:,} added, {sync.removed:,} "
        f"removed, {sync.moved:,} moved; {sync.api_requests:,} API requests; "
        f"{len(volumes)} playlist{'' if len(volumes) == 1 else 's'}, "
        f"{'equal to' if are_equal else 'DIFFERENT from'} the Liked Songs"
    )
    if not are_equal:
        raise DemoFailed(f"{listener}'s playlist does not equal the Liked Songs.")
    return sync.added, sync.removed


def _syncs(listener: str, kind: str = "spotify") -> list["SyncRequest"]:
    """The listener's requests, the oldest first, from the database of the demo."""
    from django import setup  # noqa: PLC0415 - not before the environment of the demo is set

    setup()
    from sync.models import SyncRequest  # noqa: PLC0415 - not before setup()

    return list(SyncRequest.objects.filter(user__spotify_id=listener, kind=kind).order_by("id"))


def at_spotify(spotify: str, listener: str) -> Any:
    """The state of a listener, from the simulator's own API."""
    answer = requests.get(f"{spotify}/simulator/listeners/{listener}", timeout=30)
    answer.raise_for_status()
    return answer.json()


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
