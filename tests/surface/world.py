"""Two platforms with three accounts and four users, each with one of everything; and everybody who could ask for it."""

import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from c2c_stasis.directory.keys import new_key
from c2c_stasis.directory.model import BROWSER_PHONE, Account, Device, Key, User
from c2c_stasis.directory.sessions import new_claims, sign
from c2c_stasis.ids import AccountId, UserId, new_id
from tests.api.resources.office import Office


class Owner(StrEnum):
    """Whose something is, seen from Ann."""

    OWN = "own"  # Ann's
    OTHER_USER = "other user's"  # Bob's, in the same account
    SIBLING = "sibling account's"  # Sid's, in another account of the same platform
    STRANGER = "stranger's"  # Fay's, of another platform
    UNKNOWN = "unknown"  # of the right form, and there is none


@dataclass(frozen=True)
class Actor:
    """Somebody who asks. `sees` whose calls, `account_of` the account and `platform_of` the platform it may act for."""

    name: str
    token: str | None
    account_header: bool = False
    platform: str = ""  # "ours", "theirs", or nothing for who has no key
    sees: tuple[Owner, ...] = ()  # whose calls a session sees, or a key with Ann's account
    known: bool = True  # whether the credential is valid


class World:
    """Everybody has been made; things are made when they are first asked for. Every name tells whose it is, as `canary-fay`."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.accounts: dict[Owner, Account] = {}
        self.users: dict[Owner, User] = {}
        self.keys: dict[Owner, Key] = {}
        self.actors: list[Actor] = []
        self.made: dict[tuple[str, Owner], str] = {}
        self._tokens: dict[str, str] = {}
        self._count = itertools.count(1)

    async def settle(self) -> None:
        """Make the people, and those who ask."""
        store, office = self.office.store, self.office
        theirs = await store.create_platform("canary-fay")
        self.accounts[Owner.OWN] = self.accounts[Owner.OTHER_USER] = office.account
        self.accounts[Owner.SIBLING] = await store.create_account(office.platform.id, "canary-sid")
        self.accounts[Owner.STRANGER] = await store.create_account(theirs.id, "canary-fay")
        self.users[Owner.OWN] = office.user
        for owner, name in NAMES.items():
            if owner is not Owner.OWN:
                self.users[owner] = await store.create_user(self.accounts[owner].id, name)
            await self._browser(self.accounts[owner].id, self.users[owner].id, name)
        await self._keys(theirs.id)
        await self._sessions()

    async def _keys(self, theirs: Any) -> None:
        store, office = self.office.store, self.office
        self._tokens["test"], _ = await store.create_key(office.platform.id, livemode=False)
        self._tokens["theirs"], self.keys[Owner.STRANGER] = await store.create_key(theirs)
        revoked, key = await store.create_key(office.platform.id)
        await store.revoke_key(key.id)
        self._tokens["ours"], self._tokens["revoked"] = office.key, revoked
        await office.service.directory_changed()
        both = (Owner.OWN, Owner.OTHER_USER)
        self.actors += [
            Actor("platform key", self._tokens["ours"], True, "ours", both),
            Actor("test key", self._tokens["test"], True, "ours"),
            Actor("other platform", self._tokens["theirs"], True, "theirs"),
        ]

    async def _sessions(self) -> None:
        office = self.office
        opened = {}
        for owner in NAMES:
            key = self._tokens["theirs" if owner is Owner.STRANGER else "ours"]
            account, user = self.accounts[owner].id, self.users[owner].id
            _, made = await office.ask("POST", "/v1/user_sessions", {"user": user}, key=key, account=account)
            opened[owner] = made["client_secret"]
        accounts = {}
        for owner in (Owner.OWN, Owner.SIBLING):
            made = await office.make("/v1/account_sessions", account=self.accounts[owner].id)
            accounts[owner] = made["client_secret"]
        both = (Owner.OWN, Owner.OTHER_USER)
        self.actors += [
            Actor("account session", accounts[Owner.OWN], sees=both),
            Actor("other account's", accounts[Owner.SIBLING], sees=(Owner.SIBLING,)),
            Actor("user session", opened[Owner.OWN], sees=(Owner.OWN,)),
            Actor("other user's", opened[Owner.OTHER_USER], sees=(Owner.OTHER_USER,)),
            Actor("stranger's", opened[Owner.STRANGER], sees=(Owner.STRANGER,)),
        ]
        head, claims, signature = opened[Owner.OWN].split(".")
        _, other_claims, _ = opened[Owner.OTHER_USER].split(".")
        unknown = {
            "none": None,
            "expired": await self._expired(),
            "tampered": f"{head}.{claims}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}",
            "of two": f"{head}.{other_claims}.{signature}",
            "revoked key": self._tokens["revoked"],
            "no such key": new_key(livemode=True),
            "nonsense": "x",
        }
        self.actors += [Actor(name, token, True, known=False) for name, token in unknown.items()]

    async def _expired(self) -> str:
        """A session that was good until an hour ago."""
        service, office = self.office.service, self.office
        key = service.authenticate(office.key)
        assert isinstance(key, Key)
        now = time.time() - 7200
        claims = new_claims(office.account, office.user.id, key.id, livemode=True, now=now, lasts=3600)
        return sign(claims, service._directory.signing_keys[-1])

    async def id_of(self, kind: str, owner: Owner, *, fresh: bool = False) -> str:
        """The id of something of this kind that belongs to this owner; the same every time, unless a fresh one is wanted."""
        make = getattr(self, f"_{kind}", None)
        assert make is not None, f"nobody told how a {kind} is made: add it to World"
        if (kind, owner) not in self.made:
            self.made[kind, owner] = await make(owner)
        return str(await make(owner)) if fresh else self.made[kind, owner]

    async def _post(self, owner: Owner, path: str, body: Mapping[str, object]) -> Any:
        key = self._tokens["theirs" if owner is Owner.STRANGER else "ours"]
        status, made = await self.office.ask("POST", path, body, key=key, account=self.accounts[owner].id)
        assert status == 201, (path, made)
        return made

    # How each kind is made, by the name that its id has in a path.

    async def _account_id(self, owner: Owner) -> str:
        if owner is Owner.UNKNOWN:
            return new_id("acct")
        if ("account_id", owner) not in self.made:
            return self.accounts[owner].id
        platform = self.accounts[owner].platform_id
        made = await self.office.store.create_account(platform, NAMES[owner])
        await self.office.service.directory_changed()
        return made.id

    async def _user_id(self, owner: Owner) -> str:
        if owner is Owner.UNKNOWN:
            return new_id("user")
        if ("user_id", owner) not in self.made:
            return self.users[owner].id
        made = await self._post(owner, "/v1/users", {"name": NAMES[owner]})
        await self._browser(self.accounts[owner].id, made["id"], NAMES[owner])
        return str(made["id"])

    async def _endpoint_id(self, owner: Owner) -> str:
        if owner is Owner.UNKNOWN:
            return new_id("ep")
        made = await self._browser(self.accounts[owner].id, self.users[owner].id, NAMES[owner])
        await self.office.service.directory_changed()
        return made.id

    async def _browser(self, account: AccountId, user: UserId, name: str) -> Device:
        """A device that also a session may open."""
        endpoint = self.next("canary-phone-")
        return await self.office.store.create_device(
            account, user, endpoint, name=name, ha1="0" * 32, type=BROWSER_PHONE
        )

    async def _number_id(self, owner: Owner) -> str:
        if owner is Owner.UNKNOWN:
            return new_id("did")
        fields = {"phone_number": self.next("+1202555"), "caller_id_name": NAMES[owner]}
        return str((await self._post(owner, "/v1/phone-numbers", fields))["id"])

    async def _location_id(self, owner: Owner) -> str:
        if owner is Owner.UNKNOWN:
            return new_id("loc")
        return str((await self._post(owner, "/v1/locations", {"name": NAMES[owner], "address": ADDRESS}))["id"])

    async def _number(self, owner: Owner) -> str:
        number = self.next("")
        if owner is not Owner.UNKNOWN:
            await self._post(owner, "/v1/extensions", {"number": number, "target": self.users[owner].id})
        return number

    async def _key_id(self, owner: Owner) -> str:
        if owner is Owner.UNKNOWN:
            return new_id("key")
        platform = self.accounts[owner].platform_id
        _, key = await self.office.store.create_key(platform)
        await self.office.service.directory_changed()
        return key.id

    async def _webhook_endpoint_id(self, owner: Owner) -> str:
        if owner is Owner.UNKNOWN:
            return new_id("we")
        fields = {"url": HOOKS, "description": NAMES[owner]}
        return str((await self._post(owner, "/v1/webhook_endpoints", fields))["id"])

    async def _delivery_id(self, owner: Owner) -> str:
        if owner is Owner.UNKNOWN:
            return new_id("wd")
        endpoint = await self.id_of("webhook_endpoint_id", owner)
        return str((await self._post(owner, f"/v1/webhook_endpoints/{endpoint}/test", {}))["id"])

    async def _call_id(self, owner: Owner) -> str:
        if owner is Owner.UNKNOWN:
            return new_id("call")
        headers = {
            "Authorization": f"Bearer {self._tokens['theirs' if owner is Owner.STRANGER else 'ours']}",
            "DialStack-Account": self.accounts[owner].id,
        }
        fields = {"user_id": self.users[owner].id, "dial_string": self.next("+1301555")}
        async with self.office._client.post("/v1/calls", json=fields, headers=headers) as response:
            assert response.status == 202, await response.text()
            return response.headers["Location"].rpartition("/")[2]

    def next(self, name: str) -> str:
        """A name or number that begins so, ends in four digits, and that nothing else has."""
        return f"{name}{next(self._count):04}"

    def forbidden(self, actor: Actor) -> list[bytes]:
        """What no answer to this actor may hold: names and ids of those whom it does not see."""
        seen = {Owner.STRANGER} if actor.platform == "theirs" else set(actor.sees)
        if actor.platform == "ours":
            seen |= {Owner.OWN, Owner.OTHER_USER, Owner.SIBLING}
        names = [name for owner, name in NAMES.items() if owner not in seen]
        known = {self.accounts[owner].id for owner in seen}  # Ann's account is Bob's
        ids = [one for (_, owner), one in self.made.items() if owner not in {*seen, Owner.UNKNOWN} and "_" in one]
        ids = [one for one in ids if one not in known]
        return [one.encode() for one in names + ids]


NAMES = {
    Owner.OWN: "canary-ann",
    Owner.OTHER_USER: "canary-bob",
    Owner.SIBLING: "canary-sid",
    Owner.STRANGER: "canary-fay",
}
HOOKS = "https://hooks.example.com/canary"
ADDRESS = {
    "address_number": "1",
    "street": "Main Street",
    "city": "Washington",
    "state": "DC",
    "postal_code": "20001",
    "country": "US",
}
