"""Who is it? Asked of an OpenID Connect provider (only user of Authlib): authorization code with PKCE, state and nonce.

OpenID Connect Core 1.0 section 3.1, RFC 7636 (PKCE), RFC 9207 (issuer in the answer). We keep no token: what counts is the
name in the ID token, once.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.base_client.async_app import AsyncOAuth2Mixin
from authlib.integrations.base_client.async_openid import AsyncOpenIDMixin
from authlib.integrations.httpx_client import AsyncOAuth2Client
from joserfc.errors import JoseError
from pydantic import BaseModel

from monitor.core.bucket import Bucket
from monitor.web.signin import Begun, SignInError

TIMEOUT_SECONDS = 10.0
"""Of all that a step of a sign-in asks of the provider."""
MAX_BYTES = 1 << 18
"""Of an answer."""
ASKED_AT_ONCE, ASKED_A_SECOND = 30.0, 3.0
"""Requests to the provider, of all who sign in: strangers at our door must not make us a nuisance to it."""
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


class _Metadata(BaseModel):
    """What of a provider's word about itself is used (OpenID Connect Discovery 1.0, section 3); the rest never reaches the HTTP client."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    id_token_signing_alg_values_supported: list[str] = ["RS256"]


class _Bounded(httpx2.AsyncByteStream):
    """A body that is not read beyond `MAX_BYTES`."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MAX_BYTES
        async for chunk in self._stream:
            left -= len(chunk)
            if left < 0:
                raise ValueError(f"an answer is longer than {MAX_BYTES} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _bound(response: httpx2.Response) -> None:
    if "Content-Encoding" in response.headers:
        raise ValueError("an answer is packed, which was not asked for")
    assert isinstance(response.stream, httpx2.AsyncByteStream)
    response.stream = _Bounded(response.stream)


class _Client(AsyncOAuth2Mixin, AsyncOpenIDMixin):
    client_cls = AsyncOAuth2Client

    async def load_server_metadata(self) -> dict[str, Any]:
        if not self.server_metadata:
            said = await super().load_server_metadata()
            self.server_metadata = {**_Metadata.model_validate(said).model_dump(), "_loaded_at": said["_loaded_at"]}
        known: dict[str, Any] = self.server_metadata
        return known


class OpenIdConnect:
    """One provider; what it says of itself is read at the first sign-in and kept while all goes well."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._asked = Bucket(ASKED_AT_ONCE, ASKED_A_SECOND)
        self._client = _Client(
            framework=None,
            client_id=provider.client_id,
            client_secret=provider.client_secret,
            server_metadata_url=f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={
                "scope": "openid profile", "code_challenge_method": "S256", "timeout": TIMEOUT_SECONDS, "trust_env": False,
                "headers": {"Accept-Encoding": "identity"}, "event_hooks": {"request": [self._may_ask], "response": [_bound]},
                "verify": ssl.create_default_context(cadata=provider.ca_pem or None),  # once: it takes 20 ms
            },
        )  # fmt: skip

    async def begin(self) -> Begun:
        """Where to send somebody who wants to sign in; raises SignInError."""
        async with self._in_time():
            self._check_issuer((await self._client.load_server_metadata())["issuer"])
            made: dict[str, str] = await self._client.create_authorization_url(self._provider.callback)
        return Begun(url=made.pop("url"), kept=made)

    async def finish(self, answer: Mapping[str, str], kept: Mapping[str, str]) -> str:
        """The name of who came back with this answer; `kept` is what `begin` gave. Raises SignInError."""
        if not hmac.compare_digest(answer.get("state", "").encode(), kept.get("state", "-").encode()):
            raise SignInError("forged", "the answer belongs to no sign-in of this browser")
        if "error" in answer:
            raise SignInError("refused", answer.get("error_description") or answer["error"])
        async with self._in_time():
            if "iss" in answer:
                self._check_issuer(answer["iss"])
            token = await self._client.fetch_access_token(  # type: ignore[no-untyped-call]
                self._provider.callback, code=answer.get("code", ""), code_verifier=kept.get("code_verifier", "")
            )
            expected = {"iss": self._provider.issuer, "aud": self._provider.client_id}
            options = {claim: {"essential": True, "value": value} for claim, value in expected.items()}
            claims = await self._client.parse_id_token(token, nonce=kept.get("nonce", ""), claims_options=options)
        if claims is None:
            raise SignInError("trouble", "the provider gave no ID token")
        return self._named(claims)

    @contextlib.asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        """In trouble forget what the provider says of itself: that may have been the trouble."""
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                yield
        except _ERRORS as error:
            self._client.server_metadata = {}
            raise SignInError("trouble", f"{type(error).__name__}: {error}") from error

    async def _may_ask(self, _: httpx2.Request) -> None:
        if not self._asked.take(asyncio.get_running_loop().time()):
            raise RuntimeError("so many want to sign in that the provider would take us for an attacker")

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
    AttributeError,
    OSError,
)
"""Whatever a provider answers ends as a page that says what was wrong."""
