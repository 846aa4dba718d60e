"""The newest likes of a share link as feeds: Atom (RFC 4287) and JSON Feed 1.1."""

import re
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils.feedgenerator import Atom1Feed
from django.utils.html import escape

from sync.models import ShareLink
from sync.sharing.songs import SharedSong
from syncify.text import plain

#: Entries of a feed.
NEWEST = 50
#: Ids of entries are made from it and from the like, so that they are the same in every feed.
_NAMESPACE = uuid.UUID("5d1c6f0a-8a57-4ad3-9a35-6c9f4c4a6b10")
# Beside control characters, which ``plain`` takes out, XML 1.0 cannot hold these, even escaped.
_NOT_XML = re.compile("[\ufffe\uffff]")


def atom(
    link: ShareLink,
    songs: Sequence[SharedSong],
    *,
    title: str,
    url: str,
    home: str,
    updated: datetime,
) -> bytes:
    """``url`` is the feed's own address, ``home`` that of the page that people should open."""
    feed = _Atom(
        title=_text(title),
        link=home,
        description=None,
        feed_url=url,
        feed_guid=f"urn:uuid:{uuid.uuid5(_NAMESPACE, f'link {link.pk}')}",
        author_name=_text(str(link.user)) if link.shows_name else "Syncify",
    )
    feed.updated = updated
    for song in songs:
        feed.add_item(
            title=_text(f"{song.title} – {song.byline}"),
            link=song.url,
            description=_html(song),
            unique_id=id_of(link, song),
            pubdate=song.added_at,
            updateddate=song.added_at,
        )
    return feed.writeString("utf-8").encode()


def json_feed(
    link: ShareLink, songs: Sequence[SharedSong], *, title: str, url: str, home: str
) -> dict[str, Any]:
    feed: dict[str, Any] = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": title,
        "feed_url": url,
        "home_page_url": home,
        "items": [_json_item(link, song) for song in songs],
    }
    if link.shows_name:
        feed["authors"] = [{"name": str(link.user)}]
    return feed


def id_of(link: ShareLink, song: SharedSong) -> str:
    """The same for this like in every feed, at any address; another one if it is liked again."""
    when = song.added_at.timestamp() if song.added_at else 0
    return f"urn:uuid:{uuid.uuid5(_NAMESPACE, f'{link.user_id} {song.track_id} {when}')}"


def _json_item(link: ShareLink, song: SharedSong) -> dict[str, Any]:
    item: dict[str, Any] = {
        "id": id_of(link, song),
        "url": song.url,
        "title": f"{song.title} – {song.byline}",
        "content_text": _sentence(song),
    }
    if song.added_at:
        item["date_published"] = song.added_at.isoformat()
    if song.cover_url:
        item["image"] = song.cover_url
    return item


def _sentence(song: SharedSong) -> str:
    album = f", from {plain(song.album)}" if song.album else ""
    return f"{song.title} by {song.byline}{album}"


def _html(song: SharedSong) -> str:
    picture = f'<p><img src="{escape(song.cover_url)}" alt=""></p>' if song.cover_url else ""
    return _text(f"{picture}<p>{escape(_sentence(song))}</p>")


def _text(text: str) -> str:
    return _NOT_XML.sub("", plain(text))


class _Atom(Atom1Feed):
    """Says when the songs last changed, also while there are none."""

    updated: datetime

    def latest_post_date(self) -> datetime:
        return self.updated
