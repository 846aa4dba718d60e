"""Random rules, as JSON that ``from_json`` accepts."""

from datetime import date
from typing import Any

from hypothesis import strategies as st

from sync.mirrors.rules import (
    KINDS,
    OFS,
    OFS_OF_HOUSEHOLD,
    OPERATORS,
    RANGES,
    REFRESHES,
    SORTS,
    SPAN_MAX,
    tidy,
)
from syncify.text import folded

#: Words that mean something in a sentence, to be quoted and read back as a name.
_TRICKY = ("by", "or", "and", "not jazz", "a, b", "(x", 'say "hi"', "“”", "50 songs", "Ólafur", "1")


def _is_text(text: str) -> bool:
    try:
        tidy(text).encode()
    except UnicodeEncodeError:
        return False
    return bool(folded(tidy(text)).strip())


texts = st.one_of(
    st.sampled_from(_TRICKY),
    st.text(min_size=1, max_size=12).filter(_is_text),
)
genres = st.one_of(st.sampled_from(("jazz", "Bebop", "drum & bass", "hip-hop", "house")), texts)
days = st.dates(min_value=date(1900, 1, 1), max_value=date(2200, 12, 31)).map(date.isoformat)


@st.composite
def spans(draw: st.DrawFn) -> dict[str, Any]:
    unit = draw(st.sampled_from(("days", "months", "years")))
    return {"n": draw(st.integers(1, SPAN_MAX[unit])), "unit": unit}


@st.composite
def rule_tests(draw: st.DrawFn, fields: tuple[str, ...] = tuple(KINDS)) -> dict[str, Any]:
    field = draw(st.sampled_from(fields))
    kind = KINDS[field]
    op = draw(st.sampled_from(OPERATORS[kind]))
    value: Any
    match kind:
        case "text":
            value = draw(texts)
        case "date":
            value = draw(spans() if op.endswith("in_last") else days)
        case "number":
            number = st.integers(*RANGES[field])
            ends = sorted((draw(number), draw(number)))
            value = ends if op == "between" else ends[0]
        case "flag":
            value = draw(st.booleans())
        case "names":
            value = draw(st.lists(genres, min_size=1, max_size=4))
        case _:
            value = draw(st.lists(st.integers(1, 10**6), min_size=1, max_size=4))
    return {"field": field, "op": op, "value": value}


@st.composite
def groups(draw: st.DrawFn) -> dict[str, Any]:
    match = draw(st.sampled_from(("all", "any")))
    return {"match": match, "tests": draw(st.lists(rule_tests(), min_size=1, max_size=4))}


sources = st.one_of(
    st.just("likes"),
    days.map(lambda day: {"likes_at": day}),
    st.builds(lambda pair, of: {"pair": pair, "of": of}, st.integers(1, 999), st.sampled_from(OFS)),
    st.builds(
        lambda household, of: {"household": household, "of": of},
        st.integers(1, 999),
        st.sampled_from(OFS_OF_HOUSEHOLD),
    ),
)


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    sort = draw(st.sampled_from(SORTS))
    limit = st.integers(1, 10_000)
    refreshes = REFRESHES[1:] if sort == "rediscover" else REFRESHES
    return {
        "source": draw(sources),
        "match": draw(st.sampled_from(("all", "any"))),
        "tests": draw(st.lists(st.one_of(rule_tests(), groups()), max_size=5)),
        "sort": sort,
        "limit": draw(limit if sort == "rediscover" else st.none() | limit),
        "per_artist": draw(st.none() | st.integers(1, 20)),
        "refresh": draw(st.sampled_from(refreshes)),
    }
