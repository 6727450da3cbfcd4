"""Sessions: what they may do, what ends them, and what is no session of ours."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import OKPAlgorithm
from sqlalchemy import update

from c2c_stasis.api.server import ROUTES, build_app
from c2c_stasis.directory.keys import new_key
from c2c_stasis.directory.model import SigningKey
from c2c_stasis.directory.sessions import LEEWAY, LONGEST, RENEW_AFTER, TYPE
from c2c_stasis.errors import StoreUnavailable
from c2c_stasis.ids import ACCOUNT, CALL, USER, new_id
from c2c_stasis.store.tables import signing_keys
from tests.api.fakes import NO_STORE, FakeService
from tests.api.resources.office import Json, Office
from tests.store.samples import eventually

CALLED = "+15551234567"
Answer = tuple[int, Json]


async def ask(office: Office, method: str, path: str, token: str, body: object = None, **headers: str) -> Answer:
    """Status and JSON of a request as a browser sends it: with a session, and without an account."""
    sent = {"Authorization": f"Bearer {token}"} | {name.replace("_", "-"): value for name, value in headers.items()}
    async with office._client.request(method, path, json=body, headers=sent) as response:
        return response.status, await response.json() if response.content_type == "application/json" else {}


async def account_session(office: Office, **more: object) -> str:
    made = await office.make("/v1/account_sessions", account=office.account.id, **more)
    return str(made["client_secret"])


async def user_session(office: Office, user: str = "", **more: object) -> str:
    made = await office.make("/v1/user_sessions", user=user or office.user.id, **more)
    return str(made["client_secret"])


async def place(office: Office, token: str, user: str = "", **headers: str) -> str:
    """Place a call with a session; its path."""
    sent = {"Authorization": f"Bearer {token}"} | headers
    fields = {"user_id": user or office.user.id, "dial_string": CALLED}
    async with office._client.post("/v1/calls", json=fields, headers=sent) as response:
        assert response.status == 202, await response.text()
        return response.headers["Location"]


async def stands(office: Office, token: str) -> bool:
    """Whether a token opens anything."""
    status, answer = await ask(office, "GET", f"/v1/calls/{new_id(CALL)}", token)
    assert (status, answer["code"]) in ((404, "call_not_found"), (401, "unauthorized"))
    return status == 404


# --- opening ---


async def test_an_account_session_lasts_an_hour_and_what_clients_send_beside_is_accepted(office: Office) -> None:
    components = {"call_logs": {"enabled": True}}
    made = await office.make("/v1/account_sessions", account_id=office.account.id, components=components)
    assert set(made) == {"account", "account_id", "client_secret", "expires_at"}
    assert made["account_id"] == office.account.id
    claims = jwt.decode(made["client_secret"], options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 3600
    assert (claims["sub"], claims["acct"], claims["scope"]) == (office.account.id, office.account.id, "account")


@pytest.mark.parametrize(
    ("asked", "lasts"), [({}, 86_400), ({"ttl_seconds": 60}, 60), ({"ttl_seconds": 604_800}, 604_800)]
)
async def test_a_user_session_lasts_a_day_or_as_long_as_was_asked_for(
    office: Office, asked: dict[str, int], lasts: int
) -> None:
    made = await office.make("/v1/user_sessions", user_id=office.user.id, **asked)
    assert (made["user"], made["user_id"], made["account"]) == (office.user.id, office.user.id, office.account.id)
    claims = jwt.decode(made["client_secret"], options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == lasts
    assert [type(claims[name]) for name in ("iat", "nbf", "exp")] == [int] * 3  # some verifiers take no fractions
    assert made["expires_at"] == time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(claims["exp"]))


@pytest.mark.parametrize("seconds", [0, 59, 604_801, 3600.5, "3600", True])
async def test_no_session_lasts_shorter_or_longer(office: Office, seconds: object) -> None:
    body = {"user": office.user.id, "ttl_seconds": seconds}
    status, code, details = await office.refused("POST", "/v1/user_sessions", body)
    assert (status, code, list(details)) == (400, "validation_error", ["ttl_seconds"])


@pytest.mark.parametrize("path", ["/v1/account_sessions", "/v1/user_sessions"])
async def test_a_session_is_for_somebody_who_exists(office: Office, path: str) -> None:
    stranger = await office.store.create_platform("Stranger")
    theirs = await office.store.create_account(stranger.id, "Theirs")
    them = await office.store.create_user(theirs.id, "Them")
    field, prefix, foreign = ("account", ACCOUNT, theirs.id) if "account" in path else ("user", USER, them.id)
    unknown = await office.ask("POST", path, {field: new_id(prefix)})
    assert unknown[0] == 404
    assert await office.ask("POST", path, {field: foreign}) == unknown
    assert await office.ask("POST", path, {field: "x"}) == unknown
    assert (await office.refused("POST", path, {}))[:2] == (400, "missing_field")
    assert (await office.refused("POST", path, {field: "x", "colour": 1}))[2] == {"colour": "is not a known field"}


async def test_without_a_signing_key_no_session_is_opened_and_the_next_try_may_succeed(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def directory() -> None:
        raise StoreUnavailable("busy")

    with monkeypatch.context() as patch:
        patch.setattr(office.store, "directory", directory)
        assert (await office.refused("POST", "/v1/user_sessions", {"user": office.user.id}))[:2] == (503, "unavailable")
    assert await stands(office, await user_session(office))
    assert len((await office.store.directory()).signing_keys) == 1


# --- what they may do ---


async def test_an_account_session_calls_for_every_user_and_sees_and_ends_their_calls(office: Office) -> None:
    bob = (await office.make("/v1/users", name="Bob"))["id"]
    token = await account_session(office)
    for user in (office.user.id, bob):
        path = await place(office, token, user)
        status, record = await ask(office, "GET", path, token)
        assert (status, record["user_id"], record["livemode"]) == (200, user, True)
        assert (await ask(office, "GET", f"{path}/events", token))[0] == 200
        assert (await ask(office, "DELETE", path, token))[0] == 204
    assert (await ask(office, "GET", await office.call(bob), token))[0] == 200
    await eventually(lambda: office.service.live == 0)


async def test_a_user_session_calls_for_its_user_and_knows_no_other_calls(office: Office) -> None:
    bob = (await office.make("/v1/users", name="Bob"))["id"]
    token = await user_session(office)
    own, others = await place(office, token), await office.call(bob)
    assert (await ask(office, "GET", own, token))[0] == 200
    assert (await ask(office, "GET", await office.call(office.user.id), token))[0] == 200
    for method, path in (("GET", ""), ("GET", "/events"), ("DELETE", "")):
        unknown = await ask(office, method, f"/v1/calls/{new_id(CALL)}{path}", token)
        assert unknown[0] == 404
        assert await ask(office, method, others + path, token) == unknown
    refusals = [
        await ask(office, "POST", "/v1/calls", token, {"user_id": user, "dial_string": "911"})
        for user in (bob, new_id(USER))
    ]
    assert refusals[0][0] == 403
    assert refusals[0] == refusals[1]
    assert "own user" in refusals[0][1]["error"]
    assert (await ask(office, "DELETE", own, token))[0] == 204
    await eventually(lambda: office.service.live == 0)


async def test_an_account_that_is_named_must_be_the_sessions(office: Office) -> None:
    for token in (await account_session(office), await user_session(office)):
        await place(office, token, **{"DialStack-Account": office.account.id})
        sibling = (await office.make("/v1/accounts", name="Sibling"))["id"]
        path = f"/v1/calls/{new_id(CALL)}"
        for account in (sibling, new_id(ACCOUNT), "x"):
            answer = await ask(office, "GET", path, token, DialStack_Account=account)
            assert (answer[0], answer[1]["code"]) == (403, "account_not_allowed")
        assert (await ask(office, "GET", path, token, DialStack_Account=""))[0] == 400
    await eventually(lambda: office.service.live == 0)


async def test_a_session_of_another_account_sees_nothing_of_this_one(office: Office) -> None:
    sibling = (await office.make("/v1/accounts", name="Sibling"))["id"]
    made = await office.make("/v1/account_sessions", account=sibling)
    path = await office.call(office.user.id)
    assert (await ask(office, "GET", path, made["client_secret"]))[1]["code"] == "call_not_found"
    body = {"user_id": office.user.id, "dial_string": CALLED}
    assert (await ask(office, "POST", "/v1/calls", made["client_secret"], body))[1]["code"] == "user_not_found"
    await eventually(lambda: office.service.live == 0)


async def test_a_session_of_a_test_key_is_for_tests(office: Office) -> None:
    test = await office.make("/v1/keys", livemode=False)
    _, made = await office.ask("POST", "/v1/user_sessions", {"user": office.user.id}, key=test["secret"])
    token = made["client_secret"]
    assert (await ask(office, "GET", await office.call(office.user.id), token))[0] == 404
    body = {"user_id": office.user.id, "dial_string": CALLED}
    assert (await ask(office, "POST", "/v1/calls", token, body))[1]["code"] == "destination_not_allowed"
    await eventually(lambda: office.service.live == 0)


async def test_a_user_session_shows_no_colleagues_number(office: Office) -> None:
    own, accounts, colleagues = [
        (await office.make("/v1/phone-numbers", phone_number=f"+1202555015{i}"))["id"] for i in range(3)
    ]
    await office.change(f"/v1/users/{office.user.id}", caller_number_id=own)
    await office.change(f"/v1/accounts/{office.account.id}", caller_number_id=accounts)
    token = await user_session(office)
    body = {"user_id": office.user.id, "dial_string": "+15551234567"}
    for did, status in ((own, 202), (accounts, 202), (colleagues, 400)):
        assert (await ask(office, "POST", "/v1/calls", token, body | {"did": did}))[0] == status


TABLE = build_app(FakeService(), NO_STORE)[ROUTES]


@pytest.mark.parametrize("scope", ["account_session", "user_session"])
async def test_a_session_reaches_what_the_table_says_and_nothing_else(office: Office, scope: str) -> None:
    token = await (account_session if scope == "account_session" else user_session)(office)
    reached, refused = 0, 0
    for route in TABLE:
        parts = route.path.replace("[^/]+", "").split("/")
        named = {"{user_id:}": office.user.id}
        path = "/".join(named.get(part, "x") if part.startswith("{") else part for part in parts)
        status, answer = await ask(office, route.method, path, token, DialStack_Account=office.account.id)
        if scope in route.scopes:
            assert status in (200, 400, 404), route
            reached += 1
        elif "open" not in route.scopes:
            assert (status, answer["code"]) == (403, "not_allowed"), route
            refused += 1
    assert (reached, refused) == (
        sum(scope in route.scopes for route in TABLE),
        sum(not route.scopes & {scope, "open"} for route in TABLE),
    )
    assert reached >= 4
    assert refused >= 30


# --- what ends them ---


async def test_revoked_sessions_end_at_once_and_new_ones_count(office: Office) -> None:
    bob = (await office.make("/v1/users", name="Bob"))["id"]
    anns, bobs, whole = await user_session(office), await user_session(office, bob), await account_session(office)
    assert [await stands(office, token) for token in (anns, bobs, whole)] == [True, True, True]
    assert await office.ask("POST", f"/v1/users/{office.user.id}/revoke_sessions") == (204, {})
    assert [await stands(office, token) for token in (anns, bobs, whole)] == [False, True, True]
    assert await stands(office, await user_session(office))
    assert await office.ask("POST", f"/v1/accounts/{office.account.id}/revoke_sessions", {}) == (204, {})
    assert [await stands(office, token) for token in (anns, bobs, whole)] == [False, False, False]
    assert await stands(office, await account_session(office))


async def test_a_user_who_is_deleted_has_no_session(office: Office) -> None:
    bob = (await office.make("/v1/users", name="Bob"))["id"]
    token = await user_session(office, bob)
    assert await stands(office, token)
    await office.delete(f"/v1/users/{bob}")
    assert not await stands(office, token)


async def test_an_account_that_is_deleted_has_no_session(office: Office) -> None:
    account = (await office.make("/v1/accounts", name="Second"))["id"]
    token = (await office.make("/v1/account_sessions", account=account))["client_secret"]
    assert await stands(office, token)
    await office.delete(f"/v1/accounts/{account}")
    assert not await stands(office, token)


async def test_a_key_that_is_revoked_takes_its_sessions_with_it_and_one_that_expires_does_not(office: Office) -> None:
    keys = [await office.make("/v1/keys") for _ in range(2)]
    tokens = []
    for key in keys:
        _, made = await office.ask("POST", "/v1/user_sessions", {"user": office.user.id}, key=key["secret"])
        tokens.append(made["client_secret"])
    await office.make(f"/v1/keys/{keys[0]['id']}/rotate", overlap_seconds=0)
    await office.delete(f"/v1/keys/{keys[1]['id']}")
    assert [await stands(office, token) for token in tokens] == [True, False]
    await office.delete(f"/v1/keys/{keys[0]['id']}")
    assert not await stands(office, tokens[0])


@pytest.mark.parametrize("path", ["/v1/users/{}/revoke_sessions", "/v1/accounts/{}/revoke_sessions"])
async def test_only_own_sessions_can_be_revoked(office: Office, path: str) -> None:
    stranger = await office.store.create_platform("Stranger")
    theirs = await office.store.create_account(stranger.id, "Theirs")
    them = await office.store.create_user(theirs.id, "Them")
    prefix, foreign = (USER, them.id) if "users" in path else (ACCOUNT, theirs.id)
    unknown = await office.ask("POST", path.format(new_id(prefix)))
    assert unknown[0] == 404
    assert await office.ask("POST", path.format(foreign)) == unknown
    assert await office.ask("POST", path.format("x")) == unknown
    own = office.user.id if "users" in path else office.account.id
    assert (await office.refused("POST", path.format(own), {"all": True}))[2] == {"all": "is not a known field"}


# --- what is no session ---

Forge = Callable[[dict[str, Any], SigningKey], str]


def private(key: SigningKey) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(key.private_key)


def part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def by_hand(header: object, claims: object, key: SigningKey | None = None) -> str:
    """A token with this content, signed by this key if there is one; a header may be bytes."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    said = f"{part(head)}.{part(json.dumps(claims).encode())}"
    return f"{said}.{part(private(key).sign(said.encode())) if key else ''}"


def signed(claims: object, key: SigningKey, **header: Any) -> str:
    """A token with these claims, signed as ours are; a header that is None is left out."""
    headers = {"alg": "EdDSA", "kid": key.id, "typ": TYPE} | header
    return by_hand({name: value for name, value in headers.items() if value is not None}, claims, key)


def with_claims(**changed: Any) -> Forge:
    """A good token but for these claims; one that is `...` is left out."""

    def forge(claims: dict[str, Any], key: SigningKey) -> str:
        return signed({name: value for name, value in (claims | changed).items() if value is not ...}, key)

    return forge


def later(name: str, seconds: float) -> Forge:
    return lambda claims, key: signed(claims | {name: time.time() + seconds}, key)


def with_header(**header: Any) -> Forge:
    return lambda claims, key: signed(claims, key, **header)


def unsigned(algorithm: str) -> Forge:
    return lambda claims, key: by_hand({"alg": algorithm, "typ": TYPE, "kid": key.id}, claims)


def hmac_with_the_public_key(form: Encoding, of: PublicFormat) -> Forge:
    """The classic confusion: the public key, which everybody has, used as a shared secret."""

    def forge(claims: dict[str, Any], key: SigningKey) -> str:
        secret = private(key).public_key().public_bytes(form, of)
        token = by_hand({"alg": "HS256", "typ": TYPE, "kid": key.id}, claims).rstrip(".")
        mac = hmac.digest(secret, token.encode(), hashlib.sha256)
        return f"{token}.{part(mac)}"

    return forge


def signed_otherwise(algorithm: str) -> Forge:
    """Signed with a key of the forger's own, as another algorithm wants it."""

    def forge(claims: dict[str, Any], key: SigningKey) -> str:
        stranger: Any = rsa.generate_private_key(65537, 2048)
        if algorithm.startswith("ES"):
            stranger = ec.generate_private_key(ec.SECP256R1())
        elif algorithm.startswith("HS"):
            stranger = key.id.encode() * 4  # what everybody knows: the `kid`
        return jwt.encode(claims, stranger, algorithm=algorithm, headers={"kid": key.id, "typ": TYPE})

    return forge


def with_its_own_key(claims: dict[str, Any], key: SigningKey) -> str:
    """Signed by somebody else, who sends the key to verify it with (`jwk`)."""
    stranger = Ed25519PrivateKey.generate()
    jwk = OKPAlgorithm.to_jwk(stranger.public_key(), as_dict=True)
    return jwt.encode(claims, stranger, algorithm="EdDSA", headers={"kid": key.id, "typ": TYPE, "jwk": jwk})


def flipped(place: int) -> Forge:
    """One character of header, claims or signature changed."""

    def forge(claims: dict[str, Any], key: SigningKey) -> str:
        parts = signed(claims, key).split(".")
        middle = len(parts[place]) // 2
        other = "A" if parts[place][middle] != "A" else "B"
        parts[place] = parts[place][:middle] + other + parts[place][middle + 1 :]
        return ".".join(parts)

    return forge


def text(form: str) -> Forge:
    return lambda claims, key: form.format(token=signed(claims, key))


EVIL = "https://evil.example/keys.json"
FORGED: dict[str, Forge] = {
    "alg none": unsigned("none"),
    "alg None": unsigned("None"),
    "alg empty": unsigned(""),
    "alg EdDSA, no signature": unsigned("EdDSA"),
    "HS256 with the public key in PEM": hmac_with_the_public_key(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    "HS256 with the raw public key": hmac_with_the_public_key(Encoding.Raw, PublicFormat.Raw),
    "HS256 with the public key in DER": hmac_with_the_public_key(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    **{f"signed with {name}": signed_otherwise(name) for name in ("RS256", "PS256", "ES256", "HS256", "HS512")},
    "alg Ed25519": with_header(alg="Ed25519"),
    "alg a list": with_header(alg=["EdDSA"]),
    "no alg": with_header(alg=None),
    "jku and x5u": lambda claims, key: signed(claims, SigningKey(key.id, b"x" * 32, 0.0), jku=EVIL, x5u=EVIL),
    "x5c": lambda claims, key: signed(claims, SigningKey(key.id, b"x" * 32, 0.0), x5c=["MIIB"]),
    "another's signature": lambda claims, key: signed(claims, SigningKey(key.id, b"x" * 32, 0.0)),
    "another's signature with its key": with_its_own_key,
    "unknown kid": with_header(kid="sig_01h2xcejqtf2nbrexx3vqjhp41"),
    "no kid": with_header(kid=None),
    "kid empty": with_header(kid=""),
    "kid that is a query": with_header(kid="' UNION SELECT 'x"),
    "kid null in a text": with_header(kid="sig_1\x00"),
    "kid that is a path": with_header(kid="../../etc/passwd"),
    "kid that is a list": lambda claims, key: signed(claims, key, kid=[key.id]),
    "typ JWT": with_header(typ="JWT"),
    "no typ": with_header(typ=None),
    "unknown crit": with_header(crit=["exp2"], exp2=1),
    "crit b64": with_header(crit=["b64"], b64=False),
    **{f"no {name}": with_claims(**{name: ...}) for name in ("iss", "aud", "exp", "iat", "nbf", "jti", "sub", "acct")},
    **{f"no {name}": with_claims(**{name: ...}) for name in ("scope", "key", "live", "opened_at")},
    "another iss": with_claims(iss="https://example.com"),
    "another aud": with_claims(aud="c2c-stasis/v2"),
    "several aud": with_claims(aud=["c2c-stasis/v1", "other"]),
    "expired": later("exp", -LEEWAY - 2),
    "exp far in the past": with_claims(exp=0),
    "exp not a number": lambda claims, key: signed(claims | {"exp": float("nan")}, key),
    "exp without end": lambda claims, key: signed(claims | {"exp": float("inf")}, key),
    "exp true": with_claims(exp=True),
    "exp a text": with_claims(exp="never"),
    "exp null": with_claims(exp=None),
    "nbf in the future": later("nbf", LEEWAY + 30),
    "iat in the future": later("iat", LEEWAY + 30),
    "iat a list": with_claims(iat=[1]),
    "opened_at a text": with_claims(opened_at="now"),
    "jti a number": with_claims(jti=7),
    "live a text": with_claims(live="yes"),
    "scope unknown": with_claims(scope="operator"),
    "scope account with a user": with_claims(scope="account"),
    "user unknown": with_claims(sub=new_id(USER)),
    "account unknown": with_claims(acct=new_id(ACCOUNT)),
    "account null": with_claims(acct=None),
    "key unknown": with_claims(key="key_01h2xcejqtf2nbrexx3vqjhp41"),
    "header flipped": flipped(0),
    "claims flipped": flipped(1),
    "signature flipped": flipped(2),
    "truncated": lambda claims, key: signed(claims, key)[:-4],
    "no signature": lambda claims, key: signed(claims, key).rpartition(".")[0] + ".",
    "two parts": lambda claims, key: signed(claims, key).rpartition(".")[0],
    "four parts": text("{token}.x"),
    "a blank in it": text("{token} x"),
    "twice": text("{token}{token}"),
    "too long": lambda claims, key: signed(claims | {"pad": "x" * 1000}, key),
    "header no JSON": lambda claims, key: by_hand(b"\xff\xfe", claims, key),
    "header a list": lambda claims, key: by_hand([key.id], claims, key),
    "header deep": lambda claims, key: by_hand(b"[" * 670, {}, key),
    "claims a list": lambda claims, key: signed([1], key),
    "garbage": lambda claims, key: "eyJ" + "x" * 40,
    "dots": lambda claims, key: "..",
    "a word": lambda claims, key: "session",
    "a key that nobody has": lambda claims, key: new_key(livemode=True),
    "a publishable key": lambda claims, key: "pk_live_0123456789",
}


async def bare(office: Office, *authorization: str) -> tuple[int, bytes, dict[str, str]]:
    """Status, body, and headers but those that differ with every answer."""
    headers = [("Authorization", one) for one in authorization]
    async with office._client.get(f"/v1/calls/{new_id(CALL)}", headers=headers) as response:
        told = {name: value for name, value in response.headers.items() if name.lower() not in ("x-request-id", "date")}
        return response.status, await response.read(), told


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
async def test_what_we_did_not_sign_so_opens_nothing_and_is_answered_as_no_credential_at_all(
    office: Office, forge: Forge
) -> None:
    good = await user_session(office)
    (key,) = (await office.store.directory()).signing_keys
    claims = jwt.decode(good, options={"verify_signature": False})
    assert await stands(office, signed(claims, key))  # the forger knows how it is done
    nothing = await bare(office)
    assert nothing[:2] == (401, b'{"error":"Unauthorized","code":"unauthorized"}')
    assert await bare(office, f"Bearer {forge(claims, key)}") == nothing


async def test_every_other_wrong_credential_is_answered_the_same(office: Office) -> None:
    bob = (await office.make("/v1/users", name="Bob"))["id"]
    good, of_the_deleted = await user_session(office), await user_session(office, bob)
    revoked = await office.make("/v1/keys")
    await office.delete(f"/v1/keys/{revoked['id']}")
    expired = await office.make("/v1/keys")
    await office.make(f"/v1/keys/{expired['id']}/rotate", overlap_seconds=0)
    await office.delete(f"/v1/users/{bob}")
    nothing = await bare(office)
    for authorization in (
        (f"Bearer {good}", f"Bearer {good}"),
        (f"Bearer {office.key}", f"Bearer {good}"),
        (f"Basic {good}",),
        (good,),
        ("Bearer",),
        (f"Bearer {of_the_deleted}",),
        (f"Bearer {revoked['secret']}",),
        (f"Bearer {expired['secret']}",),
        (f"Bearer {office.key[:-1]}",),
    ):
        assert await bare(office, *authorization) == nothing, authorization


async def test_a_session_ends_to_the_second(office: Office) -> None:
    good = await user_session(office)
    (key,) = (await office.store.directory()).signing_keys
    claims = jwt.decode(good, options={"verify_signature": False})
    assert await stands(office, signed(claims | {"exp": int(time.time()) + 5}, key))
    assert not await stands(office, signed(claims | {"exp": int(time.time())}, key))


async def test_a_token_in_the_address_is_no_credential(office: Office) -> None:
    token = await user_session(office)
    for name in ("access_token", "token", "client_secret"):
        async with office._client.get(f"/v1/calls/{new_id(CALL)}?{name}={token}") as response:
            assert response.status == 401


async def test_no_token_is_logged(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    token = await user_session(office)
    await place(office, token)
    await stands(office, token + "x")
    assert token[:80] not in str([record.__dict__ for record in caplog.records])
    await eventually(lambda: office.service.live == 0)


# --- with what they are signed ---


async def public_ids(office: Office) -> list[str]:
    async with office._client.get("/.well-known/jwks.json") as response:
        return [key["kid"] for key in (await response.json())["keys"]]


async def test_the_public_keys_verify_a_token_and_hold_nothing_private(office: Office) -> None:
    assert await public_ids(office) == []
    token = await user_session(office)
    async with office._client.get("/.well-known/jwks.json") as response:
        (key,) = (await response.json())["keys"]
    assert set(key) == {"kty", "crv", "x", "kid", "alg", "use"}
    claims = jwt.decode(token, jwt.PyJWK(key), algorithms=["EdDSA"], audience="c2c-stasis/v1")
    assert claims["sub"] == office.user.id


async def aged(office: Office, seconds: float) -> None:
    """Let every signing key be as much older."""
    older = update(signing_keys).values(created_at=signing_keys.c.created_at - seconds)
    await office.store._writer.run(lambda connection: connection.execute(older))
    await office.service.refresh_directory()


async def test_a_new_signing_key_is_made_by_age_and_the_old_one_is_believed_until_its_tokens_are_over(
    office: Office,
) -> None:
    old = await user_session(office)
    (first,) = await public_ids(office)
    await user_session(office)
    assert await public_ids(office) == [first]
    await aged(office, RENEW_AFTER)
    new = await user_session(office)
    assert jwt.get_unverified_header(new)["kid"] != first
    assert len(await public_ids(office)) == 2
    assert await stands(office, old)
    assert await stands(office, new)
    await aged(office, LONGEST + LEEWAY)
    assert first not in await public_ids(office)
    assert not await stands(office, old)
    assert await stands(office, new)


async def test_when_the_signing_keys_are_forgotten_every_session_is_over_at_once(office: Office) -> None:
    token = await user_session(office)
    assert await stands(office, token)
    await office.store.forget_signing_keys()
    await office.service.refresh_directory()
    assert not await stands(office, token)
    assert await stands(office, await user_session(office))
