"""A listener's Liked Songs: read from Spotify, stored, and kept as history."""
