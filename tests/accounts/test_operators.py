"""The codes that make an operator."""

import re
import runpy
from functools import partial
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.models import OperatorCode, User
from accounts.operators import become_operator, has_unused_code, make_code, tell_operator_code
from tests.builders import as_user, make_user
from tests.waiting import at_once

pytestmark = pytest.mark.django_db

CODE = re.compile(r"\b[2-9a-z]{4}-[2-9a-z]{4}-[2-9a-z]{4}\b")


@pytest.fixture
def bea() -> User:
    return make_user("bea")


def enter(user: User, code: str) -> int:
    return as_user(user).post("/operator/code/", {"code": code}).status_code


def operators() -> set[str]:
    return {user.spotify_id for user in User.objects.all() if user.is_operator}


@pytest.mark.parametrize("typed", ["{}", " {} ", "{upper}", "{plain}"])
def test_a_code_makes_one_operator_however_it_is_typed(bea: User, typed: str) -> None:
    code = make_code()
    text = typed.format(code, upper=code.upper(), plain=code.replace("-", " "))

    assert enter(bea, "2222-2222-2222") == 422
    assert enter(bea, text) == 303
    assert enter(make_user("cleo"), code) == 404
    assert operators() == {"bea"}


def test_a_used_code_stays_used_when_the_operator_deletes_their_account(bea: User) -> None:
    code = make_code()
    enter(bea, code)
    bea.delete()

    tell_operator_code()

    assert not has_unused_code()
    assert enter(make_user("cleo"), code) == 404


def test_a_new_code_ends_the_one_before(bea: User) -> None:
    first, second = make_code(), make_code()

    assert enter(bea, first) == 422
    assert enter(bea, second) == 303


@pytest.mark.django_db(transaction=True)
def test_of_two_who_enter_a_code_at_once_one_becomes_operator() -> None:
    people, code = [make_user(f"listener-{number}") for number in range(6)], make_code()

    outcomes = at_once(*[partial(become_operator, user, code=code) for user in people])

    assert outcomes.count(True) == len(operators()) == 1


def test_only_a_digest_is_stored() -> None:
    code = make_code()

    [stored] = OperatorCode.objects.values_list("digest", flat=True)
    assert code not in stored
    assert code.replace("-", "") not in stored


def test_a_code_is_random_and_belongs_to_its_installation(bea: User, settings: Any) -> None:
    code = make_code()
    assert code != make_code()

    code = make_code()
    settings.SECRET_KEY = "of another installation, with a database that was copied from this one"
    assert not become_operator(bea, code=code)


def test_where_a_setting_names_the_operators_no_code_does(bea: User, settings: Any) -> None:
    code = make_code()
    settings.OPERATORS = ["ada"]

    assert enter(bea, code) == 404
    assert not become_operator(bea, code=code)
    with pytest.raises(CommandError, match="SYNCIFY_OPERATORS"):
        call_command("operator_code")


def test_the_command_makes_a_code_even_if_there_is_an_operator(bea: User) -> None:
    enter(bea, make_code())
    out = StringIO()

    call_command("operator_code", stdout=out)

    [code] = CODE.findall(out.getvalue())
    assert enter(make_user("cleo"), code) == 303
    assert operators() == {"bea", "cleo"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("age", "has_operator", "names_operators", "is_told"),
    [(1, False, False, True), (2, False, False, False), (1, True, False, False),
     (1, False, True, False)],
)  # fmt: skip
def test_the_first_start_tells_a_code_and_later_ones_do_not(
    caplog: Any,
    settings: Any,
    age: int,
    has_operator: bool,
    names_operators: bool,
    is_told: bool,
) -> None:
    bea = make_user("bea")
    User.objects.update(is_operator_by_code=has_operator)
    settings.OPERATORS = ["ada"] if names_operators else []
    hooks = runpy.run_path("gunicorn.conf.py")
    loop = SimpleNamespace(create_task=lambda task: task.close())

    for _ in range(2):
        hooks["post_worker_init"](SimpleNamespace(age=age, loop=loop))

    told = CODE.findall(caplog.text)
    assert len(told) == is_told
    assert all(become_operator(bea, code=code) for code in told)
