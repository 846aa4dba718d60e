"""The cast of what is shared, known by rows alone."""

import pytest

from accounts.models import User
from tests.builders import make_user


@pytest.fixture
def ada(db: None) -> User:
    return make_user("ada")


@pytest.fixture
def bea(db: None) -> User:
    return make_user("bea")


@pytest.fixture
def cleo(db: None) -> User:
    return make_user("cleo")
