"""The card of one mirror, and its buttons."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.limits import limited, too_often
from sync.mirrors import services
from sync.models import Mirror, SyncRequest
from sync.pages.card import card_for
from sync.pages.others import others_of
from sync.queue.fair import pressable_at
from syncify.http import Request

_limited = limited("sync", per_address=600, per_listener=120)


@require_safe
@login_required
def card(request: Request, pk: int) -> HttpResponse:
    return _card(request, pk)


@require_safe
@login_required
def others(request: Request) -> HttpResponse:
    """The rows of all mirrors but the main one: a piece of the dashboard."""
    return render(request, "sync/others.html", {"others": others_of(request.user)})


@require_POST
@_limited
@login_required
def sync(request: Request, pk: int) -> HttpResponse:
    """Sync the listener's library, and with it this mirror."""
    mirror = _own(request, pk)
    if answer := too_early(request):
        return answer
    services.request_sync(user=request.user)
    return _card_or_home(request, mirror)


@require_POST
@_limited
@login_required
def cancel(request: Request, pk: int, sync: int) -> HttpResponse:
    mirror = _own(request, pk)
    services.cancel_sync(request=get_object_or_404(SyncRequest, pk=sync, user=request.user))
    return _card_or_home(request, mirror)


@require_POST
@_limited
@login_required
def retry(request: Request, pk: int, sync: int) -> HttpResponse:
    mirror = _own(request, pk)
    dead = SyncRequest.objects.filter(state=SyncRequest.State.DEAD)
    letter = get_object_or_404(dead, pk=sync, user=request.user)
    if answer := too_early(request):
        return answer
    services.retry_dead(request=letter)
    return _card_or_home(request, mirror)


@require_POST
@_limited
@login_required
def pause(request: Request, pk: int) -> HttpResponse:
    """Pause the mirror, or with ``resume`` end its pause."""
    mirror = _own(request, pk)
    if "resume" in request.POST:
        services.resume_mirror(request.user, mirror)
    else:
        services.pause_mirror(request.user, mirror)
    return _card_or_home(request, mirror)


@require_http_methods(["GET", "HEAD", "POST"])
@limited("sync", per_address=600, per_listener=120, methods=["POST"])
@login_required
def repair(request: Request, pk: int) -> HttpResponse:
    """Changes to a playlist that only the listener may ask for; GET explains the effect of each.

    ``return`` restores a playlist that left the library, ``anew`` makes a new one in place of a
    lost one, and ``rewrite`` writes an existing one again.
    """
    mirror = _own(request, pk)
    is_away = mirror.state == Mirror.State.REMOVED
    if "return" in request.POST and is_away:
        services.bring_back(mirror)
    elif "anew" in request.POST and is_away:
        services.make_new_playlist(mirror)
    elif "rewrite" in request.POST and mirror.state == Mirror.State.ACTIVE:
        services.rewrite_playlist(mirror)
    else:
        context = {"card": card_for(request.user, now=timezone.now(), mirror=pk)}
        return render(
            request, "sync/repair.html", context, status=409 if request.method == "POST" else 200
        )
    return _card_or_home(request, mirror)


def too_early(request: Request) -> HttpResponse | None:
    """The response to a second press within a minute; None if a press is allowed."""
    moment = pressable_at(request.user.pk)
    if moment is None:
        return None
    return too_often(request, moment - timezone.now(), "Your last sync is less than a minute old.")


def _own(request: Request, pk: int) -> Mirror:
    return get_object_or_404(Mirror, pk=pk, user=request.user)


def _card(request: Request, pk: int) -> HttpResponse:
    try:
        shown = card_for(request.user, now=timezone.now(), mirror=pk)
    except Mirror.DoesNotExist as error:
        raise Http404 from error
    return render(request, "sync/card.html", {"card": shown})


def _card_or_home(request: Request, mirror: Mirror) -> HttpResponse:
    if request.htmx:
        return _card(request, mirror.pk)
    return HttpResponseRedirect(reverse("home"), status=303)
