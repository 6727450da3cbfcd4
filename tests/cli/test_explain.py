"""`explain`: what would become of a call, in words and for programs."""

from c2c_stasis.cli.explain import OPENED_BY
from c2c_stasis.policy.rules import VERDICTS, Rule
from c2c_stasis.ports import Contact
from tests.api.resources.office import Office
from tests.cli.line import OK, REFUSED, USAGE, Line


async def test_a_call_that_would_be_accepted(office: Office, line: Line) -> None:
    await line.says("devices", "create", "Ann", "desk", "--name", "Desk")
    await line.says("devices", "create", "Ann", "away")
    await line.says("phone-numbers", "create", "+12025550142", "--caller-id-name", "Bakery")
    await line.says("accounts", "update", office.account.id, "--caller-number", "+12025550142")
    office.switch.registered["desk"] = [Contact("sip:desk@10.0.0.1")]
    result = await line.run("explain", "Ann", "(212) 555-0123")
    assert (result.exit_code, result.stdout.splitlines()) == (
        OK,
        [
            "+12125550123 (fixed line or mobile, US): allowed by home_region: numbers of US are dialled",
            "  device    Desk: online in 1 place, rings",
            "  device    away: offline, does not ring",
            "  trunk     carrier",
            "  shown     +12025550142 Bakery",
            "  talks     14400 s at most",
        ],
    )


async def test_one_that_would_be_refused_is_no_success(office: Office, line: Line) -> None:
    result = await line.run("explain", "Ann", "+442079460018")
    assert result.exit_code == REFUSED
    first, *others = result.stdout.splitlines()
    assert first == (
        "+442079460018 (fixed line, GB): refused by other_region, 403: the number belongs to GB; only US is dialled"
    )
    assert others == [
        "  opened by GB in allow_regions under [policy], or in those of the account's own policy, which count instead",
        "  warning   no device of the user is online: the call would end at once (no_device)",
    ]
    told = await line.run("explain", "Ann", "+442079460018", "--json")
    assert (told.exit_code, '"rule": "other_region"' in told.stdout) == (REFUSED, True)


async def test_what_is_no_number_is_shown_as_it_was_typed(office: Office, line: Line) -> None:
    result = await line.run("explain", "Ann", "PJSIP/x@evil")
    assert result.exit_code == REFUSED
    assert result.stdout.startswith("'PJSIP/x@evil': refused by malformed_dial_string, 400: may hold 2 to 32 digits")


async def test_a_limit_says_when_it_lets_the_call_through(office: Office, line: Line) -> None:
    await office.change(f"/v1/accounts/{office.account.id}", policy={"limits": {"calls_at_a_time": 0}})
    result = await line.run("explain", "Ann", "+12125550123")
    assert "refused by account_calls, 429" in result.stdout
    assert "; try again in 3600 s" in result.stdout


async def test_what_opens_each_rule_is_a_rule_that_refuses() -> None:
    assert {VERDICTS[Rule(rule)].status for rule in OPENED_BY} == {403}


async def test_an_emergency_call_and_what_is_missing_for_it(office: Office, line: Line) -> None:
    result = await line.run("explain", "Ann", "911")
    assert result.exit_code == OK
    assert (
        result.stdout.splitlines()[0] == "911 (emergency): allowed by emergency: emergency numbers are always dialled"
    )
    assert "no limit counts; an ordinary trunk; no number to call back; location not known" in result.stdout
    assert "  talks     43200 s at most" in result.stdout.splitlines()


async def test_what_an_account_may_is_set_with_json(office: Office, line: Line) -> None:
    account = office.account.id
    await line.says("accounts", "update", account, "--policy", '{"allow_regions": ["GB"]}')
    assert "allowed by allowed_region" in await line.says("explain", "Ann", "+442079460018")
    assert "--policy: is no JSON" in await line.fails(USAGE, "accounts", "update", account, "--policy", "{GB}")
    refused = await line.fails(REFUSED, "accounts", "update", account, "--policy", '{"allow_regions": ["UK"]}')
    assert "which is no country" in refused
