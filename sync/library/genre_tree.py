"""The tree of genres: bebop belongs to jazz."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from syncify.text import folded

_FILE = Path(__file__).with_name("genre_tree.txt")


@cache
def _tree() -> tuple[dict[str, frozenset[str]], dict[str, str]]:
    """The genres directly below each genre, and the usual name of each spelling."""
    below: dict[str, set[str]] = {}
    usual: dict[str, str] = {}
    path: list[str] = []
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        name, _, others = line.strip().partition(" = ")
        depth = (len(line) - len(line.lstrip())) // 2
        path[depth:] = [name]
        below.setdefault(name, set())
        if depth:
            below[path[depth - 1]].add(name)
        for spelling in (name, *filter(None, others.split(", "))):
            usual[spelling] = name
    return {name: frozenset(names) for name, names in below.items()}, usual


def genres() -> list[str]:
    """The usual names, in alphabetical order."""
    return sorted(_tree()[0])


def spellings() -> frozenset[str]:
    """All known names, usual or not."""
    return frozenset(_tree()[1])


def usual(name: str) -> str:
    """The usual name of a genre in any spelling; an unknown one is only folded."""
    plain = folded(name)
    return _tree()[1].get(plain, plain)


def with_below(names: Iterable[str]) -> frozenset[str]:
    """``names`` and every genre below one of them, in all their spellings."""
    below, spelling = _tree()
    found: set[str] = set()
    waiting = [usual(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += below.get(name, ())
    return frozenset(found | {other for other, name in spelling.items() if name in found})


def is_below(name: str, genre: str) -> bool:
    """Whether ``name`` is ``genre`` or belongs to it."""
    return usual(name) in with_below([genre])
