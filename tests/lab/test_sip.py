"""SIP on paper: messages as they come in the wild, and the digests of the RFCs."""

import pytest

from c2c_stasis.lab.addresses import SipSyntaxError, SipUri, parse_address, parse_uri, parse_via, split_list
from c2c_stasis.lab.digest import (
    Challenge,
    ChallengeNotUnderstood,
    Credentials,
    authorization,
    challenge_in,
    digest_response,
    parse_challenge,
)
from c2c_stasis.lab.sdp import Codec, choose_codec, parse_session, write_answer, write_offer
from c2c_stasis.lab.sip import CSeq, SipMessage, parse, request, response_to

INVITE = b"""INVITE sip:bob@127.0.0.1:5062 SIP/2.0\r
Via: SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bKabc\r
Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKdef, SIP/2.0/TCP 10.0.0.2;branch=z9hG4bKghi\r
Record-Route: <sip:127.0.0.1:5060;lr>\r
From: "Smith, \\"J\\"" <sip:+15551234@127.0.0.1>;tag=one\r
To: <sip:bob@127.0.0.1>\r
Call-ID: call@here\r
CSeq: 17 INVITE\r
Contact: <sip:asterisk@127.0.0.1:5060>\r
Reason: SIP;cause=200;text="Call completed elsewhere"\r
Reason: Q.850;cause=26\r
Content-Type: application/sdp\r
Content-Length: 4\r
\r
v=0\nand what does not belong to it"""


def test_a_message_gives_its_parts() -> None:
    message = parse(INVITE)

    assert (message.method, message.status, message.request_uri) == ("INVITE", None, "sip:bob@127.0.0.1:5062")
    assert message.cseq == CSeq(17, "INVITE")
    assert message.body == "v=0\n"
    assert message.from_.name == 'Smith, "J"'
    assert (message.from_.uri, message.from_.tag, message.to.tag) == ("sip:+15551234@127.0.0.1", "one", "")
    assert message.headers_all("reason") == ['SIP;cause=200;text="Call completed elsewhere"', "Q.850;cause=26"]
    assert message.header("No-Such") is None


def test_every_via_is_seen_on_one_line_or_several() -> None:
    vias = [parse_via(value) for value in parse(INVITE).vias]

    assert [(via.host, via.port, via.branch) for via in vias] == [
        ("127.0.0.1", 5060, "z9hG4bKabc"),
        ("10.0.0.1", None, "z9hG4bKdef"),
        ("10.0.0.2", None, "z9hG4bKghi"),
    ]


def test_compact_names_folded_lines_and_a_missing_length() -> None:
    message = parse(
        b"\r\nSIP/2.0 180 Ringing\r\nv: SIP/2.0/UDP a;branch=z9hG4bK1\r\nf: <sip:a@b>;tag=1\r\nt: <sip:c@d>\r\n"
        b"i: 1@a\r\nCSEQ: 2 INVITE\r\nSubject: one\r\n  two\r\n\tthree\r\nl : 0\r\nk: timer\r\n\r\n"
    )

    assert (message.status, message.method, message.request_uri) == (180, None, "")
    assert message.header("subject") == "one two three"
    assert message.header("Supported") == "timer"
    assert message.header("Content-Length") == "0"
    assert parse(INVITE.replace(b"Content-Length: 4\r\n", b"")).body.startswith("v=0\nand what")


def test_lines_that_end_in_a_bare_line_feed_are_read_too() -> None:
    assert parse(INVITE.replace(b"\r\n", b"\n")).cseq == CSeq(17, "INVITE")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"GET / HTTP/1.1\r\n\r\n",
        b"SIP/2.0 abc OK\r\n\r\n",
        INVITE.replace(b"Call-ID: call@here\r\n", b""),
        INVITE.replace(b"CSeq: 17 INVITE", b"CSeq: 17 BYE"),
        INVITE.replace(b"CSeq: 17 INVITE", b"CSeq: many INVITE"),
        INVITE.replace(b"Content-Length: 4", b"Content-Length: 400"),
        INVITE.replace(b"Content-Length: 4", b"Content-Length: four"),
        INVITE.replace(b"From: ", b" folded first\r\nFrom"),
        b"\xff\xfe\x00\x01" * 40,
    ],
)
def test_what_is_not_sip_is_refused(data: bytes) -> None:
    with pytest.raises(SipSyntaxError):
        parse(data)


def test_a_message_survives_the_way_through_bytes() -> None:
    headers = [("Via", "SIP/2.0/UDP a;branch=z9hG4bK1"), ("From", "<sip:ä@b>;tag=1"), ("To", "<sip:c@d>")]
    message = request("INFO", "sip:c@d", [*headers, ("Call-ID", "1"), ("CSeq", "1 INFO")], "ü=\r\n")

    assert parse(message.encode()) == message
    assert message.header("Content-Length") == "5"


def test_a_line_break_does_not_smuggle_in_a_header() -> None:
    with pytest.raises(ValueError, match="line break"):
        request("INFO", "sip:c@d", [("Subject", "x\r\nRoute: <sip:evil>")]).encode()


def test_a_response_goes_back_as_the_request_came() -> None:
    asked = parse(INVITE).stamped(at=1.0, wall=2.0, sent=False, peer=("127.0.0.9", 7777))

    ringing, trying, gone = (response_to(asked, status, tag="two") for status in (180, 100, 487))

    assert ringing.start_line == "SIP/2.0 180 Ringing"
    assert ringing.vias == [
        "SIP/2.0/UDP 127.0.0.1:5060;rport=7777;branch=z9hG4bKabc;received=127.0.0.9",
        "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKdef",
        "SIP/2.0/TCP 10.0.0.2;branch=z9hG4bKghi",
    ]
    assert ringing.to.tag == "two"
    assert ringing.headers_all("Record-Route") == ["<sip:127.0.0.1:5060;lr>"]
    assert (ringing.cseq, ringing.call_id) == (asked.cseq, asked.call_id)
    assert trying.headers_all("Record-Route") == gone.headers_all("Record-Route") == []


def test_a_list_is_not_split_inside_quotes_or_brackets() -> None:
    assert split_list('"a, \\"b\\", c" <sip:x@y;p=1,2>;q=1, <sip:z>') == [
        '"a, \\"b\\", c" <sip:x@y;p=1,2>;q=1',
        "<sip:z>",
    ]


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("sip:bob@127.0.0.1:5062;transport=udp", SipUri("bob", "127.0.0.1", 5062, {"transport": "udp"})),
        ("sip:127.0.0.1", SipUri("", "127.0.0.1", None, {})),
        ("sips:a:secret@[::1]:5061;lr", SipUri("a", "::1", 5061, {"lr": ""})),
        ("sip:+1415;phone-context=x@host;user=phone?h=v", SipUri("+1415", "host", None, {"user": "phone"})),
        ("tel:+14155550100;phone-context=x", SipUri("+14155550100", "", None, {"phone-context": "x"})),
    ],
)
def test_uris_are_read(text: str, uri: SipUri) -> None:
    assert parse_uri(text) == uri


@pytest.mark.parametrize("text", ["bob", "http://x", "sip:a@b:port"])
def test_what_is_no_sip_uri_is_refused(text: str) -> None:
    with pytest.raises(SipSyntaxError):
        parse_uri(text)


def test_an_address_without_brackets_keeps_its_parameters_outside_the_uri() -> None:
    bare, named = parse_address("sip:a@b;tag=1"), parse_address("Bob Ross <sip:a@b;x=1>;expires=60")

    assert (bare.uri, bare.tag) == ("sip:a@b", "1")
    assert (named.name, named.uri, named.params) == ("Bob Ross", "sip:a@b;x=1", {"expires": "60"})
    with pytest.raises(SipSyntaxError):
        parse_address("Bob <sip:a@b")


# Digest. The first two are of RFC 2617 §3.5 and RFC 7616 §3.9.1, the third the example of RFC 2069 as its erratum
# corrects it; the last is worked out with the formula of RFC 7616 §3.4.2.
_OLD = Challenge("testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093", qop=("auth", "auth-int"))
_NEW_CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


def test_digest_of_rfc_2617() -> None:
    who = Credentials("Mufasa", "Circle Of Life")
    answer = digest_response(_OLD, who, method="GET", uri="/dir/index.html", cnonce="0a4f113b")

    assert answer == "6629fae49393a05397450978507c4ef1"


@pytest.mark.parametrize(
    ("algorithm", "answer"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_digest_of_rfc_7616(algorithm: str, answer: str) -> None:
    nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
    challenge = Challenge("http-auth@example.org", nonce, algorithm, qop=("auth", "auth-int"))
    who = Credentials("Mufasa", "Circle of Life")

    assert digest_response(challenge, who, method="GET", uri="/dir/index.html", cnonce=_NEW_CNONCE) == answer


def test_digest_without_qop_is_that_of_rfc_2069() -> None:
    challenge = Challenge("testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093")
    answer = digest_response(challenge, Credentials("Mufasa", "CircleOfLife"), method="GET", uri="/dir/index.html")

    assert answer == "1949323746fe6a43ef61f9606e7febea"


def test_a_session_algorithm_mixes_both_nonces_into_the_secret() -> None:
    plain, session = (
        authorization(
            Challenge("r", "n", algorithm),
            Credentials("u", "p"),
            method="REGISTER",
            uri="sip:x",
            nonce_count=1,
            cnonce="c",
        )[1]
        for algorithm in ("MD5", "MD5-sess")
    )

    assert 'cnonce="c"' in session
    assert "cnonce" not in plain
    assert session.split('response="')[1][:32] != plain.split('response="')[1][:32]


def test_a_challenge_is_read_and_answered() -> None:
    value = 'Digest realm="a, b",nonce="n;1", algorithm=md5, qop="auth,auth-int" , opaque="o", stale=TRUE'
    challenge = parse_challenge(value, proxy=True)

    assert challenge == Challenge("a, b", "n;1", "md5", ("auth", "auth-int"), "o", stale=True, proxy=True)
    name, proof = authorization(challenge, Credentials("u", "p"), method="BYE", uri="sip:x", nonce_count=10, cnonce="c")
    assert name == "Proxy-Authorization"
    assert "nc=0000000a" in proof
    assert 'opaque="o"' in proof


def test_the_first_challenge_that_can_be_answered_is_taken() -> None:
    basic, strange, good = "Basic realm=x", 'Digest realm="r",nonce="1",algorithm=TOKEN', 'Digest realm="r",nonce="2"'

    def refusal(*challenges: str) -> SipMessage:
        return SipMessage("SIP/2.0 401 Unauthorized", tuple(("WWW-Authenticate", value) for value in challenges))

    assert challenge_in(refusal(basic, strange, good)).nonce == "2"
    with pytest.raises(ChallengeNotUnderstood):
        challenge_in(refusal(basic, strange))
    with pytest.raises(ChallengeNotUnderstood):
        parse_challenge(basic)


# Session descriptions.
OFFER = """v=0
o=- 1 1 IN IP4 127.0.0.1
s=Asterisk
c=IN IP4 127.0.0.7
t=0 0
m=video 4000 RTP/AVP 99
a=rtpmap:99 H264/90000
m=audio 4002/1 RTP/AVP 97 8 0 101 96
c=IN IP4 127.0.0.8
a=rtpmap:97 OPUS/48000/2
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=rtpmap:96 PCMU/8000/1
a=rtcp:5001 IN IP4 127.0.0.9
a=sendonly
"""


def test_an_offer_is_read() -> None:
    offer = parse_session(OFFER)

    assert offer is not None
    assert (offer.rtp, offer.rtcp) == (("127.0.0.8", 4002), ("127.0.0.9", 5001))
    assert offer.codecs == (Codec("PCMA", 8), Codec("PCMU", 0), Codec("PCMU", 96))
    assert (offer.dtmf_type, offer.direction, offer.on_hold, offer.audio_index) == (101, "sendonly", True, 1)
    assert choose_codec(offer) == Codec("PCMA", 8)
    assert choose_codec(offer, ("PCMU",)) == Codec("PCMU", 0)
    assert choose_codec(offer, ()) is None


def test_an_answer_refuses_every_stream_but_the_audio() -> None:
    offer = parse_session(OFFER)
    assert offer is not None
    answer = write_answer(offer, Codec("PCMA", 8), ("127.0.0.1", 6000), session_id=5, version=2)

    assert answer.splitlines() == [
        "v=0", "o=- 5 2 IN IP4 127.0.0.1", "s=c2c-stasis", "c=IN IP4 127.0.0.1", "t=0 0",
        "m=video 0 RTP/AVP 99",
        "m=audio 6000 RTP/AVP 8 101", "a=rtpmap:8 PCMA/8000", "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-16", "a=ptime:20", "a=recvonly",
    ]  # fmt: skip


def test_our_offer_can_be_read_and_a_session_without_audio_is_none() -> None:
    session = parse_session(write_offer(("PCMU", "PCMA"), ("127.0.0.1", 6000), session_id=1, version=1))

    assert session is not None
    assert (session.rtp, session.rtcp) == (("127.0.0.1", 6000), ("127.0.0.1", 6001))
    assert session.codecs == (Codec("PCMU", 0), Codec("PCMA", 8))
    assert parse_session("v=0\nm=video 4000 RTP/AVP 99\n") is None
    assert parse_session("v=0\nc=IN IP4 1.2.3.4\nm=audio 0 RTP/AVP 0\n") is None
