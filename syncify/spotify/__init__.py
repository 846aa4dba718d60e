"""The gateway: the only code that speaks to Spotify."""
