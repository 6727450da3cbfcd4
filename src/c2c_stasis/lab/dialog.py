"""The dialog of a call: who talks to whom under which tags, and the requests made inside it (RFC 3261 §12)."""

from collections.abc import Iterable
from dataclasses import dataclass

from c2c_stasis.lab.addresses import Address, parse_address, split_list
from c2c_stasis.lab.sip import SipMessage, request
from c2c_stasis.lab.transactions import next_hop


@dataclass(slots=True)
class Dialog:
    """One side's view of a dialog; `local` and `remote` are whole From/To values with their tags."""

    call_id: str
    local: str
    remote: str
    target: str
    routes: tuple[str, ...]
    peer: Address
    cseq: int
    remote_cseq: int = 0

    def next_request(
        self, method: str, via: str, headers: Iterable[tuple[str, str]] = (), *, sdp: str = "", cseq: int | None = None
    ) -> SipMessage:
        """Build the next request of this dialog; `cseq` repeats that of the INVITE for an ACK."""
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        common = [("Via", via), ("Max-Forwards", "70"), *(("Route", route) for route in self.routes)]
        common += [("From", self.local), ("To", self.remote), ("Call-ID", self.call_id), ("CSeq", f"{cseq} {method}")]
        return request(method, self.target, [*common, *headers], sdp)

    @property
    def hop(self) -> Address:
        """Where its next request is sent: the first route, else the other side's Contact (loose routing only)."""
        first = parse_address(self.routes[0]).uri if self.routes else self.target
        return next_hop(first, self.peer)

    def refresh(self, message: SipMessage) -> None:
        """Take over the Contact of a re-INVITE, an UPDATE or its answer (§12.2)."""
        contact = message.header("Contact")
        if contact is not None:
            self.target = parse_address(contact).uri


def dialog_of_callee(invite: SipMessage, tag: str) -> Dialog:
    """The dialog that our response with `tag` makes of an INVITE we received (§12.1.1)."""
    routes = tuple(route for line in invite.headers_all("Record-Route") for route in split_list(line))
    contact = invite.header("Contact") or invite.require("From")
    return Dialog(
        call_id=invite.call_id,
        local=f"{invite.require('To')};tag={tag}",
        remote=invite.require("From"),
        target=parse_address(contact).uri,
        routes=routes,
        peer=invite.peer,
        cseq=0,
        remote_cseq=invite.cseq.number,
    )


def dialog_of_caller(invite: SipMessage, response: SipMessage) -> Dialog:
    """The dialog that a response makes of an INVITE we sent (§12.1.2)."""
    routes = tuple(route for line in response.headers_all("Record-Route") for route in split_list(line))
    contact = response.header("Contact")
    return Dialog(
        call_id=invite.call_id,
        local=invite.require("From"),
        remote=response.require("To"),
        target=parse_address(contact).uri if contact else invite.request_uri,
        routes=routes[::-1],
        peer=response.peer,
        cseq=invite.cseq.number,
    )
