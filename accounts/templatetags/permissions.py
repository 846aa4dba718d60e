"""{% permissions %}: the listener's optional permissions, and where to give them."""

from typing import Any, NamedTuple

from django import template

from accounts.scopes import OPTIONAL, granted_optional, sign_in_address

register = template.Library()


class Permission(NamedTuple):
    what: str
    #: Where to give it; "" once it is given.
    address: str


@register.inclusion_tag("accounts/permission_list.html", takes_context=True)
def permissions(context: dict[str, Any]) -> dict[str, Any]:
    request = context["request"]
    granted = granted_optional(request.user)
    return {
        "permissions": [
            Permission(what, "" if scope in granted else sign_in_address(request, scopes=[scope]))
            for scope, what in OPTIONAL.items()
        ]
    }
