"""Event streams, which keep open pages live: one LISTEN connection, fanned out to all of them.

Everything here but what runs in ``Threads`` belongs to the event loop of one web process. Nothing
waits for a browser: a stream that is told of ten changes while it sends has one more thing to send,
the listener's card as it is then.
"""

import asyncio
import logging
import random
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import tzinfo
from functools import partial
from importlib import import_module
from threading import Lock
from typing import Any, Final, Literal
from weakref import WeakValueDictionary

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.db import Error, connections
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from psycopg import AsyncConnection, AsyncCursor

from accounts.middleware import get_user
from accounts.models import User
from sync.models import Mirror
from sync.pages.card import card_for
from sync.pages.others import others_of
from sync.queue.store import CHANGES
from sync.queue.wake import FIRST_PAUSE, listen_parameters

logger = logging.getLogger(__name__)

#: The maximum of streams of one process, and of one listener.
MOST_STREAMS, MOST_EACH = 600, 6
#: The maximum of cards of one stream.
MOST_CARDS = 8
#: The most seconds between two checks of the session; each sends a sign of life.
BEAT = 15.0
#: Seconds after which a card is drawn again without a change, because it shows times.
FRESH = 60.0
#: Seconds between two drawings of a listener's card.
PAUSE = 0.25
#: Seconds before the next try after the database did not respond.
RETRY = 1.0
#: Seconds without a notification before the LISTEN connection is tested, and its timeout.
SILENCE, ANSWER = 10.0, 5.0
#: The most seconds between tries to reopen a lost LISTEN connection.
LONGEST_PAUSE = 2.0
#: Seconds before a browser reconnects.
COMES_BACK = 3.0

#: The event without content, and the last event.
NOTHING = ": still here\n\n"
GONE = "event: gone\ndata:\n\n"

# Replaced in each stream by the CSRF token of its browser.
_TOKEN = "csrf-token-of-the-stream"  # noqa: S105 - it is none


class Threads:
    """Threads for what waits for the database, few, so that most of its connections are for pages.

    A thread keeps its connection while calls are waiting, and gives it back after the last: to
    take one costs as much as to draw a card.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._busy = 0
        self._pool = ThreadPoolExecutor(most, thread_name_prefix="events")
        self._calls: deque[tuple[asyncio.Future[Any], Callable[[], Any]]] = deque()
        self._lock = Lock()

    async def call[T, *Args](self, function: Callable[[*Args], T], *args: *Args) -> T:
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        with self._lock:
            self._calls.append((answer, partial(function, *args)))
            is_more = self._busy < self._most
            self._busy += is_more
        if is_more:
            self._pool.submit(self._make_calls)
        return await answer

    def _make_calls(self) -> None:
        try:
            while waiting := self._next():
                answer, call = waiting
                if answer.cancelled():
                    continue
                try:
                    result = call()
                except Exception as error:  # noqa: BLE001 - for the one who waits for the answer
                    connections.close_all()
                    _settle(answer, None, error)
                else:
                    _settle(answer, result, None)
        finally:
            connections.close_all()

    def _next(self) -> tuple[asyncio.Future[Any], Callable[[], Any]] | None:
        """The call that waits longest; without one, this thread counts as idle."""
        with self._lock:
            if self._calls:
                return self._calls.popleft()
            self._busy -= 1
            return None


def _settle(answer: asyncio.Future[Any], result: object, error: Exception | None) -> None:
    """Give ``answer`` its result, in its loop."""

    def settle() -> None:
        if answer.done():  # nobody waits any more
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)

    with suppress(RuntimeError):  # the loop is closed
        answer.get_loop().call_soon_threadsafe(settle)


_in_thread = Threads(2).call


#: In the place of a mirror: the rows of all others but the main one.
OTHERS: Final = "others"
#: A mirror; None: the main one.
type Part = int | Literal["others"] | None
#: A listener, a part of their page, and a time zone.
type _Shown = tuple[int, Part, tzinfo]


class Stream:
    """One open page: yields the events of its browser while it is signed in.

    It shows the cards of ``mirrors``.
    """

    def __init__(
        self,
        *,
        user_id: int,
        session_key: str,
        zone: tzinfo,
        csrf_token: str,
        mirrors: Sequence[Part] = (None,),
    ) -> None:
        self.user_id = user_id
        self._mirrors = mirrors
        self._session_key = session_key
        self._zone = zone
        self._csrf_token = csrf_token
        #: Of each card that the browser shows, a hash of its HTML.
        self._shown: dict[DrawnCard, int] = {}
        self._fresh_until = self._signed_in_until = 0.0
        self._woken = asyncio.Event()
        self._woken.set()

    def wake(self, *, is_progress: bool = False) -> None:
        """Draw the cards again; check the session first, unless a sync is running."""
        if not is_progress:
            self._signed_in_until = 0.0
        self._woken.set()

    async def messages(self) -> AsyncIterator[str]:
        # Earlier queries ran in the request's thread, which would keep its connection while the
        # page is open.
        await sync_to_async(connections.close_all)()
        # Before the first card, so that no change is missed between the two.
        if not hub.add(self):
            return
        cards = [hub.card(self.user_id, mirror, self._zone) for mirror in self._mirrors]
        try:
            yield f"retry: {_spread(COMES_BACK) * 1000:.0f}\n\n"
            while not hub.is_closed:
                try:
                    message = await self._next(cards)
                except (Error, ObjectDoesNotExist) as error:  # no database, or no such listener
                    logger.warning("stream interrupted user=%s error=%s", self.user_id, error)
                    self.wake()
                    await asyncio.sleep(RETRY)
                    continue
                yield message
                if message is GONE:
                    return
                with suppress(TimeoutError):
                    async with asyncio.timeout(_spread(BEAT)):
                        await self._woken.wait()
        finally:
            hub.remove(self)

    async def _next(self, cards: "Sequence[DrawnCard]") -> str:
        now = asyncio.get_running_loop().time()
        # Every end of a session is notified, except its expiry.
        if now >= self._signed_in_until or not self._woken.is_set():
            self._signed_in_until = now + BEAT
            if await listener_of(self._session_key) != self.user_id:
                return GONE
        if now < self._fresh_until and not self._woken.is_set():
            return NOTHING
        self._woken.clear()
        drawn = await asyncio.gather(*(card.drawn() for card in cards))
        self._fresh_until = now + _spread(FRESH)
        # A card is several kB for each open page: only those that changed are sent.
        changed = {
            card: html
            for card, html in zip(cards, drawn, strict=True)
            if html and self._shown.get(card) != hash(html)
        }
        self._shown.update({card: hash(html) for card, html in changed.items()})
        return (
            "".join(
                event("card", html.replace(_TOKEN, self._csrf_token)) for html in changed.values()
            )
            or NOTHING
        )


class DrawnCard:
    """A mirror's card, drawn once for all streams that show it in the same time zone."""

    def __init__(self, user_id: int, mirror: Part, zone: tzinfo) -> None:
        self._user_id = user_id
        self._mirror = mirror
        self._zone = zone
        self._drawn_at = float("-inf")
        self._next: asyncio.Task[str] | None = None

    async def drawn(self) -> str:
        """The card in its state of now or later, after PAUSE at most."""
        if self._next is None:
            self._next = asyncio.create_task(self._draw())
        return await asyncio.shield(self._next)  # a reader that leaves must not cancel the others

    async def _draw(self) -> str:
        now = asyncio.get_running_loop().time
        await asyncio.sleep(self._drawn_at + PAUSE - now())
        # Later readers may know of a change that this drawing does not include.
        self._next, self._drawn_at = None, now()
        return await _in_thread(_html_of, self._user_id, self._mirror, self._zone)


class Hub:
    """The open streams of this process, and the LISTEN connection that wakes them."""

    def __init__(self) -> None:
        self.is_closed = False
        self._streams: dict[int, set[Stream]] = {}
        self._cards: WeakValueDictionary[_Shown, DrawnCard] = WeakValueDictionary()
        self._listening: asyncio.Task[None] | None = None

    @property
    def is_full(self) -> bool:
        return self.is_closed or sum(map(len, self._streams.values())) >= MOST_STREAMS

    def is_full_for(self, user_id: int) -> bool:
        return len(self._streams.get(user_id, ())) >= MOST_EACH

    def card(self, user_id: int, mirror: Part, zone: tzinfo) -> DrawnCard:
        key = (user_id, mirror, zone)
        return self._cards.setdefault(key, DrawnCard(*key))

    def add(self, stream: Stream) -> bool:
        """False if there is no room; the check and the entry are one step."""
        if self.is_full or self.is_full_for(stream.user_id):
            return False
        self._streams.setdefault(stream.user_id, set()).add(stream)
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen())
        return True

    def remove(self, stream: Stream) -> None:
        streams = self._streams[stream.user_id]
        streams.remove(stream)
        if not streams:
            del self._streams[stream.user_id]

    def close(self) -> None:
        """End all streams because the process ends."""
        self.is_closed = True
        self._wake_all()
        if self._listening:
            self._listening.cancel()

    def _wake_all(self) -> None:
        for user_id in self._streams:
            self._wake(user_id)

    def _wake(self, user_id: int, *, is_progress: bool = False) -> None:
        for stream in self._streams.get(user_id, ()):
            stream.wake(is_progress=is_progress)

    async def _listen(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                # In a thread, because an embedded PostgreSQL may need to start first.
                parameters = await asyncio.to_thread(listen_parameters)
                parameters |= {"autocommit": True, "cursor_factory": AsyncCursor}
                async with await AsyncConnection.connect(**parameters) as listening:
                    await listening.execute(f"LISTEN {CHANGES}")
                    logger.info("listening channel=%s", CHANGES)
                    pause = FIRST_PAUSE
                    self._wake_all()  # some changes may have been missed
                    await self._hear(listening)
            except Exception as error:  # noqa: BLE001 - without it pages would stand still unnoticed
                logger.warning("listening lost pause=%.1fs error=%r", pause, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    async def _hear(self, listening: AsyncConnection) -> None:
        while True:
            async for notice in listening.notifies(timeout=SILENCE):
                user_id, *request = notice.payload.split()
                self._wake(int(user_id), is_progress=bool(request))
            async with asyncio.timeout(ANSWER):
                await listening.execute("SELECT 1")


hub = Hub()


def event(name: str, data: str) -> str:
    """A server-sent event; browsers join the lines of ``data`` again."""
    lines = re.sub(r"\r\n|\r|\n", "\ndata: ", data)
    return f"event: {name}\ndata: {lines}\n\n"


def _spread(seconds: float) -> float:
    """A random reduction, so that streams spread over time."""
    return seconds * random.uniform(0.7, 1)  # noqa: S311 - guards nothing


async def listener_of(session_key: str) -> int | None:
    """The user of this session, if it is still valid."""
    return await _in_thread(_listener_of, session_key)


def _listener_of(session_key: str) -> int | None:
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    return get_user(request).pk


def mirrors_of(names: Sequence[str]) -> list[Part]:
    """The mirrors whose cards a page shows, by its query; the main one, if it names none."""
    wanted: list[Part] = []
    for name in names[:MOST_CARDS]:
        if name == OTHERS:
            wanted.append(OTHERS)
        elif name.isascii() and name.isdigit() and len(name) < 19:
            wanted.append(int(name))
    return [*dict.fromkeys(wanted)] or [None]


def _html_of(user_id: int, mirror: Part, zone: tzinfo) -> str:
    with timezone.override(zone):
        if mirror == OTHERS:
            others = others_of(User(pk=user_id))
            return render_to_string("sync/others.html", {"others": others}).strip()
        try:
            card = card_for(User(pk=user_id), now=timezone.now(), mirror=mirror)
        except Mirror.DoesNotExist:
            if mirror is None:
                raise
            return ""  # deleted, or not the listener's: the other cards continue
        context = {"card": card, "csrf_token": _TOKEN}
        return render_to_string("sync/card.html", context).strip()
