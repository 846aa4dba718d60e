"""The pages of insights: all years, and one year."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.db.models import Q, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.dates import MONTHS, MONTHS_3
from django.views.decorators.http import require_safe

from accounts.models import User
from sync.library.search import UNKNOWN, Query, refused_tracks
from sync.library.stats import Calendar, Day, Facts, facts_of
from sync.library.timeline import end_of, gone, start_of
from sync.library.version import Version, likes_version
from sync.models import SavedTrack
from sync.pages.charts import BarChart, Entry, bar_chart, heat_map, line_chart, steps
from sync.pages.words import songs
from sync.pages.zone import library_of
from syncify.http import Request
from syncify.text import counted

#: The most songs in a list.
_SHOWN = 6
_ARTISTS_OF_A_YEAR = 8
#: Seconds that the numbers are kept.
_KEPT_FOR = 3600


@require_safe
@login_required
def insights(request: Request) -> HttpResponse:
    library_of(request)
    version = likes_version(request.user.pk)
    if not version.songs:
        return render(request, "insights/empty.html")
    refused = refused_tracks(request.user).select_related("track__album")
    context = {
        **_numbers(request.user, version),
        "refused": refused.order_by("-refused_at", "-id")[:_SHOWN],
    }
    return render(request, "insights/insights.html", context)


def _numbers(user: User, version: Version) -> dict[str, str]:
    """The parts of the page that are kept until the likes change or a day begins, as HTML."""
    zone, today = timezone.get_current_timezone(), timezone.localdate()
    joined = timezone.localdate(user.date_joined)
    key = f"numbers:{user.pk}:{version.key}:{zone}:{today}:{joined}"
    kept: dict[str, str] | None = cache.get(key)
    if kept is not None:
        return kept
    calendar = Calendar.of(user, zone=zone)
    facts = facts_of(user, calendar, zone=zone)
    points = list(calendar.growth())
    context = {
        "facts": facts,
        "calendar": calendar,
        "growth": line_chart(points, since=joined),
        "growth_rows": steps(points),
        "joined": joined,
        "heat": heat_map(calendar.months, calendar.years),
        "month_names": MONTHS_3.values(),
        "decades": decades_chart(facts),
        "ages": ages_chart(facts),
        "busiest": calendar.busiest(),
        "break": longest_break(calendar),
        "today": today,
        **songs_behind(user, facts, calendar.on_this_day(today), gone=_gone(user)),
    }
    drawn = {
        "numbers": render_to_string("insights/numbers.html", context),
        "gone": render_to_string("insights/gone.html", context) if context["ended"] else "",
    }
    cache.set(key, drawn, _KEPT_FOR)
    return drawn


@require_safe
@login_required
def year(request: Request, number: int) -> HttpResponse:
    library_of(request)
    zone = timezone.get_current_timezone()
    calendar = Calendar.of(request.user, zone=zone)
    if number not in {found for found, _ in calendar.months}:
        raise Http404
    return render(request, "insights/year.html", year_in_likes(request.user, number, calendar))


def year_in_likes(user: User, number: int, calendar: Calendar) -> dict[str, Any]:
    """The context of a year's page; the year must have a like."""
    zone = timezone.get_current_timezone()
    facts = facts_of(user, calendar, zone=zone, year=number, top=_ARTISTS_OF_A_YEAR)
    years = [found for found in calendar.years if any(y == found for y, _ in calendar.months)]
    place = years.index(number)
    first, end = date(number, 1, 1), date(number + 1, 1, 1)
    days = [day for day in calendar.days if first <= day.day < end]
    return {
        "year": number,
        "facts": facts,
        "months": _months(number, calendar),
        "busiest": calendar.busiest(year=number),
        "gone": sum(day.came - day.liked for day in days),
        "days": sum(1 for day in days if day.liked),
        "before": years[place - 1] if place else None,
        "after": years[place + 1] if place + 1 < len(years) else None,
        "newest": _newest(user, first, end),
        **songs_behind(user, facts, []),
    }


# --- Charts ---------------------------------------------------------------------------------------


def _url(**query: str) -> str:
    return f"{reverse('songs')}?{Query(**query).urlencoded()}"


def decades_chart(facts: Facts) -> BarChart:
    """From the first decade to the last, without a gap; songs without a date at the end."""
    counts = {each["decade"]: each["songs"] for each in facts.decades}
    unknown = counts.pop(None, 0)
    entries = [
        Entry(
            f"{decade}s",
            f"’{decade % 100:02}s",
            counts.get(decade, 0),
            songs(counts.get(decade, 0)),
            _url(decade=str(decade)),
        )
        for decade in range(min(counts, default=0), max(counts, default=-10) + 10, 10)
    ]
    if unknown:
        entries.append(Entry("Unknown", "?", unknown, songs(unknown), _url(decade=UNKNOWN)))
    return bar_chart(entries, "Most are from the {0.label}: {0.text}.")


def ages_chart(facts: Facts) -> BarChart:
    """The median age of songs at the like, by year of the like."""
    return bar_chart(
        [
            Entry(
                str(each["year"]),
                f"’{each['year'] % 100:02}",
                each["years"],
                _age(each["years"]),
                _url(liked=str(each["year"])),
            )
            for each in facts.ages
        ],
        "The middle song of each year. {0.label} had the oldest: {0.text}.",
    )


def _age(years: float) -> str:
    """ "12 years", "1.5 years", "4 months"."""
    if years < 1:
        return counted(round(years * 12), "month")
    number = f"{years:.1f}".removesuffix(".0") if years < 10 else f"{years:.0f}"
    return f"{number} year{'' if number == '1' else 's'}"


def _months(number: int, calendar: Calendar) -> BarChart:
    return bar_chart(
        [
            Entry(
                str(MONTHS[month]),
                str(MONTHS_3[month])[:1].upper(),
                count := calendar.months.get((number, month), 0),
                songs(count),
                _url(liked=f"{number}-{month:02}"),
            )
            for month in range(1, 13)
        ],
        "The most in {0.label}: {0.text}.",
    )


def longest_break(calendar: Calendar) -> dict[str, Any] | None:
    found = calendar.longest_break()
    if found is None:
        return None
    last, following = found
    days = (following.day - last.day).days
    return {"days": days, "last": last, "following": following} if days > 1 else None


# --- Songs ----------------------------------------------------------------------------------------


def songs_behind(
    user: User, facts: Facts, days: Sequence[Day], *, gone: QuerySet[SavedTrack] | None = None
) -> dict[str, Any]:
    """The songs of ``facts.moments``, some liked on ``days``, and ``gone``, in one query."""
    zone = timezone.get_current_timezone()
    wanted = Q(pk__in=[pk for pk in facts.moments.values() if pk])
    for day in days:
        moments = (start_of(day.day, zone), end_of(day.day, zone))
        wanted |= Q(added_at__gte=moments[0], added_at__lt=moments[1])
    found = SavedTrack.objects.filter(wanted, user=user, removed_at=None).values("pk")
    if gone is not None:
        # As one more condition of the filter, the planner would expect half of all likes.
        found = found.union(gone.values("pk"), all=True)
    rows = SavedTrack.objects.filter(user=user, pk__in=found)
    likes = list(rows.select_related("track__album").order_by("-added_at", "rank"))
    by_pk = {like.pk: like for like in likes}
    dates = {day.day for day in days}
    liked = [like for like in likes if like.removed_at is None]
    ended = [like for like in likes if like.removed_at is not None]
    same_day = [like for like in liked if timezone.localdate(like.added_at) in dates]
    return {
        "moments": {name: by_pk.get(pk or 0) for name, pk in facts.moments.items()},
        "same_day": same_day[:_SHOWN],
        "same_days": days,
        "ended": sorted(
            ended, key=lambda like: (like.removed_at or like.added_at, like.pk), reverse=True
        ),
    }


def _gone(user: User) -> QuerySet[SavedTrack]:
    """The songs that are no longer liked, the latest first; not all of them."""
    return gone(user).order_by("-removed_at", "-id")[:_SHOWN]


def _newest(user: User, first: date, end: date) -> list[SavedTrack]:
    """Covers for the header of a year's page."""
    zone = timezone.get_current_timezone()
    rows = SavedTrack.objects.filter(
        user=user,
        removed_at=None,
        added_at__gte=start_of(first, zone),
        added_at__lt=start_of(end, zone),
    )
    return list(rows.select_related("track__album").order_by("-added_at", "rank")[:24])
