"""What a provisioned value must look like; each check gives the value back or raises `InvalidRequest` with field and reason."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers

from c2c_stasis.config.problems import Wrong
from c2c_stasis.config.sections.network import parse_networks, parse_origins
from c2c_stasis.directory.dial_strings import E164, is_emergency
from c2c_stasis.errors import InvalidRequest

ENDPOINT = re.compile(r"[A-Za-z0-9_-]{1,64}")  # safe inside a dial string and a section name of Asterisk
NAME_LENGTH = 128
MOST_ORIGINS = 64  # of one account
MOST_NETWORKS = 64  # of one key
EMAIL_LENGTH = 254  # RFC 5321 4.5.3.1.3, less the angle brackets
ADDRESS_REQUIRED = ("street", "city", "country")  # states and postal codes are not known everywhere
EXTENSION_LENGTHS = range(3, 7)


def name(field: str, text: str) -> str:
    """A name that is not empty and fits on one line."""
    if not text.strip():
        raise InvalidRequest(field, "is required")
    return one_line(field, text, NAME_LENGTH)


def one_line(field: str, text: str, length: int) -> str:
    """Text of at most this many characters, none of which is a control character."""
    if len(text) > length:
        raise InvalidRequest(field, f"is longer than {length} characters")
    if not text.isprintable():
        raise InvalidRequest(field, "contains characters that cannot be shown")
    return text


def email(text: str) -> str:
    """An e-mail address as far as its form matters here, or nothing."""
    one_line("email", text, EMAIL_LENGTH)
    local, at, domain = text.rpartition("@")
    if (text and not (local and at and domain)) or " " in text:
        raise InvalidRequest("email", "is not an e-mail address")
    return text


def address(given: Mapping[str, str]) -> str:
    """A postal address, as JSON. What is said must fit on one line each; somebody must be able to find it by it."""
    for field in ADDRESS_REQUIRED:
        if not given.get(field, "").strip():
            raise InvalidRequest(f"address.{field}", "is required")
    for field, text in given.items():
        one_line(f"address.{field}", text, NAME_LENGTH)
    if given["country"] not in phonenumbers.SUPPORTED_REGIONS:
        raise InvalidRequest("address.country", "must be an ISO 3166-1 alpha-2 code in capitals, such as US")
    return json.dumps({field: text for field, text in given.items() if text}, ensure_ascii=False)


def endpoint(text: str) -> str:
    """The name of an Asterisk endpoint that can stand in a dial string."""
    if not ENDPOINT.fullmatch(text):
        raise InvalidRequest("endpoint", "must be 1 to 64 letters, digits, _ or -")
    return text


def e164(text: str) -> str:
    """A number in E.164 form, such as +12025550142, whose country and length exist: else no carrier would accept it."""
    if not E164.fullmatch(text):
        raise InvalidRequest("number", "must be in E.164 form, such as +12025550142")
    try:
        possible = phonenumbers.is_possible_number_with_reason(phonenumbers.parse(text))
    except phonenumbers.NumberParseException as error:
        raise InvalidRequest("number", "has no country calling code that exists, as +12025550142 has") from error
    if possible != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise InvalidRequest("number", "is no possible telephone number; one has the form +12025550142")
    return text


def region(text: str) -> str:
    """An ISO 3166-1 alpha-2 region in capitals whose numbers are known."""
    if text not in phonenumbers.SUPPORTED_REGIONS:
        raise InvalidRequest("region", "must be an ISO 3166-1 alpha-2 code in capitals, such as US")
    return text


def timezone(text: str) -> str:
    """The IANA name of a time zone that this machine knows."""
    try:
        if text != "UTC":  # which is known even without a time zone database
            ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidRequest("timezone", "must be an IANA time zone name, such as Europe/Berlin") from error
    return text


def origins(texts: Sequence[str]) -> str:
    """The origins of web pages, each as a browser writes it (`https://app.example.com`), as they are kept."""
    if len(texts) > MOST_ORIGINS:
        raise InvalidRequest("cors_origins", f"are more than {MOST_ORIGINS}")
    try:
        found = [name for text in texts for name in parse_origins(text).names]
    except Wrong as error:
        raise InvalidRequest(
            "cors_origins", "must be origins, such as https://app.example.com, without a path"
        ) from error
    if len(found) != len(texts):
        raise InvalidRequest("cors_origins", "must be one origin each, such as https://app.example.com")
    return ", ".join(dict.fromkeys(found))


def networks(texts: Sequence[str]) -> str:
    """Addresses and networks (`10.0.0.0/8`), as they are kept."""
    if len(texts) > MOST_NETWORKS:
        raise InvalidRequest("networks", f"are more than {MOST_NETWORKS}")
    found = []
    for text in texts:
        try:
            parsed = parse_networks(text).ranges
        except Wrong as error:
            raise InvalidRequest("networks", "must be addresses or networks, such as 10.0.0.0/8") from error
        if len(parsed) != 1:
            raise InvalidRequest("networks", "must be one address or network each, such as 10.0.0.0/8")
        found.append(str(parsed[0]))
    return ", ".join(dict.fromkeys(found))


def extension_length(length: int) -> int:
    """How many digits the extensions of an account have."""
    if length not in EXTENSION_LENGTHS:
        raise InvalidRequest("extension_length", f"must be {EXTENSION_LENGTHS[0]} to {EXTENSION_LENGTHS[-1]}")
    return length


def extension(number: str, length: int, regions: Iterable[str]) -> str:
    """Digits of the account's extension length that are no emergency number where its users are."""
    if not re.fullmatch(f"[0-9]{{{length}}}", number):
        raise InvalidRequest("number", f"must be {length} digits")
    if is_emergency(number, *regions):
        raise InvalidRequest("number", "is an emergency number")
    return number
