"""A provider that is broken, slow or hostile: no real one can be made to answer so, hence a stub. tests/browser has a real one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import RSAKey

from monitor import openid
from monitor.openid import MAX_BYTES, OpenIdConnect, Provider
from monitor.web.signin import SignInError

KEY = RSAKey.generate_key(2048, parameters={"kid": "1"})
METADATA, TOKEN, KEYS = "/.well-known/openid-configuration", "/token", "/keys"


async def drips(request: web.Request) -> web.StreamResponse:
    """An answer that never ends, and is never silent either."""
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.05)


async def packs(_: web.Request) -> web.Response:
    """What unpacks to a thousand times its size."""
    response = web.Response(body=b" " * (MAX_BYTES * 8))
    response.enable_compression(web.ContentCoding.gzip)
    return response


@dataclass(slots=True)
class Stub:
    """Answers as a provider does, or as the test wants it."""

    issuer: str = ""
    said: dict[str, object] = field(default_factory=dict)
    """By path: bytes, a handler, or what becomes JSON."""
    claims: dict[str, object] = field(default_factory=dict)
    nonce: str = ""
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        said = self.said.get(request.path, self._well()[request.path])
        if callable(said):
            answered: web.StreamResponse = await said(request)
            return answered
        return web.Response(body=said) if isinstance(said, bytes) else web.json_response(said)

    def _well(self) -> Mapping[str, dict[str, object]]:
        now, issuer = int(time.time()), self.issuer
        claims = {
            "iss": issuer,
            "sub": "1",
            "aud": "board",
            "iat": now,
            "exp": now + 60,
            "nonce": self.nonce,
            "preferred_username": "an",
        }
        token = jwt.encode({"alg": "RS256", "kid": "1"}, {**claims, **self.claims}, KEY)
        return {
            METADATA: {"issuer": issuer, "authorization_endpoint": f"{issuer}/auth", "token_endpoint": issuer + TOKEN, "jwks_uri": issuer + KEYS},
            TOKEN: {"access_token": "x", "token_type": "Bearer", "id_token": token},
            KEYS: {"keys": [KEY.as_dict(private=False)]},
        }  # fmt: skip

    def client(self) -> OpenIdConnect:
        return OpenIdConnect(
            Provider(issuer=self.issuer, client_id="board", client_secret="s", callback="http://b/signed-in")
        )

    async def sign_in(self, client: OpenIdConnect) -> str:
        begun = await client.begin()
        self.nonce = begun.kept["nonce"]
        return await client.finish({"code": "1", "state": begun.kept["state"]}, begun.kept)


@pytest_asyncio.fixture
async def stub() -> AsyncIterator[Stub]:
    made, app = Stub(), web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.issuer = "http://127.0.0.1:{1}".format(*runner.addresses[0])
    yield made
    await runner.cleanup()


GARBAGE: tuple[object, ...] = (
    b"", b"\xff", b"null", b"[]", b'"x"', b"[" * 100_000, b"1" * 5000, b" " * (MAX_BYTES + 1), packs, {}, {"keys": [1]}, {"keys": [{"kty": ["x"]}]},
    {"id_token": 1}, {"id_token": {"a": 1}}, {"id_token": "eyJhbGciOiJub25lIn0.e30."}, {"error": ["x"], "error_description": {"a": 1}},
    {"issuer": 1, "authorization_endpoint": 1, "token_endpoint": 1, "jwks_uri": 1},
)  # fmt: skip


@pytest.mark.parametrize("path", [METADATA, TOKEN, KEYS])
async def test_garbage_lets_nobody_in_and_nobody_out_for_good(path: str, stub: Stub) -> None:
    for said in GARBAGE:
        client = stub.client()
        stub.said = {path: said}
        with pytest.raises(SignInError) as refused:
            await stub.sign_in(client)
        assert refused.value.key == "trouble", said
        stub.said = {}
        assert await stub.sign_in(client) == "an", said


@pytest.mark.parametrize("path", [METADATA, TOKEN, KEYS])
async def test_an_answer_that_never_ends_is_not_waited_for(
    path: str, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openid, "TIMEOUT_SECONDS", 0.5)
    stub.said = {path: drips}
    with pytest.raises(SignInError, match="TimeoutError"):
        await stub.sign_in(stub.client())


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"}, {"aud": ["another"], "azp": "board"}, {"aud": "", "azp": "board"}, {"iss": "http://evil.example"},
        {"nonce": "another"}, {"exp": 1}, {"exp": "x"},
    ],
)  # fmt: skip
async def test_a_token_for_another_or_of_another_time_is_none(claims: dict[str, object], stub: Stub) -> None:
    stub.claims = claims
    with pytest.raises(SignInError):
        await stub.sign_in(stub.client())


async def test_what_a_provider_says_besides_sets_nothing_of_ours(stub: Stub) -> None:
    stub.said = {
        METADATA: {**stub._well()[METADATA], "verify": False, "base_url": "x", "client_id": "x", "jwks": {"keys": []}}
    }
    assert await stub.sign_in(stub.client()) == "an"


async def test_a_crowd_at_our_door_is_none_at_the_provider_s(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openid, "ASKED_AT_ONCE", 3.0)
    monkeypatch.setattr(openid, "ASKED_A_SECOND", 0.0)
    client = stub.client()
    assert await stub.sign_in(client) == "an"  # the metadata, the token, the keys
    with pytest.raises(SignInError, match="so many"):
        await stub.sign_in(client)
    assert len(stub.asked) == 3
