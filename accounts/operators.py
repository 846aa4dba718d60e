"""Who is an operator, and the codes that make one."""

import logging
import re
import secrets

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.crypto import salted_hmac

from accounts.models import OperatorCode, User
from accounts.spotify_apps import first_app

logger = logging.getLogger(__name__)

# Without characters that look alike; 12 of them are 59 bits.
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"


def is_operator(user: User) -> bool:
    """Named in SYNCIFY_OPERATORS or, if that is empty, by a code. Check it at every request."""
    return user.is_operator


def has_unused_code() -> bool:
    """Whether a code exists that can make an operator."""
    return not settings.OPERATORS and OperatorCode.objects.filter(used_at=None).exists()


def make_code() -> str:
    """A new code, in place of any earlier one. It works once; only its digest is stored."""
    code = _new_code()
    OperatorCode.objects.update_or_create(
        pk=1, defaults={"digest": _digest(code), "made_at": Now(), "used_at": None}
    )
    logger.warning("operator code made")
    return code


def digest_of_unused(code: str) -> str:
    """The digest of ``code`` if it is the current one and unused, else "".

    This works with SYNCIFY_OPERATORS too, though no code makes an operator then.
    """
    unused = OperatorCode.objects.filter(digest=_digest(code), used_at=None)
    return unused.values_list("digest", flat=True).first() or ""


def become_operator(user: User, *, code: str) -> bool:
    """Whether ``code`` was right and unused; then it is used, and ``user`` is an operator."""
    return become_operator_by_digest(user, _digest(code))


@transaction.atomic
def become_operator_by_digest(user: User, digest: str) -> bool:
    """The same for a code that was entered before its owner could sign in."""
    unused = OperatorCode.objects.filter(digest=digest, used_at=None)
    # If two enter it at once, the second waits for the lock and finds it used.
    if settings.OPERATORS or not unused.update(used_at=Now()):
        logger.warning("operator code refused user=%s", user.pk)
        return False
    User.objects.filter(pk=user.pk).update(is_operator_by_code=True)
    logger.warning("operator made by code user=%s", user.pk)
    return True


def tell_operator_code() -> None:
    """Make and log a code at the first start of an installation without operators.

    Without a Spotify app, make one at every start, because the page of the first run needs it.
    """
    try:
        if first_app() is None:
            page = f"{settings.BASE_URL}{reverse('first_run')}"
            logger.warning("no Spotify app yet: open %s and enter %s", page, make_code())
            return
        if settings.OPERATORS or User.objects.filter(is_operator_by_code=True).exists():
            return
        code = _new_code()
        _, is_first = OperatorCode.objects.get_or_create(pk=1, defaults={"digest": _digest(code)})
    except DatabaseError as error:
        logger.warning("operator code not made error=%s", error)
        return
    if is_first:
        logger.warning(
            "no operator yet: sign in, then enter %s at %s/operator/code/", code, settings.BASE_URL
        )


def _new_code() -> str:
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(12))
    return f"{letters[:4]}-{letters[4:8]}-{letters[8:]}"


def _digest(code: str) -> str:
    """The digest of a code, which may have letters of either case and no hyphens."""
    typed = re.sub(r"[\s-]", "", code.lower())
    return salted_hmac("accounts.operator_code", typed, algorithm="sha256").hexdigest()
