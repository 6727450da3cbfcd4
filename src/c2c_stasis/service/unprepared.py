"""What is not prepared for emergency calls, told in the log when the service starts: nobody shall find out in an emergency."""

import logging
from collections.abc import Sequence

from c2c_stasis.call.model import Lack
from c2c_stasis.directory.emergency import NOBODY_TOLD, Gap

logger = logging.getLogger(__name__)

SHOWN = 5  # accounts or users, by their ids
SENTENCES: dict[str, str] = {
    Lack.TRUNK: "no trunk is marked for emergency calls, they go through ordinary ones",
    Lack.CALLBACK_NUMBER: "emergency services cannot call back, users show no number",
    Lack.LOCATION: "nobody knows where users are who may call for help",
    NOBODY_TOLD: "nobody is told of emergency calls, no webhook endpoint wants call.emergency",
}


def tell(gaps: Sequence[Gap]) -> None:
    """Write one line for each kind of thing that is missing, whomever it concerns."""
    for what, sentence in SENTENCES.items():
        found = [gap for gap in gaps if gap.what == what]
        if not found:
            continue
        extra: dict[str, object] = {"missing": str(what)}
        accounts = [gap.account.id for gap in found if gap.account is not None]
        users = [user.id for gap in found for user in gap.users]
        for name, ids in (("accounts", accounts), ("users", users)):
            if ids:
                extra |= {name: len(ids), f"{name}_ids": ", ".join(ids[:SHOWN])}
        logger.warning(sentence, extra=extra)
