"""The gateway: the only code that calls Spotify."""
