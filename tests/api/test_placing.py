"""Placing a call: the contract of `POST /v1/calls`, to the letter."""

import json

import pytest

from c2c_stasis.call.model import DestinationKind
from c2c_stasis.directory.call_options import ORDINARY, CallOptions
from c2c_stasis.errors import (
    DestinationNotAllowed,
    LimitReached,
    NumberNotDialable,
    Stopping,
    StoreUnavailable,
    SwitchUnavailable,
    UserBusy,
)
from c2c_stasis.ids import DeviceId, NumberId
from tests.api.fakes import ACCOUNT, FOREIGN_ACCOUNT, KEY, STRANGER, USER, FakeService
from tests.api.requests import GOOD, HEADERS, Client, place

UNAUTHORIZED = b'{"error":"Unauthorized","code":"unauthorized"}'


async def test_the_first_curl_of_the_product_page(client: Client, service: FakeService) -> None:
    response = await client.post("/v1/calls", json=GOOD, headers=HEADERS)
    assert response.status == 202
    assert await response.read() == b""
    (call,) = service.calls.values()
    assert response.headers["Location"] == f"/v1/calls/{call.id}"
    assert response.headers["Content-Length"] == "0"
    assert "Content-Type" not in response.headers
    assert (call.user_id, call.dial_string, call.livemode, call.metadata) == (USER, "+15551234567", True, {})


# The error table of the product page, to the letter.
@pytest.mark.parametrize(
    ("fields", "status", "body"),
    [
        ({"user_id": ...}, 400, b'{"error":"user_id is required","code":"missing_field","details":{"user_id":"is required"}}'),
        ({"dial_string": ...}, 400, b'{"error":"dial_string is required","code":"missing_field",'
                                    b'"details":{"dial_string":"is required"}}'),
        ({"user_id": "user_1"}, 400, b'{"error":"Invalid user_id format","code":"invalid_user_id",'
                                     b'"details":{"user_id":"is not an id such as user_01h2xcejqtf2nbrexx3vqjhp42"}}'),
        ({"user_id": STRANGER}, 404, b'{"error":"User not found","code":"user_not_found"}'),
    ],
)  # fmt: skip
async def test_the_error_table(client: Client, fields: dict[str, object], status: int, body: bytes) -> None:
    response = await place(client, **fields)
    assert (response.status, await response.read()) == (status, body)
    assert response.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "authorization",
    [
        [],
        [""],
        ["Bearer"],
        ["Bearer "],
        ["Bearer sk_live_wrong"],
        [f"Basic {KEY}"],
        [KEY],
        [f"Bearer {KEY} x"],
        ["Bearer sk_live_\u00e9"],
        [f"Bearer {KEY}", f"Bearer {KEY}"],
        [f"Bearer {KEY}", ""],
    ],
)
async def test_401(client: Client, service: FakeService, authorization: list[str]) -> None:
    headers = [("DialStack-Account", ACCOUNT), *(("Authorization", value) for value in authorization)]
    response = await client.post("/v1/calls", json=GOOD, headers=headers)
    assert (response.status, await response.read()) == (401, UNAUTHORIZED)
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert not service.calls


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
async def test_the_scheme_is_read_as_the_standard_wants_it(client: Client, scheme: str) -> None:
    response = await client.post("/v1/calls", json=GOOD, headers=HEADERS | {"Authorization": f"{scheme} {KEY}"})
    assert response.status == 202


@pytest.mark.parametrize(
    ("accounts", "status", "body"),
    [
        ([], 400, b'{"error":"DialStack-Account header is required","code":"invalid_account_header",'
                  b'"details":{"DialStack-Account":"is required"}}'),
        ([ACCOUNT, ACCOUNT], 400, b'{"error":"DialStack-Account header is there more than once",'
                  b'"code":"invalid_account_header","details":{"DialStack-Account":"is there more than once"}}'),
        ([FOREIGN_ACCOUNT], 403, b'{"error":"Account not found or not yours","code":"account_not_allowed"}'),
        (["acct_1"], 403, b'{"error":"Account not found or not yours","code":"account_not_allowed"}'),
        ([""], 400, b'{"error":"DialStack-Account header is required","code":"invalid_account_header",'
                    b'"details":{"DialStack-Account":"is required"}}'),
        (["", ""], 400, b'{"error":"DialStack-Account header is there more than once",'
                        b'"code":"invalid_account_header","details":{"DialStack-Account":"is there more than once"}}'),
        (["\u00e9"], 403, b'{"error":"Account not found or not yours","code":"account_not_allowed"}'),
    ],
)  # fmt: skip
async def test_the_account_header(client: Client, accounts: list[str], status: int, body: bytes) -> None:
    headers = [("Authorization", f"Bearer {KEY}"), *(("DialStack-Account", account) for account in accounts)]
    response = await client.post("/v1/calls", json=GOOD, headers=headers)
    assert (response.status, await response.read()) == (status, body)


async def test_of_several_mistakes_the_first_in_the_order_is_told(client: Client, service: FakeService) -> None:
    """Each step repairs one mistake of a request that has them all."""
    headers = {"Content-Type": "application/json"}
    fields: dict[str, object] = {"unknown": 1}
    told = []

    async def ask(body: bytes | None = None) -> None:
        data = json.dumps(fields).encode() if body is None else body
        response = await client.post("/v1/calls", data=data, headers=headers)
        told.append((response.status, (await response.json())["error"]))

    await ask(b"not json")
    headers["Authorization"] = f"Bearer {KEY}"
    await ask(b"not json")
    headers["DialStack-Account"] = FOREIGN_ACCOUNT
    await ask(b"not json")
    headers["DialStack-Account"] = ACCOUNT
    await ask(b"not json")
    await ask()
    fields["user_id"] = "nobody"
    await ask()
    fields["dial_string"] = 5551234
    await ask()
    fields["user_id"] = STRANGER
    await ask()
    fields["user_id"] = USER
    await ask()
    fields["dial_string"] = "5551234"
    await ask()
    del fields["unknown"]
    await ask()
    fields["dial_string"] = "+18765551234"
    await ask()
    assert told == [
        (401, "Unauthorized"),
        (400, "DialStack-Account header is required"),
        (403, "Account not found or not yours"),
        (400, "Invalid JSON body"),
        (400, "user_id is required"),
        (400, "dial_string is required"),
        (400, "Invalid user_id format"),
        (404, "User not found"),
        (400, 'Invalid dial_string: must be a text in quotes, such as "+15551234567" or "911"'),
        (400, "Invalid unknown: is not a known field"),
        (400, "Invalid dial_string: lacks its area code (read as a number of US); "
              "E.164 such as +15551234567 is always understood"),
        (403, "Destination not allowed: the number belongs to JM; only US is dialled"),
    ]  # fmt: skip
    assert not service.calls


@pytest.mark.parametrize("empty", [..., None, ""])
async def test_null_and_empty_are_missing(client: Client, empty: object) -> None:
    assert (await (await place(client, user_id=empty)).json())["error"] == "user_id is required"
    assert (await (await place(client, dial_string=empty)).json())["error"] == "dial_string is required"


@pytest.mark.parametrize("wrong", [1, 15551234567, 1.5, True, False, 0, [], {}, ["x"], {"id": "x"}])
@pytest.mark.parametrize("field", ["user_id", "user"])
async def test_a_user_id_that_is_no_text_has_the_wrong_format(client: Client, field: str, wrong: object) -> None:
    response = await place(client, **{field: wrong})
    body = await response.json()
    assert (response.status, body["error"], body["code"]) == (400, "Invalid user_id format", "invalid_user_id")


@pytest.mark.parametrize("wrong", [911, 15551234567, 1.5, True, False, 0, [], {}, ["x"], {"id": "x"}])
async def test_a_dial_string_that_is_no_text_is_told_how_to_be_one(client: Client, wrong: object) -> None:
    response = await place(client, dial_string=wrong)
    reason = 'must be a text in quotes, such as "+15551234567" or "911"'
    assert response.status == 400
    assert await response.json() == {
        "error": f"Invalid dial_string: {reason}",
        "code": "validation_error",
        "details": {"dial_string": reason},
    }


async def test_whoever_is_unknown_is_told_before_any_option(client: Client) -> None:
    response = await place(client, user_id=STRANGER, metadata=1)
    assert (response.status, (await response.json())["error"]) == (404, "User not found")


@pytest.mark.parametrize(
    "user_id",
    [
        "x",
        " ",
        "user_",
        "user",
        "01h2xcejqtf2nbrexx3vqjhp42",
        "acct_01h2xcejqtf2nbrexx3vqjhp42",
        "user_01h2xcejqtf2nbrexx3vqjhp4",
        "user_01h2xcejqtf2nbrexx3vqjhp422",
        "user_01H2XCEJQTF2NBREXX3VQJHP42",
        "user_81h2xcejqtf2nbrexx3vqjhp42",
        "user_01h2xcejqtf2nbrexx3vqjhpi2",
        " user_01h2xcejqtf2nbrexx3vqjhp42",
        "user_01h2xcejqtf2nbrexx3vqjhp42 ",
        "USER_01h2xcejqtf2nbrexx3vqjhp42",
        "user_" + "0" * 5000,
        "user_٠1h2xcejqtf2nbrexx3vqjhp42",
        "用户",
        "_",
    ],
)
async def test_only_a_typeid_is_a_user_id(client: Client, user_id: str) -> None:
    response = await place(client, user_id=user_id)
    assert (response.status, (await response.json())["error"]) == (400, "Invalid user_id format")


async def test_user_and_user_id_are_one_field_and_the_short_one_wins(client: Client) -> None:
    assert (await place(client, user=USER, user_id=...)).status == 202
    assert (await place(client, user=USER, user_id=STRANGER)).status == 202
    assert (await place(client, user=STRANGER)).status == 404
    assert (await place(client, user=None)).status == 202
    assert (await place(client, user="")).status == 202


@pytest.mark.parametrize(
    ("dial_string", "kind", "number"),
    [
        ("+15551234567", DestinationKind.EXTERNAL, "+15551234567"),
        ("5551234567", DestinationKind.EXTERNAL, "+15551234567"),
        ("1001", DestinationKind.EXTENSION, "1001"),
        ("911", DestinationKind.EMERGENCY, "911"),
    ],
)
async def test_the_four_formats_of_the_product_page(
    client: Client, service: FakeService, dial_string: str, kind: DestinationKind, number: str
) -> None:
    assert (await place(client, dial_string=dial_string)).status == 202
    (call,) = service.calls.values()
    assert (call.destination.kind, call.destination.party.number) == (kind, number)


@pytest.mark.parametrize("value", [True, 30, "did_01h2xcejqtf2nbrexx3vqjhp42"])
@pytest.mark.parametrize(
    "field",
    ["auto_answer", "confirm", "record"],
)
async def test_what_does_not_work_yet_is_said(client: Client, field: str, value: object) -> None:
    response = await place(client, **{field: value})
    assert response.status == 400
    assert await response.json() == {
        "error": f"{field} is not supported yet",
        "code": "not_supported",
        "details": {field: "is not supported yet"},
    }


@pytest.mark.parametrize("value", [False, None])
@pytest.mark.parametrize("field", ["auto_answer", "confirm", "record"])
async def test_who_does_not_ask_for_what_does_not_work_yet_gets_the_call(
    client: Client, field: str, value: object
) -> None:
    assert (await place(client, **{field: value})).status == 202


DID = "did_01h2xcejqtf2nbrexx3vqjhp42"
DEVICE = "ep_01h2xcejqtf2nbrexx3vqjhp42"


async def test_what_is_asked_for_one_call_reaches_the_service(client: Client, service: FakeService) -> None:
    asked = {"did": DID, "device_id": DEVICE, "ring_timeout": 10, "answer_timeout": 20.5, "max_duration": 600}
    assert (await place(client, **asked)).status == 202
    assert service.options == CallOptions(NumberId(DID), DeviceId(DEVICE), 10, 20.5, 600)
    assert (await place(client, did_id=DID, device=DEVICE)).status == 202
    assert service.options == CallOptions(NumberId(DID), DeviceId(DEVICE))
    assert (await place(client, did=None, device="", ring_timeout=None, anonymous=None)).status == 202
    assert service.options == CallOptions()
    assert (await place(client, anonymous=True)).status == 202
    assert service.options == CallOptions(anonymous=True)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("did", True), ("did", 30), ("did", "+12025550142"), ("did", DEVICE), ("did", ["did"]), ("did", "did_1")],
        *[("device_id", 1), ("device_id", DID), ("device_id", "desk")],
        *[("ring_timeout", "30"), ("answer_timeout", True), ("max_duration", [])],
        *[("anonymous", "yes"), ("anonymous", 1)],
    ],
)
async def test_what_cannot_be_asked_for_is_named(client: Client, field: str, value: object) -> None:
    response = await place(client, **{field: value})
    assert (response.status, list((await response.json())["details"])) == (400, [field])


async def test_the_one_example_with_from_and_to_gets_the_id_of_its_call(client: Client, service: FakeService) -> None:
    body = {"from": USER, "to": "+15551234567", "metadata": {"crm": "1"}}
    response = await client.post("/v1/calls", json=body, headers=HEADERS)
    (call,) = service.calls.values()
    assert (response.status, await response.json()) == (202, {"id": call.id})
    assert response.headers["Location"] == f"/v1/calls/{call.id}"
    assert (call.user_id, call.dial_string, call.metadata) == (USER, "+15551234567", {"crm": "1"})


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"from": USER}, 400, "dial_string is required"),
        ({"to": "+15551234567"}, 400, "user_id is required"),
        ({"from": "5551234", "to": "+15551234567"}, 400, "Invalid user_id format"),
        ({"from": STRANGER, "to": "+15551234567"}, 404, "User not found"),
        (GOOD | {"to": "+15551234567"}, 400, "Invalid to: stands for dial_string, and only beside `from`"),
        (GOOD | {"from": USER}, 400, "Invalid from: stands for user_id, and only beside `to`"),
        ({"from": USER, "dial_string": "+15551234567"}, 400, "user_id is required"),
    ],
)
async def test_from_and_to_stand_alone(client: Client, body: dict[str, object], status: int, error: str) -> None:
    response = await client.post("/v1/calls", json=body, headers=HEADERS)
    assert (response.status, (await response.json())["error"]) == (status, error)


async def test_an_unknown_field_is_named_and_cut_short(client: Client) -> None:
    response = await place(client, **{"x" * 1000: 1})
    assert (response.status, (await response.json())["details"]) == (400, {"x" * 64: "is not a known field"})


@pytest.mark.parametrize(
    "metadata", [{}, None, {"a": ""}, {"crm": "42", "é": "ü"}, {str(number): "v" * 512 for number in range(16)}]
)
async def test_metadata_is_kept(client: Client, service: FakeService, metadata: dict[str, str] | None) -> None:
    response = await place(client, metadata=metadata)
    record = await (await client.get(response.headers["Location"], headers=HEADERS)).json()
    assert record["metadata"] == (metadata or {})


@pytest.mark.parametrize(
    "metadata",
    [
        [],
        "",
        "x",
        0,
        False,
        True,
        {"a": 1},
        {"a": None},
        {"a": {"b": "c"}},
        {"": "x"},
        {"k" * 65: "x"},
        {"k": "v" * 513},
        {str(number): "" for number in range(17)},
    ],
)
async def test_other_metadata_is_refused(client: Client, metadata: object) -> None:
    response = await place(client, metadata=metadata)
    assert (response.status, list((await response.json())["details"])) == (400, ["metadata"])


async def test_an_emergency_call_is_placed_whatever_else_is_wrong(
    client: Client, service: FakeService, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = {"metadata": {"a": 1}, "record": True, "unknown": 1, "did": "x", "device": 1, "ring_timeout": "long"}
    response = await place(client, dial_string="9-1-1", **wrong)
    assert response.status == 202
    (call,) = service.calls.values()
    assert (call.metadata, service.options) == ({}, ORDINARY)
    (line,) = (record for record in caplog.records if record.message == "fields of an emergency request ignored")
    assert line.__dict__["fields"] == "record, unknown, metadata, ring_timeout, did, device"
    assert line.__dict__["call_id"] == call.id


@pytest.mark.parametrize(
    "wrong",
    [
        b'"metadata": {"note": "first line\\nsecond line"}',
        b'"metadata": {"note": "\\ud800"}',
        b'"metadata": {"note": "one", "note": "two"}',
        b'"metadata": [[[[[[[]]]]]]]',
        b'"max_duration": NaN',
        b'"max_duration": 1e999',
        b'"did": 12345678901234567890',
        b'"did": 1, "did": 2',
    ],
)
async def test_an_emergency_call_is_placed_though_another_field_cannot_even_be_read(
    client: Client, service: FakeService, wrong: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    def body(dial_string: str) -> bytes:
        return b'{"user_id": "%s", "dial_string": "%s", %s}' % (USER.encode(), dial_string.encode(), wrong)

    headers = HEADERS | {"Content-Type": "application/json"}
    response = await client.post("/v1/calls", data=body("+15551234567"), headers=headers)
    assert response.status == 400
    assert service.calls == {}

    response = await client.post("/v1/calls", data=body("911"), headers=headers)
    assert response.status == 202
    (line,) = (record for record in caplog.records if record.message == "fields of an emergency request ignored")
    assert line.__dict__["fields"] in ("metadata", "max_duration", "did")


@pytest.mark.parametrize(
    "body",
    [
        b'{"user_id": "U", "dial_string": "911", "metadata": {"note": "a',
        b'{"user_id": "U", "dial_string": "911", "dial_string": "112", "did": 12345678901234567890}',
        b'{"user_id": "U", "dial_string": "911", "user_id": "V"}',
        b'{"user_id": "U", "dial_string": "9\\n11"}',
        b'{"user_id": "U", "dial_string": "+15551234567\\n"}',
        b'{"user_id": "user_01h2xcejqtf2nbrexx3vqjhp4z", "dial_string": "911\\n"}',
        b'{"user_id": "", "dial_string": "911\\n"}',
        b'{"user_id": "U", "dial_string": 911, "max_duration": NaN}',
        b'["911"]',
    ],
)
async def test_what_nobody_can_tell_is_no_emergency_call(client: Client, service: FakeService, body: bytes) -> None:
    headers = HEADERS | {"Content-Type": "application/json"}
    response = await client.post("/v1/calls", data=body.replace(b'"U"', b'"%s"' % USER.encode()), headers=headers)
    assert (response.status, service.calls) == (400, {})


@pytest.mark.parametrize("number", [b'"911\\n"', b'"\\t112"'])
async def test_an_emergency_number_is_one_however_it_is_written(
    client: Client, service: FakeService, number: bytes
) -> None:
    body = b'{"from": "%s", "to": %s}' % (USER.encode(), number)
    response = await client.post("/v1/calls", data=body, headers=HEADERS | {"Content-Type": "application/json"})
    assert response.status == 202
    assert [call.dial_string for call in service.calls.values()] in (["911"], ["112"])


async def test_an_emergency_call_is_placed_whatever_the_query_says(client: Client, service: FakeService) -> None:
    async def asked(dial_string: str) -> int:
        body = {"user_id": USER, "dial_string": dial_string}
        return (await client.post("/v1/calls?source=page", json=body, headers=HEADERS)).status

    assert [await asked("911"), await asked("+15551234567")] == [202, 400]


@pytest.mark.parametrize(
    ("error", "status", "body"),
    [
        (NumberNotDialable("is no extension", "unknown_extension"), 400, b'{"error":"Invalid dial_string: is no extension",'
            b'"code":"validation_error","details":{"dial_string":"is no extension","rule":"unknown_extension"}}'),
        (DestinationNotAllowed("other_region", "no"), 403, b'{"error":"Destination not allowed: no",'
            b'"code":"destination_not_allowed","details":{"dial_string":"no","rule":"other_region"}}'),
        (UserBusy(2), 409, b'{"error":"User is busy: the user already has 2 calls","code":"user_busy",'
            b'"details":{"rule":"user_busy"}}'),
        (LimitReached("user_starts", "too fast", 7), 429, b'{"error":"Limit reached: too fast","code":"limit_reached",'
            b'"details":{"rule":"user_starts"}}'),
    ],
)  # fmt: skip
async def test_what_the_service_refuses(
    client: Client, service: FakeService, error: Exception, status: int, body: bytes
) -> None:
    service.fail = error
    response = await place(client)
    assert (response.status, await response.read()) == (status, body)


async def test_a_limit_says_when_to_come_again(client: Client, service: FakeService) -> None:
    service.fail = LimitReached("user_starts", "too fast", 7)
    assert (await place(client)).headers["Retry-After"] == "7"


@pytest.mark.parametrize(
    ("error", "wait"), [(SwitchUnavailable("10.0.0.1 refused"), "1"), (StoreUnavailable(), "1"), (Stopping(), "5")]
)
async def test_503_says_when_to_come_back_and_which_part_is_missing(
    client: Client, service: FakeService, error: Exception, wait: str
) -> None:
    service.fail = error
    service.checks = {"asterisk": "not connected", "database": "ok"}
    response = await place(client)
    assert (response.status, response.headers["Retry-After"]) == (503, wait)
    assert await response.json() == {
        "error": "Service unavailable, please retry",
        "code": "unavailable",
        "details": {
            "asterisk": "not connected",
            "database": "ok",
            "request_id": response.headers["X-Request-Id"],
        },
    }


@pytest.mark.parametrize("error", [SwitchUnavailable("refused"), StoreUnavailable(), Stopping()])
async def test_503_of_an_emergency_call_says_that_nothing_was_dialled_and_what_to_do(
    client: Client, service: FakeService, error: Exception
) -> None:
    service.fail = error
    response = await place(client, dial_string="911")
    told = await response.json()
    assert (response.status, told["code"]) == (503, "unavailable")
    assert told["error"] == "Emergency call NOT placed: nothing was dialled. Use another phone now"


async def test_500_tells_the_request_id_and_the_log_tells_why(
    client: Client, service: FakeService, caplog: pytest.LogCaptureFixture
) -> None:
    service.fail = RuntimeError("the reason")
    response = await place(client)
    assert response.status == 500
    request_id = response.headers["X-Request-Id"]
    assert await response.json() == {
        "error": "Internal server error",
        "code": "internal_error",
        "details": {"request_id": request_id},
    }
    (line,) = (record for record in caplog.records if record.levelname == "ERROR")
    assert line.__dict__["request_id"] == request_id
    assert line.exc_info is not None
    assert str(line.exc_info[1]) == "the reason"
