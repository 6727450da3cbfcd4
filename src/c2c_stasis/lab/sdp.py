"""Session descriptions, as far as a G.711 phone needs them: read an offer, write the answer (RFC 4566, 3264)."""

from dataclasses import dataclass

from c2c_stasis.lab.addresses import Address

SUPPORTED_CODECS = ("PCMU", "PCMA")
_STATIC = {0: "PCMU", 8: "PCMA"}
_MIRROR = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


@dataclass(frozen=True, slots=True)
class Codec:
    """G.711 in one of its two laws, under the payload type that the offer gave it."""

    name: str
    payload_type: int


@dataclass(frozen=True, slots=True)
class Session:
    """What the other side said about its audio.

    `codecs` are the G.711 ones it listed, in its order; `other_media` are the m-lines besides the first audio,
    which an answer must repeat with port 0 (RFC 3264 §6).
    """

    rtp: Address
    rtcp: Address
    codecs: tuple[Codec, ...]
    dtmf_type: int | None
    direction: str
    audio_index: int
    other_media: tuple[str, ...]

    @property
    def on_hold(self) -> bool:
        """True when the other side does not want to hear us."""
        return self.direction in ("sendonly", "inactive") or self.rtp[0] == "0.0.0.0"  # noqa: S104 old-style hold


def parse_session(text: str) -> Session | None:
    """Read a description; None when it has no live audio stream."""
    session_host, lines = "", [line.strip() for line in text.splitlines() if "=" in line]
    media: list[tuple[str, list[str]]] = []
    for line in lines:
        if line.startswith("m="):
            media.append((line[2:], []))
        elif media:
            media[-1][1].append(line)
        elif line.startswith("c="):
            session_host = line.split()[-1]
    for index, (media_line, attributes) in enumerate(media):
        words = media_line.split()
        if words[0] == "audio" and len(words) >= 4 and words[1].partition("/")[0] != "0":
            others = tuple(line for at, (line, _) in enumerate(media) if at != index)
            return _parse_audio(words, attributes, session_host, index, others)
    return None


def _parse_audio(words: list[str], lines: list[str], host: str, index: int, others: tuple[str, ...]) -> Session:
    port = int(words[1].partition("/")[0])
    types = [int(word) for word in words[3:] if word.isdigit()]
    names, direction, rtcp = dict(_STATIC), "sendrecv", None
    for line in lines:
        key, _, value = line.partition(":")
        if line.startswith("c="):
            host = line.split()[-1]
        elif key == "a=rtpmap":
            number, _, encoding = value.partition(" ")
            names[int(number)] = encoding.strip().upper().removesuffix("/1").partition("/8000")[0]
        elif line[2:] in _MIRROR:
            direction = line[2:]
        elif key == "a=rtcp":
            number, *place = value.split()
            rtcp = (place[-1] if place else host, int(number))
    return Session(
        rtp=(host, port),
        rtcp=rtcp or (host, port + 1),
        codecs=tuple(Codec(names[t], t) for t in types if names.get(t) in SUPPORTED_CODECS),
        dtmf_type=next((t for t in types if names.get(t) == "TELEPHONE-EVENT"), None),
        direction=direction,
        audio_index=index,
        other_media=others,
    )


def choose_codec(offer: Session, allowed: tuple[str, ...] = SUPPORTED_CODECS) -> Codec | None:
    """The first codec of the offer that the phone speaks, or None (RFC 3264 §6.1)."""
    return next((codec for codec in offer.codecs if codec.name in allowed), None)


def write_answer(offer: Session, codec: Codec, local: Address, *, session_id: int, version: int) -> str:
    """Accept one codec of an offer, and telephone-event when it was offered; every other stream is refused."""
    audio = _audio_lines([codec], offer.dtmf_type, local[1], _MIRROR[offer.direction])
    media = [_refusal(line) for line in offer.other_media]
    media.insert(offer.audio_index, audio)
    return _frame(local, session_id, version, [line for group in media for line in group])


def write_offer(codecs: tuple[str, ...], local: Address, *, session_id: int, version: int) -> str:
    """Offer G.711 and telephone-event 101."""
    numbers = {name: number for number, name in _STATIC.items()}
    listed = [Codec(name, numbers[name]) for name in codecs]
    return _frame(local, session_id, version, _audio_lines(listed, 101, local[1], "sendrecv"))


def _refusal(media_line: str) -> list[str]:
    kind, _, *rest = media_line.split()
    return [f"m={kind} 0 {' '.join(rest)}"]


def _audio_lines(codecs: list[Codec], dtmf_type: int | None, port: int, direction: str) -> list[str]:
    types = [str(codec.payload_type) for codec in codecs]
    lines = [f"a=rtpmap:{codec.payload_type} {codec.name}/8000" for codec in codecs]
    if dtmf_type is not None:
        types.append(str(dtmf_type))
        lines += [f"a=rtpmap:{dtmf_type} telephone-event/8000", f"a=fmtp:{dtmf_type} 0-16"]
    return [f"m=audio {port} RTP/AVP {' '.join(types)}", *lines, "a=ptime:20", f"a={direction}"]


def _frame(local: Address, session_id: int, version: int, media: list[str]) -> str:
    head = [
        "v=0",
        f"o=- {session_id} {version} IN IP4 {local[0]}",
        "s=c2c-stasis",
        f"c=IN IP4 {local[0]}",
        "t=0 0",
    ]
    return "\r\n".join([*head, *media]) + "\r\n"
