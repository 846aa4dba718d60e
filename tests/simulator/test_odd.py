"""Each odd answer that Spotify has been seen to give, on request: once, or until all is well."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests

from syncify.simulator import faults
from syncify.simulator.server import Simulator
from syncify.simulator.troubles import ODDITIES
from tests.simulator.callers import Caller, page

ADA = 180


def uris(answer: Any) -> list[str | None]:
    return [row["track"] and row["track"]["uri"] for row in answer["items"]]


# --- Pages of likes -----------------------------------------------------------------------------


def all_likes(ada: Caller) -> list[str | None]:
    url, found = "me/tracks?limit=50", []
    while url:
        answer = ada.get(url)
        found += uris(answer)
        url = answer["next"]
    return found


@pytest.mark.parametrize(
    ("fault", "total", "count"),
    [
        ("hide:keep=0", 0, 0),
        ("hide:keep=66", 66, 66),
        ("hide:keep=66,total=false", ADA, 66),
        ("hide:keep=100", 100, 100),
        ("total:by=60,path=/me/tracks", ADA + 60, ADA),
        ("total:by=-40,path=/me/tracks", ADA - 40, ADA),
        ("shortpage:rows=20,path=/me/tracks", ADA, ADA),
        ("shortpage:rows=30,path=/me/tracks", ADA, ADA),
        ("emptypage:offset=50,path=/me/tracks", ADA, ADA - 50),
    ],
)
def test_pages_of_likes_can_contradict_themselves(
    spotify: Simulator, ada: Caller, fault: str, total: int, count: int
) -> None:
    spotify.fault(f"{fault},times=0")

    assert ada.get("me/tracks")["total"] == total
    found = all_likes(ada)
    assert len(found) == count
    assert found == [one for one in spotify.liked("ada") if one in found]

    spotify.be_well()
    assert all_likes(ada) == spotify.liked("ada")


def test_a_reading_can_be_wrong_once(spotify: Simulator, ada: Caller) -> None:
    spotify.fault("hide", keep=0)

    assert [len(all_likes(ada)) for _ in range(2)] == [0, ADA]


@pytest.mark.parametrize(
    ("at", "value"),
    [
        ("items.2", None),
        ("items.2.track", None),
        ("items.2.added_at", None),
        ("items.2.added_at", "soon"),
        ("items.2.track.artists.0", None),
        ("items.2.track.artists", None),
        ("items.2.track.duration_ms", -1),
        ("items.2.track.duration_ms", {"ms": 1}),
        ("items.2.track.external_ids.isrc", "X" * 44),
        ("items.2.track.album.release_date", "0000"),
        ("items.2.track.id", "a\0b"),
        ("total", None),
        ("total", {"of": 180}),
        ("items", None),
    ],
)
def test_any_place_of_an_answer_can_be_odd(
    spotify: Simulator, ada: Caller, at: str, value: Any
) -> None:
    spotify.fault("patch", path="/me/tracks", at=at, value=json.dumps(value))

    odd, well = ada.get("me/tracks"), ada.get("me/tracks")

    found: Any = odd
    for key in at.split("."):
        found = found[int(key) if key.isdigit() else key]
    assert found == value
    assert uris(well) == spotify.liked("ada")[:20]


def test_a_place_can_be_left_out_in_every_row(spotify: Simulator, ada: Caller) -> None:
    spotify.fault("patch:path=/me/tracks,at=items.*.track.artists,drop=true")

    assert not any("artists" in row["track"] for row in ada.get("me/tracks")["items"])


def test_likes_of_one_date_can_come_in_any_order(spotify: Simulator, ada: Caller) -> None:
    songs = [spotify.new_track() for _ in range(40)]
    oldest = spotify.new_track()
    spotify.set_liked("ada", oldest, at=spotify.now - timedelta(hours=1))
    spotify.like("ada", *songs)
    spotify.behaviour.shuffle_ties = True

    reads = [all_likes(ada) for _ in range(3)]

    assert len({tuple(read[:40]) for read in reads}) == 3
    assert {frozenset(read[:40]) for read in reads} == {
        frozenset(f"spotify:track:{song}" for song in songs)
    }
    assert [read[40:] for read in reads] == [[f"spotify:track:{oldest}"]] * 3


# --- Playlists ----------------------------------------------------------------------------------


@pytest.fixture
def playlist_id(spotify: Simulator) -> str:
    return spotify.create_playlist("ada", "Mirror", spotify.liked("ada")[:60])


@pytest.mark.parametrize(
    ("at", "drop", "holds"),
    [
        ("items", True, lambda answer: "items" not in answer),
        ("items", False, lambda answer: answer["items"] is None),
        ("total", False, lambda answer: answer["total"] is None),
        ("items.3.item", False, lambda answer: answer["items"][3]["item"] is None),
        ("items.3", False, lambda answer: answer["items"][3] is None),
    ],
)
def test_a_look_at_a_playlist_can_be_unreadable(
    spotify: Simulator,
    ada: Caller,
    playlist_id: str,
    at: str,
    drop: bool,
    holds: Callable[[Any], bool],
) -> None:
    spotify.fault("patch", path="/items", at=at, drop=drop)

    assert holds(ada.get(f"playlists/{playlist_id}/items"))


def test_counts_can_be_missing_in_the_list_of_playlists(
    spotify: Simulator, ada: Caller, playlist_id: str
) -> None:
    spotify.fault("patch", path="/me/playlists", at="items.*.items", drop=True)

    (listed,) = ada.get("me/playlists")["items"]

    assert listed["id"] == playlist_id
    assert "items" not in listed


@pytest.mark.parametrize("removable", [False, True])
def test_a_song_can_be_shown_as_another(
    spotify: Simulator, ada: Caller, playlist_id: str, removable: bool
) -> None:
    spotify.behaviour.relinked_removable = removable
    first = spotify.playlist_uris(playlist_id)[0]
    shown = spotify.relink(str(first))
    path = f"playlists/{playlist_id}/items"

    entry = ada.get(path)["items"][0]["item"]
    answer = ada("DELETE", path, json={"items": [{"uri": shown}]})

    assert entry["uri"] == shown != first
    assert entry["external_ids"]["isrc"] == spotify.known_song(str(first)).isrc
    assert answer.status_code == 200
    assert len(spotify.playlist_uris(playlist_id)) == 60 - removable
    ada("DELETE", path, json={"items": [{"uri": first}]})
    assert len(spotify.playlist_uris(playlist_id)) == 59


def test_a_song_can_be_withdrawn_and_its_entry_stays(
    spotify: Simulator, ada: Caller, playlist_id: str
) -> None:
    second = str(spotify.playlist_uris(playlist_id)[1])

    spotify.withdraw_song(second)

    rows = ada.get(f"playlists/{playlist_id}/items")["items"]
    assert [row["item"] is None for row in rows[:3]] == [False, True, False]


def test_a_write_can_leave_a_song_out(spotify: Simulator, ada: Caller, playlist_id: str) -> None:
    new = [f"spotify:track:{spotify.new_track()}" for _ in range(3)]
    spotify.fault("leaveout", uri=new[1])
    path = f"playlists/{playlist_id}/items"

    first = ada("POST", path, json={"uris": new, "position": 0})
    second = ada("POST", path, json={"uris": new[1:2], "position": 0})

    assert (first.status_code, second.status_code) == (201, 201)
    assert spotify.playlist_uris(playlist_id)[:3] == [new[1], new[0], new[2]]


@pytest.mark.parametrize("code", [400, 403, 404, 500, 502])
def test_one_song_can_fail_a_write_with_any_status(
    spotify: Simulator, ada: Caller, playlist_id: str, code: int
) -> None:
    new = f"spotify:track:{spotify.new_track()}"
    spotify.fault("poison", uri=new, code=code)

    answer = ada("POST", f"playlists/{playlist_id}/items", json={"uris": [new]})

    assert answer.status_code == code


def test_no_more_playlists_may_be_allowed(spotify: Simulator, ada: Caller) -> None:
    spotify.behaviour.playlists_max = 2

    made = [ada("POST", "me/playlists", json={"name": "x"}).status_code for _ in range(3)]

    assert made == [201, 201, 403]


# --- Waits and slow answers ---------------------------------------------------------------------


@pytest.mark.parametrize("retry_after", ["1.5", "0", "-1", "86400", "soon"])
@pytest.mark.parametrize(
    ("fault", "status"),
    [("burst", 429), ("status:code=503", 503), ("status:code=404", 404), ("unauthorized", 401)],
)
def test_a_wait_can_be_named_in_any_answer(
    spotify: Simulator, ada: Caller, fault: str, status: int, retry_after: str
) -> None:
    spotify.fault(f"{fault}{',' if ':' in fault else ':'}retry_after={retry_after}")

    answer = ada("GET", "me")

    assert (answer.status_code, answer.headers["Retry-After"]) == (status, retry_after)


@pytest.mark.parametrize(("written", "seconds"), [("date+8", 8), ("date+72000", 72_000)])
def test_a_wait_can_be_a_date(spotify: Simulator, ada: Caller, written: str, seconds: int) -> None:
    spotify.fault("burst", retry_after=written)

    at = parsedate_to_datetime(ada("GET", "me").headers["Retry-After"])

    assert abs(at - datetime.now(UTC) - timedelta(seconds=seconds)) < timedelta(seconds=3)


def test_a_wait_can_be_named_at_the_accounts_host(spotify: Simulator) -> None:
    spotify.fault("oauth", code=429, error="slow_down", retry_after=7)

    answer = requests.post(f"{spotify.accounts_url}/api/token", timeout=60)

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")


def test_an_answer_can_drip(spotify: Simulator, ada: Caller) -> None:
    spotify.fault("drip", seconds=0.0005)
    started = time.monotonic()

    answer = ada("GET", "me")

    assert answer.json()["id"] == "ada"
    assert time.monotonic() - started > 0.0005 * len(answer.content)
    assert ada.get("me")["id"] == "ada"


# --- For people ---------------------------------------------------------------------------------


def press(spotify: Simulator, path: str, /, **form: str) -> requests.Response:
    return requests.post(f"{spotify.accounts_url}/simulator/{path}", data=form, timeout=60)


@pytest.mark.parametrize("what", [*ODDITIES, "down", "quota", "premium", "unlisted", "playlist"])
def test_whatever_a_person_causes_ends_when_all_is_well_again(
    spotify: Simulator, ada: Caller, playlist_id: str, what: str
) -> None:
    path = f"playlists/{playlist_id}/items"

    def seen() -> Any:
        """What Ada's calls bring, without the versions of things."""
        likes = ada("GET", "me/tracks", params={"limit": 3})
        items = ada("GET", path, params={"limit": 2, "fields": "total,items(item(uri))"})
        listed = ada("GET", "me/playlists")
        return [one.text for one in (likes, items)] + [listed.status_code]

    assert what in page(spotify, "/simulator/?listener=ada").text
    before = seen()

    if what != "drip":
        assert press(spotify, "listeners/ada/trouble", what=what).ok
        seen()
    else:
        press(spotify, "listeners/ada/trouble", what=what)
    assert press(spotify, "listeners/ada/trouble", what="none").ok

    if what != "withdrawn":  # a song that is gone stays gone
        assert seen() == before
    assert spotify.playlists("ada") == [playlist_id]
    assert all(answer.ok for answer in (ada("GET", "me"), Caller(spotify, "bea")("GET", "me")))


def test_all_is_well_gives_back_permission_and_quota(spotify: Simulator) -> None:
    token = spotify.authorize("ada")["refresh_token"]
    spotify.behaviour.daily_quota = 1
    press(spotify, "listeners/ada/trouble", what="consent")
    ada = Caller(spotify, "ada")
    assert [ada("GET", "me").status_code for _ in range(2)] == [200, 429]

    press(spotify, "listeners/emil/trouble", what="none")

    form = {"grant_type": "refresh_token", "refresh_token": token}
    secret = ("syncify-demo", "demo-secret")
    renewed = requests.post(f"{spotify.accounts_url}/api/token", data=form, auth=secret, timeout=60)
    assert renewed.ok
    assert ada("GET", "me").ok


def test_friends_add_songs_and_hands_take_them_out(
    spotify: Simulator, ada: Caller, playlist_id: str
) -> None:
    before = spotify.playlist_uris(playlist_id)
    here = f"/playlist/{playlist_id}"

    shown = press(spotify, f"playlists/{playlist_id}/add", by="bea", position="0", then=here)
    row = ada.get(f"playlists/{playlist_id}/items")["items"][0]
    press(spotify, f"playlists/{playlist_id}/take", uri=str(before[0]), then=here)

    assert "added by bea" in shown.text
    assert row["added_by"]["id"] == "bea"
    assert spotify.playlist_uris(playlist_id) == [row["item"]["uri"], *before[1:]]
    assert press(spotify, f"playlists/{playlist_id}/add", by="nobody").status_code == 404
    assert press(spotify, f"playlists/{playlist_id}/add", position="x").status_code == 400
    assert press(spotify, f"playlists/{playlist_id}/delete").ok
    assert ada("GET", f"playlists/{playlist_id}").status_code == 404


def test_other_processes_switch_what_differs_from_day_to_day(
    spotify: Simulator, ada: Caller, playlist_id: str
) -> None:
    assert press(
        spotify, "behaviour", shuffle_ties="true", names="old", daily_quota="9", latency="0.01"
    ).ok
    shown = press(spotify, "relink", uri=str(spotify.playlist_uris(playlist_id)[0])).json()
    press(spotify, "faults", fault="patch", at="items.0", value='{"a": [1, 2]}', path="/me/tracks")

    behaviour = spotify.behaviour
    assert (behaviour.shuffle_ties, behaviour.names, behaviour.daily_quota) == (True, "old", 9)
    assert behaviour.latency == timedelta(seconds=0.01)
    row = ada.get(f"playlists/{playlist_id}/items")["items"][0]
    assert row["track"]["uri"] == shown["shown_as"]
    assert ada.get("me/tracks")["items"][0] == {"a": [1, 2]}
    assert press(spotify, "behaviour", colour="red").status_code == 400
    assert press(spotify, "behaviour", contains="perhaps").status_code == 400


@pytest.mark.parametrize("written", faults.ODD_WAYS)
def test_chaos_knows_how_to_be_odd(
    spotify: Simulator, ada: Caller, playlist_id: str, written: str
) -> None:
    calls = [
        ("me/tracks", {"limit": "50"}),
        (f"playlists/{playlist_id}", {}),
        (f"playlists/{playlist_id}/items", {"limit": "50"}),
        ("me/library/contains", {"uris": f"spotify:playlist:{playlist_id}"}),
    ]
    well = [ada("GET", path, params=query) for path, query in calls]
    spotify.fault(f"{written}{',' if ':' in written else ':'}times=0")

    odd = [ada("GET", path, params=query) for path, query in calls]

    assert [answer.status_code for answer in well] == [200] * 4
    assert any(a.text != b.text for a, b in zip(well, odd, strict=True))
