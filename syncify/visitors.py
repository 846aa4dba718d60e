"""The address of a visitor, and the log line of a refused request."""

import logging
import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

logger = logging.getLogger(__name__)

#: What stands for an address where there is none, as for a server that listens on a socket file.
UNKNOWN = "unknown"
#: An IPv6 address in brackets or an IPv4 address, each with or without a port, as some proxies
#: write them, also in quotes.
_WITH_PORT = re.compile(
    r"""(?P<quote>"?)(?:\[(?P<six>[^\[\]]*)\]|(?P<four>[\d.]+))(?::\d{1,5})?(?P=quote)"""
)


def client_address(
    *, peer: str, forwarded: str, trusted: Sequence[IPv4Network | IPv6Network]
) -> str:
    """The address nearest to the browser that a trusted proxy reported.

    ``forwarded`` is X-Forwarded-For. Each proxy adds at its right end whom it was called by, so it
    is read from there for as long as the caller is a proxy that we trust; what stands further left
    anybody may have written.
    """
    address = _parsed(peer)
    for entry in reversed(forwarded.split(",")):
        if address is not None and not any(address in network for network in trusted):
            break
        if (caller := _parsed(entry)) is None:
            break
        address = caller
    return str(address or UNKNOWN)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    text = text.strip()
    if found := _WITH_PORT.fullmatch(text):
        text = found["six"] or found["four"] or ""
    try:
        # What follows a % names a network card of the sender, and may be any text.
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.version == 6 and address.ipv4_mapped) or address


def address_of(request: HttpRequest) -> str:
    return client_address(
        peer=request.META.get("REMOTE_ADDR", ""),
        forwarded=request.headers.get("X-Forwarded-For", ""),
        trusted=settings.TRUSTED_PROXIES,
    )


def household_of(address: str) -> str:
    """The unit for limits by address: an IPv4 address, or an IPv6 network of length 64."""
    return str(ip_network((address, 64), strict=False)) if ":" in address else address


def log_refusal(request: HttpRequest, reason: str) -> None:
    """One line that tools such as fail2ban read; docs/operations.md has the filter for it."""
    logger.warning(
        "refused address=%s path=%s reason=%s", address_of(request), request.path, reason
    )


def wrong_host(request: HttpRequest) -> HttpResponse:
    """The answer to a request for an unknown host name, with Syncify's address."""
    logger.warning(
        "wrong host host=%.100r address=%s: open %s, or set SYNCIFY_BASE_URL to the address that "
        "people open",
        request.META.get("HTTP_HOST", ""),
        address_of(request),
        settings.BASE_URL,
    )
    # Without the request: most of what pages do with it asks for its host.
    page = render_to_string("wrong_host.html", {"base_url": settings.BASE_URL})
    response = HttpResponse(page, status=400)
    # By this sign Django adds no line of its own, which would be the second.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001
    log_refusal(request, "csrf")
    context = {"origin_is_hidden": request.headers.get("Origin") == "null"}
    return render(request, "403_csrf.html", context, status=403)
