"""What every service can be asked for, and what can come of it.

TargetError
├── AddressRefused    an address that Syncify must not connect to
├── Unavailable       the service does not answer, or has trouble of its own
├── RateLimited       it asked for a wait
├── BadCredentials    it does not accept the name, the password or the token
├── NotFound          what was asked for is not there
├── Refused           it does not do what it was asked for; the message is its own
├── NotUnderstood     the answer is none that this service would give
└── NotKept           a write was accepted, and reading it back showed something else
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol


class TargetError(Exception):
    """``str`` is a sentence for people."""


class AddressRefused(TargetError):
    pass


class Unavailable(TargetError):
    pass


class RateLimited(TargetError):
    def __init__(self, wait: timedelta) -> None:
        super().__init__("The service asked for a pause.")
        self.wait = wait


class BadCredentials(TargetError):
    pass


class NotFound(TargetError):
    pass


class Refused(TargetError):
    """``status`` is the HTTP status, for an answer that was refused as a request."""

    def __init__(self, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.status = status


class NotUnderstood(TargetError):
    pass


class NotKept(TargetError):
    pass


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the test that a listener can run: ``works`` is None where it was not tried."""

    what: str
    works: bool | None
    note: str = ""


def minutes(seconds: int) -> str:
    return f"{seconds // 60}:{seconds % 60:02}"


@dataclass(frozen=True, slots=True)
class RemoteSong:
    """A song as a service describes it; 0 seconds where it does not say how long it lasts."""

    id: str
    title: str
    artist: str
    album: str = ""
    seconds: int = 0
    isrcs: tuple[str, ...] = ()

    @property
    def length(self) -> str:
        return minutes(self.seconds) if self.seconds else "unknown length"


class Target(Protocol):
    """A service that holds playlists and loved songs of one listener.

    Ids are those of the service. Every method may raise any TargetError.
    """

    def check(self) -> list[Check]:
        """What works; changes nothing. Raises where not even the sign-in works."""

    def find_playlist(self, name: str) -> str | None:
        """The id of the listener's own playlist of exactly this name."""

    def read_playlist(self, playlist_id: str, *, expected: int = 0) -> list[str] | None:
        """The ids of its songs in their order; None when there is no such playlist.

        ``expected`` is about how many there are, so that a long answer is waited for.
        """

    def create_playlist(self, name: str, songs: Sequence[str]) -> str:
        """The id of a new playlist; ``songs`` may be in it already, or not."""

    def write_playlist(
        self, playlist_id: str, present: Sequence[str], wanted: Sequence[str]
    ) -> None:
        """Make it hold ``wanted``. The caller reads it back: an answer proves nothing."""

    def rename_playlist(self, playlist_id: str, name: str) -> None: ...

    def loved(self) -> set[str]:
        """The songs that the listener loves there."""

    def love(self, song_id: str) -> None:
        """Add one; never takes one away."""

    def unknown(self, songs: Collection[str]) -> set[str]:
        """Those of ``songs`` that the service does not have."""
