"""ListenBrainz: loved recordings and playlists of recordings."""
