"""The operator's pages: open tasks, checks, listeners, and the operator code."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import access, operators
from accounts.limits import limited
from accounts.models import User
from sync.mirrors import services
from sync.models import SyncRequest
from sync.operations.overview import overview
from sync.operations.unblock import ask_spotify_now
from syncify import __version__
from syncify.http import Request
from syncify.text import counted


@require_safe
def page(request: Request) -> HttpResponse:
    operators_only(request)
    found = overview(now=timezone.now(), page=request.GET.get("page"))
    return render(request, "operator.html", {"overview": found, "version": __version__})


@require_safe
@limited("checks", per_address=60)
def checks(request: Request) -> HttpResponse:
    """The checks of ``manage.py doctor``; some call Spotify, which takes seconds."""
    from sync.operations.doctor import examine  # noqa: PLC0415 - it brings an HTTP library

    operators_only(request)
    findings = list(examine())
    return render(request, "operator/checks.html", {"findings": findings})


@require_POST
def retry(request: Request, pk: int) -> HttpResponse:
    operators_only(request)
    dead = SyncRequest.objects.filter(state=SyncRequest.State.DEAD)
    letter = get_object_or_404(dead.select_related("user"), pk=pk)
    if reason := access.why_not(letter.user):
        messages.error(request, f"Nothing is synced for {letter.user}. {reason}")
    else:
        services.retry_dead(request=letter)
    return _to_the_page()


@require_POST
@limited("ask-spotify", per_address=60)
def ask(request: Request) -> HttpResponse:
    """End a block whose cause may be removed; the next call shows."""
    operators_only(request)
    waiting = ask_spotify_now()
    messages.success(request, f"Block lifted; started {counted(waiting, 'waiting request')}.")
    return _to_the_page()


@require_http_methods(["GET", "HEAD", "POST"])
def block(request: Request, listener: int) -> HttpResponse:
    """Ask, then block a listener, or unblock them with ``unblock``; never oneself."""
    operators_only(request)
    user = get_object_or_404(User.objects.exclude(pk=request.user.pk), pk=listener)
    if request.method != "POST":
        return render(request, "operator/block.html", {"listener": user})
    if "unblock" in request.POST:
        access.unblock_listener(user)
        messages.success(request, f"{user} may use Syncify again after a new sign-in.")
    else:
        services.block_listener(user)
        messages.success(request, f"{user} is blocked and signed out. Nothing is synced for them.")
    return _to_the_page()


@require_http_methods(["GET", "HEAD", "POST"])
@limited("operator-code", per_address=30)
@login_required
def code(request: Request) -> HttpResponse:
    """Make the first listener who enters the current code an operator; a code works once."""
    if not operators.has_unused_code():
        raise Http404
    if request.method != "POST":
        return render(request, "operator_code.html")
    if operators.become_operator(request.user, code=request.POST.get("code", "")):
        return _to_the_page()
    return render(request, "operator_code.html", {"is_wrong": True}, status=422)


def _to_the_page() -> HttpResponse:
    return HttpResponseRedirect(reverse("operator"), status=303)


def operators_only(request: Request) -> None:
    """Raises Http404 for everyone but operators."""
    # Not a 403: other people need not know of this page.
    if not (request.user.is_authenticated and request.user.is_operator):
        raise Http404
