"""The options of the form of a playlist: conditions, units, orders and refreshes."""

from collections.abc import Mapping, Sequence

#: The conditions of a row, in groups: field and operator, label, and kind of the value.
WHATS: Mapping[str, Sequence[tuple[str, str, str]]] = {
    "Song": [
        ("title is", "Title is", "text"),
        ("title is_not", "Title is not", "text"),
        ("title contains", "Title contains", "text"),
        ("title not_contains", "Title does not contain", "text"),
        ("artist is", "Artist is", "text"),
        ("artist is_not", "Artist is not", "text"),
        ("artist contains", "Artist contains", "text"),
        ("artist not_contains", "Artist does not contain", "text"),
        ("album is", "Album is", "text"),
        ("album is_not", "Album is not", "text"),
        ("album contains", "Album contains", "text"),
        ("album not_contains", "Album does not contain", "text"),
        ("genre in", "Genre is", "genres"),
        ("genre not_in", "Genre is not", "genres"),
        ("explicit yes", "Is explicit", ""),
        ("explicit no", "Is not explicit", ""),
        ("length at_least", "At least this long", "length"),
        ("length at_most", "At most this long", "length"),
        ("length between", "Length between", "lengths"),
    ],
    "Liked": [
        ("liked in_last", "Liked in the last", "span"),
        ("liked not_in_last", "Not liked in the last", "span"),
        ("liked before", "Liked before", "day"),
        ("liked after", "Liked after", "day"),
    ],
    "Released": [
        ("year between", "Released between", "numbers"),
        ("year at_least", "Released in or after", "number"),
        ("year at_most", "Released in or before", "number"),
        ("released in_last", "Released in the last", "span"),
        ("released not_in_last", "Not released in the last", "span"),
        ("released before", "Released before", "day"),
        ("released after", "Released after", "day"),
    ],
    "Played": [
        ("last_played in_last", "Played in the last", "span"),
        ("last_played not_in_last", "Not played in the last", "span"),
        ("last_played before", "Last played before", "day"),
        ("last_played after", "Last played after", "day"),
        ("plays at_least", "Played at least so many times", "number"),
        ("plays at_most", "Played at most so many times", "number"),
        ("plays between", "Number of plays between", "numbers"),
    ],
    "Other": [
        ("mirror in", "Is in the playlist", "playlist"),
        ("mirror not_in", "Is not in the playlist", "playlist"),
        ("duplicate yes", "Has a duplicate", ""),
        ("duplicate no", "Has no duplicate", ""),
    ],
}
#: The kind of the value, by field and operator.
KINDS = {what: kind for options in WHATS.values() for what, _, kind in options}
MATCHES = {"all": "All of these must hold", "any": "One of these must hold"}
UNITS = {"days": "days", "months": "months", "years": "years"}
SORTS = {
    "newest_like": "Newest like first",
    "oldest_like": "Oldest like first",
    "newest_release": "Newest release first",
    "oldest_release": "Oldest release first",
    "title": "By title",
    "artist": "By artist",
    "length": "Longest first",
    "random": "Shuffled",
    "rediscover": "Each song once before any twice",
}
REFRESHES = {
    "sync": "With every sync",
    "daily": "Every day",
    "weekly": "Every week",
    "monthly": "Every month",
}
