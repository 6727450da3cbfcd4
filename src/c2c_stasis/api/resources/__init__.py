"""What can be administered: one file a resource, with what it takes, what it gives, and its handlers."""

from c2c_stasis.api.port import DirectoryStore, Service, Vet
from c2c_stasis.api.resources.accounts import AccountRoutes
from c2c_stasis.api.resources.browser_phones import BrowserPhoneRoutes
from c2c_stasis.api.resources.devices import DeviceRoutes
from c2c_stasis.api.resources.extensions import ExtensionRoutes
from c2c_stasis.api.resources.keys import KeyRoutes
from c2c_stasis.api.resources.locations import LocationRoutes
from c2c_stasis.api.resources.phone_numbers import PhoneNumberRoutes
from c2c_stasis.api.resources.sessions import SessionRoutes
from c2c_stasis.api.resources.users import UserRoutes
from c2c_stasis.api.resources.webhooks import WebhookEndpointRoutes
from c2c_stasis.api.routes import Route

__all__ = ["resource_routes"]


def resource_routes(service: Service, store: DirectoryStore, vet: Vet) -> list[Route]:
    """The routes of every resource."""
    kinds = (
        *(AccountRoutes, UserRoutes, DeviceRoutes, ExtensionRoutes, PhoneNumberRoutes, LocationRoutes),
        *(BrowserPhoneRoutes, KeyRoutes, SessionRoutes),
    )
    plain = [route for kind in kinds for route in kind(service, store).routes()]
    return [*plain, *WebhookEndpointRoutes(service, store, vet).routes()]
