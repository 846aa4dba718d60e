"""What listeners see and press."""

from django.conf import settings as django_settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from sync import services
from sync.forms import SettingsForm
from sync.models import Mirror, SyncRequest
from sync.overview import overview
from sync.selectors import card_for, history_of, past_sync
from syncify.http import Request

_PAST_ON_PAGE = 20


@require_safe
@never_cache
def home(request: Request) -> HttpResponse:
    if not request.user.is_authenticated:
        return render(request, "landing.html")
    card = card_for(request.user, now=timezone.now())
    return render(request, "sync/dashboard.html", {"card": card})


@require_safe
@never_cache
@login_required
def sync_card(request: Request) -> HttpResponse:
    return _card(request)


@require_POST
@login_required
def sync(request: Request) -> HttpResponse:
    services.request_sync(user=request.user)
    return _card_or_home(request)


@require_POST
@login_required
def sync_cancel(request: Request, pk: int) -> HttpResponse:
    services.cancel_sync(request=get_object_or_404(SyncRequest, pk=pk, user=request.user))
    return _card_or_home(request)


@require_POST
@login_required
def sync_retry(request: Request, pk: int) -> HttpResponse:
    services.retry_dead(request=get_object_or_404(_dead(), pk=pk, user=request.user))
    return _card_or_home(request)


@require_POST
@login_required
def sync_pause(request: Request) -> HttpResponse:
    if "resume" in request.POST:
        services.resume_mirror(user=request.user)
    else:
        services.pause_mirror(user=request.user)
    return _card_or_home(request)


@require_safe
@login_required
def sync_history(request: Request) -> HttpResponse:
    page = Paginator(history_of(request.user), _PAST_ON_PAGE).get_page(request.GET.get("page"))
    now = timezone.now()
    past = [past_sync(each, now=now) for each in page]
    return render(request, "sync/history.html", {"page": page, "past": past})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def settings(request: Request) -> HttpResponse:
    mirror = get_object_or_404(Mirror, user=request.user)
    form = SettingsForm(request.POST if request.method == "POST" else None, instance=mirror)
    if form.is_valid():
        services.change_settings(mirror=mirror, **form.cleaned_data)
        messages.success(request, "Saved. The playlist takes it over with the next sync.")
        return _see_other("settings")
    seen_public = mirror.volumes.filter(number=1).values_list("seen_public", flat=True).first()
    return render(
        request,
        "settings.html",
        {"form": form, "seen_public": seen_public},
        status=422 if form.errors else 200,
    )


@require_safe
def privacy(request: Request) -> HttpResponse:
    return render(request, "privacy.html", {"history_days": django_settings.HISTORY_DAYS})


@require_safe
def operator_page(request: Request) -> HttpResponse:
    _operators_only(request)
    context = overview(now=timezone.now(), page=request.GET.get("page"))
    return render(request, "operator.html", {"overview": context})


@require_POST
def operator_retry(request: Request, pk: int) -> HttpResponse:
    _operators_only(request)
    services.retry_dead(request=get_object_or_404(_dead(), pk=pk))
    return _see_other("operator")


def _card(request: Request) -> HttpResponse:
    card = card_for(request.user, now=timezone.now())
    return render(request, "sync/dashboard.html#card", {"card": card})


def _card_or_home(request: Request) -> HttpResponse:
    return _card(request) if request.htmx else _see_other("home")


def _see_other(name: str) -> HttpResponse:
    return HttpResponseRedirect(reverse(name), status=303)


def _dead() -> QuerySet[SyncRequest]:
    return SyncRequest.objects.filter(state=SyncRequest.State.DEAD)


def _operators_only(request: Request) -> None:
    # Not a 403: whoever is no operator need not know that there is such a page.
    if not (request.user.is_authenticated and request.user.is_operator):
        raise Http404
