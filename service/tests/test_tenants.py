"""Who is let in, and to what: tokens that are genuine, and every kind that isn't."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import jwt
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from structlog.testing import capture_logs

from ..http.tenants import COOKIE
from .services import Service, exchange, open_wallet, running_service
from .tenants import (
    JWT_SECRET,
    Customer,
    SigningKey,
    claims_of,
    customer_of,
    make_token,
    running_key_server,
    running_wallet_service,
)

Connection = psycopg.Connection[Any]


@pytest.fixture
def connection(connect: Callable[..., Connection]) -> Connection:
    return connect()


@pytest.fixture
def org_id(connection: Connection) -> UUID:
    return open_wallet(connection, balance_pence=5_00)


async def outcome(service: Service, token: str, *, by_cookie: bool = False) -> str:
    """What somebody with this token is told about their balance."""
    answer = await Customer(service, token, by_cookie).get("/summary")
    return f"{answer.status} {answer.body.get('balance_formatted') or answer.body['error']}"


def encode(part: Any) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def sign(claims: dict[str, Any]) -> str:
    """As they are, even such as no library would sign."""
    return jwt.api_jws.encode(json.dumps(claims).encode(), JWT_SECRET)


def forge(header: Any, claims: Any, signature: bytes = b"") -> str:
    return f"{encode(header)}.{encode(claims)}.{encode(signature)}"


@pytest.mark.parametrize("by_cookie", [False, True], ids=["bearer", "cookie"])
async def test_a_genuine_token_is_let_in(database: str, org_id: UUID, by_cookie: bool) -> None:
    now = int(time.time())
    async with running_wallet_service(database, jwt_issuer="https://auth.example.com") as service:
        for token in (
            make_token(org_id, iss="https://auth.example.com"),
            make_token(str(org_id).upper(), iss="https://auth.example.com"),
            make_token(org_id, iss="https://auth.example.com", role=None, sub=None, email=None),
            make_token(org_id, iss="https://auth.example.com", aud=["other", "authenticated"]),
            make_token(org_id, iss="https://auth.example.com", kid="whatever"),
            # Clocks differ.
            make_token(org_id, iss="https://auth.example.com", nbf=now + 5, iat=now + 5),
            make_token(org_id, iss="https://auth.example.com", exp=now - 2),
            make_token(org_id, iss="https://auth.example.com", exp=10**400),
        ):
            assert await outcome(service, token, by_cookie=by_cookie) == "200 £5.00"


@pytest.mark.parametrize("by_cookie", [False, True], ids=["bearer", "cookie"])
async def test_a_token_that_proves_nothing_is_401(
    database: str, org_id: UUID, by_cookie: bool
) -> None:
    now = int(time.time())
    claims = claims_of(org_id)
    token = make_token(org_id)
    head, body, signature = token.split(".")
    others = claims_of(uuid4())
    tokens = {
        "empty": "",
        "no token": "hunter2",
        "three dots": "...",
        "no signature": f"{head}.{body}.",
        "two parts": f"{head}.{body}",
        "another signature": f"{head}.{body}.{encode(b'x' * 32)}",
        "changed claims": f"{head}.{encode(others)}.{signature}",
        "four parts": f"{token}.{signature}",
        "alg none": forge({"alg": "none", "typ": "JWT"}, claims),
        "alg None": forge({"alg": "None", "typ": "JWT"}, claims),
        "no alg": forge({"typ": "JWT"}, claims, b"x" * 32),
        "alg null": forge({"alg": None}, claims, b"x" * 32),
        "alg list": forge({"alg": ["HS256"]}, claims, b"x" * 32),
        "HS512": make_token(org_id, JWT_SECRET, "HS512"),
        "HS384": make_token(org_id, JWT_SECRET, "HS384"),
        "kid no text": forge({"alg": "HS256", "kid": 7}, claims, b"x" * 32),
        "header no object": forge([], claims, b"x"),
        "header deep": forge(b"[" * 4000, {}, b"x"),
        "header not utf-8": forge(b"\xff\xfe", claims, b"x"),
        "claims deep": jwt.api_jws.encode(b'{"a":' + b"[" * 4000, JWT_SECRET),
        "claims no object": jwt.api_jws.encode(b"[]", JWT_SECRET),
        "claims no JSON": jwt.api_jws.encode(b"\xff", JWT_SECRET),
        "unknown crit": jwt.encode(claims, JWT_SECRET, headers={"crit": ["x"], "x": 1}),
        "other secret": make_token(org_id, "another-secret-of-the-tests-" + "x" * 8),
        "expired": make_token(org_id, exp=now - 20),
        "no exp": make_token(org_id, exp=None),
        "exp no number": make_token(org_id, exp="tomorrow"),
        "exp infinite": make_token(org_id, exp=float("inf")),
        "not before": make_token(org_id, nbf=now + 60),
        "issued in the future": make_token(org_id, iat=now + 60),
        "no audience": make_token(org_id, aud=None),
        "other audience": make_token(org_id, aud="anon"),
        "audiences": make_token(org_id, aud=["authenticated2", "xauthenticated"]),
        "role anon": make_token(org_id, role="anon"),
        "role service_role": make_token(org_id, role="service_role"),
        "role postgres": make_token(org_id, role="postgres"),
        "role wallet_owner": make_token(org_id, role="wallet_owner"),
        "role list": make_token(org_id, role=["authenticated"]),
    }
    async with running_wallet_service(database) as service:
        with capture_logs() as logs:
            told = {
                name: await outcome(service, token, by_cookie=by_cookie)
                for name, token in tokens.items()
            }
    assert told == dict.fromkeys(tokens, "401 unauthorized")
    lines = [line for line in logs if line["event"] == "request"]
    assert len(lines) == len(tokens)
    assert all(line["errorType"] for line in lines)
    for hidden in (JWT_SECRET, signature, body, "zoe@example.com", "hunter2"):
        assert hidden not in str(logs)


async def test_an_issuer_that_is_asked_for_has_to_be_the_one(database: str, org_id: UUID) -> None:
    ours = "https://auth.example.com"
    async with running_wallet_service(database, jwt_issuer=ours) as service:
        for issuer in (None, ours + "/", "https://auth", "", [ours]):
            token = sign(claims_of(org_id, iss=issuer))
            assert await outcome(service, token) == "401 unauthorized", issuer
        assert await outcome(service, make_token(org_id, iss=ours)) == "200 £5.00"


async def test_another_audience_may_be_set(database: str, org_id: UUID) -> None:
    async with running_wallet_service(database, jwt_audience="wallet") as service:
        assert await outcome(service, make_token(org_id)) == "401 unauthorized"
        assert await outcome(service, make_token(org_id, aud="wallet")) == "200 £5.00"


async def test_while_a_secret_is_rotated_both_count(database: str, org_id: UUID) -> None:
    new = "the-next-secret-of-the-tests-" + "y" * 8
    async with running_wallet_service(database, jwt_secret=f"{new}, {JWT_SECRET}") as service:
        assert await outcome(service, make_token(org_id, new)) == "200 £5.00"
        assert await outcome(service, make_token(org_id)) == "200 £5.00"
        both = f"{new}, {JWT_SECRET}"
        assert await outcome(service, make_token(org_id, both)) == "401 unauthorized"


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_a_published_key_counts_for_its_own_algorithm(
    database: str, org_id: UUID, algorithm: str
) -> None:
    key = SigningKey.new(algorithm, "one")
    public = key.private.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    published = json.dumps(key.public).encode()
    claims = claims_of(org_id)

    def sign_by_hmac(secret: bytes) -> str:
        """What a verifier takes that lets the token choose the algorithm."""
        signed = f"{encode({'alg': 'HS256', 'kid': 'one'})}.{encode(claims)}"
        hmac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
        return f"{signed}.{encode(hmac.sign(signed.encode(), secret))}"

    async with (
        running_key_server(key) as server,
        running_service(database, jwt_jwks_url=server.url) as service,
    ):
        assert await outcome(service, key.token(org_id)) == "200 £5.00"
        for token in (
            sign_by_hmac(pem),
            sign_by_hmac(pem.strip()),
            sign_by_hmac(published),
            sign_by_hmac(b""),
            make_token(org_id),
            make_token(org_id, "x" * 32, kid="one"),
            forge({"alg": "none", "kid": "one"}, claims),
            # The right key, and another algorithm.
            *(
                [make_token(org_id, key.private, other, kid="one") for other in ("RS384", "PS256")]
                if algorithm == "RS256"
                else []
            ),
            SigningKey.new(algorithm, "one").token(org_id),
            forge({"alg": algorithm, "kid": "one"}, claims),
            forge({"alg": algorithm, "kid": "one"}, claims, b"\0" * 64),
            # A key that comes with the token, or that the token says where to get.
            make_token_with_key(org_id, SigningKey.new(algorithm, "one"), server.url),
        ):
            assert await outcome(service, token) == "401 unauthorized"


def make_token_with_key(org_id: UUID, key: SigningKey, url: str) -> str:
    headers = {"kid": "one", "jwk": key.public, "jku": url}
    return jwt.encode(claims_of(org_id), key.private, key.algorithm, headers)


async def test_a_service_with_a_secret_and_published_keys_takes_both(
    database: str, org_id: UUID
) -> None:
    key = SigningKey.new("ES256", "one")
    async with (
        running_key_server(key) as server,
        running_wallet_service(database, jwt_jwks_url=server.url) as service,
    ):
        assert await outcome(service, make_token(org_id, kid="one")) == "200 £5.00"
        assert server.requests == 0
        assert await outcome(service, key.token(org_id)) == "200 £5.00"
        server.status = 500
        assert await outcome(service, make_token(org_id)) == "200 £5.00"


async def test_without_any_key_to_be_had_it_is_503(database: str, org_id: UUID) -> None:
    key = SigningKey.new("RS256", "one")
    async with (
        running_key_server() as server,
        running_wallet_service(database, jwt_jwks_url=server.url) as service,
    ):
        assert await outcome(service, key.token(org_id)) == "503 keys_unavailable"
        assert await outcome(service, make_token(org_id)) == "200 £5.00"


async def test_a_service_that_knows_no_key_says_what_to_set(database: str, org_id: UUID) -> None:
    async with running_service(database) as service:
        answer = await customer_of(service, org_id).get("/summary")
    assert answer.outcome == "503 not_configured"
    assert "JWT_SECRET" in answer.body["message"]


async def test_a_token_without_an_organization_is_403(database: str, org_id: UUID) -> None:
    elsewhere = {"user_metadata": {"org_id": str(org_id)}, "org_id": str(org_id)}
    async with running_wallet_service(database) as service:
        for app_metadata in (
            None,
            {},
            [str(org_id)],
            str(org_id),
            {"organization": str(org_id)},
            *({"org_id": value} for value in (None, 7, "", "acme", [str(org_id)])),
            *({"org_id": value} for value in (f"{org_id}x", f"{org_id}\n", org_id.hex)),
            *({"org_id": value} for value in (f"{{{org_id}}}", org_id.urn)),
        ):
            token = sign(claims_of(None, app_metadata=app_metadata) | elsewhere)
            assert await outcome(service, token) == "403 no_organization", app_metadata


async def test_a_token_for_an_organization_without_a_wallet_is_404(database: str) -> None:
    async with running_wallet_service(database) as service:
        assert await outcome(service, make_token(uuid4())) == "404 organization_not_found"


async def test_only_one_bearer_token_in_the_header_or_one_cookie_counts(
    database: str, org_id: UUID
) -> None:
    token = make_token(org_id)
    other = make_token(uuid4())
    async with running_wallet_service(database) as service:

        async def status(*headers: tuple[str, str], query: str = "") -> int:
            url = service.url + "/api/wallet/summary" + query
            async with service.client.get(url, headers=headers) as response:
                return response.status

        authorization, cookie = "Authorization", "Cookie"
        assert await status((authorization, f"Bearer {token}")) == 200
        assert await status((authorization, f"bearer  {token} ")) == 200
        assert await status((cookie, f"theme=dark; {COOKIE}={token}; a=b")) == 200
        # The header alone, where there is one.
        assert await status((authorization, "Bearer x"), (cookie, f"{COOKIE}={token}")) == 401
        assert await status((authorization, f"Basic {token}")) == 401
        assert await status((authorization, token)) == 401
        assert await status(*[(authorization, f"Bearer {token}")] * 2) == 401
        # One of two cookies may be set by another host of the same domain.
        assert await status((cookie, f"{COOKIE}={token}; {COOKIE}={other}")) == 401
        assert await status((cookie, f"x{COOKIE}={token}")) == 401
        # A URL is kept in logs and histories.
        for name in ("access_token", "token", "jwt", COOKIE):
            assert await status(query=f"?{name}={token}") == 401


async def test_a_token_that_is_too_long_is_refused(database: str, org_id: UUID) -> None:
    async with running_wallet_service(database) as service:
        assert await outcome(service, make_token(org_id, padding="x" * 5000)) == "200 £5.00"
        # aiohttp takes no header of 8190 bytes; other ways in have the same limit.
        token = make_token(org_id, padding="x" * 7000)
        head = f"GET /api/wallet/summary HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        assert (await exchange(service, head.encode() + b"\r\n")).outcome == "400 malformed_request"
        form = {"access_token": token}
        async with service.client.post(
            service.url + "/wallet/session", data=form, headers={"Origin": service.url}
        ) as response:
            assert response.status == 401


async def test_a_weak_rsa_key_is_none(database: str, org_id: UUID) -> None:
    weak = SigningKey("RS256", rsa.generate_private_key(65537, 1024), "weak")  # noqa: S505
    good = SigningKey.new("RS256", "good")
    async with (
        running_key_server(weak, good) as server,
        running_service(database, jwt_jwks_url=server.url) as service,
    ):
        assert await outcome(service, good.token(org_id)) == "200 £5.00"
        with pytest.warns(jwt.warnings.InsecureKeyLengthWarning):
            token = weak.token(org_id)
        assert await outcome(service, token) == "401 unauthorized"
