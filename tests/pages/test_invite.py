"""Invitations: made by operators, answered by guests without account, seen by operators only."""

import re
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils import timezone

from accounts.models import SpotifyConnection, User
from accounts.spotify_apps import app_of
from accounts.token_keys import rotate_secrets
from sync.models import Invitation
from sync.operations.chores import CHORES
from sync.sharing import invitations
from syncify.logs import hide_secrets
from syncify.simulator.server import Simulator
from tests.accounts.signing_in import is_signed_in, sign_in
from tests.builders import as_user, make_user

pytestmark = pytest.mark.django_db

LIST, EMAIL = "/operator/invitations/", "guest@bea.example"


@pytest.fixture
def operator() -> User:
    user = make_user("olga")
    User.objects.filter(pk=user.pk).update(is_operator_by_code=True)
    return User.objects.get(pk=user.pk)


def invited(operator: User) -> str:
    """The path that a guest was sent."""
    return f"/invite/{invitations.invite(operator)}/"


def answered(operator: User) -> str:
    path = invited(operator)
    assert Client().post(path, {"email": EMAIL}).status_code == 303
    return path


def text_of(client: Client, path: str) -> str:
    return " ".join(client.get(path).content.decode().split())


def test_an_operator_invites_and_a_guest_without_account_answers(operator: User) -> None:
    page = as_user(operator).post(LIST).content.decode()
    [path] = re.findall(r'value="http[^"]*(/invite/[^"]+)"', page)
    guest = Client()

    told = text_of(guest, path)
    assert "<bdi>Olga</bdi> invites you" in told
    assert told.count("<li>") == 3
    assert "1 of the 5 seats that Spotify gives this Syncify is taken." in told

    told = guest.post(path, {"email": EMAIL}, follow=True).content.decode()
    assert "Your address is with <bdi>Olga</bdi>" in told
    assert EMAIL in text_of(as_user(operator), LIST)
    assert "To be added at Spotify: 1 guest." in text_of(as_user(operator), "/operator/")

    [invitation] = Invitation.objects.all()
    as_user(operator).post(f"{LIST}{invitation.pk}/added/")
    assert "Sign in with Spotify" in text_of(guest, path)
    invitation.refresh_from_db()
    assert (invitation.email, invitation.added is not None) == ("", True)
    assert "To be added" not in text_of(as_user(operator), "/operator/")
    assert invitations.seats_taken(app_of("")) == 2


def test_only_operators_see_an_address(operator: User) -> None:
    path = answered(operator)
    [invitation] = Invitation.objects.all()
    bea = make_user("bea")
    pages = [path, LIST, "/", "/operator/", "/privacy/", "/settings/", "/accounts/export/"]

    for visitor in (Client(), as_user(bea)):
        for page in pages:
            assert EMAIL not in visitor.get(page).content.decode(), page
        for action in ("added", "withdraw"):
            assert visitor.post(f"{LIST}{invitation.pk}/{action}/").status_code == 404
        assert visitor.post(LIST).status_code == 404
    assert EMAIL not in as_user(operator).get("/accounts/export/").content.decode()
    assert EMAIL in text_of(as_user(operator), LIST)
    with connection.cursor() as cursor:
        cursor.execute("SELECT email, code_hash FROM invitations")
        [(stored, code_hash)] = cursor.fetchall()
    assert EMAIL not in stored
    assert code_hash not in path
    assert rotate_secrets() == (1, 0)
    assert Invitation.objects.get().email == EMAIL


def test_an_invitation_takes_one_address(operator: User) -> None:
    path = answered(operator)

    answer = Client().post(path, {"email": "other@mallory.example"}, follow=True)

    assert "This invitation was already used" in answer.content.decode()
    assert not Client().post(path, {"email": "other@mallory.example"}).cookies.get("invitation")
    assert Invitation.objects.get().email == EMAIL


@pytest.mark.parametrize(
    "email", ["", "guest", "a@b@c.example", "a\0b@c.example", f"{'a' * 300}@c.example",
              "a@b\u202e.example", "a@b.example\nBcc: x@y.example"],
)  # fmt: skip
def test_what_is_no_address_is_not_stored(operator: User, email: str) -> None:
    response = Client().post(invited(operator), {"email": email})

    assert response.status_code == 422
    assert Invitation.objects.get().given is None


def test_the_first_sign_in_of_the_guest_deletes_what_they_gave(
    operator: User, simulator: Simulator
) -> None:
    path, guest = invited(operator), Client()
    other = answered(operator)
    guest.post(path, {"email": EMAIL})

    sign_in(guest, simulator, "bea")

    assert is_signed_in(guest)
    assert guest.get(path).status_code == 404
    assert guest.get(other).status_code == 200


def test_an_invitation_ends_after_14_days_and_nothing_of_it_stays(operator: User) -> None:
    path, day = answered(operator), timedelta(days=1)
    ends = Invitation.objects.get().expires - timezone.now()
    assert 13 * day < ends <= 14 * day

    Invitation.objects.update(expires=timezone.now())
    assert Client().get(path).status_code == 404
    assert EMAIL not in text_of(as_user(operator), LIST)
    assert not invitations.waiting_guests().exists()
    assert invitations.drop_expired in CHORES
    invitations.drop_expired()
    assert not Invitation.objects.exists()


def test_a_withdrawn_invitation_and_those_of_former_operators_do_not_work(operator: User) -> None:
    withdrawn, left = answered(operator), invited(operator)
    first = Invitation.objects.order_by("pk")[0]

    as_user(operator).post(f"{LIST}{first.pk}/withdraw/")
    assert Client().get(withdrawn).status_code == 404
    assert Client().get(left).status_code == 200
    User.objects.update(is_operator_by_code=False)
    assert Client().get(left).status_code == 404
    assert Client().post(left, {"email": EMAIL}).status_code == 404
    operator.delete()
    assert not Invitation.objects.exists()


def test_seats_are_counted_as_far_as_they_are_known(operator: User) -> None:
    path = invited(operator)
    for number in range(4):
        make_user(f"listener-{number}")
    assert "5 of the 5 seats" in text_of(Client(), path)
    assert "One must become free" in text_of(Client(), path)

    last = SpotifyConnection.objects.last()
    assert last
    SpotifyConnection.objects.filter(pk=last.pk).update(
        state="refused", state_reason="not_registered"
    )
    assert invitations.seats_taken(app_of("")) == 4
    make_user("fifth")
    make_user("sixth")
    assert invitations.seats_taken(app_of("")) is None
    assert "seats" not in text_of(Client(), path)


def test_codes_are_limited_and_stay_out_of_logs(operator: User) -> None:
    path = invited(operator)
    assert hide_secrets(f"Not Found: {path}") == "Not Found: /invite/…/"
    response = Client().get(path)
    assert response.headers["X-Robots-Tag"] == "noindex"
    assert "no-store" in response.headers["Cache-Control"]

    statuses = [Client().get(f"/invite/no-such-{n}/").status_code for n in range(150)]

    assert set(statuses) == {404, 429}


def test_an_operator_has_so_many_open_invitations(operator: User) -> None:
    for _ in range(invitations.MOST_INVITATIONS):
        invitations.invite(operator)

    assert "Withdraw one, or wait" in as_user(operator).post(LIST).content.decode()
    assert Invitation.objects.count() == invitations.MOST_INVITATIONS


def test_the_database_keeps_no_address_that_nobody_needs(operator: User) -> None:
    answered(operator)

    with pytest.raises(IntegrityError), transaction.atomic():
        Invitation.objects.update(added=timezone.now())
