"""Folding of text for comparing and searching."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncify.text import folded


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sigur Rós", "sigur ros"),
        ("BEYONCÉ", "beyonce"),
        ("Mø", "mo"),
        ("Straße", "strasse"),
        ("İstanbul", "istanbul"),
        ("Don’t", "don't"),
        ("ﬁre", "fire"),
        ("が", "が"),
        ("Ёлка", "елка"),
        ("हिन्दी", "हिन्दी"),
        ("한국", "한국"),
        ("Godspeed You! Black Emperor", "godspeed you! black emperor"),
        ("", ""),
    ],
)
def test_case_and_accents_are_folded(text: str, expected: str) -> None:
    assert folded(text) == expected


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert folded(folded(text)) == folded(text)


@given(st.text(alphabet="aàáâbcçdeéêëiïnñoöôuü", max_size=20))
def test_case_does_not_matter(text: str) -> None:
    assert folded(text.upper()) == folded(text)
