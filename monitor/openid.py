"""Who is it? Asked of an OpenID Connect provider (only user of Authlib): authorization code with PKCE, state and nonce.

OpenID Connect Core 1.0 section 3.1, RFC 7636 (PKCE), RFC 9207 (issuer in the answer). We keep no token: what counts is the
name in the ID token, once.
"""

from __future__ import annotations

import hmac
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.base_client.async_app import AsyncOAuth2Mixin
from authlib.integrations.base_client.async_openid import AsyncOpenIDMixin
from authlib.integrations.httpx_client import AsyncOAuth2Client
from joserfc.errors import JoseError

from monitor.web.signin import Begun, SignInError

TIMEOUT_SECONDS = 10.0
MAX_GROUPS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Whom to ask, and who may act."""

    issuer: str
    client_id: str
    client_secret: str
    callback: str
    """Our address to which the provider sends people back."""
    name_claim: str = "preferred_username"
    groups_claim: str = "groups"
    groups: frozenset[str] = frozenset()
    """Who is in one of these may act; empty: everybody whom the provider knows."""
    ca_pem: str = ""
    """Of the provider's certificate; empty: those of the system."""


class _Client(AsyncOAuth2Mixin, AsyncOpenIDMixin):
    client_cls = AsyncOAuth2Client


class OpenIdConnect:
    """One provider; what it says of itself is read at the first sign-in and kept."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        context = ssl.create_default_context(cadata=provider.ca_pem) if provider.ca_pem else True
        self._client = _Client(
            framework=None,
            client_id=provider.client_id,
            client_secret=provider.client_secret,
            server_metadata_url=f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={
                "scope": "openid profile", "code_challenge_method": "S256", "timeout": TIMEOUT_SECONDS, "verify": context, "trust_env": False,
            },
        )  # fmt: skip

    async def begin(self) -> Begun:
        """Where to send somebody who wants to sign in; raises SignInError."""
        try:
            made: dict[str, str] = await self._client.create_authorization_url(self._provider.callback)
            self._check_issuer((await self._client.load_server_metadata()).get("issuer"))
        except _ERRORS as error:
            raise SignInError("trouble", _said(error)) from error
        return Begun(url=made.pop("url"), kept=made)

    async def finish(self, answer: Mapping[str, str], kept: Mapping[str, str]) -> str:
        """The name of who came back with this answer; `kept` is what `begin` gave. Raises SignInError."""
        if not hmac.compare_digest(answer.get("state", "").encode(), kept.get("state", "-").encode()):
            raise SignInError("forged", "the answer belongs to no sign-in of this browser")
        if "error" in answer:
            raise SignInError("refused", answer.get("error_description") or answer["error"])
        try:
            if "iss" in answer:
                self._check_issuer(answer["iss"])
            token = await self._client.fetch_access_token(  # type: ignore[no-untyped-call]
                self._provider.callback, code=answer.get("code", ""), code_verifier=kept.get("code_verifier", "")
            )
            issuer = {"iss": {"essential": True, "value": self._provider.issuer}}
            claims = await self._client.parse_id_token(token, nonce=kept.get("nonce", ""), claims_options=issuer)
        except _ERRORS as error:
            raise SignInError("trouble", _said(error)) from error
        if claims is None:
            raise SignInError("trouble", "the provider gave no ID token")
        return self._named(claims)

    def _check_issuer(self, issuer: object) -> None:
        if issuer != self._provider.issuer:
            raise ValueError(f"the provider calls itself {issuer!r}, not {self._provider.issuer!r}")

    def _named(self, claims: Mapping[str, Any]) -> str:
        name, groups = claims.get(self._provider.name_claim), claims.get(self._provider.groups_claim, ())
        if not isinstance(name, str) or not name.strip():
            raise SignInError("refused", f"the ID token has no claim {self._provider.name_claim!r}")
        theirs = (
            [each for each in groups[:MAX_GROUPS] if isinstance(each, str)] if isinstance(groups, (list, tuple)) else []
        )
        if self._provider.groups and not self._provider.groups.intersection(theirs):
            raise SignInError("not_allowed", f"{name} is in none of {', '.join(sorted(self._provider.groups))}")
        return name


_ERRORS = (
    AuthlibBaseError,
    JoseError,
    httpx2.HTTPError,
    httpx2.InvalidURL,
    RuntimeError,
    ValueError,
    KeyError,
    TypeError,
    OSError,
)
"""Whatever a provider answers ends as a page that says what was wrong."""


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
