"""Phone numbers: what calls may show."""

from collections.abc import AsyncIterator
from typing import Unpack

from c2c_stasis.client.asynchronous.asking import Resource
from c2c_stasis.client.fields import NumberFields
from c2c_stasis.client.records import PhoneNumber


class Numbers(Resource):
    """`/v1/phone-numbers`."""

    async def create(self, phone_number: str, **fields: Unpack[NumberFields]) -> PhoneNumber:
        """A new number, in E.164."""
        return await self._post(PhoneNumber, "phone-numbers", body={"phone_number": phone_number, **fields})

    async def retrieve(self, number_id: str) -> PhoneNumber:
        """One number."""
        return await self._get(PhoneNumber, "phone-numbers", number_id)

    def list(self, *, status: str | None = None) -> AsyncIterator[PhoneNumber]:
        """All numbers, or those that are `active` or `inactive`, newest first."""
        return self._every(PhoneNumber, "phone-numbers", status=status)

    async def update(self, number_id: str, **fields: Unpack[NumberFields]) -> PhoneNumber:
        """Change what is said."""
        return await self._post(PhoneNumber, "phone-numbers", number_id, body=fields)

    async def delete(self, number_id: str) -> None:
        """Remove it."""
        await self._delete("phone-numbers", number_id)
