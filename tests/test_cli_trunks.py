"""`c2c-stasis trunks list`: what each trunk would send."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from c2c_stasis.cli import main

ARI = '[ari]\npassword = "x"\n'
TRUNKS = """
[[trunks]]
name = "carrier"
endpoint = "PJSIP/{number}@carrier"

[[trunks]]
name = "national"
endpoint = "PJSIP/{number}@old-pbx"
format = "national"
prefix = "9"

[[trunks]]
name = "rescue"
endpoint = "PJSIP/{number}@rescue"
format = "00"
emergency = true
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "c2c.toml"
    file.write_text(ARI + TRUNKS)
    return file


def listed(file: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["trunks", "list", "-c", str(file), *arguments])


def test_each_trunk_shows_what_it_carries_and_what_it_would_send(file: Path) -> None:
    assert listed(file).output.splitlines() == [
        "Dialled from GB: +442079460018",
        "",
        "trunk     carries          format    prefix  sends",
        "carrier   calls            e164              PJSIP/+442079460018@carrier",
        "national  calls            national  9       PJSIP/902079460018@old-pbx",
        "rescue    emergency calls  00                PJSIP/00442079460018@rescue",
        "",
        "Tried for this number, in this order: carrier, national",
    ]


def test_routes_say_in_which_order_trunks_are_tried(file: Path) -> None:
    acme = "acct_01h2xcejqtf2nbrexx3vqjhp41"
    of_acme = f'[[routes]]\ntrunks = "national"\naccounts = "{acme}"\n'
    british = '[[routes]]\ntrunks = "national, carrier"\nnumbers = "+44"\n'
    file.write_text(ARI + TRUNKS + of_acme + british)

    def tried(*options: str) -> list[str]:
        order: list[str] = json.loads(listed(file, "--json", *options).output)["tried"]
        return order

    assert tried() == ["national", "carrier"]
    assert tried("--number", "+12025550142") == ["carrier", "national"]
    assert tried("--number", "+12025550142", "--account", acme) == ["national"]
    assert tried("--number", "112") == ["rescue", "carrier", "national"]


def test_another_number_from_another_country(file: Path) -> None:
    told = json.loads(listed(file, "--json", "--number", "(202) 555-0142", "--region", "US").output)

    assert (told["number"], told["region"]) == ("+12025550142", "US")
    assert [trunk["sends"] for trunk in told["trunks"]][:2] == [
        "PJSIP/+12025550142@carrier",
        "PJSIP/92025550142@old-pbx",
    ]


def test_an_emergency_number_is_sent_as_it_is(file: Path) -> None:
    told = json.loads(listed(file, "--json", "--number", "112").output)

    assert told["trunks"][2]["sends"] == "PJSIP/112@rescue"


@pytest.mark.parametrize("number", ["1002", "hello", "+1"])
def test_what_leaves_through_no_trunk_is_wrong_usage(file: Path, number: str) -> None:
    assert listed(file, "--number", number).exit_code == 2


def test_a_country_that_is_none_is_wrong_usage(file: Path) -> None:
    assert listed(file, "--region", "ZZ").exit_code == 2


def test_without_a_trunk_it_says_what_that_means(file: Path) -> None:
    file.write_text(ARI)

    assert "only extensions can be called" in listed(file).output
    assert json.loads(listed(file, "--json").output)["trunks"] == []


def test_a_check_without_a_trunk_is_a_warning(file: Path) -> None:
    file.write_text(ARI)

    result = CliRunner().invoke(main, ["trunks", "check", "-c", str(file)])

    assert result.exit_code == 1
    assert "only extensions can be called" in result.output


def test_a_check_without_asterisk_says_so(file: Path) -> None:
    file.write_text('[ari]\npassword = "x"\nurl = "http://127.0.0.1:9"\n' + TRUNKS)

    result = CliRunner().invoke(main, ["trunks", "check", "--json", "-c", str(file)])

    assert (result.exit_code, json.loads(result.output)["code"]) == (69, "ari_unreachable")
