"""A database's address means what was meant, or is refused without telling the password."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncify.database_url import BadDatabaseUrl, parse_database_url


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("postgresql://u:p@h:5432/n", "dbname=n host=h password=p port=5432 user=u"),
        ("postgres://u@/n?host=/run/postgresql", "dbname=n host=/run/postgresql user=u"),
        ("postgresql://u:p%25%2F%3F%23%40%3Aw@h/n", "dbname=n host=h password=p%/?#@:w user=u"),
        ("postgresql://u:a#b?c@h/n", "dbname=n host=h password=a#b?c user=u"),
        ("postgresql://u@[2001:db8::1]:5433/n", "dbname=n host=2001:db8::1 port=5433 user=u"),
        (
            "postgresql://u@one:5432,two:5433/n?target_session_attrs=read-write",
            "dbname=n host=one,two port=5432,5433 target_session_attrs=read-write user=u",
        ),
        (
            "postgresql://u:p%2Fw@one,two/n?target_session_attrs=read-write",
            "dbname=n host=one,two password=p/w target_session_attrs=read-write user=u",
        ),
        ("host=h dbname=n user=u", "dbname=n host=h user=u"),
    ],
)  # fmt: skip
def test_an_address_is_read_as_it_was_meant(url: str, parts: str) -> None:
    found = parse_database_url(url)

    assert " ".join(f"{key}={found[key]}" for key in sorted(found)) == parts


@pytest.mark.parametrize(
    "password", ["S%w", "S%zz", "S%b1", "S/w", "?S/w", "S@w", "12/S@w", "/S", "S:w/12@3"]
)
def test_a_sign_that_is_not_encoded_is_named_and_the_password_is_not(password: str) -> None:
    with pytest.raises(BadDatabaseUrl) as refused:
        parse_database_url(f"postgresql://u:{password}@host:5432/name")

    assert "%2F for /" in str(refused.value)
    assert "S" not in str(refused.value).replace("DATABASE_PASSWORD", "")


@pytest.mark.parametrize(
    "url",
    [
        "not an address",
        "mysql://h/n",
        "postgresql+psycopg://h/n",
        "postgresql://h:port/n",
        "postgresql://h:99999/n",
        "postgresql://h/n?no_such_parameter=1",
    ],
)
def test_anything_else_is_told_the_form(url: str) -> None:
    with pytest.raises(BadDatabaseUrl, match=r"postgresql://user:password@host:5432/name"):
        parse_database_url(url)


@given(st.text(alphabet=st.characters(blacklist_characters="\0", codec="utf-8"), min_size=1))
def test_every_password_works_percent_encoded(password: str) -> None:
    found = parse_database_url(f"postgresql://u:{quote(password, safe='')}@h:5432/n")

    assert found == {
        "user": "u", "password": password, "host": "h", "port": "5432", "dbname": "n",
    }  # fmt: skip


@given(st.text(alphabet="ab1%/?@:", min_size=1))
def test_no_password_is_misread_silently(password: str) -> None:
    try:
        found = parse_database_url(f"postgresql://u:{password}@h:5432/n")
    except BadDatabaseUrl:
        return

    assert (found["user"], found["host"], found["dbname"]) == ("u", "h", "n")
