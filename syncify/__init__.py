"""Syncify: the project package, with settings, routes, and what all apps share."""

#: As in pyproject.toml and the changelog.
__version__ = "0.2.0"
