"""A gateway for tests, whose waits are noted rather than waited for."""

from datetime import UTC, datetime, timedelta
from typing import Any

from syncify.simulator.grants import SCOPES
from syncify.simulator.server import Simulator
from syncify.spotify.client import SpotifyClient
from syncify.spotify.errors import Blocked

UNTIL = datetime(2026, 11, 24, tzinfo=UTC)


class Gate:
    """Counts, and notes what it is asked to block."""

    def __init__(self, developer: str = "") -> None:
        self.developer = developer
        self.admitted = 0
        self.blocks: list[tuple[timedelta, str]] = []

    def admit(self) -> None:
        if self.blocks:
            raise Blocked(UNTIL, self.blocks[-1][1])
        self.admitted += 1

    def block(self, *, for_: timedelta, because: str) -> datetime:
        self.blocks.append((for_, because))
        return UNTIL


class Tokens:
    def __init__(
        self, simulator: Simulator, listener: str, scopes: frozenset[str] = SCOPES
    ) -> None:
        self._new = lambda: str(simulator.authorize(listener, scopes)["access_token"])
        self.token, self.renewals = self._new(), 0

    def current(self) -> str:
        return self.token

    def renewed(self, used: str) -> str:
        assert used == self.token
        self.renewals += 1
        self.token = self._new()
        return self.token


class Spotify(SpotifyClient):
    """A client whose waits are noted rather than waited for."""

    def __init__(self, simulator: Simulator, listener: str = "ada", **kwargs: Any) -> None:
        scopes = kwargs.pop("scopes", SCOPES)
        self.gate = Gate(kwargs.pop("developer", ""))
        self.tokens = Tokens(simulator, listener, scopes)
        self.waits: list[float] = []
        super().__init__(
            api_url=kwargs.pop("api_url", simulator.api_url),
            tokens=self.tokens,
            gate=self.gate,
            sleep=self.waits.append,
            timeout=kwargs.pop("timeout", (10.0, 10.0)),
            **kwargs,
        )
