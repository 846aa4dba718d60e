"""Plans the edits that give playlists the wanted songs, and keep the dates of staying songs.

A volume is a playlist: a library that outgrows one goes on in the next. A song inserted gets a new
"date added", a song moved keeps its own, so songs that stay are never removed; only where this
would cost many more requests is a playlist written anew. Songs are uris; each edit is one request.

A row that cannot be addressed (an empty one, a local file, one that Spotify does not remove) holds
its position, and stays behind the song it stands behind.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import batched, groupby
from typing import Literal

PLAYLIST_CAPACITY = 10_000
WRITE_LIMIT = 100  # songs a request
HAND_DOWN = 500  # songs a full volume hands to the next at once
DATES_ARE_WORTH = 20  # requests that edits may cost over a rewrite


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove every occurrence of these songs, at most 100."""

    uris: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """Move ``length`` songs from ``start`` on to before the song at ``before``.

    Both positions count in the list before the move; ``before`` equal to its length is the end.
    """

    start: int
    length: int
    before: int


@dataclass(frozen=True, slots=True)
class Insert:
    """Put these songs, at most 100, before the song at ``position``."""

    position: int
    uris: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Replace:
    """Replace all items by these songs, at most 100."""

    uris: tuple[str, ...]


Edit = Remove | Move | Insert | Replace


@dataclass(frozen=True, slots=True)
class Plan:
    """The edits of one playlist, in order. A ``rewrite`` gives every song a new date."""

    edits: tuple[Edit, ...]
    kind: Literal["nothing", "edits", "fill", "rewrite"]


@dataclass(frozen=True, slots=True)
class VolumeEdit:
    """An edit of one volume, counted from 0."""

    volume: int
    edit: Edit


@dataclass(frozen=True, slots=True)
class MirrorPlan:
    """The steps over all volumes, in the order to send.

    ``contents`` is what each volume holds afterwards, possibly more volumes than there are now,
    without rows that cannot be addressed. ``added`` and ``removed`` are seen over the whole mirror:
    a song that crosses volumes is neither.
    """

    steps: tuple[VolumeEdit, ...]
    contents: tuple[tuple[str, ...], ...]
    rewritten: frozenset[int]
    added: tuple[str, ...]
    removed: tuple[str, ...]


def apply(edit: Edit, items: Sequence[str | None]) -> list[str | None]:
    """The items of a playlist after the edit."""
    match edit:
        case Remove(uris):
            gone = set(uris)
            return [item for item in items if item not in gone]
        case Move(start, length, before):
            moved, rest = items[start : start + length], [*items[:start], *items[start + length :]]
            position = before if before <= start else before - length
            return [*rest[:position], *moved, *rest[position:]]
        case Insert(position, uris):
            return [*items[:position], *uris, *items[position:]]
        case Replace(uris):
            return list(uris)


def is_addressable(uri: str | None) -> bool:
    """Whether a row has a uri that Spotify accepts: no empty row, no local file."""
    return uri is not None and not uri.startswith("spotify:local:")


def plan_playlist(
    wanted: Sequence[str],
    present: Sequence[str],
    *,
    anew: bool = False,
    dates_are_worth: int = DATES_ARE_WORTH,
) -> Plan:
    """Plan the edits that turn ``present`` into ``wanted``, which names no song twice.

    No state in between is empty, unless ``wanted`` is, or longer than the longer of the two. A
    rewrite, which ``anew`` demands, leaves out the marks of rows that cannot be addressed.
    """
    if list(wanted) == list(present) and not anew:
        return Plan((), "nothing")
    fill = _inserts([uri for uri in wanted if not _is_mark(uri)], staying=())
    if not present:
        return Plan(tuple(fill), "fill")
    most = max(1, len(fill)) + dates_are_worth
    edits = None if anew else _differences(wanted, present, most=most)
    if edits is not None:
        return Plan(tuple(edits), "edits")
    oldest = fill[0].uris if fill else ()
    return Plan((Replace(oldest), *fill[1:]), "rewrite")


def plan_mirror(
    wanted: Sequence[str],
    present: Sequence[Sequence[str | None]],
    *,
    stuck: Collection[str] = frozenset(),
    anew: bool = False,
    dates_are_worth: int = DATES_ARE_WORTH,
    capacity: int = PLAYLIST_CAPACITY,
    hand_down: int = HAND_DOWN,
) -> MirrorPlan:
    """Plan the steps that let the volumes, read one after the other, hold ``wanted``.

    ``present`` has the items of each volume there is; ``hand_down`` is less than ``capacity``.
    ``stuck`` songs cannot be removed. With ``anew``, volumes with rows that cannot be addressed
    are written anew, which removes those. ``dates_are_worth`` so many requests over a rewrite.

    The last volume comes first, so that a song on its way down stands below before it leaves
    above. A song on its way up stays below until all else is done, as long as there is room for
    it. So no song is away in between, except where its volume is written anew, holds it twice or
    has no room for it. No volume is ever beyond its capacity, and none runs empty in between.
    """
    marked = _marked(present, stuck, set(wanted))
    marks = [[uri for uri in items if _is_mark(uri)] for items in marked]
    rooms = [capacity - (0 if anew else len(held)) for held in marks]
    contents = _share_out(wanted, marked, rooms, capacity, hand_down)
    volume_of = {uri: volume for volume, uris in enumerate(contents) for uri in uris}
    steps: list[VolumeEdit] = []
    farewells: list[VolumeEdit] = []
    rewritten: set[int] = set()
    for volume in reversed(range(len(contents))):
        items = marked[volume] if volume < len(marked) else []
        room = rooms[volume] if volume < len(rooms) else capacity
        rising = [
            uri
            for uri, count in Counter(items).items()
            if count == 1 and volume_of.get(uri, volume) < volume
        ][: max(0, room - len(contents[volume]))]
        extra = {*rising, *(marks[volume] if volume < len(marks) else ())}
        is_anew = anew and volume < len(marks) and bool(marks[volume])
        plan = plan_playlist(
            _weave(contents[volume], items, extra),
            items,
            anew=is_anew,
            dates_are_worth=dates_are_worth,
        )
        steps += [VolumeEdit(volume, edit) for edit in plan.edits]
        farewells += [VolumeEdit(volume, Remove(uris)) for uris in batched(rising, WRITE_LIMIT)]
        if plan.kind == "rewrite":
            rewritten.add(volume)
    held = dict.fromkeys(uri for items in marked for uri in items if not _is_mark(uri))
    return MirrorPlan(
        steps=(*steps, *farewells),
        contents=contents,
        rewritten=frozenset(rewritten),
        added=tuple(uri for uri in wanted if uri not in held),
        removed=tuple(uri for uri in held if uri not in volume_of),
    )


def _marked(
    present: Sequence[Sequence[str | None]], stuck: Collection[str], wanted: Collection[str]
) -> list[list[str]]:
    """The items, with a mark of its own for each that cannot be addressed.

    Of a song that is stuck and wanted, the first copy counts.
    """
    copies = Counter[str]()
    volumes = []
    for items in present:
        marked = []
        for at, uri in enumerate(items):
            if uri is not None and uri in stuck:
                copies[uri] += 1
            is_left = uri is None or not is_addressable(uri) or copies[uri] > (uri in wanted)
            marked.append(f"{_MARK}{at}" if uri is None or is_left else uri)
        volumes.append(marked)
    return volumes


#: No uri begins like this.
_MARK = "\0"


def _is_mark(uri: str) -> bool:
    return uri.startswith(_MARK)


def _differences(wanted: Sequence[str], present: Sequence[str], *, most: int) -> list[Edit] | None:
    """Remove, move, insert, in this order; None when ``most`` requests or edits cannot do it.

    A repeated song can only be removed completely: it is added again.
    """
    counts = Counter(present)
    rank = {uri: place for place, uri in enumerate(wanted)}
    kept = [uri for uri in present if uri in rank and counts[uri] == 1]
    if not kept:
        return None
    staying = set(kept)
    leaving = [uri for uri in counts if uri not in staying]
    removes = [Remove(uris) for uris in batched(leaving, WRITE_LIMIT)]
    inserts = _inserts(wanted, staying)

    place_of = {uri: place for place, uri in enumerate(sorted(kept, key=rank.__getitem__))}
    places = [place_of[uri] for uri in kept]
    blocks = _blocks(places)
    fixed = _longest_increasing(places)
    strays = {block for block in blocks if block.start not in fixed}
    if len(removes) + len(strays) + len(inserts) > most:
        return None
    return [*removes, *_moves(blocks, strays), *inserts]


def _inserts(wanted: Sequence[str], staying: Collection[str]) -> list[Insert]:
    """The inserts that complete the staying songs, which stand in the order wanted.

    The lowest goes in first: then positions count nothing but staying songs, and sorting the
    playlist by date agrees with its order.
    """
    inserts: list[Insert] = []
    above = len(staying)
    for stays, run in groupby(reversed(wanted), key=staying.__contains__):
        uris = list(run)
        if stays:
            above -= len(uris)
        else:
            inserts += [Insert(above, chunk[::-1]) for chunk in batched(uris, WRITE_LIMIT)]
    return inserts


def _blocks(places: Sequence[int]) -> list[range]:
    """Cut a permutation into runs of places that stand together and belong together."""
    blocks: list[range] = []
    start = 0
    for end in range(1, len(places) + 1):
        if end == len(places) or places[end] != places[end - 1] + 1:
            blocks.append(range(places[start], places[end - 1] + 1))
            start = end
    return blocks


def _longest_increasing(places: Sequence[int]) -> set[int]:
    """The members of a longest increasing subsequence, by patience sorting."""
    tails: list[int] = []  # the lowest end of an increasing subsequence of each length
    before: dict[int, int | None] = {}
    for place in places:
        length = bisect_left(tails, place)
        before[place] = tails[length - 1] if length else None
        tails[length : length + 1] = [place]
    members = set()
    place_or_none = tails[-1] if tails else None
    while place_or_none is not None:
        members.add(place_or_none)
        place_or_none = before[place_or_none]
    return members


def _moves(blocks: Sequence[range], strays: Collection[range]) -> Iterator[Move]:
    """Bring every stray block before the one that follows it in the order wanted.

    The last comes first, so the block that follows is already where it belongs.
    """
    order = list(blocks)
    following: range | None = None
    for block in sorted(blocks, key=lambda block: block.start, reverse=True):
        if block in strays:
            source = order.index(block)
            target = len(order) if following is None else order.index(following)
            yield Move(
                start=sum(map(len, order[:source])),
                length=len(block),
                before=sum(map(len, order[:target])),
            )
            order.insert(target, block)
            del order[source if source < target else source + 1]
        following = block


def _share_out(
    wanted: Sequence[str],
    present: Sequence[Sequence[str]],
    rooms: Sequence[int],
    capacity: int,
    hand_down: int,
) -> tuple[tuple[str, ...], ...]:
    """Cut ``wanted`` into what each volume holds; a mirror has one volume at least.

    A volume ends where it ended, new songs between two volumes going to the upper one. What would
    pass its room goes down in portions of ``hand_down``. Songs come up only when all that is left
    fits into one volume with room for another portion, or it would be empty above others.
    """
    home = {uri: volume for volume, uris in enumerate(present) for uri in uris}
    homes = [home.get(uri) for uri in wanted]
    contents: list[tuple[str, ...]] = []
    start = 0
    while start < len(wanted) or len(contents) < max(1, len(present)):
        end, volume = len(wanted), len(contents)
        room = rooms[volume] if volume < len(rooms) else capacity
        if end - start > room - hand_down:
            end = _seam(homes, start, volume=volume)
            portions = -(-(end - start - room) // hand_down)
            # A volume with any room takes a song: the next plan would move one up into it.
            least = start + (1 if room > 0 else 0)
            end = max(least, end - max(0, portions) * hand_down)
        contents.append(tuple(wanted[start:end]))
        start = end
    return tuple(contents)


def _seam(homes: Sequence[int | None], start: int, *, volume: int) -> int:
    """Where ``volume`` ends with the fewest songs crossing over, as late as can be."""
    end, balance, best = start, 0, -len(homes)
    for position in range(start, len(homes)):
        home = homes[position]
        if home is not None:
            balance += 1 if home <= volume else -1
        if balance >= best:
            end, best = position + 1, balance
    return end


def _weave(wanted: Sequence[str], present: Sequence[str], extra: Collection[str]) -> Sequence[str]:
    """``wanted`` and the extra songs, each behind the wanted song it stands behind at present."""
    anchors = set(wanted)
    behind: defaultdict[str | None, list[str]] = defaultdict(list)
    anchor: str | None = None
    for uri in present:
        if uri in extra:
            behind[anchor].append(uri)
        elif uri in anchors:
            anchor = uri
    return [*behind[None], *(song for uri in wanted for song in (uri, *behind[uri]))]
