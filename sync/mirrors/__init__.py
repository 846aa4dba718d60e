"""Playlists at Spotify that are kept by a rule over the Liked Songs."""
