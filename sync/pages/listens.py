"""The name at ListenBrainz that is asked for plays: its form, and what the last look came to."""

import re
from typing import Any
from urllib.parse import unquote

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from accounts.limits import limited
from sync.library.listenbrainz import NAME_MAX
from sync.library.listens import set_listenbrainz_user
from sync.models import ListeningHistory, SyncRequest
from syncify.http import Request

_limited = limited("listenbrainz_name", per_address=120, per_listener=20)
#: What people copy from their browser.
_ADDRESS = re.compile(r"(?:https?://)?(?:www\.)?listenbrainz\.org/user/([^/?#]+).*")


@require_POST
@_limited
@login_required
def listenbrainz_name(request: Request) -> HttpResponse:
    """Store the name, or none, and look at once."""
    name = _name(request.POST.get("name", ""))
    if name is None:
        messages.error(request, "This is no name at ListenBrainz.")
    elif set_listenbrainz_user(request.user.pk, name):
        messages.success(request, f"Syncify asks ListenBrainz for the plays of “{name}”.")
    else:
        messages.success(request, "Syncify no longer asks ListenBrainz. Counted plays stay.")
    return HttpResponseRedirect(reverse("plays"), status=303)


def about_listens(history: ListeningHistory | None) -> dict[str, Any]:
    """What the page shows of a listener's history: the name, and the latest look of the worker."""
    if history is None or not history.listenbrainz_user:
        return {"listenbrainz_user": "", "look": None}
    looks = SyncRequest.objects.filter(user=history.user_id, kind=SyncRequest.Kind.LISTENS)
    return {"listenbrainz_user": history.listenbrainz_user, "look": looks.order_by("-id").first()}


def _name(given: str) -> str | None:
    """The name in ``given``, a name or the address of a profile; None where there is none."""
    name = given.strip()
    if found := _ADDRESS.fullmatch(name):
        name = unquote(found[1]).strip()
    if len(name) > NAME_MAX or "/" in name or not name.isprintable():
        return None
    return name
