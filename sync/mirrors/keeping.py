"""Makes, changes, copies, freezes and deletes a listener's further playlists."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models.functions import Now

from sync.mirrors.rule_json import to_json
from sync.mirrors.rules import Rule, RuleTest
from sync.mirrors.services import request_sync
from sync.mirrors.shared import is_shared
from sync.mirrors.tracks import is_track, liked_now, track_id, track_uri
from sync.models import Mirror, MirrorTrack, Playlist, SyncRequest
from sync.queue.changes import tell_pages
from sync.queue.locks import lock_listener

if TYPE_CHECKING:
    from accounts.models import User

#: Playlists of one listener, the main one included: one response of Spotify lists as many.
MOST_MIRRORS = 50
#: Selects nothing: a fixed list contains the songs that are marked as kept.
FIXED = to_json(
    Rule(tests=(RuleTest("year", "at_most", 1000), RuleTest("plays", "at_least", 10**6)))
)


class TooManyMirrors(Exception):
    """The listener has MOST_MIRRORS playlists."""


class NameTaken(Exception):
    """Another playlist of the listener has this name."""


@dataclass(frozen=True, slots=True)
class Details:
    """The settings of a playlist besides its rule."""

    name: str
    description: str = ""
    public: bool = False
    keep_same: str = Mirror.KeepSame.ALL
    keep_twin: str = Mirror.KeepTwin.BOTH
    takes_from_main: bool = False
    keeps_additions: bool = False


#: Changes of the former are details for Spotify; changes of the latter need a new selection.
_AT_SPOTIFY = {"name", "description", "public"}
_OF_SONGS = {"keep_same", "keep_twin"}


def create_mirror(*, user: User, details: Details, rule: Rule) -> Mirror:
    """Add a playlist, and queue the sync that makes it at Spotify.

    Raises TooManyMirrors or NameTaken.
    """
    with transaction.atomic():
        lock_listener(user.pk)
        _check_room(user)
        _check_name(user, details.name)
        mirror = Mirror.objects.create(
            user=user, is_main=False, rule=to_json(rule), **asdict(details)
        )
        request_sync(user=user)
    return mirror


def change_mirror(*, mirror: Mirror, details: Details, rule: Rule | None) -> None:
    """Store changed settings, and queue a sync that applies them.

    ``rule`` is None for the main mirror, and for a fixed list that stays one. Raises NameTaken.
    """
    with transaction.atomic():
        lock_listener(mirror.user_id)
        stored = Mirror.objects.select_for_update(no_key=True).get(pk=mirror.pk)
        changes: dict[str, Any] = {
            name: value for name, value in asdict(details).items() if getattr(stored, name) != value
        }
        if "name" in changes:
            _check_name(mirror.user, details.name, besides=mirror)
        if changes.keys() & _AT_SPOTIFY:
            changes["details_changed_at"] = Now()
        if changes.keys() & _OF_SONGS:
            changes["refreshed_at"] = None
        if rule is not None and not stored.is_main and to_json(rule) != stored.rule:
            changes |= {"rule": to_json(rule), "broken": "", "refreshed_at": None, "rotation": None}
            if is_fixed(stored):
                _drop_kept(stored)
        if changes:
            Mirror.objects.filter(pk=mirror.pk).update(**changes)
            tell_pages(user_id=mirror.user_id)
            if stored.state == Mirror.State.ACTIVE:
                request_sync(user=mirror.user)


def duplicate_mirror(mirror: Mirror) -> Mirror:
    """Add a playlist with the same rule. Raises TooManyMirrors.

    A copy of the main mirror follows a rule that takes every like; one of a fixed list is a fixed
    list of the same songs.
    """
    with transaction.atomic():
        lock_listener(mirror.user_id)
        _check_room(mirror.user)
        copied = ("description", "public", "refresh", "keep_same", "keep_twin", "keeps_additions")
        copy = Mirror.objects.create(
            user=mirror.user,
            is_main=False,
            name=free_name(mirror.user, f"{mirror.name[:90]} (copy)"),
            rule=to_json(Rule()) if mirror.is_main else mirror.rule,
            **{name: getattr(mirror, name) for name in copied},
        )
        kept = MirrorTrack.objects.filter(mirror=mirror).exclude(choice="").order_by("id")
        MirrorTrack.objects.bulk_create(
            MirrorTrack(mirror=copy, track_id=track, choice=choice)
            for track, choice in kept.values_list("track", "choice")
        )
        request_sync(user=mirror.user)
    return copy


def freeze_mirror(mirror: Mirror) -> int:
    """Freeze a playlist: it keeps its songs in their order.

    Returns how many those are. Songs that somebody added and that are in it stay as well. Of a
    playlist with songs of other listeners, only those stay that the listener likes too.
    """
    with transaction.atomic():
        lock_listener(mirror.user_id)
        stored = Mirror.objects.select_for_update(no_key=True).get(pk=mirror.pk, is_main=False)
        held = [
            track_id(uri)
            for uris in Playlist.objects.filter(mirror=mirror).values_list("items__uris", flat=True)
            for uri in uris or ()
            if uri and is_track(uri)
        ]
        if is_shared(stored):
            liked = liked_now(mirror.user_id, [track_uri(track) for track in held])
            held = [track for track in held if track_uri(track) in liked]
        facts = {fact.track_id: fact for fact in MirrorTrack.objects.filter(mirror=mirror)}
        MirrorTrack.objects.filter(mirror=mirror, track__in=held).delete()
        # In the order of the list: that of the rows is the order of kept songs.
        MirrorTrack.objects.bulk_create(
            _kept(stored, facts.get(track), track) for track in dict.fromkeys(held)
        )
        Mirror.objects.filter(pk=mirror.pk).update(
            rule=FIXED, broken="", refreshed_at=None, rotation=None
        )
        tell_pages(user_id=mirror.user_id)
    return len(set(held))


def is_fixed(mirror: Mirror) -> bool:
    return bool(mirror.rule == FIXED)


def delete_mirror(mirror: Mirror) -> list[str]:
    """Delete a mirror; returns the ids of its playlists at Spotify, which stay there.

    A sync that is working on it leaves it alone from then on. Songs that it had taken from the main
    playlist return there with the sync that is queued here.
    """
    with transaction.atomic():
        lock_listener(mirror.user_id)
        playlists = Playlist.objects.filter(mirror=mirror).exclude(spotify_id=None)
        ids = [str(spotify_id) for spotify_id in playlists.values_list("spotify_id", flat=True)]
        stored = Mirror.objects.select_for_update().get(pk=mirror.pk, is_main=False)
        stored.delete()
        tell_pages(user_id=mirror.user_id)
        if stored.takes_from_main:
            request_sync(user=mirror.user, trigger=SyncRequest.Trigger.SCHEDULED)
    return ids


def free_name(user: User, name: str) -> str:
    """``name``, with a number if another playlist of the listener has it."""
    taken = _names(user)
    for number in range(2, MOST_MIRRORS + 2):
        if name.casefold() not in taken:
            return name
        name = f"{name.removesuffix(f' {number - 1}')[:95]} {number}"
    return name


def _names(user: User, besides: Mirror | None = None) -> set[str]:
    mirrors = Mirror.objects.filter(user=user)
    if besides is not None:
        mirrors = mirrors.exclude(pk=besides.pk)
    return {name.casefold() for name in mirrors.values_list("name", flat=True)}


def _check_name(user: User, name: str, besides: Mirror | None = None) -> None:
    if name.casefold() in _names(user, besides):
        raise NameTaken(name)


def _check_room(user: User) -> None:
    if Mirror.objects.filter(user=user).count() >= MOST_MIRRORS:
        raise TooManyMirrors


def _kept(mirror: Mirror, fact: MirrorTrack | None, track: str) -> MirrorTrack:
    fact = fact or MirrorTrack(track_id=track, times_missing=0, refused_reason="", shown_as="")
    fact.pk, fact.mirror, fact.choice = None, mirror, MirrorTrack.Choice.KEPT
    return fact


def _drop_kept(mirror: Mirror) -> None:
    MirrorTrack.objects.filter(mirror=mirror, choice=MirrorTrack.Choice.KEPT).update(choice="")
