"""Routes of the listeners' pages, of the operator's, and of machines."""

from django.urls import path

from sync.operations import machines
from sync.pages import cover, files, links, mirror, operator, share, targets, views

urlpatterns = [
    path("", views.home, name="home"),
    path("events/", views.events, name="events"),
    path("sync/", views.sync, name="sync"),
    path("sync/history/", views.sync_history, name="sync_history"),
    path("playlists/<int:pk>/card/", mirror.card, name="mirror_card"),
    path("playlists/<int:pk>/sync/", mirror.sync, name="mirror_sync"),
    path("playlists/<int:pk>/pause/", mirror.pause, name="mirror_pause"),
    path("playlists/<int:pk>/syncs/<int:sync>/cancel/", mirror.cancel, name="mirror_cancel"),
    path("playlists/<int:pk>/syncs/<int:sync>/retry/", mirror.retry, name="mirror_retry"),
    # Here and not with the other accounts/: most of it is what this app stores.
    path("accounts/export/", views.export_data, name="export"),
    path("settings/", views.settings, name="settings"),
    path("settings/links/", links.links, name="links"),
    path("settings/links/<int:pk>/revoke/", links.revoke, name="link_revoke"),
    path("playlists/<int:pk>/cover/", cover.cover, name="mirror_cover"),
    path("playlists/<int:pk>/cover.jpg", cover.picture, name="mirror_picture"),
    path("playlists/<int:pk>/qr.svg", links.qr, name="playlist_qr"),
    path("s/<str:token>/", share.page, name="share"),
    path("s/<str:token>/feed.atom", share.atom, name="share_atom"),
    path("s/<str:token>/feed.json", share.json_feed, name="share_json_feed"),
    path("s/<str:token>/oembed", share.oembed, name="share_oembed"),
    path("s/<str:token>/preview.png", share.preview, name="share_preview"),
    path("s/<str:token>/songs.csv", share.songs_csv, name="share_csv"),
    path("s/<str:token>/songs.jspf", share.songs_jspf, name="share_jspf"),
    path("s/<str:token>/songs.json", share.songs_json, name="share_json"),
    path("s/<str:token>/state.json", share.state, name="share_state"),
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
    path("operator/", operator.page, name="operator"),
    path("operator/<int:pk>/retry/", operator.retry, name="operator_retry"),
    path("operator/listeners/<int:listener>/block/", operator.block, name="operator_block"),
    path("operator/checks/", operator.checks, name="operator_checks"),
    path("operator/code/", operator.code, name="operator_code"),
    path("robots.txt", files.robots, name="robots"),
    path("favicon.ico", files.favicon, name="favicon"),
    path("healthz", machines.healthz, name="healthz"),
    path("metrics", machines.metrics, name="metrics"),
]
