"""Can Asterisk's files be read, and are they those that the running Asterisk reads?"""

from c2c_stasis.doctor.asterisk_files import AsteriskFiles
from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.findings import Fault, Finding, Status, unseen, well
from c2c_stasis.doctor.patient import NAME_THEM, NotLoaded, Patient

OTHER = Fault(
    "asterisk_etc_other",
    Status.CONFIG,
    "The folder that was read is not the one that this Asterisk reads: what else is said of files says nothing about it.",
    "Name the right folder with --asterisk-etc; `asterisk -rx 'core show settings'` prints it as Configuration directory.",
)

# Asked of Asterisk also when the folder says nothing of them: a copy in which a file is missing says nothing of everything.
TELLING = {
    ("http.conf", "general"): ("bindaddr", "tlsenable", "tlsbindaddr"),
    ("ari.conf", "general"): ("allowed_origins",),
    ("manager.conf", "general"): ("enabled", "bindaddr"),
    ("asterisk.conf", "options"): ("live_dangerously",),
    ("asterisk.conf", "directories"): (),
}
READ = ("asterisk.conf", "http.conf", "ari.conf", "manager.conf", "modules.conf", "acl.conf", "pjsip.conf")


async def look(patient: Patient) -> list[Finding]:
    """Read them, and hold some settings against Asterisk's own reader."""
    files = patient.asterisk_files()
    unread = [why for name in READ for why in files.file(name).unread]
    try:
        differing = await _differing(patient, files)
    except NotLoaded as reason:
        return [unseen(f"whether Asterisk reads {files.folder} cannot be seen: {reason}")]
    if differing:
        return [OTHER.found(f"{files.folder}: {differing}")]
    if unread:
        return [unseen("; ".join(dict.fromkeys(unread)), NAME_THEM)]
    return [well(f"{files.folder} is what Asterisk reads")]


async def _differing(patient: Patient, files: AsteriskFiles) -> str:
    """The first of some settings in which folder and Asterisk do not agree; empty when there is none."""
    for (file, section), telling in {**TELLING, ("ari.conf", patient.config.ari.username): ("type",)}.items():
        for key in dict.fromkeys([*telling, *(key for key, _ in files.file(file).named(section).settings)]):
            if key in ("password", "deny", "permit", "acl"):  # a secret, or a list
                continue
            here, there = files.file(file).named(section).value(key), await patient.asterisks_own(file, section, key)
            if here != there:
                return f"{file} has {key} = {here or 'nothing'} in [{section}], and for Asterisk it is {there or 'nothing'}"
    return ""


CHECK = Check("asterisk's files", "Can Asterisk's files be read, and does it read the same?", (OTHER,), look)
