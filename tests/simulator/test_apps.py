"""Several apps: each with its seats and its permissions, and a quota for each developer."""

import argparse
from typing import Any

import pytest

from syncify.simulator import server
from syncify.simulator.grants import Client
from syncify.simulator.server import Simulator
from tests.simulator.callers import (
    Caller,
    agree,
    ask_token,
    code_of,
    redeem,
    refresh,
)

LENT = Client("lent-app", "lent-secret", developer="grandma", allow_list=frozenset({"bea"}))
SECRET = ("lent-app", "lent-secret")


@pytest.fixture
def two_apps(spotify: Simulator) -> Simulator:
    spotify.add_app(LENT)
    return spotify


def test_each_app_signs_its_listeners_in_by_its_own_id_and_secret(two_apps: Simulator) -> None:
    code = code_of(agree(two_apps, "bea", client_id="lent-app"))

    wrong: Any = redeem(two_apps, code)
    code = code_of(agree(two_apps, "bea", client_id="lent-app"))
    token = redeem(two_apps, code, secret=SECRET).json()["refresh_token"]

    assert wrong.json()["error"] == "invalid_grant"
    assert refresh(two_apps, token, secret=SECRET).ok
    assert refresh(two_apps, token).json()["error"] == "invalid_grant"
    assert ask_token(two_apps, secret=SECRET, grant_type="client_credentials").ok


@pytest.mark.parametrize(("listener", "status"), [("bea", 200), ("ada", 403)])
def test_an_app_serves_those_who_have_a_seat(
    two_apps: Simulator, listener: str, status: int
) -> None:
    assert Caller(two_apps, listener, client_id="lent-app")("GET", "me").status_code == status
    assert Caller(two_apps, listener)("GET", "me").status_code == 200


def test_an_app_has_five_seats(spotify: Simulator) -> None:
    with pytest.raises(ValueError, match="5 seats"):
        spotify.add_app(Client("x", allow_list=frozenset("abcdef")))


def test_a_quota_counts_for_all_apps_of_one_developer(two_apps: Simulator) -> None:
    two_apps.add_app(Client("second", developer="grandma"))
    two_apps.behaviour.daily_quota = 3
    lent, second = (Caller(two_apps, "bea", client_id=app) for app in ("lent-app", "second"))
    own = Caller(two_apps, "bea")

    spent = [caller("GET", "me").status_code for caller in (lent, second, lent, second, lent)]

    assert spent == [200, 200, 200, 429, 429]
    assert own("GET", "me").ok


def test_premium_and_faults_are_of_one_developer(two_apps: Simulator) -> None:
    lent, own = Caller(two_apps, "bea", client_id="lent-app"), Caller(two_apps, "bea")
    two_apps.behaviour.lapsed_developers = frozenset({"grandma"})
    lapsed = [caller("GET", "me").status_code for caller in (lent, own)]
    two_apps.be_well()
    two_apps.fault("quota", developer="grandma")

    assert lapsed == [403, 200]
    assert [caller("GET", "me").status_code for caller in (lent, own)] == [429, 200]


def test_apps_are_named_on_the_command_line() -> None:
    parser = argparse.ArgumentParser(exit_on_error=False)
    server.add_arguments(parser)

    options = parser.parse_args(["--app", "lent-app,lent-secret,grandma,bea+cleo"])

    assert options.app == [
        Client(
            "lent-app", "lent-secret", developer="grandma", allow_list=frozenset({"bea", "cleo"})
        )
    ]
    for wrong in ("lent-app", ",s,d,bea", "a,b,c,1+2+3+4+5+6"):
        with pytest.raises(argparse.ArgumentError):
            parser.parse_args(["--app", wrong])
