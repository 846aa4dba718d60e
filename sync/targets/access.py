"""The settings that allow connections to services, as rules for ``addresses``."""

from dataclasses import dataclass

from django.conf import settings

from sync.targets.addresses import Allowed
from sync.targets.safety import Channel


@dataclass(frozen=True, slots=True)
class Offered:
    """The music server that the operator offers to all listeners."""

    address: str
    username: str = ""
    password: str = ""


def offered() -> Offered | None:
    if not settings.OFFERED_SERVER:
        return None
    return Offered(
        settings.OFFERED_SERVER.rstrip("/"), settings.OFFERED_USER, settings.OFFERED_PASSWORD
    )


def allowed() -> Allowed:
    """The allowed addresses: services that settings name are always allowed."""
    origins = [settings.LISTENBRAINZ_URL]
    if server := offered():
        origins.append(server.address)
    return Allowed.parse(settings.TARGET_HOSTS, origins)


def channel(address: str) -> Channel:
    return Channel(address, allowed())
