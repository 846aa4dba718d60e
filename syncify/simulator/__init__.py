"""A stand-in for Spotify, for the demo and the tests; it shares nothing with us but HTTP."""
