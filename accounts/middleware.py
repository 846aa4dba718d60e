"""Sets ``request.user``: a signed-in listener who may use this installation, or anonymous."""

from functools import partial

from asgiref.sync import sync_to_async
from django.contrib import auth
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin
from django.utils.functional import SimpleLazyObject

from accounts.access import may_use
from accounts.models import User


class ListenerMiddleware(MiddlewareMixin):
    """Django's AuthenticationMiddleware, but a listener who may not use Syncify is anonymous."""

    def process_request(self, request: HttpRequest) -> None:
        request.user = SimpleLazyObject(partial(get_user, request))  # type: ignore[assignment]
        request.auser = sync_to_async(partial(get_user, request))

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer as to a visitor if the account was deleted during the request."""
        if not isinstance(exception, IntegrityError | ObjectDoesNotExist):
            return None
        user = request.user
        if not isinstance(user, User) or User.objects.filter(pk=user.pk).exists():
            return None
        return redirect_to_login(request.get_full_path())


def get_user(request: HttpRequest) -> User | AnonymousUser:
    """The listener of the request's session; needs no middleware but the session."""
    user = auth.get_user(request)
    return user if isinstance(user, User) and may_use(user) else AnonymousUser()
