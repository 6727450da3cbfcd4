"""Whatever bytes come in, an object comes out or `InvalidJson`."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c2c_stasis.api.strict_json import MAX_BYTES, InvalidJson, read_object

# Every row is a body that some JSON reader somewhere answers with an exception, or understands differently.
BAD_BODIES: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \r\n\t ",
    "not json": b"user_id=x",
    "null": b"null",
    "true": b"true",
    "number": b"1",
    "string": b'"x"',
    "array": b"[]",
    "array of objects": b"[{}]",
    "array 300 deep": b"[" * 300 + b"]" * 300,
    "array 8000 deep": b"[" * 8000 + b"]" * 8000,
    "array 16000 deep, open": b"[" * 16_000,
    "object 2000 deep": b'{"a":' * 2000 + b"1" + b"}" * 2000,
    "object 7 deep": b'{"a":' * 7 + b"1" + b"}" * 7,
    "array 7 deep in a field": b'{"a":' + b"[" * 7 + b"]" * 7 + b"}",
    "5000 digits": b'{"a":' + b"9" * 5000 + b"}",
    "17 digits": b'{"a":12345678901234567}',
    "negative 5000 digits": b'{"a":-' + b"9" * 5000 + b"}",
    "5000 digits of fraction, then far too large": b'{"a":0.' + b"9" * 5000 + b"e999}",
    "1e999": b'{"a":1e999}',
    "-1e999": b'{"a":-1e999}',
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":Infinity}',
    "-Infinity": b'{"a":-Infinity}',
    "leading zero": b'{"a":01}',
    "plus": b'{"a":+1}',
    "hexadecimal": b'{"a":0x1}',
    "invalid utf-8": b'{"a":"\xff"}',
    "truncated utf-8": b'{"a":"\xe2\x82"}',
    "overlong utf-8": b'{"a":"\xc0\xaf"}',
    "surrogate in utf-8": b'{"a":"\xed\xa0\x80"}',
    "utf-16": '{"a":"b"}'.encode("utf-16"),
    "utf-32": '{"a":"b"}'.encode("utf-32"),
    "latin-1": '{"a":"é"}'.encode("latin-1"),
    "byte order mark": b'\xef\xbb\xbf{"a":"b"}',
    "raw NUL": b'{"a":"\x00"}',
    "raw newline": b'{"a":"x\ny"}',
    "NUL byte behind": b'{"a":"b"}\x00',
    "escaped NUL": b'{"a":"\\u0000"}',
    "escaped NUL in a key": b'{"a\\u0000":"b"}',
    "escaped newline": b'{"a":"x\\ny"}',
    "escaped CR LF": b'{"a":"x\\r\\nVia: y"}',
    "escaped DEL": b'{"a":"\\u007f"}',
    "C1 control": b'{"a":"\\u0085"}',
    "lone high surrogate": b'{"a":"\\ud800"}',
    "lone low surrogate": b'{"a":"\\udc00"}',
    "lone surrogate in a key": b'{"\\ud800":1}',
    "lone surrogate deep inside": b'{"a":{"b":["\\ud800"]}}',
    "not a character": b'{"a":"\\uffff"}',
    "duplicate key": b'{"a":"b","a":"c"}',
    "duplicate key, escaped": b'{"a":"b","\\u0061":"c"}',
    "duplicate key inside": b'{"a":{"b":1,"b":1}}',
    "trailing comma": b'{"a":"b",}',
    "trailing text": b'{"a":"b"}x',
    "two objects": b'{"a":"b"}{"a":"b"}',
    "comment": b'{"a":"b"} // x',
    "single quotes": b"{'a':'b'}",
    "bare key": b'{a:"b"}',
    "open object": b'{"a":"b"',
    "open string": b'{"a":"b',
    "bad escape": b'{"a":"\\x41"}',
    "short escape": b'{"a":"\\u00"}',
    "too long": b'{"a":"' + b"x" * MAX_BYTES + b'"}',
    "too long with blanks": b'{"a":"b"}' + b" " * MAX_BYTES,
}

OF_ONE_FIELD = {
    "escaped NUL",
    "escaped newline",
    "escaped CR LF",
    "escaped DEL",
    "C1 control",
    "lone high surrogate",
    "lone low surrogate",
    "lone surrogate deep inside",
    "not a character",
}
"""The bodies that are JSON, and whose field `a` alone is at fault."""


@pytest.mark.parametrize(("name", "body"), BAD_BODIES.items(), ids=BAD_BODIES.keys())
def test_the_field_is_named_whose_text_is_at_fault(name: str, body: bytes) -> None:
    with pytest.raises(InvalidJson) as refused:
        read_object(body)
    assert refused.value.field == ("a" if name in OF_ONE_FIELD else "")


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_a_bad_body_is_refused_with_a_reason(body: bytes) -> None:
    with pytest.raises(InvalidJson, match=r"^(is|holds|begins) "):
        read_object(body)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"{}", {}),
        (b' {"a" : "b"}\r\n', {"a": "b"}),
        ('{"ключ":"значение 😀"}'.encode(), {"ключ": "значение 😀"}),
        (b'{"a":"\\ud83d\\ude00"}', {"a": "😀"}),
        (
            b'{"a":1234567890123456,"b":-1.5e3,"c":null,"d":true}',
            {"a": 1234567890123456, "b": -1500.0, "c": None, "d": True},
        ),
        (b'{"a":{"b":{"c":[[1]]}}}', {"a": {"b": {"c": [[1]]}}}),
        (b'{"a":{"b":1},"c":{"b":1}}', {"a": {"b": 1}, "c": {"b": 1}}),
    ],
)
def test_what_is_plain_is_read(body: bytes, value: object) -> None:
    assert read_object(body) == value


@given(st.binary(max_size=200) | st.text(alphabet='{}[]":,\\u0dxe19.-+ \n', max_size=200).map(str.encode))
def test_nothing_else_is_ever_raised(body: bytes) -> None:
    try:
        value = read_object(body)
    except InvalidJson:
        return
    assert value == json.loads(body)


plain_text = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), max_size=20)


@given(st.dictionaries(plain_text, plain_text | st.integers(-(10**15), 10**15) | st.booleans() | st.none(), max_size=5))
def test_what_others_write_is_read(value: dict[str, object]) -> None:
    assert read_object(json.dumps(value).encode()) == value
    assert read_object(json.dumps(value, ensure_ascii=False).encode()) == value
