"""The shipped configuration of Asterisk, deployed as it is except for what must differ in a laboratory.

The files are those an operator installs. What differs (ports, paths, generated passwords) is named by file, section and
key; a name that is not in the files is an error, so the two cannot drift apart.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from c2c_stasis.lab.errors import LaboratoryError, OverrideMisses

SECTION = re.compile(r"^\s*\[([^\]]+)\]")
SETTING = re.compile(r"^(\s*)([^\s;=\[#][^=;]*?)(\s*=>?\s*)(.*?)(\s*(?<!\\);.*)?$")
DEVICE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

DEVICES_FILE = "pjsip-devices.conf"
ARI_LOGIN_FILE = "ari-password.conf"


@dataclass(frozen=True, slots=True)
class Override:
    """One setting that differs; the value None leaves the line out, the key None the whole section."""

    file: str
    section: str
    key: str | None
    value: str | None = None


@dataclass(frozen=True, slots=True)
class DeviceAccount:
    """What a phone registers with: the name of its endpoint, auth and aor, and the password."""

    name: str
    password: str


@dataclass(frozen=True, slots=True)
class TrunkAccount:
    """One more trunk: the name of its endpoint, where its carrier listens (UDP), and `trust_id_outbound`."""

    name: str
    address: tuple[str, int]
    trusted: bool = True


def shipped() -> Path:
    """The folder of the shipped files: inside the installed package, or in the source tree.

    Raises LaboratoryError when neither is there.
    """
    installed = Path(str(resources.files("c2c_stasis.lab"))) / "etc"
    for folder in (installed, Path(__file__).parents[3] / "asterisk" / "etc"):
        if (folder / "asterisk.conf").is_file():
            return folder
    raise LaboratoryError("the configuration files of Asterisk are not in this package: install it again")


def deploy(source: Path, target: Path, overrides: Iterable[Override], own: Mapping[str, str]) -> None:
    """Write every shipped file into `target`, changed by the overrides, and beside them the `own` files by name.

    Raises OverrideMisses when an override names something that is not in the files exactly once.
    """
    by_file: dict[str, list[Override]] = {}
    for override in overrides:
        by_file.setdefault(override.file, []).append(override)
    names = {path.name for path in source.glob("*.conf")}
    if strangers := by_file.keys() - names:
        raise OverrideMisses(f"there is no {sorted(strangers)[0]} in {source}")
    target.mkdir(parents=True, exist_ok=True)
    for name in sorted(names):
        text = (source / name).read_text(encoding="utf-8")
        for override in by_file.get(name, ()):
            text = apply(text, override)
        (target / name).write_text(text, encoding="utf-8")
    for name, text in own.items():
        path = target / name
        path.touch(mode=0o600)  # these hold the passwords
        path.write_text(text, encoding="utf-8")


def apply(text: str, override: Override) -> str:
    """Give the text of a file with one override applied; comments stay.

    Raises OverrideMisses when its section or key is absent, or when the key occurs in the section more than once.
    """
    lines = text.splitlines(keepends=True)
    hits: list[int] = []
    section = None
    for number, line in enumerate(lines):
        if found := SECTION.match(line):
            section = found[1]
        if section != override.section:
            continue
        setting = SETTING.match(line.rstrip("\n"))
        if override.key is None or (setting and setting[2] == override.key):
            hits.append(number)
    place = f"[{override.section}] {override.key or ''}".strip()
    if not hits:
        raise OverrideMisses(f"{override.file} has no {place}")
    if override.key is not None and len(hits) > 1:
        raise OverrideMisses(f"{override.file} has {place} {len(hits)} times")
    for number in hits:
        lines[number] = _changed(lines[number], override.value)
    return "".join(lines)


def devices_file(devices: Iterable[DeviceAccount], max_contacts: Mapping[str, int] | None = None) -> str:
    """The file of phones that pjsip.conf includes, made of its templates.

    `max_contacts` changes that setting for the devices it names. Raises LaboratoryError for a name or password that such
    a file cannot hold.
    """
    sections: list[str] = []
    for device in devices:
        if not DEVICE_NAME.fullmatch(device.name):
            raise LaboratoryError(f"{device.name!r} cannot be the name of an endpoint: letters, digits, _ and - only")
        if not device.password or not device.password.isprintable() or device.password != device.password.strip():
            raise LaboratoryError(
                f"the password of {device.name} is empty, or has blanks around it or control characters"
            )
        limit = (max_contacts or {}).get(device.name)
        sections.append(
            f"[{device.name}](phone)\nauth = {device.name}\naors = {device.name}\n\n"
            f"[{device.name}](phone-auth)\nusername = {device.name}\npassword = {_escaped(device.password)}\n\n"
            f"[{device.name}](phone-aor)\n" + (f"max_contacts = {limit}\n" if limit is not None else "")
        )
    return "\n".join(sections)


def trunks_file(trunks: Iterable[TrunkAccount]) -> str:
    """Sections of more trunks, made of the templates of pjsip.conf. Nobody calls in through them."""
    sections: list[str] = []
    for trunk in trunks:
        host, port = trunk.address
        trust = "yes" if trunk.trusted else "no"
        sections.append(
            f"[{trunk.name}](trunk)\naors = {trunk.name}\ntrust_id_outbound = {trust}\n\n"
            f"[{trunk.name}](trunk-aor)\ncontact = sip:{host}:{port}\n"
        )
    return "\n".join(sections)


def _changed(line: str, value: str | None) -> str:
    setting = SETTING.match(line.rstrip("\n"))
    if value is None or setting is None:
        return ""
    return f"{setting[1]}{setting[2]}{setting[3]}{_escaped(value)}{setting[5] or ''}\n"


def _escaped(value: str) -> str:
    """A semicolon begins a comment in Asterisk's files."""
    return value.replace(";", "\\;")
