"""Whether Asterisk has the endpoints that the trunks name; else a wrong name is found out by the first call that fails."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from c2c_stasis.config import Trunk
from c2c_stasis.errors import SwitchRefused, SwitchUnavailable

logger = logging.getLogger(__name__)

UNKNOWN = 404


class Trunks:
    """The trunks that are in use, looked at whenever they change or the connection is new."""

    def __init__(self) -> None:
        self._trunks: Sequence[Trunk] = ()
        self._changed = asyncio.Event()

    def use(self, trunks: Sequence[Trunk]) -> None:
        """Look at these from now on."""
        self._trunks = trunks
        self._changed.set()

    async def watch(self, operations: Any) -> None:
        """Tell of each trunk whose endpoint Asterisk has not, until cancelled; calls through the others go on all the same."""
        while True:
            self._changed.clear()
            for trunk in self._trunks:
                await _look(operations, trunk)
            await self._changed.wait()


async def _look(operations: Any, trunk: Trunk) -> None:
    endpoint = trunk.pjsip_endpoint
    try:
        await operations.asterisk.getObject(configClass="res_pjsip", objectType="endpoint", id=endpoint)
    except (SwitchRefused, SwitchUnavailable) as error:
        if isinstance(error, SwitchRefused) and error.status == UNKNOWN:
            extra = {"endpoint": endpoint, "trunk": f"[[trunks]] {trunk.name}"}
            logger.warning("Asterisk does not know the trunk's endpoint", extra=extra)
        else:
            logger.info("a trunk's endpoint could not be looked up", extra={"endpoint": endpoint, "error": str(error)})
