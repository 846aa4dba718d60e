"""Where a song may be listened to: plain addresses, made here; nobody is asked for them."""

from collections.abc import Callable
from urllib.parse import quote

from sync.sharing.songs import SharedSong

#: Of each service its name and the address of a search, which the words are put behind.
_SEARCHES = {
    "youtube": ("YouTube Music", "https://music.youtube.com/search?q="),
    "apple": ("Apple Music", "https://music.apple.com/search?term="),
    "deezer": ("Deezer", "https://www.deezer.com/search/"),
    "tidal": ("Tidal", "https://listen.tidal.com/search?q="),
}
SPOTIFY = "spotify"
#: Each key as it stands in an address, with its name; Spotify first.
SERVICES = {SPOTIFY: "Spotify", **{key: name for key, (name, _) in _SEARCHES.items()}}


def address_at(service: str) -> Callable[[SharedSong], str]:
    """How a song is found at ``service``: at Spotify its own page, elsewhere a search for it."""
    if service not in _SEARCHES:
        return lambda song: song.url
    _, search = _SEARCHES[service]
    return lambda song: f"{search}{quote(f'{song.title} {song.byline}', safe='')}"


def searches_for(song: SharedSong) -> list[tuple[str, str]]:
    """The name of each service but Spotify, and the address of a search for ``song`` there."""
    return [(name, address_at(key)(song)) for key, (name, _) in _SEARCHES.items()]
