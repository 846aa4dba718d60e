"""The cast of the pages, known by rows alone: no page calls Spotify."""

import pytest
from django.test import Client

from accounts.models import User
from tests.builders import make_user


@pytest.fixture
def ada(client: Client, db: None) -> User:
    """Signed in."""
    user = make_user("ada")
    client.force_login(user)
    return user


@pytest.fixture
def bea(db: None) -> User:
    return make_user("bea")
