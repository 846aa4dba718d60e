"""Pages for people: the consent page, a listener's songs, and a playlist."""

from html import escape
from typing import Any
from urllib.parse import quote, urlencode

from syncify.simulator import covers, troubles
from syncify.simulator.call import Call
from syncify.simulator.grants import SCOPES, Consent
from syncify.simulator.playlists import Playlist, Row
from syncify.simulator.songs import Song
from syncify.simulator.wire import ApiError, PlainError, Response, redirect, text

NEWEST_SHOWN = 20
SONGS_A_PAGE = 100
COOKIE = "simulated_listener"

STYLE = """
:root { color-scheme: light dark; --ink: #1d2420; --soft: #5c6862; --paper: #f4f6f4; --card: #fff;
  --line: #dbe1dd; --accent: #17663a; --on-accent: #fff }
@media (prefers-color-scheme: dark) { :root { --ink: #e9efeb; --soft: #a2aea7; --paper: #121613;
  --card: #1b211d; --line: #313a34; --accent: #6fd79b; --on-accent: #0c1a12 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif }
main { max-width: 38rem; margin: 0 auto; padding: 1.5rem 1rem 4rem }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .5rem 0 }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
a { color: var(--accent) } p { margin: .5rem 0 } .soft, small { color: var(--soft) }
.stand-in { border: 1px dashed var(--line); border-radius: .6rem; padding: .5rem .8rem;
  color: var(--soft); font-size: .9rem }
.card, ol, ul { background: var(--card); border: 1px solid var(--line); border-radius: .8rem;
  padding: 0; margin: .8rem 0; list-style: none; overflow: hidden }
li, label { display: flex; gap: .8rem; align-items: center; padding: .6rem 1rem; min-height: 3rem }
li + li, label + label { border-top: 1px solid var(--line) }
label { cursor: pointer } label:has(:checked) { box-shadow: inset .25rem 0 var(--accent) }
input[type=radio] { accent-color: var(--accent); width: 1.1rem; height: 1.1rem }
.grow { flex: 1; min-width: 0; overflow-wrap: anywhere } .grow small { display: block }
form { margin: 0 }
.scopes { padding: .6rem 1rem .6rem 2rem; list-style: disc }
.scopes li { display: list-item; padding: 0; border: 0; min-height: 0 }
button { font: inherit; font-weight: 600; border-radius: 2rem; border: 1px solid var(--line);
  padding: .45rem 1.1rem; background: none; color: var(--ink); cursor: pointer }
img { border-radius: .4rem; flex: none; background: var(--line) }
select { font: inherit; color: inherit; background: var(--card); padding: .4rem;
  border: 1px solid var(--line); border-radius: .5rem }
button.main { background: var(--accent); border-color: var(--accent); color: var(--on-accent) }
.row { display: flex; gap: .8rem; flex-wrap: wrap; align-items: center; margin: 1rem 0 }
nav a { padding: .3rem 0; margin-right: 1rem }
[aria-current] { font-weight: 700; color: var(--ink) }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
"""

GRANTED = {
    "user-library-read": "See your Liked Songs",
    "user-library-modify": "Change your Liked Songs",
    "playlist-read-private": "See your playlists, private ones too",
    "playlist-read-collaborative": "See playlists that you edit together with others",
    "playlist-modify-public": "Create and change your public playlists",
    "playlist-modify-private": "Create and change your private playlists",
    "ugc-image-upload": "Give your playlists a picture",
}


def _page(title: str, body: str) -> Response:
    return text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{STYLE}</style><main>"
        '<p class="stand-in">A stand-in for Spotify: these listeners and songs are invented.</p>'
        f"<h1>{escape(title)}</h1>{body}</main></html>",
        kind="html",
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


# The consent page


def _asked(call: Call) -> tuple[str, frozenset[str]]:
    """Redirect address and scopes of an authorization request.

    Errors are shown on a page: there is no redirect to an unregistered address.
    """
    query = call.request.query
    client = call.world.grants.clients.get(query.get("client_id", ""))
    if client is None:
        raise PlainError(400, "INVALID_CLIENT: Invalid client")
    client.check_redirect(query.get("redirect_uri", ""))
    if query.get("response_type") != "code":
        raise PlainError(400, "INVALID_REQUEST: response_type must be code")
    if "code_challenge" in query and query.get("code_challenge_method") != "S256":
        raise PlainError(400, "INVALID_REQUEST: code_challenge_method must be S256")
    scopes = frozenset(query.get("scope", "").split())
    if not scopes <= SCOPES:
        raise PlainError(400, "INVALID_SCOPE: Invalid scope")
    return query["redirect_uri"], scopes


def _back(call: Call, **answer: str) -> Response:
    query = call.request.query
    if "state" in query:
        answer["state"] = query["state"]
    return redirect(query["redirect_uri"], answer)


def _agreed(call: Call, listener: str, scopes: frozenset[str]) -> Response:
    world, query = call.world, call.request.query
    challenge = query.get("code_challenge", "")
    where = query["redirect_uri"]
    consent = Consent(listener, scopes, world.now, where, challenge, query["client_id"])
    return _back(call, code=world.grants.new_code(consent))


def _visitor(call: Call) -> str:
    """The listener of this browser's last consent, or nothing."""
    for part in call.request.headers.get("Cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE and value in call.world.listeners:
            return value
    return ""


def consent(call: Call) -> Response:
    """Redirect at once if the listener granted all of it before, unless ``show_dialog=true``."""
    _, scopes = _asked(call)
    world, query, visitor = call.world, call.request.query, _visitor(call)
    dialog = query.get("show_dialog", "false").lower() == "true"
    app = world.grants.clients[query["client_id"]]
    if visitor and not dialog and world.grants.has_consent(visitor, scopes, world.now, app):
        return _agreed(call, visitor, scopes)
    chosen = visitor or "ada"
    choices = "".join(
        f'<label><input type="radio" name="listener" value="{escape(one.id)}"'
        f"{' checked' if one.id == chosen else ''}>"
        f'<span class="grow">{escape(one.display_name)}'
        f"<small>{_count(world.saved_count(one.id), 'liked song')}</small></span></label>"
        for one in world.listeners.values()
    )
    granted = "".join(f"<li>{escape(GRANTED.get(scope, scope))}</li>" for scope in sorted(scopes))
    return _page(
        "Let Syncify use a Spotify account?",
        "<p>Spotify would ask you here to sign in. In this demo you choose a listener.</p>"
        f'<form method="post" action="/authorize?{escape(urlencode(query))}">'
        '<h2 id="who">Sign in as</h2>'
        f'<div class="card" role="radiogroup" aria-labelledby="who">{choices}</div>'
        f'<h2>Syncify will be able to</h2><ul class="scopes">{granted}</ul>'
        '<div class="row"><button class="main" name="answer" value="agree">Agree</button>'
        '<button name="answer" value="cancel">Cancel</button></div></form>'
        '<p><a href="/simulator/">See these listeners’ songs, and like or unlike some</a></p>',
    )


def answer_consent(call: Call) -> Response:
    _, scopes = _asked(call)
    form = call.request.form
    if form.get("answer") != "agree":
        return _back(call, error="access_denied")
    listener = form.get("listener", "")
    if listener not in call.world.listeners:
        raise PlainError(400, "There is no such listener")
    answer = _agreed(call, listener, scopes)
    answer.headers["Set-Cookie"] = f"{COOKIE}={quote(listener)}; Path=/; HttpOnly; SameSite=Lax"
    return answer


# A listener's songs


def _song(song: Song | None, uri: str | None, by: str = "") -> str:
    if song is None:
        return f'<span class="grow soft">{escape(uri or "An entry that is empty")}</span>'
    artists = ", ".join(name for _, name in song.artists)
    about = escape(f"{artists} · added by {by}" if by else artists)
    return (
        f'{_picture(song.album_id)}<span class="grow">{escape(song.name)}'
        f"<small>{about}</small></span>"
    )


def _picture(object_id: str, size: int = 44, version: int = 0) -> str:
    address = f"/image/{escape(object_id)}?size={2 * size}&amp;v={version}"
    return f'<img src="{address}" alt="" width="{size}" height="{size}" loading="lazy">'


def image(call: Call) -> Response:
    """The picture of an album, or of a playlist: what was uploaded, else a mosaic of its albums."""
    world, object_id = call.world, call.args["id"]
    size = call.number("size", covers.SIZE, 1, 2_000)
    one = world.all_playlists.get(object_id)
    if one is not None and one.cover:
        return Response(200, one.cover, {"Content-Type": "image/jpeg"})
    if one is None:
        drawn = covers.svg(object_id, size)
    else:
        found = (world.song((row.uri or "").rpartition(":")[2]) for row in one.rows[:50])
        drawn = covers.mosaic(list(dict.fromkeys(s.album_id for s in found if s)), size)
    lasts = {"Cache-Control": "max-age=86400"} if one is None else {}
    return Response(200, drawn, {"Content-Type": "image/svg+xml", **lasts})


def _button(action: str, label: str, kind: str = "", **fields: str) -> str:
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{escape(value)}">'
        for name, value in fields.items()
    )
    button = f'<button class="{kind}">{escape(label)}</button>'
    return f'<form method="post" action="{escape(action)}">{hidden}{button}</form>'


def overview(call: Call) -> Response:
    """``/simulator/?listener=…``: newest liked songs with buttons, and the playlists."""
    world, visitor = call.world, _visitor(call)
    name = call.request.query.get("listener", visitor or "ada")
    if name not in world.listeners:
        raise ApiError(404, "There is no such listener")
    here, path = f"/simulator/?listener={quote(name)}", f"/simulator/listeners/{quote(name)}"
    tabs = "".join(
        f'<a href="/simulator/?listener={quote(one.id)}"{" aria-current=page" * (one.id == name)}>'
        f"{escape(one.display_name)}</a>"
        for one in world.listeners.values()
    )
    songs = "".join(
        f"<li>{_song(world.song(one.id), None)}"
        f"{_button(f'{path}/unlike', 'Unlike', id=one.id, then=here)}</li>"
        for one in world.saved(name)[:NEWEST_SHOWN]
    )
    playlists = "".join(
        f'<li><a class="grow" href="/playlist/{one.id}">{escape(one.name)}</a>'
        f'<span class="soft">{_count(len(one.rows), "song")}</span></li>'
        for one in map(world.playlist, world.playlists(name))
    )
    leave = _button("/simulator/forget", "Sign out of the stand-in") if visitor else ""
    lasting, odd = (
        "".join(
            _button(f"{path}/trouble", label, what=what, then=here) for what, label in kind.items()
        )
        for kind in (troubles.TROUBLES, troubles.ODDITIES)
    )
    return _page(
        f"{world.listeners[name].display_name}’s library",
        f'<nav aria-label="Listeners">{tabs}</nav>'
        f"<h2>Liked Songs, newest first</h2><p>{_count(len(world.saved(name)), 'song')}</p>"
        f'<div class="row">{_button(f"{path}/like", "Like a new song", "main", then=here)}</div>'
        f"{f'<ol>{songs}</ol>' if songs else ''}"
        f"<h2>Playlists</h2>{f'<ul>{playlists}</ul>' if playlists else '<p>None yet.</p>'}"
        "<h2>Cause trouble</h2><p>Then press “Sync now” in Syncify, and read its message.</p>"
        f'<div class="row">{lasting}</div>'
        "<h2>Odd answers</h2><p>Spotify gives these now and then. The playlist comes right all the "
        f'same.</p><div class="row">{odd}</div>{leave}',
    )


def _entry(call: Call, one: Playlist, row: Row) -> str:
    uri = call.world.shown_uri(row.uri)
    by = row.added_by if row.added_by != one.owner else ""
    song = _song(call.world.song((uri or "").rpartition(":")[2]), uri, by or "")
    take = f"/simulator/playlists/{one.id}/take"
    button = _button(take, "Take out", uri=row.uri, then=f"/playlist/{one.id}") if row.uri else ""
    return song + button


def _friends(call: Call, one: Playlist) -> str:
    """A form with which another listener adds a song."""
    choices = "".join(
        f'<option value="{escape(friend.id)}">{escape(friend.display_name)}</option>'
        for friend in call.world.listeners.values()
        if friend.id != one.owner
    )
    return (
        f'<form method="post" action="/simulator/playlists/{one.id}/add" class="row">'
        f'<input type="hidden" name="then" value="/playlist/{one.id}">'
        f'<input type="hidden" name="position" value="0">'
        f'<select name="by" aria-label="Friend">{choices}</select>'
        "<button>adds a song here</button></form>"
    )


def forget_visitor(_: Call) -> Response:
    answer = redirect("/simulator/", status=303)
    answer.headers["Set-Cookie"] = f"{COOKIE}=; Path=/; Max-Age=0"
    return answer


def playlist(call: Call) -> Response:
    """The playlist as open.spotify.com shows it."""
    world = call.world
    one = world.all_playlists.get(call.args["id"])
    if one is None:
        raise PlainError(404, "There is no such playlist")
    start = call.number("from", 0, 0, 2**31)
    rows = "".join(
        f'<li><span class="soft">{number:,}</span>{_entry(call, one, row)}</li>'
        for number, row in enumerate(one.rows[start : start + SONGS_A_PAGE], start + 1)
    )
    steps: list[Any] = [
        (start - SONGS_A_PAGE, "Earlier"),
        (start + SONGS_A_PAGE, "Further"),
    ]
    links = "".join(
        f'<a href="/playlist/{one.id}?from={at}">{label}</a>'
        for at, label in steps
        if 0 <= at < len(one.rows)
    )
    owner = world.listeners[one.owner].display_name
    about = f"{owner} · {_count(len(one.rows), 'song')} · {'public' if one.public else 'private'}"
    return _page(
        one.name,
        f'<div class="row">{_picture(one.id, 160, one.covers)}<div>'
        f'<p class="soft">{escape(about)}</p><p>{escape(one.description)}</p></div></div>'
        f"{_friends(call, one)}"
        f"{f'<ol>{rows}</ol>' if rows else '<p>No songs yet.</p>'}"
        f'<nav aria-label="Pages">{links}</nav>'
        f'<p><a href="/simulator/?listener={quote(one.owner)}">{escape(owner)}’s library</a></p>',
    )
