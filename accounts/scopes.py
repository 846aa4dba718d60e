"""Spotify's permissions (scopes): those that every listener grants."""

NEEDED = (
    "user-library-read",
    "playlist-read-private",
    "playlist-modify-public",
    "playlist-modify-private",
)
