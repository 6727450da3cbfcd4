"""What people need to set a phone up: a few lines to copy, and a QR code for a softphone. Both hold the password."""

import io
from xml.sax.saxutils import escape

import segno
from msgspec import Struct

from c2c_stasis.directory.sip_account import SipAccount
from c2c_stasis.ports import SipServer

_PIXELS = 4  # of each dot in the picture
_CORRECTION = "l"  # the least: it is read from a screen, and a person's terminal has 80 columns
_TEXT = """\
Phone      {name}
Server     {address}
Transport  {transport}
User name  {username}  (also where an authentication name is asked for)
Password   {password}
"""
# The account of Grandstream Wave, a free softphone for Android and iOS. There is no common form: most other softphones read a
# code of their maker's own service only. It has no field for the transport; the app begins with UDP.
_ACCOUNT = (
    "<?xml version='1.0' encoding='utf-8'?><AccountConfig version='1'><Account>"
    "<RegisterServer>{address}</RegisterServer><UserID>{username}</UserID><AuthID>{username}</AuthID>"
    "<AuthPass>{password}</AuthPass><AccountName>{name}</AccountName><DisplayName>{name}</DisplayName>"
    "</Account></AccountConfig>"
)


class SetupRecord(Struct, frozen=True):
    """A block of settings for people, and a QR code: what it says, and a picture of it."""

    text: str
    qr_text: str
    qr_svg: str


def phone_setup(account: SipAccount, server: SipServer, name: str) -> SetupRecord:
    """How to set up the phone that is called so."""
    given = {"username": account.username, "password": account.password, "address": server.address}
    text = _TEXT.format(**given, name=name, transport=server.transport.upper())
    code = _ACCOUNT.format(**given, name=escape(name))
    return SetupRecord(text, code, _picture(code))


def _picture(code: str) -> str:
    """An SVG that can be put into a page or a file, and is white behind the dots wherever it is shown."""
    picture = io.BytesIO()
    segno.make_qr(code, error=_CORRECTION, encoding="utf-8").save(
        picture, kind="svg", scale=_PIXELS, light="#fff", xmldecl=False, svgclass=None, lineclass=None, nl=False
    )
    return picture.getvalue().decode()
