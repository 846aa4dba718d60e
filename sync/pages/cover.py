"""The page of a playlist's cover: five palettes, and the needed permission."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts import scopes
from accounts.limits import limited
from sync.mirrors import covers
from sync.models import Mirror
from syncify.http import Request


@require_http_methods(["GET", "HEAD", "POST"])
@limited("cover", per_address=600, per_listener=120)
@login_required
def cover(request: Request, pk: int) -> HttpResponse:
    from sync.mirrors.drawing import PALETTES  # noqa: PLC0415 - Pillow is 8 MB

    mirror = get_object_or_404(Mirror, pk=pk, user=request.user)
    here = reverse("mirror_cover", args=[mirror.pk])
    may_upload = scopes.has(request.user, covers.SCOPE)
    status = 200
    if request.method == "POST":
        palette = request.POST.get("palette", "none was sent")
        try:
            covers.choose_cover(mirror=mirror, palette=palette)
        except covers.NoSuchPalette:
            status = 422
        else:
            messages.success(request, _confirmation(mirror, palette, may_upload=may_upload))
            return HttpResponseRedirect(here, status=303)
    context = {
        "mirror": mirror,
        "palettes": PALETTES,
        "may_upload": may_upload,
        "is_refused": status == 422,
        "permission": scopes.sign_in_address(request, scopes=[covers.SCOPE], next=here),
    }
    return render(request, "sync/cover.html", context, status=status)


@require_safe
@login_required
def picture(request: Request, pk: int) -> HttpResponse:
    """The mirror's cover as Syncify draws it in ``palette``."""
    from sync.mirrors import drawing  # noqa: PLC0415 - Pillow is 8 MB

    mirror = get_object_or_404(Mirror, pk=pk, user=request.user)
    palette = request.GET.get("palette", mirror.cover or drawing.DEFAULT_PALETTE)
    if palette not in drawing.PALETTES:
        raise Http404
    return HttpResponse(drawing.cover(mirror.name, palette), "image/jpeg")


def _confirmation(mirror: Mirror, palette: str, *, may_upload: bool) -> str:
    if not palette:
        return "Saved. Syncify no longer changes the cover."
    if not may_upload:
        return "Saved. Syncify sends the cover after you grant the permission."
    if mirror.state != Mirror.State.ACTIVE:
        return "Saved. The cover appears in Spotify after the pause."
    return "Saved. The cover appears in Spotify after the sync that now runs."
