"""How this installation may reach connected services: settings made into the guard's terms."""

from dataclasses import dataclass

from django.conf import settings

from sync.targets.addresses import Allowed
from sync.targets.safety import Channel


@dataclass(frozen=True, slots=True)
class Offered:
    """A music server that the operator offers to everybody."""

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
    """What may be reached: the services that settings name are allowed wherever they are."""
    origins = [settings.LISTENBRAINZ_URL]
    if server := offered():
        origins.append(server.address)
    return Allowed.parse(settings.TARGET_HOSTS, origins)


def channel(address: str) -> Channel:
    return Channel(address, allowed())
