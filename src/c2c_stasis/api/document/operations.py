"""One route as one operation of the document: its parameters, and every status that it can answer."""

import re
from dataclasses import dataclass
from http import HTTPStatus

from c2c_stasis import errors, ids
from c2c_stasis.api.document.errors import ERRORS
from c2c_stasis.api.document.schemas import Json, filters_of, reference
from c2c_stasis.api.document.words import Word, id_word, word_for
from c2c_stasis.api.paging import Listed, Paging
from c2c_stasis.api.problems import problem_of
from c2c_stasis.api.routes import KEYS, KEYS_FOR_ACCOUNT, OPEN, PROBES, Route, Scope

KEY, SESSION = "platform_key", "session"

_SEGMENT = re.compile(r"\{(\w+)(?::[^}]*)?\}")
_BODY_ERRORS = (
    *("missing_field", "validation_error", "invalid_json"),
    *("body_timeout", "body_too_large", "unsupported_media_type"),
)


@dataclass(frozen=True, slots=True)
class PathPart:
    """A variable part of a path: what it is, and the error when there is none."""

    word: Word
    missing: type[errors.NotFound]


def _by_id(prefix: str, means: str, missing: type[errors.NotFound]) -> PathPart:
    return PathPart(id_word(prefix, means), missing)


PATH_PARTS = {
    "account_id": _by_id(ids.ACCOUNT, "the account", errors.AccountNotFound),
    "user_id": _by_id(ids.USER, "the user", errors.UserNotFound),
    "endpoint_id": _by_id(ids.DEVICE, "the device", errors.DeviceNotFound),
    "number_id": _by_id(ids.NUMBER, "the number", errors.PhoneNumberNotFound),
    "location_id": _by_id(ids.LOCATION, "the location", errors.LocationNotFound),
    "key_id": _by_id(ids.KEY, "the key", errors.KeyNotFound),
    "call_id": _by_id(ids.CALL, "the call", errors.CallNotFound),
    "webhook_endpoint_id": _by_id(ids.WEBHOOK, "the webhook endpoint", errors.WebhookEndpointNotFound),
    "delivery_id": _by_id(ids.DELIVERY, "the delivery", errors.DeliveryNotFound),
    "number": PathPart(Word("the extension", "1042", {"pattern": "^[0-9]{3,6}$"}), errors.ExtensionNotFound),
}

HEADERS = {
    "X-Request-Id": "the id of this request in the service's log",
    "Location": "the address of what was made, relative",
    "Idempotent-Replayed": "`true` when an earlier request with the same `Idempotency-Key` had this answer",
    "Content-Disposition": "the name of the file",
    "Retry-After": "seconds after which it may be tried again",
    "WWW-Authenticate": "always `Bearer`",
}
REQUEST_HEADERS: dict[str, Json] = {
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A name for this request: repeated within 24 hours with the same body, it is answered as the first was.",
        "schema": {"type": "string", "pattern": "^[!-~]([ -~]{0,253}[!-~])?$", "examples": ["order 4711"]},
    },
    "Last-Event-ID": {
        "name": "Last-Event-ID",
        "in": "header",
        "description": "The `id` of the last event that came; the stream goes on after it. It counts before `after`.",
        "schema": {"type": "string", "examples": ["4711"]},
    },
}
_WITH_STATUS = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}


class RouteNotTold(Exception):
    """A route does not say what the document must; the service does not start with it."""

    def __init__(self, route: Route, what: str) -> None:
        super().__init__(f"{route.method} {route.path}: {what}")


@dataclass(frozen=True, slots=True)
class Operation:
    """A route, and what follows from it."""

    route: Route

    @property
    def path(self) -> str:
        """The path as OpenAPI writes it."""
        return _SEGMENT.sub(r"{\1}", self.route.path)

    @property
    def parts(self) -> list[str]:
        """The names of the variable parts of the path."""
        return _SEGMENT.findall(self.route.path)

    @property
    def name(self) -> str:
        """The operation id, such as `user_create`: what the handler is called and whose it is."""
        return f"{self.tag}_{self._qualified[1].replace('page', 'list')}"

    @property
    def tag(self) -> str:
        """Under which heading it stands: what it is about, such as `phone_number`."""
        return re.sub(r"(?<=.)([A-Z])", r"_\1", self._qualified[0].removesuffix("Routes")).lower()

    @property
    def _qualified(self) -> tuple[str, str]:
        """The class of the handler, and its name in there."""
        owner, _, name = self.route.handler.__qualname__.rpartition(".")
        return owner, name

    @property
    def story(self) -> tuple[str, str]:
        """The first sentence of the handler's docstring, and the rest."""
        text = " ".join((self.route.handler.__doc__ or "").split())
        first, _, rest = text.partition(". ")
        return first.removesuffix("."), rest

    @property
    def success(self) -> int:
        """The status of success: 201 for what is made, 204 for what is removed."""
        if self.route.success:
            return self.route.success
        if self.route.method == "DELETE":
            return 204
        made = self.route.method == "POST" and not self.route.path.endswith("}")
        return 201 if made else 200

    @property
    def codes(self) -> list[str]:
        """Every error code that it can answer, in the order of the table."""
        route = self.route
        found = {"bad_request", "header_timeout", "expectation_failed", *route.errors}
        if route.path not in PROBES:
            found |= {"too_many_requests", "overloaded"}
        if route.scopes != OPEN:
            found |= {"unauthorized", "key_in_browser", "too_many_failed_logins", "unavailable"}
            found.add("validation_error")  # a filter that is not known
        if Scope.USER_SESSION in route.scopes:
            found.add("origin_not_allowed")
        if route.scopes in (KEYS, KEYS_FOR_ACCOUNT):
            found.add("not_allowed")  # to a session
        if Scope.ACCOUNT in route.scopes:
            found |= {"invalid_account_header", "account_not_allowed"}
        if route.takes is not None:
            found.update(_BODY_ERRORS)
        if route.filters is not None:
            found.add("validation_error")
            found |= {"invalid_pagination"} if issubclass(route.filters, Paging) else set()
        found |= {problem_of(PATH_PARTS[part].missing()).code for part in self.parts}
        return [code for code in ERRORS if code in found]

    def statuses(self) -> set[int]:
        """Every status that it can answer."""
        return {self.success} | {ERRORS[code].status for code in self.codes}

    def require_told(self) -> None:
        """Raises `RouteNotTold` when something is missing that the document has to say."""
        route = self.route
        if not self.story[0] or "<" in self.name:
            raise RouteNotTold(route, "has no handler with a name and a docstring")
        if unknown := [part for part in self.parts if part not in PATH_PARTS]:
            raise RouteNotTold(route, f"{unknown[0]} is told nowhere; add it to PATH_PARTS")
        if unknown := [code for code in route.errors if code not in ERRORS]:
            raise RouteNotTold(route, f"the error {unknown[0]} is told nowhere; add it to ERRORS")
        if unknown := [name for name in route.reads if name not in REQUEST_HEADERS]:
            raise RouteNotTold(route, f"the header {unknown[0]} is told nowhere; add it to REQUEST_HEADERS")
        if unknown := [name for name in route.headers if name not in HEADERS]:
            raise RouteNotTold(route, f"the header {unknown[0]} is told nowhere; add it to HEADERS")
        if route.gives is Listed:
            raise RouteNotTold(route, "gives a list, and does not say of what: Listed[UserRecord]")

    def drawn(self) -> Json:
        """The operation object."""
        summary, more = self.story
        drawn: Json = {"operationId": self.name, "tags": [self.tag], "summary": summary}
        if more:
            drawn["description"] = more
        drawn["security"] = self._security()
        if parameters := self._parameters():
            drawn["parameters"] = parameters
        if self.route.takes is not None:
            content = {"application/json": {"schema": reference(self.route.takes)}}
            drawn["requestBody"] = {"required": not self.route.body_may_be_missing, "content": content}
        drawn["responses"] = {str(self.success): self._answer()} | self._refusals()
        return drawn

    def _security(self) -> list[Json]:
        if self.route.scopes == OPEN:
            return []
        return [{KEY: []}] + ([{SESSION: []}] if Scope.USER_SESSION in self.route.scopes else [])

    def _parameters(self) -> list[Json]:
        found: list[Json] = []
        for part in self.parts:
            word = PATH_PARTS[part].word
            schema = {"type": "string"} | (word.schema or {}) | {"examples": [word.example]}
            found.append({"name": part, "in": "path", "required": True, "description": _said(word), "schema": schema})
        if Scope.ACCOUNT in self.route.scopes:
            name = "AccountOfKey" if Scope.USER_SESSION in self.route.scopes else "Account"
            found.append({"$ref": f"#/components/parameters/{name}"})
        found += [dict(REQUEST_HEADERS[name]) for name in self.route.reads]
        if self.route.filters is not None:
            for name, schema in filters_of(self.route.filters).items():
                parameter: Json = {"name": name, "in": "query", "description": schema.pop("description", "")}
                found.append(parameter | {"schema": schema})
        return found

    def _answer(self) -> Json:
        replayed = ("Idempotent-Replayed",) if "Idempotency-Key" in self.route.reads else ()
        headers = _headers((*self.route.headers, *replayed))
        answer: Json = {"description": HTTPStatus(self.success).phrase, "headers": headers}
        if self.route.gives is not None:
            answer["content"] = {self.route.media: {"schema": reference(self.route.gives)}}
        elif self.route.media != "application/json":
            answer["content"] = {self.route.media: {"schema": {"type": "string"}}}
        return answer

    @property
    def refusals(self) -> dict[int, list[str]]:
        """The error codes by their status."""
        by_status: dict[int, list[str]] = {}
        for code in self.codes:
            by_status.setdefault(ERRORS[code].status, []).append(code)
        return dict(sorted(by_status.items()))

    def _refusals(self) -> Json:
        return {
            str(status): {"$ref": f"#/components/responses/{refusal_name(status, codes)}"}
            for status, codes in self.refusals.items()
        }


def account_parameter(*, sessions: bool = False) -> Json:
    """The header that says for which account a request is; where sessions are let in, those have it with them."""
    word = word_for("", "account_id")
    assert word is not None  # it stands among the words
    schema: Json = {"type": "string"} | (word.schema or {})
    return {
        "name": "DialStack-Account",
        "in": "header",
        "required": not sessions,
        "description": "For which account" + ("; required with a platform key." if sessions else "."),
        "schema": schema | {"examples": [word.example]},
    }


def refusal_name(status: int, codes: list[str]) -> str:
    """What the answer with one of these codes is called among the components."""
    return f"{status}-{'-'.join(codes)}"


def refusal(status: int, codes: list[str]) -> Json:
    """The answer with one of these codes. They do not narrow the schema: generators would make a class of every answer."""
    listed = "\n".join(f"- `{code}`: {ERRORS[code].when}" for code in codes)
    schema = {"$ref": "#/components/schemas/Error"}
    headers = _headers(_WITH_STATUS.get(status, ()) if codes != ["not_ready"] else ())
    content = {"application/json": {"schema": schema}}
    said = f"{HTTPStatus(status).phrase}:\n{listed}"
    return {"description": said, "headers": headers, "content": content, "x-codes": codes}


def _headers(names: tuple[str, ...]) -> Json:
    every = ("X-Request-Id", *names)
    return {name: {"$ref": f"#/components/headers/{name}"} for name in every}


def _said(word: Word) -> str:
    return word.means[0].upper() + word.means[1:] + "."
