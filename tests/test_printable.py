"""Text from elsewhere before a person: it steers no terminal, breaks no XML, and names stay as they are."""

import json
import re
import sys
from xml.etree import ElementTree

import pytest

from c2c_stasis.printable import printable, printable_json

EVERYTHING = "".join(map(chr, range(sys.maxunicode + 1)))


def test_whatever_it_was_a_terminal_and_xml_can_take_it() -> None:
    shown = printable(EVERYTHING)
    assert {char for char in shown if not char.isprintable()} == {"\u200c", "\u200d"}
    assert len(shown) == len(EVERYTHING)
    ElementTree.fromstring(f"<a>{shown.replace('&', '').replace('<', '')}</a>")


@pytest.mark.parametrize("name", ["Alice Müller", "王小明", "سارا‌جان", "👩‍💻", "Yealink SIP-T46S 66.85.0.5", ""])
def test_what_people_and_phones_are_called_stays(name: str) -> None:
    assert printable(name) == name


def test_blanks_of_every_width_are_blanks_and_line_breaks_stay_where_they_may() -> None:
    assert printable("Ann\u00a0Lee\u2009jr.") == "Ann Lee jr."
    assert printable("one\ntwo\r\u2028") == "one�two��"
    assert printable("one\ntwo\r", also="\n") == "one\ntwo�"


def test_json_says_the_same_in_characters_that_can_be_shown() -> None:
    said = {"said": re.sub("[\ud800-\udfff]", "", EVERYTHING), "half": "\ud800"}
    shown = printable_json(json.dumps(said, ensure_ascii=False, indent=2))
    assert json.loads(shown) == said
    assert {char for char in shown if not char.isprintable()} == {"\n"}
