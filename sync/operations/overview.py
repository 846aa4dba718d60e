"""The data of the operator's page, read in few queries; nothing here writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.core.paginator import Page, Paginator
from django.db.models import (
    Case,
    CharField,
    Exists,
    OuterRef,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince

from accounts.access import may_use
from accounts.models import SpotifyConnection, User
from accounts.spotify_apps import App, all_apps
from sync.models import Incident, Mirror, Process, SyncRequest
from sync.operations.blocks import OPERATORS_CAUSES
from sync.pages.words import clock
from sync.queue.counts import open_requests
from sync.queue.processes import SCHEDULER, WORKER, alive
from sync.sharing.invitations import waiting_guests
from syncify.redirect import advice
from syncify.spotify.models import Silence
from syncify.spotify.quota import blocks, calls_by_hour
from syncify.text import counted

_LISTENERS_ON_PAGE, _ROWS = 50, 20
#: An hour counts for the budget until its end is a day ago.
_HOURS = 25


@dataclass(frozen=True, slots=True)
class Attempt:
    """A failed attempt: an entry of ``SyncRequest.errors``."""

    number: int
    when: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    request: SyncRequest
    when: str
    attempts: Sequence[Attempt]
    #: No later request exists, and a retry may succeed.
    may_retry: bool


@dataclass(frozen=True, slots=True)
class Thing:
    """A task of the operator: the problem, and where or how to solve it."""

    sentence: str
    action: str
    #: The page of the action; "" if it has none.
    url: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """One hour of the chart, in the chart's own units: ten wide with its gap, a hundred high."""

    x: int
    height: int
    hour: str
    calls: int

    @property
    def y(self) -> int:
        return 100 - self.height


@dataclass(frozen=True, slots=True)
class Quota:
    bars: Sequence[Bar]
    spent: int
    #: Calls a day; 0: no limit.
    budget: int
    #: Whose it is; "" for the developer account of the first app.
    developer: str = ""

    @property
    def most(self) -> int:
        """The calls at the top of the chart's axis."""
        return max(1, self.hourly_budget, *(bar.calls for bar in self.bars))

    @property
    def hourly_budget(self) -> int:
        """Calls an hour that would spend the budget in a day; 0 without a budget."""
        return -(-self.budget // 24)

    @property
    def budget_line(self) -> float:
        """Where the budget is on the chart, from its top."""
        return 100 - 100 * self.hourly_budget / self.most

    @property
    def in_words(self) -> str:
        """The chart as a sentence, for screen readers."""
        busiest = max(self.bars, key=lambda bar: bar.calls)
        if not busiest.calls:
            return "No calls in the last day."
        return (
            f"{self.spent:,} calls in the last day; the most, {busiest.calls:,}, in the hour "
            f"from {busiest.hour}."
        )


@dataclass(frozen=True, slots=True)
class Wait:
    """A block: with which app, or in which developer account, nobody calls Spotify."""

    block: Silence
    until: str
    #: “ of …”, within a sentence; "" for the first app and its developer account.
    of: str

    @property
    def is_quota(self) -> bool:
        return self.block.because == Silence.Because.QUOTA


@dataclass(frozen=True, slots=True)
class Queue:
    ready: int
    #: Queued for later: backoff, or a wait that Spotify asked for.
    waiting: int
    #: How long the oldest ready request has been waiting, in words.
    oldest_wait: str
    running_count: int
    running: Sequence[SyncRequest]
    dead_count: int


@dataclass(frozen=True, slots=True)
class Seen:
    process: Process
    when: str
    is_alive: bool


@dataclass(frozen=True, slots=True)
class Overview:
    now: datetime
    things: Sequence[Thing]
    listeners: Page[User]
    queue: Queue
    dead: Sequence[DeadLetter]
    #: The first developer account first.
    quotas: Sequence[Quota]
    waits: Sequence[Wait]
    processes: Sequence[Seen]
    #: The redirect URI to register with Spotify, as a sentence.
    redirect: str
    has_several_apps: bool

    @property
    def spent(self) -> int:
        return sum(quota.spent for quota in self.quotas)

    @property
    def budget(self) -> int:
        return sum(quota.budget for quota in self.quotas)


def overview(*, now: datetime, page: str | None) -> Overview:
    dead, apps = _dead_letters(now), all_apps()
    waits = _waits({app.credentials.key: app.label for app in apps}, now)
    incidents = list(Incident.objects.filter(closed__isnull=True).order_by("-opened")[:_ROWS])
    return Overview(
        now=now,
        things=_things(dead, waits, incidents),
        listeners=_page_of_listeners(page, apps),
        queue=_queue(now),
        dead=dead,
        quotas=[_quota(now, name) for name in dict.fromkeys(app.developer for app in apps)],
        waits=waits,
        processes=[
            Seen(process, clock(process.last_seen, now), process.alive_until > now)
            for process in Process.objects.order_by("-last_seen")[:_ROWS]
        ],
        redirect=advice(settings.BASE_URL),
        has_several_apps=len(apps) > 1,
    )


def _things(
    dead: Sequence[DeadLetter], waits: Sequence[Wait], incidents: Sequence[Incident]
) -> list[Thing]:
    """The operator's tasks, the most urgent first."""
    things = []
    for kind, command in ((WORKER, "runworker"), (SCHEDULER, "schedule_syncs --loop")):
        if not alive(kind).exists():
            how = f"Start one: python manage.py {command}"
            things.append(Thing(f"No {kind} is running.", how))
    for wait in waits:
        if not wait.is_quota:
            why = OPERATORS_CAUSES[Silence.Because(wait.block.because)].format(of=wait.of)
            things.append(
                Thing(
                    f"Calls to Spotify are blocked until {wait.until}: {why}",
                    "Run the checks",
                    reverse("operator_checks"),
                )
            )
    told = {"worker", *(wait.block.incident for wait in waits if not wait.is_quota)}
    told |= {f"block:{because}" for because in OPERATORS_CAUSES}
    things += [
        Thing(incident.message, f"since {clock(incident.opened, timezone.now())}")
        for incident in incidents
        if incident.key not in told and not incident.key.startswith("dead:")
    ]
    if guests := waiting_guests().count():
        things.append(
            Thing(
                f"To be added at Spotify: {counted(guests, 'guest')}.",
                "See their addresses",
                reverse("operator_invitations"),
            )
        )
    if waiting := [letter for letter in dead if letter.may_retry]:
        syncs = counted(len(waiting), "sync")
        things.append(Thing(f"Given up: {syncs}.", "Look and retry", "#dead"))
    return things


def _page_of_listeners(page: str | None, apps: Sequence[App]) -> Page[User]:
    keys = User.objects.order_by("pk").values_list("pk", flat=True)
    found = Paginator(keys, _LISTENERS_ON_PAGE).get_page(page)
    # Paged by key, since an OFFSET would compute all columns of the skipped rows.
    shown = list(_listeners(apps).filter(pk__in=list(found)))
    return Page(shown, found.number, found.paginator)  # type: ignore[arg-type]  # pages of keys


def _listeners(apps: Sequence[App]) -> QuerySet[User]:
    syncs = SyncRequest.objects.filter(user=OuterRef("pk"), kind=SyncRequest.Kind.SPOTIFY)
    requests = syncs.order_by("-id")
    done = requests.filter(state=SyncRequest.State.SUCCEEDED)
    return (
        User.objects.select_related("library", "connection")
        .defer("connection__refresh_token", "connection__access_token")
        .annotate(
            last_success=Subquery(done.values("completed")[:1]),
            app_label=_app_label(apps),
            song_count=Subquery(done.values("song_count")[:1]),
            latest_state=Subquery(requests.values("state")[:1]),
            mirror_state=Subquery(
                Mirror.objects.filter(user=OuterRef("pk"), is_main=True).values("state")
            ),
        )
        .order_by("pk")
    )


def _app_label(apps: Sequence[App]) -> Case | Value:
    """The app of a listener, as an expression; "" where there is only one."""
    if len(apps) < 2:
        return Value("")
    labels = {"": apps[0].label} | {app.client_id: app.label for app in apps}
    return Case(
        *(When(connection__client_id=key, then=Value(label)) for key, label in labels.items()),
        default=Value("no app any more"),
        output_field=CharField(),
    )


def _queue(now: datetime) -> Queue:
    state = SyncRequest.State
    counts = open_requests()
    running = SyncRequest.objects.filter(state=state.RUNNING).select_related("user")
    return Queue(
        ready=counts.ready,
        waiting=counts.waiting,
        oldest_wait=timesince(counts.oldest, now, depth=1) if counts.oldest else "–",
        running_count=counts.running,
        running=list(running.order_by("id")[:_ROWS]),
        dead_count=SyncRequest.objects.filter(state=state.DEAD).count(),
    )


def _dead_letters(now: datetime) -> list[DeadLetter]:
    later = SyncRequest.objects.filter(
        user=OuterRef("user"), kind=OuterRef("kind"), pk__gt=OuterRef("pk")
    )
    dead = (
        SyncRequest.objects.filter(state=SyncRequest.State.DEAD)
        .select_related("user__connection")
        .annotate(was_followed=Exists(later))
        .order_by("-completed")[:_ROWS]
    )
    needs_sign_in = SpotifyConnection.State.SIGN_IN_NEEDED
    return [
        DeadLetter(
            request=request,
            when=clock(request.completed or now, now),
            attempts=[
                Attempt(
                    number=error["attempt"],
                    when=clock(datetime.fromisoformat(error["at"]), now),
                    code=error["code"],
                    message=error["message"],
                )
                for error in request.errors
            ],
            may_retry=not request.was_followed
            and may_use(request.user)
            and request.user.connection.state != needs_sign_in,
        )
        for request in dead
    ]


def _waits(labels: Mapping[str, str], now: datetime) -> list[Wait]:
    waits = []
    for block in blocks():
        name = labels.get(block.whose, block.whose)
        waits.append(Wait(block, clock(block.until, now), f" of “{name}”" if block.whose else ""))
    return waits


def _quota(now: datetime, developer: str) -> Quota:
    this_hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    hours = [this_hour - timedelta(hours=ago) for ago in reversed(range(_HOURS))]
    calls = dict(calls_by_hour(developer))
    return Quota(
        bars=bars(
            [(hour, calls.get(hour, 0)) for hour in hours],
            at_least=-(-settings.SPOTIFY_DAILY_QUOTA // 24),
        ),
        spent=sum(calls.values()),
        budget=settings.SPOTIFY_DAILY_QUOTA,
        developer=developer,
    )


def bars(spent: Sequence[tuple[datetime, int]], *, at_least: int = 0) -> list[Bar]:
    """A hundred high are the calls of the highest hour, or ``at_least`` so many.

    An hour with any call is at least two high.
    """
    most = max(at_least, *(calls for _, calls in spent), 0)
    return [
        Bar(
            x=10 * number,
            height=max(2, round(100 * calls / most)) if calls else 0,
            hour=f"{timezone.localtime(hour):%H:%M}",
            calls=calls,
        )
        for number, (hour, calls) in enumerate(spent)
    ]
