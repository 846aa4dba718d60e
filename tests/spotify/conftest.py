"""Fixtures of the tests of the code that calls Spotify."""

from tests.stand_in import stand_in

__all__ = ["stand_in"]
