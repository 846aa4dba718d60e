"""Insights on shared pages, if the listener allowed them.

They cover only songs that are liked now: they do not show unlikes or the date of the sign-up.
Links lead to the search of the shared page, never to a private page.
"""

from typing import Any

from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.dates import MONTHS_3

from sync.library.stats import Calendar, facts_of
from sync.models import ShareLink
from sync.pages.charts import heat_map, line_chart, without_links
from sync.pages.insights import (
    ages_chart,
    decades_chart,
    longest_break,
    songs_behind,
    year_in_likes,
)
from sync.pages.share import PAGE, Visit, shared, unless_known
from sync.sharing.links import is_of_all_likes


def _has_insights(link: ShareLink) -> bool:
    return link.has_insights and is_of_all_likes(link.mirror)


@shared(PAGE, where=_has_insights)
def insights(visit: Visit) -> HttpResponseBase:
    return unless_known(visit, _insights)


def _insights(visit: Visit) -> HttpResponse:
    user, zone = visit.link.user, timezone.get_current_timezone()
    calendar = Calendar.of(user, zone=zone)
    context = {**_about(visit), "calendar": calendar}
    if calendar.songs:
        facts = facts_of(user, calendar, zone=zone)
        points = list(calendar.growth_of_liked())
        context |= {
            "facts": facts,
            "growth": line_chart(points, since=points[0][0]),
            "heat": heat_map(calendar.months, calendar.years),
            "month_names": MONTHS_3.values(),
            "decades": without_links(decades_chart(facts)),
            "ages": without_links(ages_chart(facts)),
            "busiest": calendar.busiest(),
            "break": longest_break(calendar),
            "moments": songs_behind(user, facts, [])["moments"],
        }
    return render(visit.request, "sharing/insights.html", context)


@shared(PAGE, where=_has_insights)
def year(visit: Visit, number: int) -> HttpResponseBase:
    def build(visit: Visit) -> HttpResponse:
        user = visit.link.user
        calendar = Calendar.of(user, zone=timezone.get_current_timezone())
        if number not in {found for found, _ in calendar.months}:
            raise Http404
        found = year_in_likes(user, number, calendar)
        found |= {"gone": 0, "months": without_links(found["months"])}
        return render(visit.request, "sharing/year.html", {**found, **_about(visit)})

    return unless_known(visit, build)


def _about(visit: Visit) -> dict[str, Any]:
    return {"visit": visit, "link": visit.link, "shared": reverse("share", args=[visit.token])}
