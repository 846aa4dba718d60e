"""The Spotify apps that SPOTIFY_APPS lists; pure."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

#: The form of an id and of a secret at Spotify; 32 characters today.
CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
CLIENT_SECRET = re.compile(r"[\x21-\x7e]{1,200}")
#: Characters of a label and of the name of a developer account.
LONGEST_NAME = 60
_KEYS = {"label", "client_id", "client_secret", "developer"}


class BadApps(ValueError):
    """``str`` says, without any value, what is wrong."""


@dataclass(frozen=True, slots=True)
class ListedApp:
    label: str
    client_id: str
    #: "": sign-in uses PKCE.
    secret: str = field(repr=False)
    #: Who owns the developer account; "": the same as of the first app.
    developer: str


def parse_apps(text: str) -> list[ListedApp]:
    """The apps of a JSON list. Raises BadApps."""
    try:
        rows = json.loads(text) if text else []
    except ValueError as error:
        line = getattr(error, "lineno", 1)
        raise BadApps(f"is not JSON: see line {line}.") from error
    except RecursionError as error:
        raise BadApps("is not JSON that can be read.") from error
    if not isinstance(rows, list):
        raise BadApps("must be a JSON list of apps, such as [{…}, {…}].")
    apps = [_app(number, row) for number, row in enumerate(rows, 1)]
    for name, values in {
        "client_id": [app.client_id for app in apps],
        "label": [app.label.casefold() for app in apps],
    }.items():
        if len(set(values)) < len(values):
            raise BadApps(f"has two apps with the same {name}.")
    return apps


def one_line(text: str) -> str:
    """``text`` without control characters and needless blanks."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _app(number: int, row: Any) -> ListedApp:
    if not isinstance(row, dict):
        raise BadApps(f"must hold objects, and entry {number} is none.")
    if unknown := row.keys() - _KEYS:
        known = ", ".join(sorted(_KEYS))
        raise BadApps(f"has an unknown key {min(unknown)[:40]!r} in entry {number}; {known} exist.")
    texts = {key: _text(number, key, row.get(key, "")) for key in _KEYS}
    for key in ("label", "client_id"):
        if not texts[key]:
            raise BadApps(f"has no {key} in entry {number}.")
    if not CLIENT_ID.fullmatch(texts["client_id"]):
        raise BadApps(f"must hold a Client ID of 32 letters and digits in entry {number}.")
    if texts["client_secret"] and not CLIENT_SECRET.fullmatch(texts["client_secret"]):
        raise BadApps(f"must hold a client_secret that is one word in entry {number}.")
    return ListedApp(
        label=texts["label"],
        client_id=texts["client_id"],
        secret=texts["client_secret"],
        developer=texts["developer"],
    )


def _text(number: int, key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise BadApps(f"must hold text as {key} in entry {number}.")
    if key in {"label", "developer"} and len(value) > LONGEST_NAME:
        raise BadApps(f"has a {key} of more than {LONGEST_NAME} characters in entry {number}.")
    return one_line(value)
