"""The page of share links: made there, shown once, listed, revoked; QR codes of playlists."""

import io
import re
from typing import Any

import pytest
import segno
import zxingcpp
from django.test import Client
from PIL import Image

from accounts.models import User
from sync.models import ShareLink
from tests.builders import main_mirror, make_user
from tests.sharing.rows import make_mirror, make_playlist, share

pytestmark = pytest.mark.django_db


def make(client: Client, **fields: object) -> Any:
    return client.post("/settings/links/", {"kind": "page", "songs": "all", **fields})


def decoded(svg: str) -> str:
    """What a reader of QR codes sees in a drawing of segno's: black strokes on white."""
    scale = 8
    width = scale * int(re.search(r'viewBox="0 0 (\d+)', svg)[1])  # type: ignore[index]
    dark = re.findall(r'd="([^"]+)"', svg)[-1]
    picture = Image.new("L", (width, width), 255)
    x = y = 0.0
    for command, arguments in re.findall(r"([Mmh])([^Mmh]*)", dark):
        numbers = [float(n) for n in re.findall(r"-?\d*\.?\d+", arguments)]
        if command == "h":
            box = [int(c * scale) for c in (x, y - 0.5, x + numbers[0], y + 0.5)]
            picture.paste(0, (box[0], box[1], box[2], box[3]))
            x += numbers[0]
        else:
            x, y = numbers if command == "M" else (x + numbers[0], y + numbers[1])
    [found] = zxingcpp.read_barcodes(picture)
    text: str = found.text
    return text


def test_a_new_link_shows_its_address_once(ada: User, client: Client) -> None:
    page = make(client, name="for Bea", shows_name="on").content.decode()

    link = ShareLink.objects.get()
    assert (link.kind, link.mirror, link.name, link.shows_name) == ("page", None, "for Bea", True)
    [url] = set(re.findall(r"http://127\.0\.0\.1:8000(/s/[\w-]{22}/)", page))
    assert client.get(url).status_code == 200
    assert "/s/" not in client.get("/settings/links/").content.decode()
    [svg] = [each for each in re.findall(r"<svg.*?</svg>", page, re.DOTALL) if 'class="qr"' in each]
    assert decoded(svg) == f"http://127.0.0.1:8000{url}"


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("feed", ["feed.atom", "feed.json"]),
        ("download", ["songs.csv", "songs.jspf", "songs.json", "state.json"]),
    ],
)
def test_each_address_of_a_new_link_opens(
    ada: User, client: Client, kind: str, names: list[str]
) -> None:
    page = make(client, kind=kind, songs=main_mirror(ada).pk).content.decode()

    urls = re.findall(r'value="http://127\.0\.0\.1:8000(/s/[\w-]{22}/[\w.]+)"', page)
    assert [url.rsplit("/", 1)[1] for url in urls] == names
    assert [client.get(url).status_code for url in urls] == [200] * len(names)


def test_the_list_says_what_each_link_is_and_ends_it(ada: User, client: Client) -> None:
    jazz = make_mirror(ada, "Jazz")
    link, path = share(ada, jazz, has_downloads=True)
    share(make_user("bea"), None)

    page = " ".join(client.get("/settings/links/").content.decode().split())
    assert page.count("link-row") == 1
    assert "Page of “<bdi>Jazz</bdi>”" in page
    assert "not used yet" in page
    assert "with downloads" in page

    assert client.get(path).status_code == 200
    assert "last used" in client.get("/settings/links/").content.decode()
    answer = client.post(f"/settings/links/{link.pk}/revoke/", follow=True)
    assert "The link is revoked" in answer.content.decode()
    assert client.get(path).status_code == 410


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "everything"},
        {"songs": ""},
        {"songs": "0"},
        {"songs": "9" * 400},
        {"name": "x" * 101},
        {"songs": "jazz", "has_insights": "on"},
    ],
)
def test_an_odd_wish_makes_no_link(ada: User, client: Client, fields: dict[str, str]) -> None:
    if fields.get("songs") == "jazz":
        fields = {**fields, "songs": str(make_mirror(ada, "Jazz").pk)}
    assert make(client, **fields).status_code == 422
    assert not ShareLink.objects.exists()


def test_nobody_shares_the_playlist_of_another_or_ends_their_links(
    ada: User, client: Client
) -> None:
    bea = make_user("bea")
    theirs, path = share(bea, None)

    assert make(client, songs=main_mirror(bea).pk).status_code == 422
    assert client.post(f"/settings/links/{theirs.pk}/revoke/").status_code == 404
    assert client.get(path).status_code == 200


def test_the_hundred_and_first_link_is_refused(
    ada: User, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.sharing.links.MOST_LINKS", 1)
    share(ada, None)

    response = make(client)

    assert response.status_code == 422
    assert "Revoke one that is not needed" in response.content.decode()


def test_a_playlist_has_a_code_that_leads_to_it(ada: User, client: Client) -> None:
    mirror = main_mirror(ada)
    volumes = [make_playlist(mirror, [], number=number) for number in (1, 2)]

    for volume, query in zip(volumes, ("", "?volume=2"), strict=True):
        response = client.get(f"/playlists/{mirror.pk}/qr.svg{query}")
        assert response.headers["Content-Type"] == "image/svg+xml"
        assert decoded(response.content.decode()) == volume.url


def test_the_test_itself_reads_codes() -> None:
    """A drawing with another address is told apart."""
    file = io.BytesIO()
    segno.make_qr("https://example.org/", error="m").save(
        file, kind="svg", border=4, light="#fff", omitsize=True
    )
    assert decoded(file.getvalue().decode()) == "https://example.org/"


@pytest.mark.parametrize("query", ["?volume=3", "?volume=0", "?volume=x", "?volume=" + "9" * 400])
def test_there_is_no_code_of_a_playlist_that_is_not_there(
    ada: User, client: Client, query: str
) -> None:
    mirror = main_mirror(ada)
    assert client.get(f"/playlists/{mirror.pk}/qr.svg").status_code == 404
    make_playlist(mirror, [])
    assert client.get(f"/playlists/{mirror.pk}/qr.svg{query}").status_code == 404
    client.force_login(make_user("bea"))
    assert client.get(f"/playlists/{mirror.pk}/qr.svg").status_code == 404
