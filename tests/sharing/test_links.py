"""Share links as rows: made, found by their token, used, revoked."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from sync.models import ShareLink
from sync.sharing import links
from sync.sharing.links import (
    LinkEnded,
    TooManyLinks,
    create_link,
    find_link,
    note_use,
    revoke_link,
)
from tests.builders import main_mirror, make_user

pytestmark = pytest.mark.django_db


def test_a_token_is_stored_nowhere_and_finds_its_link(ada: User) -> None:
    link, token = create_link(user=ada, kind="page", mirror=main_mirror(ada), name="for Bea")

    assert find_link(token) == link
    stored = ShareLink.objects.values().get()
    assert len(token) == 22
    assert not [value for value in stored.values() if token in str(value)]


@pytest.mark.parametrize(
    "change",
    [
        lambda _: "",
        lambda token: token[:-1],
        lambda token: f"{token}A",
        lambda token: token.swapcase(),
        lambda _: "A" * 22,
        lambda _: "\0",
        lambda _: "\udcff",
        lambda _: "x" * 10_000,
    ],
)
def test_no_other_token_finds_anything_by_the_same_one_query(ada: User, change: object) -> None:
    _, token = create_link(user=ada, kind="page", mirror=None)
    with CaptureQueriesContext(
        connection,
    ) as right:
        assert find_link(token)

    with CaptureQueriesContext(connection) as wrong:
        assert find_link(change(token)) is None  # type: ignore[operator]

    assert len(right) == len(wrong) == 1


def test_a_revoked_link_has_ended(ada: User) -> None:
    link, token = create_link(user=ada, kind="page", mirror=None)
    other, other_token = create_link(user=ada, kind="page", mirror=None)

    revoke_link(link)

    with pytest.raises(LinkEnded):
        find_link(token)
    assert find_link(other_token) == other
    when = ShareLink.objects.get(pk=link.pk).revoked
    revoke_link(link)
    assert ShareLink.objects.get(pk=link.pk).revoked == when


def test_a_blocked_listeners_links_rest_until_they_are_let_in_again(ada: User) -> None:
    link, token = create_link(user=ada, kind="page", mirror=None)
    User.objects.update(is_active=False)
    with pytest.raises(LinkEnded):
        find_link(token)

    User.objects.update(is_active=True)

    assert find_link(token) == link


def test_a_deleted_accounts_links_are_unknown(ada: User) -> None:
    _, token = create_link(user=ada, kind="page", mirror=main_mirror(ada))

    User.objects.filter(pk=ada.pk).delete()

    assert find_link(token) is None


@pytest.mark.parametrize(
    ("last_used", "is_written"),
    [(None, True), (timedelta(minutes=59), False), (timedelta(minutes=61), True)],
)
def test_use_is_written_down_once_an_hour(
    ada: User, last_used: timedelta | None, is_written: bool
) -> None:
    before = None if last_used is None else timezone.now() - last_used
    link, token = create_link(user=ada, kind="page", mirror=None)
    ShareLink.objects.update(last_used=before)
    found = find_link(token)
    assert found is not None

    with CaptureQueriesContext(connection) as queries:
        note_use(found)

    assert len(queries) == is_written
    assert (ShareLink.objects.get(pk=link.pk).last_used != before) is is_written


def test_only_pages_show_names_and_offer_downloads(ada: User) -> None:
    for kind in ("page", "feed", "download"):
        create_link(user=ada, kind=kind, mirror=None, shows_name=True, has_downloads=True)

    shown = ShareLink.objects.order_by("pk").values_list("kind", "shows_name", "has_downloads")

    assert list(shown) == [
        ("page", True, True), ("feed", False, False), ("download", False, False)
    ]  # fmt: skip


def test_links_of_one_listener_are_limited(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "MOST_LINKS", 2)
    first, _ = create_link(user=ada, kind="page", mirror=None)
    create_link(user=ada, kind="page", mirror=None)
    create_link(user=make_user("bea"), kind="page", mirror=None)
    with pytest.raises(TooManyLinks):
        create_link(user=ada, kind="page", mirror=None)

    revoke_link(first)

    create_link(user=ada, kind="page", mirror=None)
