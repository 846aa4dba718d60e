"""Routes under ``/accounts/``."""

from django.urls import path

from accounts import views

urlpatterns = [
    path("login/", views.log_in, name="login"),
    path("login/continue/", views.continue_login, name="continue_login"),
    path("permissions/", views.permissions, name="permissions"),
    path("callback/", views.callback, name="callback"),
    path("callback/paste/", views.paste_back, name="paste_back"),
    path("logout/", views.log_out, name="logout"),
    path("sessions/end/", views.end_sessions, name="end_sessions"),
    path("delete/", views.delete_account, name="delete_account"),
]
