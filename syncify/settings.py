"""Every setting, from the environment; docs/configuration.md says what each is for."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.utils.csp import CSP

from syncify.addresses import parse_address
from syncify.env import (
    env_apps,
    env_bool,
    env_client_id,
    env_database_url,
    env_int,
    env_list,
    env_networks,
    env_spotify_ids,
    env_str,
    env_url,
    env_urls,
    env_word,
    or_default,
)
from syncify.logs import logging_config
from syncify.redirect import redirect_uri
from syncify.secrets import kept_secret, new_secret, new_token_key

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env_str("SYNCIFY_DATA_DIR", str(BASE_DIR / ".data"))).resolve()

DEBUG = env_bool("DEBUG", default=False)
SECRET_KEY = env_str("SECRET_KEY", "") or or_default(
    lambda: kept_secret(DATA_DIR / "secret_key"), new_secret()
)


def _token_keys() -> list[str]:
    kept = DATA_DIR / "token_key"
    given = env_list("SYNCIFY_TOKEN_KEYS")
    keys = given or [kept_secret(kept, new_token_key)]
    for key in keys:
        try:
            Fernet(key)
        except ValueError as error:
            where = "SYNCIFY_TOKEN_KEYS" if given else f"SYNCIFY_DATA_DIR: {kept}"
            raise ImproperlyConfigured(
                f"{where} must hold keys as cryptography's Fernet.generate_key() makes them, the "
                "newest first."
            ) from error
    return keys


#: Encrypt Spotify's tokens at rest: the first encrypts, all decrypt.
TOKEN_KEYS: list[str] = or_default(_token_keys, [])

# --- Addresses --------------------------------------------------------------------------------

#: In the form that browsers send, so that both can be compared.
BASE_URL = env_url("SYNCIFY_BASE_URL", default="http://127.0.0.1:8000", has_path=False)
_IS_HTTPS = BASE_URL.startswith("https:")

ALLOWED_HOSTS = [parse_address(BASE_URL).host_header, "127.0.0.1", "[::1]", "localhost"]
#: Proxies whose X-Forwarded-For is trusted. By default, proxies on the same machine are.
TRUSTED_PROXIES = env_networks("SYNCIFY_TRUSTED_PROXIES", default="127.0.0.1 ::1")

# --- Safety -----------------------------------------------------------------------------------

CSRF_TRUSTED_ORIGINS = [BASE_URL]
# htmx sends the token in a header that it takes from the page.
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _IS_HTTPS
if _IS_HTTPS:
    # Browsers accept cookies with this prefix only over https, and from this host alone.
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
SESSION_ENGINE = "syncify.sessions"
#: A sign-in that was begun is remembered this long; one that succeeded lasts SESSION_LIFE.
SESSION_COOKIE_AGE = 60 * 60 * 24
SESSION_LIFE = timedelta(days=180)

# A client that forges the scheme only affects itself, so this header needs no trusted proxy.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _IS_HTTPS else None
SECURE_SSL_REDIRECT = _IS_HTTPS
SECURE_SSL_HOST = urlsplit(BASE_URL).netloc
# Requested from inside, without the proxy.
SECURE_REDIRECT_EXEMPT = ["^healthz$", "^metrics$"]
SECURE_HSTS_SECONDS = 60 * 60 * 24 * 365 if _IS_HTTPS else 0
SILENCED_SYSTEM_CHECKS = [
    # HSTS for subdomains, and its preload list: these would bind the whole domain, of which
    # Syncify at home is one name beside others.
    "security.W005",
    "security.W021",
]
SECURE_CSP: dict[str, list[str]] = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "manifest-src": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
}
X_FRAME_OPTIONS = "DENY"

# --- Spotify ----------------------------------------------------------------------------------

# The second names are those of Syncify 2 and of spotipy. Without an id, the page of the first run
# asks for the app (accounts.spotify_apps).
SPOTIFY_CLIENT_ID = env_client_id("SPOTIFY_CLIENT_ID", "SPOTIPY_CLIENT_ID")
#: Empty: sign-in uses PKCE.
SPOTIFY_CLIENT_SECRET = env_word("SPOTIFY_CLIENT_SECRET") or env_word("SPOTIPY_CLIENT_SECRET")
#: Further apps, each with its own five listeners.
SPOTIFY_APPS = env_apps("SPOTIFY_APPS")
SPOTIFY_API_URL = (
    env_url("SPOTIFY_API_URL", default="https://api.spotify.com/v1/", secure=True) + "/"
)
SPOTIFY_ACCOUNTS_URL = env_url(
    "SPOTIFY_ACCOUNTS_URL", default="https://accounts.spotify.com", secure=True
)
SPOTIFY_AUTHORIZE_URL = env_url(
    "SPOTIFY_AUTHORIZE_URL", default=f"{SPOTIFY_ACCOUNTS_URL}/authorize", secure=True
)
#: Where browsers load covers of albums: the only other host that a page asks for anything.
SPOTIFY_IMAGES_URL = env_url("SPOTIFY_IMAGES_URL", default="https://i.scdn.co", secure=True).rstrip(
    "/"
)
#: Off: drawings take the place of album covers, and no page asks any host but ours.
PICTURES = env_bool("SYNCIFY_PICTURES", default=True)
if PICTURES:
    SECURE_CSP["img-src"].append("{0.scheme}://{0.netloc}".format(urlsplit(SPOTIFY_IMAGES_URL)))
#: The web player, for links to playlists.
SPOTIFY_OPEN_URL = env_url("SPOTIFY_OPEN_URL", default="https://open.spotify.com")
SPOTIFY_REDIRECT_URI, SPOTIFY_REDIRECT_CASE = redirect_uri(BASE_URL)
#: Calls a day with all apps of one developer account; 0: no limit.
SPOTIFY_DAILY_QUOTA = env_int("SPOTIFY_DAILY_QUOTA", default=1000)
# The sign-in form posts to us and is sent on to Spotify, which may send it straight back: browsers
# hold form-action against the whole way.
SECURE_CSP["form-action"] += [
    "{0.scheme}://{0.netloc}".format(urlsplit(address))
    for address in (SPOTIFY_AUTHORIZE_URL, SPOTIFY_REDIRECT_URI)
]

# --- Other services ---------------------------------------------------------------------------

#: Networks, addresses and names of hosts in private networks that listeners may connect.
TARGET_HOSTS = env_list("SYNCIFY_TARGET_HOSTS")
#: The address of a music server that everybody is offered. Alone of all addresses that listeners
#: can enter, it may be on this machine.
OFFERED_SERVER = env_word("SYNCIFY_OFFERED_SERVER") and env_url(
    "SYNCIFY_OFFERED_SERVER", default="http://music.example:4533"
)
#: Shown to everybody who is signed in, with the address.
OFFERED_USER = env_str("SYNCIFY_OFFERED_USER", "")
OFFERED_PASSWORD = env_str("SYNCIFY_OFFERED_PASSWORD", "", is_verbatim=True)
LISTENBRAINZ_URL = env_url(
    "LISTENBRAINZ_URL", default="https://api.listenbrainz.org", secure=True
).rstrip("/")

# --- People and upkeep ------------------------------------------------------------------------

#: Spotify ids; empty: every listener on the allow-list of the app at Spotify.
ALLOWED_USERS = env_spotify_ids("SYNCIFY_ALLOWED_USERS")
#: Spotify ids of those who may see /operator/.
OPERATORS = env_spotify_ids("SYNCIFY_OPERATORS")
#: Apprise addresses that get an alert for each incident.
ALERT_URLS = env_urls("SYNCIFY_ALERT_URLS")
#: Days that finished sync requests are kept.
HISTORY_DAYS = env_int("SYNCIFY_HISTORY_DAYS", default=90, least=1)
#: Folder for the backup of each day; empty: none is made.
BACKUP_DIR = env_str("SYNCIFY_BACKUP_DIR", "")
#: How many backups of a day are kept there.
BACKUP_KEEP = env_int("SYNCIFY_BACKUP_KEEP", default=7, least=1)
#: Encrypts backups; empty: they are not encrypted.
BACKUP_PASSPHRASE = env_str("SYNCIFY_BACKUP_PASSPHRASE", "", is_verbatim=True)
#: The bearer token for /metrics; empty: the page is disabled.
METRICS_TOKEN = env_word("SYNCIFY_METRICS_TOKEN")
#: Folder where workers and schedulers touch a file at each turn; empty: nowhere.
ALIVE_DIR = env_str("SYNCIFY_ALIVE_DIR", "")

# --- Other services ---------------------------------------------------------------------------

#: An address or e-mail that MusicBrainz can write to; empty: no genres are looked up.
MUSICBRAINZ_CONTACT = env_str("SYNCIFY_MUSICBRAINZ_CONTACT", "")
MUSICBRAINZ_URL = (
    env_url("SYNCIFY_MUSICBRAINZ_URL", default="https://musicbrainz.org/ws/2/", secure=True) + "/"
)
#: A server with OpenAI's chat API, such as Ollama; empty: no language model is asked.
LLM_URL = env_str("SYNCIFY_LLM_URL", "") and env_url(
    "SYNCIFY_LLM_URL", default="http://127.0.0.1:11434/v1/"
)
LLM_MODEL = env_str("SYNCIFY_LLM_MODEL", "")
#: Its bearer token, if it needs one.
LLM_KEY = env_str("SYNCIFY_LLM_KEY", "")

# --- Django -----------------------------------------------------------------------------------

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_htmx",
    "syncify.spotify",
    "accounts",
    "sync",
]

MIDDLEWARE = [
    "syncify.middleware.SafetyHeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "syncify.middleware.HostMiddleware",
    "accounts.first_run.FirstRunMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "syncify.middleware.HiddenOriginMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "accounts.middleware.ListenerMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "syncify.middleware.HtmxRedirectMiddleware",
    "syncify.middleware.TimezoneMiddleware",
]

ROOT_URLCONF = "syncify.urls"
ASGI_APPLICATION = "syncify.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

AUTH_USER_MODEL = "accounts.User"
# Sessions alone authenticate: Spotify has identified the listener.
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
LOGIN_URL = "home"
CSRF_FAILURE_VIEW = "syncify.visitors.csrf_failure"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-gb"

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
SERVESTATIC_ALLOW_ALL_ORIGINS = False
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "servestatic.storage.CompressedManifestStaticFilesStorage"},
}

# --- Database ---------------------------------------------------------------------------------

# An idle transaction would keep dead rows of all tables from being vacuumed. The usual cost of a
# random page is that of a turning disk: with it, the planner reads the songs of all listeners in
# order to find those of one.
_SESSION = "-c idle_in_transaction_session_timeout=30s -c random_page_cost=1.1"
#: A dead connection is detected within half a minute.
DATABASE_KEEPALIVES: dict[str, Any] = {
    # For each host, where there are several.
    "connect_timeout": 3,
    "keepalives": 1,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 20_000,
}
_OPTIONS: dict[str, Any] = {
    "application_name": "syncify",
    # Executions after which a statement of a ``prepared_cursor`` is prepared. Django's own cursors
    # prepare none.
    "prepare_threshold": 2,
    "options": _SESSION,
    **DATABASE_KEEPALIVES,
}
# Under ASGI connections are not kept from one request to the next, so the web process has a pool;
# the threads of a worker each keep their own.
if _pool_size := env_int("DATABASE_POOL_SIZE", default=0):
    # A request that gets no connection in time is answered with an error, and health checks with
    # the truth. An attempt to connect is given up as soon, since the pool makes the next one only
    # after a pause that doubles; the next request starts with no pause.
    _OPTIONS["pool"] = {
        "min_size": 0,
        "max_size": _pool_size,
        "timeout": 1.5,
        "reconnect_timeout": 1.5,
    }


def _database() -> dict[str, Any]:
    parts = env_database_url("DATABASE_URL")
    if parts is None:
        return {
            "ENGINE": "syncify.embedded_postgres",
            "DATA_DIR": DATA_DIR / "postgres",
            "NAME": "postgres",
            "OPTIONS": _OPTIONS,
        }
    options = " ".join([_SESSION, parts.pop("options", "")]).strip()
    return {
        "ENGINE": "syncify.postgresql",
        "NAME": parts.pop("dbname", "syncify"),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", "") or env_str("DATABASE_PASSWORD", "", is_verbatim=True),
        "HOST": parts.pop("host", ""),
        "PORT": parts.pop("port", ""),
        "OPTIONS": {**_OPTIONS, **parts, "options": options},
    }


#: A direct connection for LISTEN, where a pooler stands in between; empty: the same database.
DATABASE_LISTEN_URL = env_str("DATABASE_LISTEN_URL", "")
or_default(lambda: env_database_url("DATABASE_LISTEN_URL"), None)
if DATABASE_LISTEN_URL:
    # A pooler may execute each transaction on another connection, which does not know what was
    # prepared on the last.
    _OPTIONS["prepare_threshold"] = None
#: In place of a database whose address cannot be read: its use says that it is not configured.
_NO_DATABASE: dict[str, Any] = {"ENGINE": "django.db.backends.dummy"}
DATABASES = {
    "default": {
        **or_default(_database, _NO_DATABASE),
        "CONN_HEALTH_CHECKS": True,
        "CONN_MAX_AGE": 0 if _pool_size else None,
        # A pooler may give each statement another connection, on which the cursor is unknown.
        "DISABLE_SERVER_SIDE_CURSORS": bool(DATABASE_LISTEN_URL),
    }
}

# --- Logs -------------------------------------------------------------------------------------

LOGGING = logging_config()
