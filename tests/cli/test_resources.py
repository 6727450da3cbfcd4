"""The directory by command line: what is typed is there, what is shown can be read, and what is wrong says what to do."""

import re
from pathlib import Path

import pytest

from c2c_stasis.directory.keys import new_key
from c2c_stasis.ports import Contact
from tests.api.resources.office import Office
from tests.cli.line import NOT_ACCEPTED, NOT_THERE, REFUSED, USAGE, WRONG_CONFIG, Line

# --- from nothing to a user who can be called ---


async def test_an_account_with_all_that_belongs_to_it(office: Office, line: Line) -> None:
    account = await line.json("accounts", "create", "Acme", "--region", "GB", "--extension-length", "3")
    assert account["config"] == {"region": "GB", "extension_length": 3, "timezone": "UTC"}
    acme = ("--account", "acme")
    number = await line.json("phone-numbers", "create", "+442079460018", "--caller-id-name", "Acme Ltd", *acme)
    alice = await line.json("users", "create", "Alice", "--caller-number", "+442079460018", *acme)
    assert alice["caller_number_id"] == number["id"]
    device = await line.json("devices", "create", "alice", "desk", "--name", "Desk phone", *acme)
    assert (device["user_id"], device["endpoint"], device["name"]) == (alice["id"], "desk", "Desk phone")
    extension = await line.json("extensions", "create", "201", "ALICE", *acme)
    assert extension["target"] == alice["id"]
    await line.says("accounts", "update", "Acme", "--caller-number", "+442079460018", "--timezone", "Europe/London")
    shown = await line.json("accounts", "show", "Acme")
    assert (shown["caller_number_id"], shown["config"]["timezone"]) == (number["id"], "Europe/London")


async def test_each_is_listed_in_a_table(office: Office, line: Line) -> None:
    office.switch.registered["desk"] = [Contact("sip:a@192.0.2.1", user_agent="Phone/1"), Contact("sip:b@h", False)]
    await line.says("devices", "create", "Ann", "desk")
    await line.says("extensions", "create", "1001", "Ann")
    await line.says("extensions", "create", "1002", "Ann")
    await line.says("phone-numbers", "create", "+12025550101", "--no-outbound")
    await line.says("keys", "create", "--test")
    tables = {
        name: [re.split(r"  +", row) for row in (await line.says(name, "list")).splitlines()]
        for name in ("accounts", "users", "devices", "extensions", "phone-numbers", "keys")
    }
    ann, user = office.user.name, office.user.id
    assert tables["accounts"] == [
        ["ID", "NAME", "REGION", "EXTENSIONS", "TIMEZONE", "CALLER NUMBER"],
        [office.account.id, "Bakery", "US", "4 digits", "UTC", "-"],
    ]
    assert tables["users"][1:] == [[user, ann, "1002, 1001", "-", "no"]]
    contacts = "sip:a@192.0.2.1 (Phone/1), sip:b@h (unknown phone, not reachable)"
    assert tables["devices"][1][1:] == ["desk", "-", "sip", ann, "online", contacts]
    assert tables["extensions"][1:] == [["1002", ann, user], ["1001", ann, user]]
    assert tables["phone-numbers"][1][1:] == ["+12025550101", "active", "no", "-"]
    assert [row[2:4] for row in tables["keys"]] == [["FOR", "STATUS"], ["tests", "active"], ["calls", "active"]]


async def test_a_key_is_rotated_and_both_open_for_a_while(office: Office, line: Line) -> None:
    old = await line.json("keys", "create", "--test")
    new = await line.json("keys", "rotate", old["id"], "--overlap", "3600")
    assert (new["livemode"], new["expires_at"]) == (False, None)
    rows = {row.split()[0]: row for row in (await line.says("keys", "list")).splitlines()}
    assert " active " in rows[old["id"]]
    shown = await line.json("keys", "show", old["id"])
    assert shown["expires_at"] > shown["created_at"]
    for key in (old, new):
        assert (await office.ask("GET", "/v1/users", key=key["secret"]))[0] == 200


async def test_which_pages_act_for_an_account_and_from_where_a_key_is_used(office: Office, line: Line) -> None:
    pages = "https://app.example.com, http://localhost:3000"
    account = await line.json("accounts", "update", "Bakery", "--cors-origins", pages)
    assert account["cors_origins"] == pages.split(", ")
    assert (await line.json("accounts", "update", "Bakery", "--cors-origins", ""))["cors_origins"] is None
    made = await line.json("keys", "create", "--from", "203.0.113.7", "--from", "10.0.0.0/8")
    assert made["networks"] == ["203.0.113.7/32", "10.0.0.0/8"]
    assert "203.0.113.7/32, 10.0.0.0/8" in await line.says("keys", "list")


async def test_columns_are_aligned(office: Office, line: Line) -> None:
    for name in ("A", "Somebody with a long name"):
        await line.says("users", "create", name, "--email", "x@example.org")
    rows = (await line.says("users", "list")).splitlines()
    assert {row.index("x@example.org") for row in rows[1:3]} == {rows[0].index("EMAIL")}


async def test_a_long_list_is_listed_whole(office: Office, line: Line) -> None:
    for number in range(103):
        await office.store.create_user(office.account.id, f"User {number}")
    assert len(await line.json("users", "list")) == 104


async def test_an_empty_list_says_how_to_fill_it(office: Office, line: Line) -> None:
    result = await line.run("devices", "list")
    assert (result.stdout, result.exit_code) == ("", 0)
    assert "c2c-stasis devices create USER" in result.stderr
    assert await line.json("devices", "list") == []


async def test_one_record_is_shown_field_by_field(office: Office, line: Line) -> None:
    await line.says("extensions", "create", "1001", "Ann")
    shown = dict(row.split(None, 1) for row in (await line.says("users", "show", "1001")).splitlines())
    assert shown["id"] == office.user.id
    assert (shown["name"], shown["extensions"], shown["caller_number_id"]) == ("Ann", "1001", "-")
    assert (shown["caller_number"], shown["devices"]) == ("that of the account", "-")


async def test_numbers_and_devices_are_shown_to_people_and_the_record_to_programs(office: Office, line: Line) -> None:
    office.switch.registered["desk"] = [Contact("sip:a@192.0.2.1")]
    number = await line.json("phone-numbers", "create", "+12025550101")
    await line.says("accounts", "update", "Bakery", "--caller-number", "+12025550101")
    await line.says("users", "update", "Ann", "--caller-number", "+12025550101")
    await line.says("devices", "create", "Ann", "desk")
    await line.says("devices", "create", "Ann", "mobile")
    account = dict(row.split(None, 1) for row in (await line.says("accounts", "show", "Bakery")).splitlines())
    user = dict(row.split(None, 1) for row in (await line.says("users", "show", "Ann")).splitlines())
    assert (account["caller_number_id"], account["caller_number"]) == (number["id"], "+12025550101")
    assert (user["caller_number"], user["devices"]) == ("+12025550101", "mobile (offline), desk (online)")
    assert "+12025550101" in await line.says("accounts", "list")
    record = await line.json("users", "show", "Ann")
    assert (record["caller_number"], "devices" in record) == (number["id"], False)


# --- changes ---


async def test_what_is_changed_and_what_is_emptied(office: Office, line: Line) -> None:
    await line.says("phone-numbers", "create", "+12025550101")
    await line.says("users", "create", "Bob")
    changed = await line.json(
        "users", "update", "Ann", "--email", "a@b.c", "--do-not-disturb", "--caller-number", "+12025550101"
    )
    assert (changed["email"], changed["do_not_disturb"], changed["caller_number"] is None) == ("a@b.c", True, False)
    changed = await line.json("users", "update", "a@b.c", "--email", "", "--disturb", "--caller-number", "")
    assert (changed["email"], changed["do_not_disturb"], changed["caller_number"]) == (None, False, None)
    await line.says("devices", "create", "Ann", "desk")
    changed = await line.json("devices", "update", "desk", "--name", "Desk", "--endpoint", "desk-2")
    assert (changed["name"], changed["endpoint"]) == ("Desk", "desk-2")
    await line.says("extensions", "create", "1001", "Ann")
    assert (await line.json("extensions", "update", "1001", "Bob"))["target"] != office.user.id
    changed = await line.json("phone-numbers", "update", "+12025550101", "--status", "inactive", "--no-outbound")
    assert (changed["status"], changed["outbound_enabled"]) == ("inactive", False)


async def test_each_is_deleted_by_its_name(office: Office, line: Line) -> None:
    await line.says("devices", "create", "Ann", "desk")
    await line.says("extensions", "create", "1001", "Ann")
    await line.says("phone-numbers", "create", "+12025550101")
    key = await line.json("keys", "create")
    for words in (
        ("devices", "delete", "desk"),
        ("extensions", "delete", "1001"),
        ("phone-numbers", "delete", "+12025550101"),
        ("users", "delete", "Ann"),
        ("keys", "delete", key["secret"][:16]),
        ("accounts", "delete", "Bakery"),
    ):
        assert "is deleted" in await line.says(*words)
    assert (await line.json("accounts", "list")) == []
    assert (await line.json("keys", "show", key["id"]))["status"] == "revoked"


async def test_a_key_is_printed_once_and_says_so(office: Office, line: Line) -> None:
    result = await line.run("keys", "create")
    secret = re.search(r"^secret +(sk_live_\w+)$", result.stdout, re.MULTILINE)
    assert secret
    assert "shown this once" in result.stderr
    assert secret[1] not in await line.says("keys", "list")


async def test_a_device_without_a_phone_is_pointed_out(office: Office, line: Line) -> None:
    result = await line.run("devices", "create", "Ann", "desk")
    assert result.exit_code == 0
    assert "No phone is registered as PJSIP/desk" in result.stderr


# --- what is wrong ---


async def test_what_the_service_refuses_is_said_in_its_words(office: Office, line: Line) -> None:
    await line.says("extensions", "create", "1001", "Ann")
    assert "number must be 4 digits" in await line.fails(REFUSED, "extensions", "create", "10", "Ann")
    assert "config.region must be" in await line.fails(REFUSED, "accounts", "create", "X", "--region", "XX")
    assert "has 1 user" in await line.fails(REFUSED, "accounts", "delete", "Bakery")
    assert "Extension not found" in await line.fails(REFUSED, "extensions", "show", "1009")


async def test_a_name_that_no_display_can_show_is_what_is_refused(office: Office, line: Line) -> None:
    said = await line.fails(REFUSED, "users", "create", "ev\x1b[31m", "--another")
    assert said == "c2c-stasis: name holds control characters or lone surrogates\n"
    said = await line.fails(REFUSED, "users", "create", "ev\x1b[31m")
    assert "\x1b" not in said


async def test_what_is_in_use_is_said_with_whose_it_is_but_never_that_of_another_account(
    office: Office, line: Line
) -> None:
    await line.says("users", "create", "Bob")
    await line.says("devices", "create", "Ann", "desk")
    await line.says("devices", "create", "Bob", "mobile")
    await line.says("extensions", "create", "1001", "Ann")
    ann = f"Ann ({office.user.id})"
    for words in (("devices", "create", "Bob", "desk"), ("devices", "update", "mobile", "--endpoint", "desk")):
        said = await line.fails(REFUSED, *words)
        assert said == f"c2c-stasis: desk rings for {ann} already; c2c-stasis devices delete desk frees it\n"
    said = await line.fails(REFUSED, "extensions", "create", "1001", "Bob")
    assert (
        said
        == f"c2c-stasis: 1001 leads to {ann} already; c2c-stasis extensions update 1001 USER lets it lead elsewhere\n"
    )
    await line.says("accounts", "create", "Butcher")
    butcher = ("--account", "Butcher")
    await line.says("users", "create", "Carl", *butcher)
    said = await line.fails(REFUSED, "devices", "create", "Carl", "desk", *butcher)
    assert said == "c2c-stasis: endpoint is already in use\n"


async def test_a_name_that_is_there_is_not_given_again_unless_it_is_meant(office: Office, line: Line) -> None:
    for words, there in (
        (("users", "create", "ANN"), office.user.id),
        (("accounts", "create", "bakery"), office.account.id),
    ):
        said = await line.fails(REFUSED, *words)
        assert said == f"c2c-stasis: {words[2]} is there already: {there}. --another makes one more of that name.\n"
        assert (await line.json(*words, "--another"))["name"] == words[2]
    assert (await line.json("users", "create", "An", "--account", office.account.id))["name"] == "An"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("users", "show", "zoe"), "there is no user zoe. See: c2c-stasis users list"),
        (("users", "show", "1009"), "there is no user 1009"),
        (("users", "show", "user_01h2xcejqtf2nbrexx3vqjhp42"), "User not found"),
        (("devices", "show", "zoe"), "there is no device zoe. See: c2c-stasis devices list"),
        (("accounts", "show", "zoe"), "there is no account zoe. See: c2c-stasis accounts list"),
        (("phone-numbers", "show", "+1"), "there is no phone number +1"),
        (("keys", "show", "sk_live_nothing"), "there is no key sk_live_nothing"),
    ],
)
async def test_an_unknown_name_says_where_to_look(line: Line, words: tuple[str, ...], said: str) -> None:
    assert said in await line.fails(REFUSED, *words)


async def test_a_name_that_two_have_needs_an_id(office: Office, line: Line) -> None:
    other = await line.json("users", "create", "ann", "--another")
    said = await line.fails(REFUSED, "users", "show", "Ann")
    assert "2 could be meant by Ann; give an id" in said
    assert office.user.id in said
    assert other["id"] in said


async def test_digits_may_be_an_extension_or_a_name_but_not_both(office: Office, line: Line) -> None:
    await line.says("extensions", "create", "1001", "Ann")
    assert (await line.json("users", "show", "1001"))["id"] == office.user.id
    await line.says("users", "create", "1001")
    assert "2 could be meant by 1001" in await line.fails(REFUSED, "users", "show", "1001")


async def test_with_two_accounts_one_must_be_named(office: Office, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    other = await line.json("accounts", "create", "Butcher")
    said = await line.fails(USAGE, "users", "list")
    assert "which account? Say --account or C2C_ACCOUNT" in said
    assert f"{other['id']} (Butcher)" in said
    monkeypatch.setenv("C2C_ACCOUNT", "Butcher")
    assert await line.json("users", "list") == []
    assert len(await line.json("users", "list", "--account", office.account.id)) == 1


async def test_an_unknown_account_is_not_accepted(line: Line) -> None:
    stranger = "acct_01h2xcejqtf2nbrexx3vqjhp41"
    said = await line.fails(NOT_ACCEPTED, "users", "list", "--account", stranger)
    assert said == f"c2c-stasis: no account {stranger} belongs to this key. See: c2c-stasis accounts list\n"
    said = await line.fails(NOT_ACCEPTED, "users", "list", "--account", "nope")
    assert said == "c2c-stasis: there is no account nope. See: c2c-stasis accounts list\n"


async def test_a_wrong_key_says_how_to_get_a_right_one(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = new_key(livemode=True)
    monkeypatch.setenv("C2C_API_KEY", wrong)
    said = await line.fails(NOT_ACCEPTED, "accounts", "list")
    assert "c2c-stasis init --new-key" in said
    assert wrong not in said


async def test_without_a_key_nothing_is_asked(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("C2C_API_KEY")
    assert "C2C_API_KEY is not set" in await line.fails(USAGE, "accounts", "list")
    monkeypatch.setenv("C2C_API_KEY", "two words")
    assert "only the key itself" in await line.fails(USAGE, "accounts", "list")


async def test_the_key_may_be_in_a_file(
    office: Office, line: Line, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("C2C_API_KEY", "of another service")
    (folder / "key").write_text(f"{office.key}\n")
    assert len(await line.json("accounts", "list", "--key-file", "key")) == 1
    (folder / "empty").touch()
    assert "empty is empty" in await line.fails(USAGE, "accounts", "list", "--key-file", "empty")


async def test_no_key_can_be_an_argument(line: Line) -> None:
    assert "No such option" in await line.fails(USAGE, "accounts", "list", "--key", "sk_live_x")


async def test_a_service_that_does_not_run_is_said_with_what_to_do(line: Line) -> None:
    said = await line.fails(NOT_THERE, "accounts", "list", "--url", "http://127.0.0.1:1")
    assert "no service answers at http://127.0.0.1:1 (Connection refused)" in said
    assert "c2c-stasis serve" in said
    assert "not known" in await line.fails(NOT_THERE, "accounts", "list", "--url", "http://nowhere.invalid")


async def test_the_service_is_where_the_configuration_says(
    office: Office, line: Line, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("C2C_BASE_URL")
    assert "where is the service?" in await line.fails(USAGE, "accounts", "list")
    port = office.url.rpartition(":")[2]
    for host in ("127.0.0.1", "0.0.0.0"):
        (folder / "c2c.toml").write_text(f'[http]\nlisten = "{host}:{port}"\n[ari]\npassword = "x"\n')
        assert len(await line.json("accounts", "list")) == 1
    (folder / "c2c.toml").write_text('[http]\nlisten = "127.0.0.1:0"\n[ari]\npassword = "x"\n')
    assert "lets the system choose the port" in await line.fails(USAGE, "accounts", "list")
    (folder / "c2c.toml").write_text("[http]\nlisten = 7\n")
    assert "http.listen" in await line.fails(WRONG_CONFIG, "accounts", "list")


async def test_a_configuration_that_is_typed_counts_before_an_address_of_the_environment(
    office: Office, line: Line, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("C2C_BASE_URL", "http://127.0.0.1:1")
    port = office.url.rpartition(":")[2]
    (folder / "mine.toml").write_text(f'[http]\nlisten = "127.0.0.1:{port}"\n[ari]\npassword = "x"\n')
    assert len(await line.json("accounts", "list", "-c", "mine.toml")) == 1
    await line.fails(NOT_THERE, "accounts", "list", "-c", "mine.toml", "--url", "http://127.0.0.1:1")
    monkeypatch.setenv("C2C_CONFIG", "mine.toml")
    await line.fails(NOT_THERE, "accounts", "list")


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://x", "sip:x@y"])
async def test_an_address_that_is_no_url_is_wrong_usage(line: Line, url: str) -> None:
    assert "is no URL" in await line.fails(USAGE, "accounts", "list", "--url", url)


async def test_another_server_at_the_address_is_recognised(line: Line, stranger: str) -> None:
    for words in (("accounts", "list"), ("users", "list", "--account", "acct_x")):
        assert f"what answers at {stranger} is not c2c-stasis" in await line.fails(NOT_THERE, *words, "--url", stranger)


async def test_a_service_that_is_unwell_is_no_refusal(
    office: Office, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def page(*_: object, **__: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(office.store, "page", page)
    said = await line.fails(NOT_THERE, "accounts", "list")
    assert "Internal server error (status 500); the log of the service tells more" in said


# --- locations ---


async def test_a_location_from_entering_to_deleting(office: Office, line: Line) -> None:
    await line.says("phone-numbers", "create", "+12025550101")
    await line.says("devices", "create", "Ann", "desk")
    address = ("--street", "1200 Main Street", "--city", "Springfield", "--country", "US", "--floor", "5")
    made = await line.json("locations", "create", "Head office", *address, "--primary-number", "+12025550101")
    (row,) = (await line.says("locations", "list")).splitlines()[1:]
    assert re.split(r"  +", row)[1:3] == ["Head office", "1200 Main Street, 5, Springfield, US"]
    changed = await line.json("locations", "update", "head office", "--floor", "6", "--primary-number", "")
    assert changed["address"] == made["address"] | {"floor": "6"}
    assert changed["primary_did"] is None
    for update in (("users", "update", "Ann"), ("devices", "update", "desk")):
        assert (await line.json(*update, "--location", "Head office"))["location"] == made["id"]
    assert "Still in use" in (await line.fails(REFUSED, "locations", "delete", "Head office"))
    for update in (("users", "update", "Ann"), ("devices", "update", "desk")):
        assert (await line.json(*update, "--location", ""))["location"] is None
    await line.says("locations", "delete", "Head office")
    assert await line.json("locations", "list") == []


# --- a phone that is made here ---


async def test_a_phone_is_made_and_what_to_enter_is_printed_once_with_a_code(office: Office, line: Line) -> None:
    said = await line.says("devices", "create", "Ann", "--name", "Desk phone")

    (phone,) = (await office.get("/v1/endpoints"))["data"]
    username = phone["sip"]["username"]
    assert f"User name  {username}" in said
    assert re.search(r"^Server +pbx\.example\.com$", said, re.MULTILINE)
    assert re.search(r"^Password +\w{24}$", said, re.MULTILINE)
    code = [row for row in said.splitlines() if "\u2588" in row]  # in half blocks
    assert 20 < len(code) < 50
    assert max(map(len, code)) <= 80
    assert "Password" not in await line.says("devices", "show", username)


async def test_another_password_is_printed_once(office: Office, line: Line) -> None:
    made = await line.json("devices", "create", "Ann")

    said = await line.says("devices", "reset-password", made["sip"]["username"])

    assert re.search(r"^Password +\w{24}$", said, re.MULTILINE)
    assert made["sip"]["password"] not in said


async def test_a_phone_that_asterisk_does_not_have_yet_says_so(office: Office, line: Line) -> None:
    office.switch.connected = False

    result = await line.run("devices", "create", "Ann")

    assert result.exit_code == 0
    assert "c2c-stasis doctor" in result.stderr
