"""Routes of the listeners' pages, of the operator's, and of machines."""

from django.urls import path

from sync.operations import machines
from sync.pages import history, insights, songs, targets, views

urlpatterns = [
    path("", views.home, name="home"),
    path("events/", views.events, name="events"),
    path("sync/", views.sync, name="sync"),
    path("sync/card/", views.sync_card, name="sync_card"),
    path("sync/history/", history.sync_history, name="sync_history"),
    path("sync/pause/", views.sync_pause, name="sync_pause"),
    path("sync/<int:pk>/cancel/", views.sync_cancel, name="sync_cancel"),
    path("sync/<int:pk>/retry/", views.sync_retry, name="sync_retry"),
    path("songs/", songs.songs, name="songs"),
    path("songs/songs.csv", songs.songs_csv, name="songs_csv"),
    path("songs/songs.jspf", songs.songs_jspf, name="songs_jspf"),
    path("songs/transfer.csv", songs.transfer_csv, name="transfer_csv"),
    path("songs/<str:track_id>/", songs.song, name="song"),
    path("insights/", insights.insights, name="insights"),
    path("insights/<int:number>/", insights.year, name="year"),
    # Here and not with the other accounts/: most of it is what this app stores.
    path("accounts/export/", views.export_data, name="export"),
    path("settings/", views.settings, name="settings"),
    path("connections/", targets.targets, name="targets"),
    path("connections/subsonic/", targets.subsonic, name="subsonic"),
    path("connections/listenbrainz/", targets.listenbrainz, name="listenbrainz"),
    path("connections/subsonic/missing/", targets.target_missing, name="target_missing"),
    path("connections/subsonic/missing.csv", targets.target_missing_csv, name="target_missing_csv"),
    path("connections/subsonic/songs/<str:track>/", targets.target_song, name="target_song"),
    path("connections/<str:service>/sync/", targets.target_sync, name="target_sync"),
    path("connections/<str:service>/pause/", targets.target_pause, name="target_pause"),
    path("connections/<str:service>/options/", targets.target_options, name="target_options"),
    path(
        "connections/<str:service>/disconnect/",
        targets.target_disconnect,
        name="target_disconnect",
    ),
    path("privacy/", views.privacy, name="privacy"),
    path("operator/", views.operator_page, name="operator"),
    path("operator/<int:pk>/retry/", views.operator_retry, name="operator_retry"),
    path("operator/listeners/<int:listener>/block/", views.operator_block, name="operator_block"),
    path("operator/code/", views.operator_code, name="operator_code"),
    path("healthz", machines.healthz, name="healthz"),
    path("metrics", machines.metrics, name="metrics"),
]
