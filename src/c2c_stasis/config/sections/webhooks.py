"""`[webhooks]`: where events may be sent."""

from dataclasses import dataclass
from typing import Annotated

from c2c_stasis.config.rules import PEM_FILE, Flag, Number
from c2c_stasis.config.sections.about import About
from c2c_stasis.config.sections.network import NO_NETWORKS, NO_PORTS, PORTS, SUBNETS, Networks, Ports


@dataclass(frozen=True, slots=True)
class Webhooks:
    """`[webhooks]`: where events may be sent, and how long that is tried. Customers choose the addresses."""

    allow_subnets: Annotated[
        Networks,
        SUBNETS,
        About(
            "Networks that are not of the internet and may be reached nevertheless: every customer can then send requests"
            " there, except to this service and to Asterisk's HTTP server"
        ),
    ] = NO_NETWORKS
    allow_http: Annotated[bool, Flag(), About("Whether events may be sent without TLS, for everybody to read")] = False
    ports: Annotated[Ports, PORTS, About("The ports that are allowed beside 443 and 8443; for http, 80 too")] = NO_PORTS
    ca_file: Annotated[
        str,
        PEM_FILE,
        About("Certificates of authorities that are trusted beside the system's, in PEM; for an intranet"),
    ] = ""
    disable_after: Annotated[
        float,
        Number(0.01, 60, "days"),
        About("An endpoint at which every attempt failed for so long is disabled, and that is announced"),
    ] = 5.0
    keep_deliveries: Annotated[
        float, Number(1, 365, "days"), About("How long it is kept what was sent, and what was answered")
    ] = 7.0
