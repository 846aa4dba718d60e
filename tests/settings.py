"""The settings of the tests: no value comes from the developer's environment but DATABASE_URL."""

import os
from pathlib import Path

_OURS = ("SYNCIFY_", "SPOTIFY_", "SPOTIPY_")
for _name in [name for name in os.environ if name.startswith(_OURS)]:
    if not _name.startswith("SYNCIFY_REQUIRE_"):  # these are for the tests themselves
        del os.environ[_name]
os.environ.update(
    SYNCIFY_DATA_DIR=str(Path(__file__).parent.parent / ".data" / "tests"),
    SPOTIFY_CLIENT_ID="syncify-demo",
    SPOTIFY_CLIENT_SECRET="demo-secret",
    SYNCIFY_BASE_URL="http://127.0.0.1:8000",
    SPOTIFY_DAILY_QUOTA="0",
)

from syncify.settings import *  # noqa: E402, F403

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
SERVESTATIC_AUTOREFRESH = True

# Two runs at once do not meet.
DATABASES["default"]["TEST"] = {"NAME": f"test_syncify_{os.getpid()}"}  # noqa: F405
