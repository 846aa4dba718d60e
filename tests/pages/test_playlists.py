"""The pages of playlists: made by sentence, preset or form, changed, frozen, deleted."""

import html
import json
import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.html import strip_tags

from accounts.models import User
from sync.mirrors import keeping
from sync.mirrors.rule_json import from_json, to_json
from sync.models import Mirror, MirrorTrack, Playlist, PlaylistItems, SyncRequest
from tests.builders import main_mirror
from tests.library.rows import add_song, like

pytestmark = pytest.mark.django_db

#: Key, title, artist, year, explicit.
SONGS = [
    ("old", "Nightcall", "Kavinsky", "1994", False),
    ("older", "Blue", "Kavinsky", "1991", True),
    ("new", "Looped", "Kiasmos", "2014", False),
]


@pytest.fixture
def ada(ada: User) -> User:
    """With three likes."""
    for key, name, artist, year, explicit in SONGS:
        song = add_song(key, name=name, artists=[artist], release_date=year, explicit=explicit)
        like(ada, song, timezone.now())
    return ada


def keep(user: User, name: str = "Nineties", **fields: Any) -> Mirror:
    rule = {"tests": [{"field": "year", "op": "between", "value": [1990, 1999]}]}
    return Mirror.objects.create(
        user=user, is_main=False, name=name, **{"rule": to_json(from_json(rule)), **fields}
    )


def hold(mirror: Mirror, *tracks: str) -> None:
    """Let the mirror's playlist hold these songs, as a sync left it."""
    playlist = Playlist.objects.create(mirror=mirror, number=1, spotify_id=f"at-{mirror.pk}")
    PlaylistItems.objects.create(playlist=playlist, uris=[f"spotify:track:{key}" for key in tracks])


def words(response: Any) -> str:
    return " ".join(html.unescape(strip_tags(response.content.decode())).split())


def count_of(response: Any) -> str:
    text = response.content.decode()
    found = re.search(r'data-count="(\d*)"', text)
    assert found, text
    return found[1]


def form(**fields: object) -> dict[str, object]:
    """What the builder sends for songs of the nineties."""
    usual = {"name": "Mine", "match": "all", "source": "likes", "sort": "newest_like"}
    row = {"what-0": "year between", "value-0": "1990", "value2-0": "1999", "refresh": "sync"}
    return {**usual, **row, **fields}


# --- Preview --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "count", "says"),
    [
        ({"sentence": "songs from the 90s"}, "2", "Nightcall"),
        ({"sentence": "songs from the 90s, no explicit"}, "1", "Songs from 1990 to 1999"),
        ({"sentence": "titled “Looped”, blorft"}, "1", "Not understood: blorft. The rest counts."),
        ({"sentence": ""}, "", "For example"),
        ({"sentence": "released before 1900"}, "0", "No song matches at the moment"),
        (form(), "2", "Nothing while its songs stay the same"),
        (form(limit="1", refresh="daily"), "1", "At most 1 request a day."),
        (form(**{"what-1": "explicit no"}), "1", "Nightcall"),
        (form(**{"what-1": "explicit no", "match": "any"}), "3", "Looped"),
        (form(**{"what-1": "title contains", "value-1": ""}), "2", "Nightcall"),
        (form(limit="0"), "", "A number from 1 to 10000 is needed."),
        (form(limit="many"), "", "A whole number is needed, not “many”."),
        (form(**{"value-0": "2014", "value2-0": "1990"}), "", "larger than the second"),
        (form(**{"what-0": "liked before", "value-0": "2020-02-31"}), "", "no date 2020-02-31"),
        (form(**{"what-0": "length at_least", "value-0": "3:35"}), "3", "3 minutes 35 seconds"),
        (form(**{"what-0": "length at_least", "value-0": "4"}), "0", "at least 4 minutes long"),
        (form(**{"what-0": "length at_least", "value-0": "x:1"}), "", "not “x:1”"),
        (form(**{"what-0": "plays at_most", "value-0": "0"}), "3", "Add your listening history"),
        (form(**{"what-0": "no such"}), "3", "All liked songs"),
        (form(**{"raw-0": '{"field": "year", "op": "at_least", "value": 2000}'}), "1", "Looped"),
        (form(**{"raw-0": '{"tests": [{"tests": []}]}'}), "", "cannot hold another group"),
        (form(**{"raw-0": "{"}), "", "An object is needed here"),
        (form(source="likes_at", day="1999-01-01"), "0", "as of 1 January 1999"),
        (form(source="likes_at", day=""), "", "A date such as 2020-12-31 is needed"),
        (form(source="{"), "", "There is no source"),
        (form(sort="rediscover"), "", "“rediscover” needs a number of songs"),
    ],
)
def test_a_preview_counts_the_songs_and_shows_the_first(
    client: Client, ada: User, query: dict[str, object], count: str, says: str
) -> None:
    response = client.get("/playlists/preview/", query)

    assert (response.status_code, count_of(response)) == (200, count)
    assert says in words(response)
    assert response.content.decode().lstrip().startswith("<section")


def test_a_preview_shows_which_duplicates_the_settings_leave_out(client: Client, ada: User) -> None:
    clean = add_song("clean", name="Blue", artists=["Kavinsky"], release_date="1991")
    like(ada, clean, timezone.now())

    response = client.get("/playlists/preview/", form(keep_twin="clean"))

    assert count_of(response) == "2"
    assert "1 duplicate left out" in words(response)


def test_a_preview_names_own_playlists_only(client: Client, ada: User, bea: User) -> None:
    hold(keep(bea, "Secret"), "old")

    response = client.get(
        "/playlists/preview/", {"sentence": "in the playlist “Secret”", "mirror": "1"}
    )

    assert "Not understood" in words(response)


# --- Making ---------------------------------------------------------------------------------------


def test_a_playlist_is_made_from_a_preset_in_two_presses(client: Client, ada: User) -> None:
    page = client.get("/playlists/new/", {"preset": "decade", "value": "1990"})
    fields = fields_of(page)
    made = client.post("/playlists/new/", fields | {"do": "save"})

    mirror = ada.mirrors.get(is_main=False)
    assert made.headers["Location"] == f"/playlists/{mirror.pk}/"
    assert (mirror.name, mirror.rule["tests"][0]["value"]) == ("1990s", [1990, 1999])
    assert ada.sync_requests.get().state == "queued"


def test_a_new_playlist_leaves_the_main_one_as_it_is(client: Client, ada: User) -> None:
    fields = fields_of(client.get("/playlists/new/", {"sentence": "songs from the 90s"}))
    assert not fields.keys() & {"takes_from_main", "keeps_additions", "public"}

    client.post("/playlists/new/", fields | {"do": "save"})

    mirror = ada.mirrors.get(is_main=False)
    assert (mirror.takes_from_main, mirror.keeps_additions) == (False, False)
    assert (mirror.keep_same, mirror.keep_twin) == ("all", "both")


@pytest.mark.parametrize(
    ("query", "name", "twin"),
    [
        ({"preset": "last-100"}, "Last 100", "both"),
        ({"preset": "this-year"}, "This year", "both"),
        ({"preset": "year", "value": "2014"}, "2014", "both"),
        ({"preset": "decade", "value": "1990"}, "1990s", "both"),
        ({"preset": "before-2000"}, "Before 2000", "both"),
        ({"preset": "no-explicit"}, "No explicit", "both"),
        ({"preset": "clean"}, "Clean", "clean"),
        ({"preset": "long"}, "Long songs", "both"),
        ({"preset": "one-per-artist"}, "One per artist", "both"),
        ({"preset": "artist", "value": "Kiasmos"}, "Kiasmos", "both"),
        ({"preset": "rediscover"}, "Rediscover", "both"),
        ({"preset": "never-played"}, "Never played", "both"),
        ({"preset": "genre", "value": "jazz"}, "Jazz", "both"),
        ({"sentence": "songs from the 90s or by “Kiasmos”"}, "Songs from the 90s", "both"),
        ({"sentence": "jazz and (rock or pop), 20 songs a day"}, "Jazz", "both"),
    ],
)
def test_what_the_form_is_filled_with_makes_that_very_rule(
    client: Client, ada: User, query: dict[str, str], name: str, twin: str
) -> None:
    page: Any = client.get("/playlists/new/", query)
    client.post("/playlists/new/", fields_of(page) | {"do": "save"})

    mirror = ada.mirrors.get(is_main=False)
    assert mirror.rule == to_json(page.context["page"].rule)
    assert mirror.name.startswith(name)
    assert mirror.keep_twin == twin


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"preset": "year", "value": "soon"}, "A year: a whole number is needed, not “soon”."),
        ({"preset": "artist", "value": " "}, "By an artist: the text is empty."),
        ({"preset": "unknown"}, "Or start from one of these"),
        ({}, "Or start from one of these"),
        ({"by": "form"}, "Make this playlist"),
        ({"sentence": "blorft zzz"}, "Not understood: blorft zzz"),
    ],
)
def test_a_new_playlist_begins_with_what_is_asked_for(
    client: Client, ada: User, query: dict[str, str], says: str
) -> None:
    response = client.get("/playlists/new/", query)

    assert response.status_code == 200
    assert says in words(response)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "NINETIES"}, "Another of your playlists has this name."),
        ({"value-0": "soon"}, "A whole number is needed, not “soon”."),
        ({"value-0": ""}, "A whole number is needed"),
        ({"limit": "10001"}, "A number from 1 to 10000 is needed."),
        ({"keep_same": "some"}, "Select a valid choice."),
        ({"what-0": "title is", "value-0": "x" * 201}, "longer than 200 characters"),
    ],
)
def test_what_cannot_be_made_is_told_beside_the_form(
    client: Client, ada: User, changed: dict[str, str], says: str
) -> None:
    keep(ada)

    response = client.post("/playlists/new/", form(do="save", **changed))

    assert response.status_code == 422
    assert says in words(response)
    assert ada.mirrors.filter(is_main=False).count() == 1


def test_there_are_fifty_playlists_at_most(client: Client, ada: User) -> None:
    for number in range(49):
        keep(ada, f"{number}")

    made = client.post("/playlists/new/", form(do="save"))
    copied = client.post(f"/playlists/{main_mirror(ada).pk}/duplicate/")

    assert made.status_code == 422
    assert "more are not possible" in words(made)
    assert copied.status_code == 303
    assert ada.mirrors.count() == 50


def test_rows_are_added_and_removed_without_script(client: Client, ada: User) -> None:
    added = client.post("/playlists/new/", form(do="add"))
    removed = client.post("/playlists/new/", form(do="remove-0", **{"what-1": "explicit no"}))
    far = client.post("/playlists/new/", form(do="remove-7"))

    assert {"what-0", "what-1"} <= fields_of(added).keys()
    assert fields_of(removed)["what-0"] == "explicit no"
    assert fields_of(far)["what-0"] == "year between"
    assert not ada.mirrors.filter(is_main=False).exists()


def test_a_rule_as_json_fills_the_form(client: Client, ada: User) -> None:
    rule = {"tests": [{"field": "artist", "op": "is", "value": "Kiasmos"}], "limit": 5}

    filled = client.post("/playlists/new/", form(do="import", json=json.dumps(rule)))
    refused = client.post("/playlists/new/", form(do="import", json='{"tests": [{}], "x": 1}'))

    fields = fields_of(filled)
    assert (fields["what-0"], fields["value-0"], fields["limit"]) == ("artist is", "Kiasmos", "5")
    assert "This is no rule" in words(refused)


def fields_of(response: Any) -> dict[str, str]:
    """What a browser would send of the builder's form."""
    text = response.content.decode()
    text = text[text.index('id="builder"') :].partition("</form>")[0]
    fields = {}
    for tag in re.findall(r"<input[^>]*>", text):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        is_off = 'type="checkbox"' in tag and "checked" not in tag
        if name and not is_off:
            fields[name[1]] = html.unescape(value[1]) if value else ""
    for name, options in re.findall(
        r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', text, re.DOTALL
    ):
        every = re.findall(r'<option value="([^"]*)"([^>]*)>', options)
        chosen = [value for value, rest in every if "selected" in rest]
        fields[name] = chosen[0] if chosen else every[0][0]
    return fields


# --- One playlist ---------------------------------------------------------------------------------


def test_a_playlist_shows_its_rule_its_cost_and_its_songs(client: Client, ada: User) -> None:
    mirror = keep(ada)
    hold(mirror, "old", "older")

    text = words(client.get(f"/playlists/{mirror.pk}/"))

    assert "Songs from 1990 to 1999." in text
    assert "Requests to Spotify: Nothing while its songs stay the same" in text
    assert "2 songs" in text


@pytest.mark.parametrize(
    ("changed", "field", "value"),
    [
        ({"name": "Other"}, "name", "Other"),
        ({"description": "Two\nlines"}, "description", "Two lines"),
        ({"keep_same": "newest"}, "keep_same", "newest"),
        ({"takes_from_main": "on"}, "takes_from_main", True),
        ({"keeps_additions": "on"}, "keeps_additions", True),
        ({"public": "on"}, "public", True),
    ],
)
def test_a_change_is_stored_and_queues_a_sync(
    client: Client, ada: User, changed: dict[str, str], field: str, value: object
) -> None:
    mirror = keep(ada)

    response = client.post(f"/playlists/{mirror.pk}/", form(name="Nineties", do="save") | changed)

    mirror.refresh_from_db()
    assert response.status_code == 303
    assert getattr(mirror, field) == value
    assert ada.sync_requests.count() == 1


def test_another_rule_is_selected_anew_and_saving_the_same_does_nothing(
    client: Client, ada: User
) -> None:
    mirror = keep(ada, refreshed_at=timezone.now(), broken="odd")

    client.post(f"/playlists/{mirror.pk}/", form(name="Nineties", do="save"))
    untouched = ada.sync_requests.count()
    client.post(f"/playlists/{mirror.pk}/", form(name="Nineties", do="save", limit="7"))

    mirror.refresh_from_db()
    assert untouched == 0
    assert (mirror.rule["limit"], mirror.refreshed_at, mirror.broken) == (7, None, "")


def test_a_broken_rule_is_shown_with_its_reason(client: Client, ada: User) -> None:
    mirror = keep(ada, rule={"tests": [{"field": "mood"}]}, broken="test 1: “op” is missing")

    page = words(client.get(f"/playlists/{mirror.pk}/"))
    shelf = words(client.get("/playlists/"))

    assert "Syncify cannot use this rule: test 1: “op” is missing" in page
    assert "Its rule cannot be read" in page
    assert "Syncify cannot use this rule" in shelf


def test_a_frozen_list_keeps_songs_and_order_until_it_follows_a_rule_again(
    client: Client, ada: User
) -> None:
    mirror = keep(ada)
    hold(mirror, "older", "new", "old")
    MirrorTrack.objects.create(mirror=mirror, track_id="old", shown_as="spotify:track:same")

    client.post(f"/playlists/{mirror.pk}/freeze/")
    kept = MirrorTrack.objects.filter(mirror=mirror, choice="kept").order_by("id")
    frozen = list(kept.values_list("track_id", "shown_as"))
    page = words(client.get(f"/playlists/{mirror.pk}/"))
    renamed = client.post(f"/playlists/{mirror.pk}/", {"name": "Fixed", "do": "save"})
    mirror.refresh_from_db()
    still = keeping.is_fixed(mirror)
    client.post(f"/playlists/{mirror.pk}/", form(name="Fixed", do="save"))

    mirror.refresh_from_db()
    assert frozen == [("older", ""), ("new", ""), ("old", "spotify:track:same")]
    assert "A fixed list: its songs stay as they are." in page
    assert (renamed.status_code, mirror.name, still) == (303, "Fixed", True)
    assert not keeping.is_fixed(mirror)
    assert not kept.exists()


def test_a_copy_has_the_rule_and_a_name_of_its_own(client: Client, ada: User) -> None:
    mirror = keep(ada, keep_twin="clean", takes_from_main=True)

    for _ in range(2):
        client.post(f"/playlists/{mirror.pk}/duplicate/")

    copies = Mirror.objects.filter(user=ada, name__contains="copy").order_by("id")
    assert [copy.name for copy in copies] == ["Nineties (copy)", "Nineties (copy) 2"]
    assert {(copy.keep_twin, copy.takes_from_main) for copy in copies} == {("clean", False)}
    assert all(copy.rule == mirror.rule for copy in copies)


def test_the_main_playlist_has_settings_and_no_rule(client: Client, ada: User) -> None:
    main = main_mirror(ada)

    page = client.get(f"/playlists/{main.pk}/")
    saved = client.post(f"/playlists/{main.pk}/", {"name": "All", "keep_same": "oldest"})
    frozen = client.post(f"/playlists/{main.pk}/freeze/")
    deleted = client.post(f"/playlists/{main.pk}/delete/", {"at_spotify": "stays"})

    main.refresh_from_db()
    assert "what-0" not in page.content.decode()
    assert (saved.status_code, main.name, main.keep_same, main.rule) == (303, "All", "oldest", None)
    assert (frozen.status_code, deleted.status_code) == (404, 404)


def test_a_rule_is_handed_out_as_json_and_for_navidrome(client: Client, ada: User) -> None:
    mirror = keep(ada, name="Straße & Blues")

    rule: Any = client.get(f"/playlists/{mirror.pk}/rule.json")
    nsp: Any = client.get(f"/playlists/{mirror.pk}/playlist.nsp")

    assert from_json(rule.json()) == from_json(mirror.rule)
    assert nsp.json()["name"] == "Straße & Blues"
    assert ".nsp" in nsp.headers["Content-Disposition"]


def test_a_playlist_that_stays_is_left_alone_at_spotify(client: Client, ada: User) -> None:
    mirror = keep(ada)
    hold(mirror, "old")

    asked = client.get(f"/playlists/{mirror.pk}/delete/")
    unclear = client.post(f"/playlists/{mirror.pk}/delete/")
    done = client.post(f"/playlists/{mirror.pk}/delete/", {"at_spotify": "stays"})

    assert "It stays as it is, with its link" in words(asked)
    assert unclear.status_code == 422
    assert done.headers["Location"] == "/playlists/"
    assert not Mirror.objects.filter(pk=mirror.pk).exists()


# --- All playlists --------------------------------------------------------------------------------


def test_all_playlists_are_shown_with_sentence_count_and_state(client: Client, ada: User) -> None:
    hold(keep(ada), "old", "older")
    keep(ada, "Paused one", state="paused")
    keep(ada, "New one")

    text = words(client.get("/playlists/"))

    for part in ("Nineties", "Songs from 1990 to 1999.", "2 songs", "Paused", "4 of 50"):
        assert part in text
    assert "Waits for its first sync" in text


def test_queries_do_not_grow_with_playlists(client: Client, ada: User) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get("/playlists/")
        return len(captured)

    hold(keep(ada), "old")
    queries()
    few = queries()
    for number in range(20):
        hold(keep(ada, f"{number}"), "old", "new")

    assert queries() == few <= 12


def test_bea_neither_sees_nor_changes_what_is_adas(client: Client, ada: User, bea: User) -> None:
    mirror = keep(ada, "Only Ada's")
    hold(mirror, "old")
    client.force_login(bea)

    assert "Only Ada's" not in words(client.get("/playlists/"))
    assert count_of(client.get("/playlists/preview/", form(mirror=str(mirror.pk)))) == "0"
    for page in ("", "delete/", "rule.json", "playlist.nsp"):
        assert client.get(f"/playlists/{mirror.pk}/{page}").status_code == 404
    for page in ("", "delete/", "duplicate/", "freeze/"):
        answer = client.post(f"/playlists/{mirror.pk}/{page}", form(at_spotify="goes"))
        assert answer.status_code == 404
    mirror.refresh_from_db()
    assert mirror.name == "Only Ada's"
    assert not SyncRequest.objects.exists()
