"""The list of SPOTIFY_APPS: what it may hold, and what is said of everything else."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncify.spotify_apps import BadApps, ListedApp, parse_apps
from tests.syncify.test_env import start

GOOD = {"label": "Flat 3", "client_id": "abc", "client_secret": "hidden", "developer": "Grandma"}


def test_a_list_of_apps_is_read() -> None:
    found = parse_apps(json.dumps([GOOD, {"label": " Attic\n", "client_id": "def"}]))

    assert found == [
        ListedApp("Flat 3", "abc", "hidden", "Grandma"),
        ListedApp("Attic", "def", "", ""),
    ]
    assert "hidden" not in repr(found)
    assert parse_apps("") == parse_apps("[]") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[\n{", "is not JSON: see line 2."),
        ("[" * 100_000, "is not JSON that can be read."),
        ("{}", "must be a JSON list"),
        ("[1]", "entry 1 is none"),
        ([{**GOOD, "secret": "hidden"}], "unknown key 'secret' in entry 1"),
        ([{**GOOD, "label": ""}], "has no label in entry 1"),
        ([GOOD, {"label": "B"}], "has no client_id in entry 2"),
        ([{**GOOD, "client_id": "a b"}], "Client ID of 32 letters and digits in entry 1"),
        ([{**GOOD, "client_secret": "hid den"}], "one word in entry 1"),
        ([{**GOOD, "client_secret": 7}], "must hold text as client_secret in entry 1"),
        ([{**GOOD, "label": "x" * 61}], "label of more than 60 characters"),
        ([GOOD, {**GOOD, "label": "B"}], "two apps with the same client_id"),
        ([GOOD, {**GOOD, "client_id": "def", "label": "FLAT 3"}], "two apps with the same label"),
    ],
)
def test_a_wrong_list_is_named_in_one_line_without_its_values(text: Any, said: str) -> None:
    written = text if isinstance(text, str) else json.dumps(text)

    with pytest.raises(BadApps) as raised:
        parse_apps(written)

    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "hid" not in str(raised.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*GOOD, "other"]), inner),
)


@given(JSON.map(json.dumps) | st.text())
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    try:
        found = parse_apps(text)
    except BadApps:
        return
    assert all(app.label and app.client_id for app in found)


def test_the_list_comes_from_a_file_and_a_wrong_one_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "apps.json"
    shown = []
    for text in (json.dumps([GOOD]), json.dumps([{**GOOD, "client_id": ""}])):
        file.write_text(text, encoding="utf-8")
        shown.append(
            start(
                tmp_path,
                "shell",
                "--verbosity=0",
                "-c",
                "from django.conf import settings; print(settings.SPOTIFY_APPS)",
                SPOTIFY_APPS_FILE=str(file),
            )
        )

    good, bad = shown
    assert "Flat 3" in good.stdout
    assert "hidden" not in good.stdout
    assert bad.returncode != 0
    assert "SPOTIFY_APPS_FILE has no client_id in entry 1." in bad.stderr
    assert "Traceback" not in bad.stderr
    assert "hidden" not in bad.stderr
