"""How this installation may reach connected services: settings made into the guard's terms."""

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from django.conf import settings

from sync.targets.safety import Allowed, Channel


@dataclass(frozen=True, slots=True)
class Offered:
    """A music server that the operator offers to everybody."""

    address: str
    username: str = ""
    password: str = ""


def offered() -> Offered | None:
    if not settings.OFFERED_SERVER:
        return None
    parts = urlsplit(settings.OFFERED_SERVER)
    place = parts.netloc.rpartition("@")[2]
    return Offered(
        f"{parts.scheme}://{place}{parts.path}".rstrip("/"),
        unquote(parts.username or ""),
        unquote(parts.password or ""),
    )


def allowed() -> Allowed:
    """What may be reached: the services that settings name are allowed wherever they are."""
    origins = [settings.LISTENBRAINZ_URL]
    if server := offered():
        origins.append(server.address)
    return Allowed.parse(settings.TARGET_HOSTS, origins)


def channel(address: str) -> Channel:
    return Channel(address, allowed())
