"""The headers that Traefik and Tailscale Serve send, sent to the web server over HTTP.

Neither program runs here. The sets of headers are those that their sources write: Traefik's
``forwardedheaders`` and Tailscale's ``ipnlocal/serve.go``.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.db import connection

from tests.builders import make_user
from tests.processes import ROOT, WebServer, wait_until, web_server
from tests.scratch import address_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

HOST = "syncify.example.org"
BASE_URL = f"https://{HOST}"
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')

#: What reaches Syncify when a browser at the address in VISITORS asks for a page.
PROXIES = {
    "Traefik": {
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Host": HOST,
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Server": "traefik",
        "X-Real-Ip": "203.0.113.9",
    },
    # With `forwardedHeaders.trustedIPs`, it keeps the headers of the proxy in front of it.
    "Traefik behind another proxy": {
        "X-Forwarded-For": "6.6.6.6, 203.0.113.9, 127.0.0.1",
        "X-Forwarded-Host": "front.example.org",
        "X-Forwarded-Port": "8443",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Server": "traefik",
        "X-Real-Ip": "6.6.6.6",
    },
    "Tailscale Serve": {
        "Tailscale-Headers-Info": "https://tailscale.com/s/serve-headers",
        "Tailscale-User-Login": "ada@example.org",
        "Tailscale-User-Name": "=?utf-8?q?Ada_L=C3=B6vlace?=",
        "Tailscale-User-Profile-Pic": "https://example.org/ada.png",
        "X-Forwarded-For": "100.101.102.103",
        "X-Forwarded-Host": HOST,
        "X-Forwarded-Proto": "https",
    },
    "Tailscale Serve, over IPv6": {
        "X-Forwarded-For": "fd7a:115c:a1e0::6501:6667",
        "X-Forwarded-Host": HOST,
        "X-Forwarded-Proto": "https",
    },
    "Tailscale Funnel": {
        "Tailscale-Funnel-Request": "?1",
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Host": HOST,
        "X-Forwarded-Proto": "https",
    },
}
VISITORS = {
    "Traefik": "203.0.113.9",
    "Traefik behind another proxy": "203.0.113.9",
    "Tailscale Serve": "100.101.102.103",
    "Tailscale Serve, over IPv6": "fd7a:115c:a1e0::6501:6667",
    "Tailscale Funnel": "203.0.113.9",
}
#: Headers of a browser that claims another address, scheme or person. Not every proxy drops them.
FORGED = {
    "Forwarded": "for=6.6.6.6;proto=http;host=evil.example",
    "X_Forwarded_For": "6.6.6.6",
    "X_Forwarded_Proto": "http",
    "Remote-User": "ada",
    "X-Forwarded-User": "ada",
}


@dataclass
class Answer:
    status: int
    headers: HTTPMessage
    text: str


@pytest.fixture(scope="module")
def environment(django_db_setup: None, django_db_blocker: Any) -> dict[str, str]:
    """Of a web server at an address with https, whose operator is Ada."""
    with django_db_blocker.unblock():
        address = address_of(connection.settings_dict["NAME"])
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "syncify.settings",
        "DATABASE_URL": address,
        "SYNCIFY_BASE_URL": BASE_URL,
        "SYNCIFY_OPERATORS": "ada",
        "PYTHONUNBUFFERED": "1",
    }
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity=0"],
        cwd=ROOT,
        env=environment,
        check=True,
    )
    return environment


@pytest.fixture(scope="module")
def server(environment: dict[str, str], tmp_path_factory: Any) -> Iterator[WebServer]:
    with web_server(tmp_path_factory.mktemp("web") / "log", environment) as server:
        yield server


def ask(
    server: WebServer,
    path: str,
    headers: Mapping[str, str],
    form: Mapping[str, str] | None = None,
) -> Answer:
    """The answer to a GET, or to a POST of ``form``."""
    body = None if form is None else urlencode(form)
    sent = {"Host": HOST, **headers}
    if form is not None:
        sent["Content-Type"] = "application/x-www-form-urlencoded"
    asking = HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        asking.request("GET" if form is None else "POST", path, body, sent)
        response = asking.getresponse()
        return Answer(response.status, response.headers, response.read().decode())
    finally:
        asking.close()


def address_in_log(server: WebServer, headers: Mapping[str, str]) -> str:
    """The visitor's address, as the log line of a refused request has it."""
    before = len(server.log)
    refused = ask(server, "/accounts/login/", headers, form={})
    assert refused.status == 403
    wait_until(lambda: "reason=csrf" in server.log[before:])
    found = re.search(r"refused address=(\S+) .*reason=csrf", server.log[before:])
    assert found
    return found[1]


def redirect_uri(server: WebServer, headers: Mapping[str, str]) -> str:
    """The redirect URI that a sign-in sends to Spotify."""
    landing = ask(server, "/", headers)
    [token, *_] = TOKEN.findall(landing.text)
    cookies = [each.partition(";")[0] for each in landing.headers.get_all("Set-Cookie", [])]
    browser = {"Cookie": "; ".join(cookies), "Origin": BASE_URL, "Referer": f"{BASE_URL}/"}
    answer = ask(server, "/accounts/login/", {**headers, **browser}, {"csrfmiddlewaretoken": token})
    assert answer.status in (302, 303)
    [uri] = parse_qs(urlsplit(answer.headers["Location"]).query)["redirect_uri"]
    return uri


@pytest.mark.parametrize("forged", [{}, FORGED], ids=["honest", "forged"])
@pytest.mark.parametrize("proxy", PROXIES)
def test_the_headers_of_each_proxy_are_understood(
    server: WebServer, proxy: str, forged: dict[str, str]
) -> None:
    headers = {**forged, **PROXIES[proxy]}

    front = ask(server, "/", headers)

    assert front.status == 200
    assert "Strict-Transport-Security" in front.headers
    assert address_in_log(server, headers) == VISITORS[proxy]
    assert redirect_uri(server, headers) == f"{BASE_URL}/accounts/callback/"


@pytest.mark.parametrize("login", ["ada", "ada@example.org"])
def test_an_identity_in_a_header_signs_nobody_in(server: WebServer, login: str) -> None:
    make_user("ada")
    headers = {**FORGED, **PROXIES["Tailscale Serve"], "Tailscale-User-Login": login}

    front = ask(server, "/", headers)
    operator = ask(server, "/operator/", headers)

    assert "Sign in with Spotify" in front.text
    assert "Sign out" not in front.text
    assert operator.status == 404  # as for every stranger


def test_plain_http_is_redirected_to_https(server: WebServer) -> None:
    headers = {**PROXIES["Traefik"], "X-Forwarded-Port": "80", "X-Forwarded-Proto": "http"}

    answer = ask(server, "/settings/?a=b", headers)

    assert (answer.status, answer.headers["Location"]) == (301, f"{BASE_URL}/settings/?a=b")


def test_a_proxy_that_is_not_trusted_reports_no_address(
    environment: dict[str, str], tmp_path: Path
) -> None:
    env = {**environment, "SYNCIFY_TRUSTED_PROXIES": "172.16.0.0/12"}

    with web_server(tmp_path / "log", env) as server:
        found = {proxy: address_in_log(server, headers) for proxy, headers in PROXIES.items()}

    assert found == dict.fromkeys(PROXIES, "127.0.0.1")
