"""Pages of a reading that stopped half-way."""

from typing import Any

import pytest

from accounts.models import User
from sync.library.pages import forget_pages, stored_pages
from sync.models import StoredPage
from tests.builders import make_user

pytestmark = pytest.mark.django_db


def keep(user: User, *offsets: int) -> None:
    items: dict[str, Any] = {"likes": [], "has_next": True}
    for offset in offsets:
        StoredPage.objects.create(user=user, offset=offset, total=200, items=items)


def test_each_listener_has_pages_of_their_own() -> None:
    ada, bea = make_user("ada"), make_user("bea")
    keep(ada, 0, 50)
    keep(bea, 0, 100)

    assert [page.offset for page in stored_pages(ada.pk, since=None)] == [0, 50]

    forget_pages(ada.pk)
    assert stored_pages(ada.pk, since=None) == []
    assert [page.offset for page in stored_pages(bea.pk, since=None)] == [0, 100]
