# Drawn from ../asynchronous/numbers.py by tools/draw_client.py; change it there.
"""Phone numbers: what calls may show."""

from collections.abc import Iterator
from typing import Unpack

from c2c_stasis.client.fields import NumberFields
from c2c_stasis.client.records import PhoneNumber
from c2c_stasis.client.synchronous.asking import Resource


class Numbers(Resource):
    """`/v1/phone-numbers`."""

    def create(self, phone_number: str, **fields: Unpack[NumberFields]) -> PhoneNumber:
        """A new number, in E.164."""
        return self._post(PhoneNumber, "phone-numbers", body={"phone_number": phone_number, **fields})

    def retrieve(self, number_id: str) -> PhoneNumber:
        """One number."""
        return self._get(PhoneNumber, "phone-numbers", number_id)

    def list(self, *, status: str | None = None) -> Iterator[PhoneNumber]:
        """All numbers, or those that are `active` or `inactive`, newest first."""
        return self._every(PhoneNumber, "phone-numbers", status=status)

    def update(self, number_id: str, **fields: Unpack[NumberFields]) -> PhoneNumber:
        """Change what is said."""
        return self._post(PhoneNumber, "phone-numbers", number_id, body=fields)

    def delete(self, number_id: str) -> None:
        """Remove it."""
        self._delete("phone-numbers", number_id)
