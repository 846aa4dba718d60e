"""Feeds as a real parser reads them, with whatever a song may be called."""

import json

import feedparser
import pytest
from django.test import Client

from accounts.models import User
from sync.models import SavedTrack, Track
from tests.builders import main_mirror, make_request
from tests.sharing.rows import NOON, make_playlist, make_songs, share

pytestmark = pytest.mark.django_db

NASTY = "<b>&\"']]>\u202egnp.\x1b[31m\ufffe\uffff</title>"


def test_atom_holds_the_fifty_newest_likes(ada: User, client: Client) -> None:
    likes = make_songs(ada, *(f"Song {at}" for at in range(60)))
    make_playlist(main_mirror(ada), likes[::-1])
    make_request(ada, state="succeeded")
    _, path = share(ada, main_mirror(ada), "feed")

    response = client.get(f"{path}feed.atom")

    assert response.headers["Content-Type"] == "application/atom+xml; charset=utf-8"
    feed = feedparser.parse(response.content)
    assert not feed.bozo, feed.get("bozo_exception")
    assert feed.version == "atom10"
    assert feed.feed.title == "Liked Songs of Ada"
    assert feed.feed.link == f"https://open.spotify.com/playlist/list{main_mirror(ada).pk}v1"
    assert len(feed.entries) == 50
    assert feed.entries[0].title == "Song 0 – Kiasmos"
    assert feed.entries[0].link == f"https://open.spotify.com/track/{likes[0].track_id}"
    assert feed.entries[0].published_parsed[:5] == NOON.timetuple()[:5]
    assert len({entry.id for entry in feed.entries}) == 50
    assert [link.href for link in feed.feed.links if link.rel == "self"] == [
        f"http://127.0.0.1:8000{path}feed.atom"
    ]


def test_json_feed_says_the_same(ada: User, client: Client) -> None:
    make_songs(ada, *(f"Song {at}" for at in range(60)))
    _, path = share(ada, None, "feed")

    atom = feedparser.parse(client.get(f"{path}feed.atom").content)
    response = client.get(f"{path}feed.json")

    feed = json.loads(response.content)
    assert response.headers["Content-Type"] == "application/feed+json"
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert feed["title"] == "Liked Songs"
    assert feed["feed_url"] == f"http://127.0.0.1:8000{path}feed.json"
    assert [item["id"] for item in feed["items"]] == [entry.id for entry in atom.entries]
    assert feed["items"][0]["date_published"] == "2026-05-02T12:00:00+00:00"
    assert feed["items"][0]["content_text"] == "Song 0 by Kiasmos, from Album of Song 0"


def test_an_entry_keeps_its_id_until_the_song_is_liked_again(ada: User, client: Client) -> None:
    [like] = make_songs(ada, "Looped")
    _, path = share(ada, None, "feed")

    def id_now() -> str:
        entry: str = feedparser.parse(client.get(f"{path}feed.atom").content).entries[0].id
        return entry

    before = id_now()
    Track.objects.update(name="Looped, renamed")
    assert id_now() == before
    SavedTrack.objects.filter(pk=like.pk).update(added_at=NOON.replace(day=3))
    assert id_now() != before


def test_a_feed_without_songs_is_a_feed(ada: User, client: Client) -> None:
    _, path = share(ada, main_mirror(ada), "feed")

    feed = feedparser.parse(client.get(f"{path}feed.atom").content)

    assert not feed.bozo
    assert feed.entries == []
    assert json.loads(client.get(f"{path}feed.json").content)["items"] == []


def test_nasty_names_stay_names(ada: User, client: Client) -> None:
    make_songs(ada, NASTY)
    mirror = main_mirror(ada)
    mirror.name = NASTY[:90]
    mirror.save()
    make_playlist(mirror, list(SavedTrack.objects.all()))
    _, path = share(ada, mirror, "feed")

    feed = feedparser.parse(client.get(f"{path}feed.atom").content, sanitize_html=False)

    assert not feed.bozo, feed.get("bozo_exception")
    assert feed.entries[0].title == "<b>&\"']]>gnp.[31m</title> – Kiasmos"
    assert feed.feed.title == "<b>&\"']]>gnp.[31m</title>"
    assert "&lt;b&gt;" in feed.entries[0].summary
