"""Who is an operator, and the code that makes the first one."""

import logging

from django.conf import settings
from django.db import DatabaseError
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.models import User

logger = logging.getLogger(__name__)


def lacks_operator() -> bool:
    """Whether the code from the log makes somebody an operator: while there is none."""
    return not settings.OPERATORS and not User.objects.filter(is_operator=True).exists()


def operator_code() -> str:
    """Known to those who can read the log; the same at every start."""
    digest = salted_hmac("accounts.operator_code", "", algorithm="sha256").hexdigest()
    return f"{digest[:4]}-{digest[4:8]}-{digest[8:12]}"


def become_operator(user: User, *, code: str) -> bool:
    """Whether ``code`` was right and ``user`` is an operator from now on."""
    if not lacks_operator() or not constant_time_compare(code.strip().lower(), operator_code()):
        logger.warning("operator code refused user=%s", user.pk)
        return False
    User.objects.filter(pk=user.pk).update(is_operator=True)
    logger.warning("operator made by code user=%s", user.pk)
    return True


def tell_operator_code() -> None:
    """Log the code while it can be used; without a database there is nobody to ask."""
    try:
        is_good = lacks_operator()
    except DatabaseError as error:
        logger.warning("operators not known error=%s", error)
        return
    if is_good:
        logger.warning(
            "no operator yet: sign in, then enter %s at %s/operator/code/",
            operator_code(),
            settings.BASE_URL,
        )
