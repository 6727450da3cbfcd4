"""The command line: one file a command; what a command does is done by the parts it starts."""

import click

from c2c_stasis.cli.backup import backup, restore
from c2c_stasis.cli.config import config
from c2c_stasis.cli.demo import demo
from c2c_stasis.cli.doctor import doctor
from c2c_stasis.cli.init import init
from c2c_stasis.cli.lab import lab
from c2c_stasis.cli.migrate import migrate
from c2c_stasis.cli.serve import serve
from c2c_stasis.cli.trunks import trunks

__all__ = ["main"]

_EXIT_STATUS = """\
\b
Exit status:
   0  done
   1  the demo's call did not do what it should; the doctor has warnings and no errors
   2  wrong usage; nothing was changed
  69  something that is needed is not there: Asterisk, database, port
  78  the configuration is wrong; everything wrong with it is listed
"""


@click.group(epilog=_EXIT_STATUS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="c2c-stasis", prog_name="c2c-stasis")
def main() -> None:
    """Self-hosted click-to-call on Asterisk: every phone of a user rings, the first answer wins."""


for _command in (serve, init, doctor, config, trunks, migrate, backup, restore, demo, lab):
    main.add_command(_command)
