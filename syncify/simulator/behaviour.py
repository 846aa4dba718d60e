"""Spotify's limits, and switches for behaviour that varies."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

# Every limit that Spotify sets.
PAGE_MAX, PAGE_DEFAULT = 50, 20
PLAYLISTS_OFFSET_MAX = 100_000
EMBEDDED_ITEMS = 100  # the items that come inside a playlist object
WRITE_MAX = 100
LIBRARY_URIS_MAX = 40
PLAYLIST_MAX = 10_000
SEATS = 5  # listeners of one app
COVER_MAX = 256 * 1024  # bytes of Base64
RATE_WINDOW = timedelta(seconds=30)
QUOTA_WINDOW = timedelta(hours=24)

CAST = (("dora", 0), ("emil", 3), ("ada", 180), ("bea", 1_250), ("cleo", 10_500))
CAST_IDS = frozenset(name for name, _ in CAST)


@dataclass
class Behaviour:
    """Behaviour of Spotify that varies, or differs from its documentation."""

    names: Literal["new", "both", "old"] = "new"  # items/item, tracks/track, or both
    public_ignored: bool = True  # public:false is accepted, and stays true
    rotate_refresh_token: bool = False  # a refresh replaces it, as with PKCE it always does
    snapshot_lag: timedelta = timedelta()
    replace_loses_dates: bool = True
    local_rows_removable: bool = False
    refuse_links_in_description: bool = False
    refuse_empty_description: bool = False  # 400 for clearing one: spotify/web-api#1011
    premium_lapsed: bool = False
    lapsed_developers: frozenset[str] = frozenset()  # developers whose Premium has ended
    allow_list: frozenset[str] = CAST_IDS
    window_limit: int | None = None  # calls of one developer's apps in any 30 s
    daily_quota: int | None = None  # and in any 24 h
    latency: timedelta = timedelta()
    shuffle_ties: bool = False  # likes of one date have another order at each read
    relinked_removable: bool = False  # removing a song also removes songs that are shown as it
    contains: bool = True  # whether /me/library/contains answers, or 404
    playlists_max: int | None = None  # playlists that one listener may create
