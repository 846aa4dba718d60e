"""The state of the accounts host: registered clients, codes, consents and tokens."""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from urllib.parse import urlsplit

from syncify.simulator.songs import base62
from syncify.simulator.wire import ApiError, OAuthError, PlainError

CODE_LIFE = timedelta(minutes=10)
ACCESS_LIFE = timedelta(hours=1)
CONSENT_LIFE = timedelta(days=182)  # six months from the authorization; refreshing does not extend
VERIFIER_LENGTH = range(43, 129)
LOOPBACK = ("127.0.0.1", "::1")
SCOPES = frozenset(
    [
        "user-library-read",
        "user-library-modify",
        "playlist-read-private",
        "playlist-read-collaborative",
        "playlist-modify-private",
        "playlist-modify-public",
        "ugc-image-upload",
        "user-read-recently-played",
        "user-top-read",
        "user-read-private",
        "user-read-email",
        "user-follow-read",
        "user-follow-modify",
    ]
)


@dataclass(frozen=True)
class Client:
    """A registered application. A loopback redirect URI without a port stands for any port.

    Its owner is a ``developer``, whose apps share one quota. ``allow_list`` holds the listeners who
    have a seat; None: those of ``Behaviour.allow_list``.
    """

    id: str = "syncify-demo"
    secret: str = "demo-secret"  # noqa: S105 - of an invented app
    redirect_uris: tuple[str, ...] = (
        "http://127.0.0.1/accounts/callback/",
        "http://[::1]/accounts/callback/",
    )
    developer: str = "owner"
    allow_list: frozenset[str] | None = None

    def check_redirect(self, uri: str) -> None:
        parts = urlsplit(uri)
        loopback = parts.hostname in LOOPBACK
        if parts.scheme != "https" and not (parts.scheme == "http" and loopback):
            raise PlainError(400, "INVALID_CLIENT: Insecure redirect URI")
        without_port = uri.replace(
            f"{parts.netloc}", parts.netloc.removesuffix(f":{parts.port}"), 1
        )
        if uri not in self.redirect_uris and not (loopback and without_port in self.redirect_uris):
            raise PlainError(400, "INVALID_CLIENT: Invalid redirect URI")


@dataclass(frozen=True)
class Consent:
    """A listener's consent for one app. ``challenge`` is set for PKCE."""

    listener: str
    scopes: frozenset[str]
    at: datetime
    redirect_uri: str = ""
    challenge: str = ""
    client_id: str = ""  # "" is the first app


@dataclass
class Grants:
    """Codes, refresh tokens and access tokens by their text; revoked ones keep their reason."""

    client: Client  # the first app
    random: Random

    def __post_init__(self) -> None:
        self.clients = {self.client.id: self.client}
        self.codes: dict[str, Consent] = {}
        self.refreshable: dict[str, Consent] = {}
        self.dead: set[str] = set()
        self.withdrawn: dict[str, Consent] = {}
        self.access: dict[str, tuple[Consent, datetime]] = {}

    def app_of(self, consent: Consent | None) -> Client:
        """The app of a consent; the first app without a consent."""
        return self.clients.get(consent.client_id, self.client) if consent else self.client

    def new_code(self, consent: Consent) -> str:
        code = "AQ" + base62(self.random, 60)
        self.codes[code] = consent
        return code

    def issue(self, consent: Consent, now: datetime, *, refresh_token: bool) -> dict[str, object]:
        """The response of the token endpoint."""
        access = "BQ" + base62(self.random, 80)
        self.access[access] = (consent, now + ACCESS_LIFE)
        answer: dict[str, object] = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": int(ACCESS_LIFE.total_seconds()),
            "scope": " ".join(sorted(consent.scopes)),
        }
        if refresh_token:
            answer["refresh_token"] = "AQ" + base62(self.random, 100)
            self.refreshable[str(answer["refresh_token"])] = consent
        return answer

    def client_of(self, authorization: str, form: dict[str, str]) -> tuple[Client, bool]:
        """The client, and whether it was authenticated by its secret.

        Invalid credentials are refused.
        """
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        kind, _, encoded = authorization.partition(" ")
        if kind.lower() == "basic":
            try:
                client_id, _, secret = (
                    base64.b64decode(encoded, validate=True).decode().partition(":")
                )
            except ValueError:
                raise OAuthError("invalid_client", "Invalid client") from None
        client = self.clients.get(client_id)
        if client is None:
            raise OAuthError("invalid_client", "Invalid client")
        with_secret = kind.lower() == "basic" or bool(secret)
        if with_secret and secret != client.secret:
            raise OAuthError("invalid_client", "Invalid client secret")
        return client, with_secret

    def redeem(
        self, form: dict[str, str], now: datetime, client: Client, *, with_secret: bool
    ) -> Consent:
        """The consent of a code. The code is used up, even after an error."""
        verifier = form.get("code_verifier", "")
        if verifier and with_secret:
            raise OAuthError("invalid_request", "code_verifier cannot be used with a client secret")
        consent = self.codes.pop(form.get("code", ""), None)
        if consent is None or self.app_of(consent) != client:
            raise OAuthError("invalid_grant", "Invalid authorization code")
        if now >= consent.at + CODE_LIFE:
            raise OAuthError("invalid_grant", "Authorization code expired")
        if form.get("redirect_uri") != consent.redirect_uri:
            raise OAuthError("invalid_grant", "Invalid redirect URI")
        if not consent.challenge and not with_secret:
            raise OAuthError("invalid_client", "Invalid client secret")
        if consent.challenge and not _answers(verifier, consent.challenge):
            raise OAuthError("invalid_grant", "code_verifier was incorrect")
        return consent

    def refresh(
        self,
        form: dict[str, str],
        now: datetime,
        client: Client,
        *,
        with_secret: bool,
        rotate: bool,
    ) -> dict[str, object]:
        """A new access token; also a refresh token with PKCE or ``rotate``."""
        token = form.get("refresh_token", "")
        if token in self.dead:
            raise OAuthError("invalid_grant", "Refresh token revoked")
        consent = self.refreshable.get(token)
        if consent is None or self.app_of(consent) != client:
            raise OAuthError("invalid_grant", "Invalid refresh token")
        if now >= consent.at + CONSENT_LIFE:
            raise OAuthError("invalid_grant", "Refresh token expired")
        if with_secret == bool(consent.challenge):
            raise OAuthError("invalid_client", "Invalid client")
        replaced = rotate or bool(consent.challenge)
        if replaced:
            self._kill(token)
        return self.issue(consent, now, refresh_token=replaced)

    def issue_to_app(self, *, with_secret: bool) -> dict[str, object]:
        """A token without a listener, which gives access to no listener's data."""
        if not with_secret:
            raise OAuthError("invalid_client", "Invalid client secret")
        return {
            "access_token": "BQ" + base62(self.random, 80),
            "token_type": "Bearer",
            "expires_in": int(ACCESS_LIFE.total_seconds()),
        }

    def revoke(self, listener: str) -> None:
        """Access tokens that were issued stay valid until they expire, as at Spotify."""
        for token, consent in list(self.refreshable.items()):
            if consent.listener == listener:
                self._kill(token)
                self.withdrawn[token] = consent

    def restore(self) -> None:
        """Restore consents that listeners withdrew."""
        self.refreshable |= self.withdrawn
        self.dead -= self.withdrawn.keys()
        self.withdrawn.clear()

    def has_consent(
        self, listener: str, scopes: frozenset[str], now: datetime, client: Client
    ) -> bool:
        return any(
            consent.listener == listener
            and self.app_of(consent) == client
            and scopes <= consent.scopes
            and now < consent.at + CONSENT_LIFE
            for consent in self.refreshable.values()
        )

    def expire_access(self, listener: str, now: datetime) -> None:
        for token, (consent, _) in self.access.items():
            if consent.listener == listener:
                self.access[token] = (consent, now)

    def holder(self, token: str) -> Consent | None:
        """The grant of an access token, even of an expired one."""
        found = self.access.get(token)
        return found[0] if found else None

    def check(self, authorization: str, now: datetime) -> Consent:
        kind, _, token = authorization.partition(" ")
        if not authorization:
            raise ApiError(401, "No token provided")
        if kind.lower() != "bearer":
            raise ApiError(400, "Only valid bearer authentication supported")
        if token not in self.access:
            raise ApiError(401, "Invalid access token")
        consent, ends_at = self.access[token]
        if now >= ends_at:
            raise ApiError(401, "The access token expired")
        return consent

    def _kill(self, refresh_token: str) -> None:
        del self.refreshable[refresh_token]
        self.dead.add(refresh_token)


def _answers(verifier: str, challenge: str) -> bool:
    digest = hashlib.sha256(verifier.encode()).digest()
    made = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return len(verifier) in VERIFIER_LENGTH and made == challenge
