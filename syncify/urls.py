"""Routes of both apps."""

from django.urls import include, path

from accounts import first_run

urlpatterns = [
    path("first-run/", first_run.page, name="first_run"),
    path("accounts/", include("accounts.urls")),
    path("", include("sync.pages.urls")),
]
