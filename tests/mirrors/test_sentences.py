"""Sentences of rules, and rules of sentences."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.mirrors import parser
from sync.mirrors.parser import Parsed, parse
from sync.mirrors.rule_json import from_json
from sync.mirrors.sentences import sentence
from tests.mirrors.strategies import rules

TODAY = date(2026, 11, 27)
PLAYLISTS = {7: "Jazz evening", 8: "Run"}


def read(text: str) -> Parsed:
    return parse(text, today=TODAY, playlists=PLAYLISTS)


@given(rules())
def test_a_sentence_reads_back_as_its_rule(raw: dict[str, Any]) -> None:
    rule = from_json(raw)

    parsed = parse(sentence(rule), today=TODAY)

    assert parsed.not_understood == ()
    assert parsed.rule == rule


@given(st.dictionaries(st.integers(1, 9), st.text(max_size=8), max_size=4), st.data())
def test_playlists_are_named_where_the_name_is_clear(names: dict[int, str], data: Any) -> None:
    ids = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=3))
    rule = from_json({"tests": [{"field": "mirror", "op": "in", "value": ids}]})

    assert parse(sentence(rule, names), today=TODAY, playlists=names) == Parsed(rule, ())


def t(field: str, op: str, value: Any) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


def last(n: int, unit: str) -> dict[str, Any]:
    return {"n": n, "unit": unit}


def either(*tests: dict[str, Any]) -> dict[str, Any]:
    return {"match": "any", "tests": list(tests)}


CLEAN = t("explicit", "is", False)
NINETIES = t("year", "between", [1990, 1999])


def genre(*names: str) -> dict[str, Any]:
    return t("genre", "in", list(names))


# What people write: the sentence, the tests, and the settings.
UNDERSTOOD: list[tuple[str, list[dict[str, Any]], dict[str, Any]]] = [
    ("", [], {}),
    ("all my liked songs", [], {}),
    ("jazz", [genre("jazz")], {}),
    ("Jazz songs", [genre("jazz")], {}),
    ("only jazz please", [genre("jazz")], {}),
    ("give me a playlist of jazz", [genre("jazz")], {}),
    ("jazz from the 90s, no explicit, 50 songs, shuffled",
     [genre("jazz"), NINETIES, CLEAN], {"limit": 50, "sort": "random"}),
    ("jazz from the 1990s", [genre("jazz"), NINETIES], {}),
    ("90s jazz", [NINETIES, genre("jazz")], {}),
    ("nineties jazz", [NINETIES, genre("jazz")], {}),
    ("jazz and blues", [genre("jazz", "blues")], {}),
    ("jazz, blues or soul", [genre("jazz", "blues", "soul")], {}),
    ("jazz or blues, no explicit", [genre("jazz", "blues"), CLEAN], {}),
    ("post-rock and shoegaze", [genre("post-rock", "shoegaze")], {}),
    ("hip-hop", [genre("hip-hop")], {}),
    ("Drum & Bass", [genre("drum & bass")], {}),
    ("indie rock tracks", [genre("indie rock")], {}),
    ("no jazz", [t("genre", "not_in", ["jazz"])], {}),
    ("not jazz or blues", [t("genre", "not_in", ["jazz", "blues"])], {}),
    ("everything except jazz", [t("genre", "not_in", ["jazz"])], {}),
    ("anything but country", [t("genre", "not_in", ["country"])], {}),
    ("rock but no metal", [genre("rock"), t("genre", "not_in", ["metal"])], {}),
    ("songs of the genre “zeuhl”", [genre("zeuhl")], {}),
    ("by Kiasmos", [t("artist", "is", "Kiasmos")], {}),
    ("by Kiasmos, longest first", [t("artist", "is", "Kiasmos")], {"sort": "length"}),
    ("songs by Sigur Rós", [t("artist", "is", "Sigur Rós")], {}),
    ("everything by The National", [t("artist", "is", "The National")], {}),
    ("by Simon and Garfunkel from the 60s",
     [t("artist", "is", "Simon and Garfunkel"), t("year", "between", [1960, 1969])], {}),
    ("by “Earth, Wind & Fire”", [t("artist", "is", "Earth, Wind & Fire")], {}),
    ('by "The 1975", shuffled', [t("artist", "is", "The 1975")], {"sort": "random"}),
    ("by The 1975", [t("artist", "is", "The 1975")], {}),
    ("by No Doubt", [t("artist", "is", "No Doubt")], {}),
    ("by AC/DC", [t("artist", "is", "AC/DC")], {}),
    ("by Kiasmos or Bonobo",
     [either(t("artist", "is", "Kiasmos"), t("artist", "is", "Bonobo"))], {}),
    ("by Kiasmos or by Bonobo or by Tycho, 20 songs",
     [either(*(t("artist", "is", name) for name in ("Kiasmos", "Bonobo", "Tycho")))],
     {"limit": 20}),
    ("not by Coldplay", [t("artist", "is_not", "Coldplay")], {}),
    ("jazz not by Kenny G", [genre("jazz"), t("artist", "is_not", "Kenny G")], {}),
    ("called Yesterday", [t("title", "is", "Yesterday")], {}),
    ("with love in the title", [t("title", "contains", "love")], {}),
    ("title contains love", [t("title", "contains", "love")], {}),
    ("without “live” in the title", [t("title", "not_contains", "live")], {}),
    ("from the album OK Computer", [t("album", "is", "OK Computer")], {}),
    ("on the album “Blue”", [t("album", "is", "Blue")], {}),
    ("songs I liked before 2020 that I haven't played for a year",
     [t("liked", "before", "2020-01-01"), t("last_played", "not_in_last", last(1, "years"))], {}),
    ("liked after 2020", [t("liked", "after", "2020-12-31")], {}),
    ("liked since 2020", [t("liked", "after", "2019-12-31")], {}),
    ("liked since May 2021", [t("liked", "after", "2021-04-30")], {}),
    ("saved in 2019", [t("liked", "after", "2018-12-31"), t("liked", "before", "2020-01-01")], {}),
    ("liked between 2018 and 2020",
     [t("liked", "after", "2017-12-31"), t("liked", "before", "2021-01-01")], {}),
    ("liked before May 1, 2021", [t("liked", "before", "2021-05-01")], {}),
    ("liked before 1st May 2021", [t("liked", "before", "2021-05-01")], {}),
    ("added before 2021-05-01", [t("liked", "before", "2021-05-01")], {}),
    ("liked this year",
     [t("liked", "after", "2025-12-31"), t("liked", "before", "2027-01-01")], {}),
    ("liked last month",
     [t("liked", "after", "2026-09-30"), t("liked", "before", "2026-11-01")], {}),
    ("liked in the last 30 days", [t("liked", "in_last", last(30, "days"))], {}),
    ("songs I've liked in the past two weeks", [t("liked", "in_last", last(14, "days"))], {}),
    ("liked more than a year ago", [t("liked", "not_in_last", last(1, "years"))], {}),
    ("released in 1994", [t("year", "between", [1994, 1994])], {}),
    ("from 1994", [t("year", "between", [1994, 1994])], {}),
    ("from 1990 to 1995", [t("year", "between", [1990, 1995])], {}),
    ("from 2015 on", [t("year", "at_least", 2015)], {}),
    ("released since 2015", [t("year", "at_least", 2015)], {}),
    ("released before 2000", [t("year", "at_most", 1999)], {}),
    ("before 2000", [t("year", "at_most", 1999)], {}),
    ("pre-1980 soul", [t("year", "at_most", 1979), genre("soul")], {}),
    ("released last year", [t("year", "between", [2025, 2025])], {}),
    ("released in the last 6 months", [t("released", "in_last", last(6, "months"))], {}),
    ("from the 80s and 90s", [t("year", "between", [1980, 1999])], {}),
    ("from the 60s or the 80s",
     [either(t("year", "between", [1960, 1969]), t("year", "between", [1980, 1989]))], {}),
    ("released in the noughties", [t("year", "between", [2000, 2009])], {}),
    ("longer than 6 minutes", [t("length", "at_least", 360)], {}),
    ("songs over 6 min", [t("length", "at_least", 360)], {}),
    ("at least 6:30 long", [t("length", "at_least", 390)], {}),
    ("under three minutes", [t("length", "at_most", 180)], {}),
    ("shorter than 2.5 minutes", [t("length", "at_most", 150)], {}),
    ("between 3 and 5 minutes", [t("length", "between", [180, 300])], {}),
    ("3 to 5 minutes long", [t("length", "between", [180, 300])], {}),
    ("10 minutes or more", [t("length", "at_least", 600)], {}),
    ("never played", [t("plays", "at_most", 0)], {}),
    ("songs I've never listened to", [t("plays", "at_most", 0)], {}),
    ("unplayed", [t("plays", "at_most", 0)], {}),
    ("played more than 10 times", [t("plays", "at_least", 11)], {}),
    ("played at least twice", [t("plays", "at_least", 2)], {}),
    ("with fewer than 5 plays", [t("plays", "at_most", 4)], {}),
    ("not heard in six months", [t("last_played", "not_in_last", last(6, "months"))], {}),
    ("not listened to for two years", [t("last_played", "not_in_last", last(2, "years"))], {}),
    ("not played since 2024",
     [either(t("last_played", "before", "2024-01-01"), t("plays", "at_most", 0))], {}),
    ("played in the last week", [t("last_played", "in_last", last(7, "days"))], {}),
    ("last played before 2023", [t("last_played", "before", "2023-01-01")], {}),
    ("no explicit songs", [CLEAN], {}),
    ("without explicit lyrics", [CLEAN], {}),
    ("non-explicit", [CLEAN], {}),
    ("clean", [CLEAN], {}),
    ("clean hip hop, max 40", [CLEAN, genre("hip hop")], {"limit": 40}),
    ("explicit only", [t("explicit", "is", True)], {}),
    ("that have a duplicate", [t("duplicate", "is", True)], {}),
    ("in my playlist “Jazz evening”", [t("mirror", "in", [7])], {}),
    ("jazz not in the playlist “run”", [genre("jazz"), t("mirror", "not_in", [8])], {}),
    ("50 songs", [], {"limit": 50}),
    ("1,000 songs", [], {"limit": 1000}),
    ("a hundred songs", [], {"limit": 100}),
    ("max 25", [], {"limit": 25}),
    ("limit to 10", [], {"limit": 10}),
    ("the last 100 songs", [], {"limit": 100}),
    ("newest 100", [], {"limit": 100}),
    ("my 20 oldest songs", [], {"limit": 20, "sort": "oldest_like"}),
    ("50 random songs", [], {"limit": 50, "sort": "random"}),
    ("one song per artist", [], {"per_artist": 1}),
    ("at most 2 songs by each artist, random order", [], {"per_artist": 2, "sort": "random"}),
    ("30 songs a day", [], {"limit": 30, "refresh": "daily"}),
    ("50 random songs, new every week", [], {"limit": 50, "sort": "random", "refresh": "weekly"}),
    ("rediscover 30 songs a day", [], {"sort": "rediscover", "limit": 30, "refresh": "daily"}),
    ("oldest first", [], {"sort": "oldest_like"}),
    ("newest release first", [], {"sort": "newest_release"}),
    ("sorted by title", [], {"sort": "title"}),
    ("liked before 1900-01-01", [t("liked", "before", "1900-01-01")], {}),
    ("alphabetically", [], {"sort": "title"}),
    ("by artist", [], {"sort": "artist"}),
    ("refreshed daily", [], {"refresh": "daily"}),
    ("my likes as of 1 May 2020", [], {"source": {"likes_at": "2020-05-01"}}),
    ("rock from the 80s or jazz from the 90s",
     [{"match": "all", "tests": [genre("rock"), t("year", "between", [1980, 1989])]},
      {"match": "all", "tests": [genre("jazz"), NINETIES]}], {"match": "any"}),
    ("jazz or explicit", [genre("jazz"), t("explicit", "is", True)], {"match": "any"}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "tests", "settings"), UNDERSTOOD, ids=[u[0] for u in UNDERSTOOD])
def test_what_people_write_is_understood(
    text: str, tests: list[dict[str, Any]], settings: dict[str, Any]
) -> None:
    assert read(text) == Parsed(from_json({"tests": tests, **settings}), ())


NOT_UNDERSTOOD: list[tuple[str, list[dict[str, Any]], dict[str, Any], tuple[str, ...]]] = [
    ("sad songs", [], {}, ("sad",)),
    ("sad jazz", [genre("jazz")], {}, ("sad",)),
    ("not sad", [], {}, ("not sad",)),
    ("jazz, but nothing like Kenny G", [genre("jazz")], {}, ("nothing like Kenny G",)),
    ("songs about a house", [], {}, ("about a house",)),
    ("music for running", [], {}, ("for running",)),
    ("no jazz, blues", [], {}, ("no jazz, blues",)),
    ("before 2015", [], {}, ("before 2015",)),
    ("early 90s", [], {}, ("early 90s",)),
    ("not from the 90s", [], {}, ("not from the 90s",)),
    ("jazz excluded", [], {}, ("jazz excluded",)),
    ("jazz or something", [], {}, ("jazz or something",)),
    ("no duplicates", [], {}, ("no duplicates",)),
    ("liked before 30 February 2020", [], {}, ("before 30 February 2020",)),
    ("0 songs", [], {}, ("0",)),
    ("99999 songs", [], {}, ("99999",)),
    ("50 songs, 30 songs", [], {"limit": 50}, ("30 songs",)),
    ("rediscover", [], {}, ("rediscover (“rediscover” needs a number of songs)",)),
    ("jazz or from the 90s, no explicit", [CLEAN], {}, ("jazz or from the 90s",)),
    ("in the playlist “Nowhere”", [], {}, ("in the playlist “Nowhere”",)),
    ("shortest first", [], {}, ("shortest first",)),
    ("jazz unless explicit", [genre("jazz")], {}, ("unless explicit",)),
    ("more explicit", [], {}, ("more explicit",)),
    ("'; DROP TABLE tracks --", [], {}, ("'", "DROP TABLE tracks --")),
]


@pytest.mark.parametrize(
    ("text", "tests", "settings", "left"), NOT_UNDERSTOOD, ids=[n[0] for n in NOT_UNDERSTOOD]
)
def test_nothing_is_guessed(
    text: str, tests: list[dict[str, Any]], settings: dict[str, Any], left: tuple[str, ...]
) -> None:
    assert read(text) == Parsed(from_json({"tests": tests, **settings}), left)


@given(st.text(max_size=60))
def test_any_text_gives_a_rule(text: str) -> None:
    from_text = read(text)

    assert parse(sentence(from_text.rule), today=TODAY).rule == from_text.rule


_VOCABULARY = (
    "jazz or and not no by Kiasmos from the 90s ( ) , ; 50 songs explicit “love” in title liked "
    "before 2020 last year rediscover shuffled daily per artist longer than 6 minutes sad"
)


@given(st.lists(st.sampled_from(_VOCABULARY.split()), max_size=14).map(" ".join))
def test_any_order_of_known_words_gives_a_rule(text: str) -> None:
    from_text = read(text)

    assert parse(sentence(from_text.rule), today=TODAY).rule == from_text.rule


@pytest.mark.parametrize(
    "part", ["by a ", "by ", "a ", "jazz, ", "no jazz or ", "title contains ", "(", "“", "1 "]
)
def test_a_long_sentence_is_read_step_by_step(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The work grows with the length, not with its square: counted in looks at phrases."""
    looks = 0

    def counting(text: str, at: int) -> bool:
        nonlocal looks
        looks += 1
        return begins(text, at)

    begins = parser._begins
    monkeypatch.setattr(parser, "_begins", counting)
    sentence_ = ("by " + part * 2000)[:2000]

    read(sentence_)

    assert looks < 2000 * 205
    assert begins.cache_info().currsize <= 10_000
