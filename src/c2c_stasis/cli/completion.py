"""`c2c-stasis completion`: what a shell needs to complete our commands."""

import click
from click.shell_completion import get_completion_class

_NAME = "c2c-stasis"
_VARIABLE = "_C2C_STASIS_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes a shell complete commands and options.

    \b
      bash:  c2c-stasis completion bash > ~/.local/share/bash-completion/completions/c2c-stasis
      zsh:   c2c-stasis completion zsh > "${fpath[1]}/_c2c-stasis"
      fish:  c2c-stasis completion fish > ~/.config/fish/completions/c2c-stasis.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None  # click has these three
    click.echo(kind(context.find_root().command, {}, _NAME, _VARIABLE).source())
