"""A listener's Liked Songs: read from Spotify, and stored with their history."""
