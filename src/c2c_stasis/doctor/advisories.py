"""Which releases of Asterisk have which known holes, as data.

Drawn from the ChangeLogs of the releases that close them (22.1.1 to 22.11.0, read in November 2026; 22.11.0 and 23.5.0 close
none): https://downloads.asterisk.org/pub/telephony/asterisk/releases/. Only what Asterisk uses here is listed: SIP, ARI, its
HTTP server, its core. A newer advisory is one line more.
"""

from dataclasses import dataclass

Version = tuple[int, int, int]

CHANGE_LOG = "https://downloads.asterisk.org/pub/telephony/asterisk/releases/ChangeLog-{version}.html"
ADVISORY = "https://github.com/asterisk/asterisk/security/advisories/{id}"


@dataclass(frozen=True, slots=True)
class Advisory:
    """One hole, and the first release of each branch without it; branches above all of them never had it."""

    id: str
    about: str
    fixed_in: tuple[Version, ...]

    def affects(self, version: Version) -> bool:
        """Whether this release has the hole."""
        for fixed in self.fixed_in:
            if fixed[0] == version[0]:
                return version < fixed
        return version < max(self.fixed_in)


_JUNE_2026 = ((20, 20, 1), (21, 12, 3), (22, 10, 1), (23, 4, 1))
_FEBRUARY_2026 = ((20, 18, 2), (21, 12, 1), (22, 8, 2), (23, 2, 2))

ADVISORIES = (
    Advisory("GHSA-wcvv-g26m-wx5c", "a read-only ARI user can load modules and run code", _JUNE_2026),
    Advisory("GHSA-vrfp-mg3q-3959", "an ARI user can write files despite live_dangerously = no", _JUNE_2026),
    Advisory("GHSA-589g-qgf8-m6mx", "an MWI NOTIFY overflows the stack", _JUNE_2026),
    Advisory("GHSA-8jw3-ccr9-xrmf", "an MWI body is read beyond its end", _JUNE_2026),
    Advisory("GHSA-g8q2-p36q-94f6", "SIP over TCP that closes during SDP uses freed memory", _JUNE_2026),
    Advisory("GHSA-3rhj-hhw7-m6fw", "HTTP digest of the manager interface crashes", _JUNE_2026),
    Advisory("GHSA-4pgv-j3mr-3rcp", "HTTP error pages reflect scripts", _JUNE_2026),
    Advisory("GHSA-v6hp-wh3r-cwxh", "/httpstatus reflects scripts (CVE-2026-23738)", _FEBRUARY_2026),
    Advisory("GHSA-85x7-54wr-vh42", "XML files may name others (XXE)", _FEBRUARY_2026),
    Advisory(
        "GHSA-64qc-9x89-rx5j", "a malformed Authorization header crashes it", ((20, 15, 2), (21, 10, 2), (22, 5, 2))
    ),
    Advisory("GHSA-mrq5-74j5-f5cr", "a malformed Identity header crashes it", ((20, 15, 1), (21, 10, 1), (22, 5, 1))),
    Advisory(
        "GHSA-2grh-7mhv-fcfw", "MESSAGE can forge who sends (CVE-2025-47779)", ((20, 14, 1), (21, 9, 1), (22, 4, 1))
    ),
    Advisory("GHSA-33x6-fj46-6rfh", "the manager interface lists foreign files", ((20, 11, 1), (21, 6, 1), (22, 1, 1))),
)


def affecting(version: Version) -> list[Advisory]:
    """The known holes of a release."""
    return [advisory for advisory in ADVISORIES if advisory.affects(version)]
