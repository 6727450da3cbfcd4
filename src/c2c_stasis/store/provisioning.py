"""How the directory is changed: every change is checked, committed, and counted so that other processes notice."""

from c2c_stasis.store.creating import Creating
from c2c_stasis.store.credentials import Credentials
from c2c_stasis.store.removing import Removing
from c2c_stasis.store.updating import Updating
from c2c_stasis.store.webhooks import WebhookEndpoints


class Provisioning(Creating, Updating, Removing, Credentials, WebhookEndpoints):
    """The part of the store that changes the directory.

    Each method returns when its change is committed, and raises `InvalidRequest` (naming the field), `AlreadyInUse`,
    `AccountNotAllowed`, `NotFound`, `NotAllowed` or `StillInUse` when it makes no sense, `StoreUnavailable` when it could not
    be written; then nothing has changed.
    """
