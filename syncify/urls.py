"""Routes of both apps."""

from django.urls import include, path

urlpatterns = [
    path("accounts/", include("accounts.urls")),
    path("", include("sync.pages.urls")),
]
