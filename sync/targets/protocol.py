"""The protocol of all services, and their errors.

TargetError
├── AddressRefused    an address that Syncify must not connect to
├── Unavailable       the service does not respond, or reports an internal error
├── RateLimited       it asked for a wait
├── BadCredentials    it does not accept the name, the password or the token
├── NotFound          the requested object does not exist
├── Refused           it refuses the request; the message is the service's
├── NotUnderstood     the response is not one of this service
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
    """One result of the connection test: ``works`` is None if it was not tested."""

    what: str
    works: bool | None
    note: str = ""


def minutes(seconds: int) -> str:
    return f"{seconds // 60}:{seconds % 60:02}"


@dataclass(frozen=True, slots=True)
class RemoteSong:
    """A song as a service describes it; 0 seconds if the length is missing."""

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
        """Test the service without changes. Raises if the sign-in fails."""

    def find_playlist(self, name: str) -> str | None:
        """The id of the listener's own playlist of exactly this name."""

    def read_playlist(self, playlist_id: str, *, expected: int = 0) -> list[str] | None:
        """The ids of its songs in their order; None when there is no such playlist.

        ``expected`` is the approximate number, so that a long response gets enough time.
        """

    def create_playlist(self, name: str, songs: Sequence[str]) -> str:
        """The id of a new playlist; ``songs`` may be in it already, or not."""

    def write_playlist(
        self, playlist_id: str, present: Sequence[str], wanted: Sequence[str]
    ) -> None:
        """Replace its songs by ``wanted``. The caller must read it back to be certain."""

    def rename_playlist(self, playlist_id: str, name: str) -> None: ...

    def loved(self) -> set[str]:
        """The songs that the listener loves there."""

    def love(self, song_id: str) -> None:
        """Love one song; no method removes one."""

    def unknown(self, songs: Collection[str]) -> set[str]:
        """Those of ``songs`` that the service does not have."""
