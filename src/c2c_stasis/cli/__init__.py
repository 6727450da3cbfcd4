"""The command line: one file a command; what a command does is done by the parts it starts."""

from typing import Any

import click

from c2c_stasis.cli.accounts import accounts
from c2c_stasis.cli.backup import backup, restore
from c2c_stasis.cli.call import call
from c2c_stasis.cli.calls import calls
from c2c_stasis.cli.completion import completion
from c2c_stasis.cli.config import config
from c2c_stasis.cli.demo import demo
from c2c_stasis.cli.devices import devices
from c2c_stasis.cli.doctor import doctor
from c2c_stasis.cli.events import events
from c2c_stasis.cli.explain import explain
from c2c_stasis.cli.extensions import extensions
from c2c_stasis.cli.init import init
from c2c_stasis.cli.keys import keys
from c2c_stasis.cli.lab import lab
from c2c_stasis.cli.locations import locations
from c2c_stasis.cli.migrate import migrate
from c2c_stasis.cli.phone_numbers import phone_numbers
from c2c_stasis.cli.reporting import EX_INTERRUPTED
from c2c_stasis.cli.serve import serve
from c2c_stasis.cli.sessions import sessions
from c2c_stasis.cli.trace import trace
from c2c_stasis.cli.trunks import trunks
from c2c_stasis.cli.users import users
from c2c_stasis.cli.webhooks import webhooks

__all__ = ["main"]

_EXIT_STATUS = """\
\b
Exit status:
   0  done
   1  a call did not do what it should, the service refused something, or the doctor has warnings that count and no errors
   2  wrong usage; nothing was changed
  69  something that is needed is not there, or another service has it: service, Asterisk, database, port
  75  another service took the Stasis application of this one
  77  the key or the account is not accepted
  78  the configuration is wrong; everything wrong with it is listed
"""


class _Main(click.Group):
    """The commands as one; Ctrl-C ends each in silence, unless it has something to say itself."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run what was asked for."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            raise SystemExit(EX_INTERRUPTED) from interrupt


@click.group(
    cls=_Main, epilog=_EXIT_STATUS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="c2c-stasis", prog_name="c2c-stasis")
def main() -> None:
    """Self-hosted click-to-call on Asterisk: every phone of a user rings, the first answer wins."""


for _command in (serve, init, doctor, config, trunks, migrate, backup, restore, sessions, demo, lab):
    main.add_command(_command)
for _command in (accounts, users, devices, extensions, phone_numbers, locations, keys, webhooks, completion):
    main.add_command(_command)
for _command in (call, explain, calls, events, trace):
    main.add_command(_command)
