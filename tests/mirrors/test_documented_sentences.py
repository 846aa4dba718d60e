"""The sentences of ``docs/playlists.md``: each is understood as a whole."""

from datetime import date
from pathlib import Path

import pytest

from sync.mirrors.parser import parse

_TEXT = (Path(__file__).parents[2] / "docs" / "playlists.md").read_text(encoding="utf-8")
_TABLE = _TEXT.partition("| Sentence | Rule |")[2].partition("\n\n")[0]
SENTENCES = [line.split("|")[1].strip() for line in _TABLE.splitlines()[2:]]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_documented_sentence_is_understood(sentence: str) -> None:
    parsed = parse(sentence, today=date(2026, 11, 27), playlists={7: "Running"})

    assert parsed.not_understood == ()
    assert parsed.rule.tests


def test_the_document_has_sentences() -> None:
    assert len(SENTENCES) >= 5
