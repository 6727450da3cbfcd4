"""Configurations that cannot be used, and where each of their mistakes is told: a line of the file, or a variable."""

from dataclasses import dataclass, field

SECRET = "hunter2-topsecret"
"""What stands in the broken files where a secret may stand, and must never be told."""

OK = f'[ari]\npassword = "{SECRET}"\n'
TRUNK = '[[trunks]]\nname = "a"\nendpoint = "PJSIP/{number}@a"\n'


@dataclass(frozen=True)
class Broken:
    """One broken configuration. `told` is what every line on standard error begins with, without the folder, in order."""

    name: str
    text: str | bytes
    told: tuple[str, ...]
    environ: dict[str, str] = field(default_factory=dict)


def _file(name: str, text: str | bytes, *told: str) -> Broken:
    return Broken(name, text, tuple(f"c2c.toml:{one}" for one in told))


def _environment(name: str, value: str, *told: str, text: str = OK) -> Broken:
    return Broken(f"{name}={value[:20]}", text, tuple(f"environment: {one}" for one in told), {name: value})


def _value(section: str, key: str, value: str, says: str) -> Broken:
    """One value that is wrong, on line 4."""
    header = "" if section == "ari" else f"[{section}]"
    return _file(f"{key} = {value[:40]}", f"{OK}{header}\n{key} = {value}\n", f"4: {section}.{key} {says}")


def _trunk(key: str, value: str, says: str) -> Broken:
    """One value of a trunk that is wrong, on its last line."""
    lines = [line for line in TRUNK.splitlines() if not line.startswith(f"{key} =")]
    text = OK + "\n".join([*lines, f"{key} = {value}"]) + "\n"
    return _file(f"{key} = {value[:40]}", text, f"{3 + len(lines)}: trunks[0].{key} {says}")


BROKEN: tuple[Broken, ...] = (
    # Files that are none.
    _file("an unfinished line", f"{OK}[calls]\nring_timeout\n", "4 is not TOML"),
    _file("a text without quotes", f"[ari]\npassword = {SECRET}\n", "2 is not TOML"),
    _file("a quote that is not closed", f'[ari]\npassword = "{SECRET}\n', "2 is not TOML"),
    _file("a text of many lines that is not closed", f'{OK}app = """\nx\n', "4 is not TOML"),
    _file("a key twice", f"{OK}password = 'x'\n", "3 is not TOML"),
    _file("a section twice", f"{OK}{OK}", "3 is not TOML"),
    _file("another format", "ari:\n  password: x\n", "1 is not TOML"),
    _file("no UTF-8", f'[ari]\npassword = "{SECRET}"\n# caf\xe9\n'.encode("latin-1"), "3 is not UTF-8"),
    Broken("a number without end", f"{OK}pool = {'9' * 5000}\n", ("c2c.toml is not TOML",)),
    Broken("arrays without end", f"{OK}app = {'[' * 5000}\n", ("c2c.toml is not TOML",)),
    Broken("the wrong file", "#" * 1_000_001, ("c2c.toml is far too large",)),
    Broken("an empty file", "", ("c2c.toml: ari.password is missing",)),
    # Trunks.
    _file(
        "two trunks of one name, one of them wrong elsewhere",
        OK + TRUNK.replace("PJSIP", "SIP") + TRUNK,
        "5: trunks[0].endpoint",
        "7: trunks[1].name is 'a', like another trunk",
    ),
    Broken(
        "two trunks of one name, the first from the environment",
        OK + TRUNK.replace('"a"', '"spare"') + TRUNK,
        (
            "c2c.toml:7: trunks[1].name is 'a', like another trunk. Give every trunk its own name; the other has its own from"
            " C2C_TRUNKS__0__NAME of the environment",
        ),
        {"C2C_TRUNKS__0__NAME": "a"},
    ),
    _file(
        "a trunk for tests and for emergencies",
        f"{OK}{TRUNK}test = true\nemergency = true\n",
        "7: trunks[0].emergency is true, and so is test",
    ),
    # Routes.
    _file("a route through a trunk that is not there", f"{OK}{TRUNK}[[routes]]\ntrunks = 'a, b'\n",
        "7: routes[0].trunks names 'b', which is no trunk. Known are a"),
    _file("a route without trunks", f"{OK}[[routes]]\nnumbers = 'national'\n", "3: routes[0].trunks is missing"),
    _file("a route through no trunk", f"{OK}{TRUNK}[[routes]]\ntrunks = ' ,'\n", "7: routes[0].trunks names no trunk"),
    _file("a route for a kind of numbers that nobody knows", f"{OK}{TRUNK}[[routes]]\ntrunks = 'a'\nnumbers = 'local'\n",
        "8: routes[0].numbers names 'local'"),
    _file("a route for a beginning without its plus", f"{OK}{TRUNK}[[routes]]\ntrunks = 'a'\nnumbers = '0044'\n",
        "8: routes[0].numbers names '0044'"),
    _file("a route for an account by its name", f"{OK}{TRUNK}[[routes]]\ntrunks = 'a'\naccounts = 'Acme'\n",
        "8: routes[0].accounts names 'Acme'"),
    _file("routes that are one section", f"{OK}[routes]\ntrunks = 'a'\n", "3: routes is not a list of routes"),
    _environment("C2C_ROUTES__TRUNKS", "a", "C2C_ROUTES__TRUNKS does not say which route it means"),
    # Keys and sections.
    _file("a section without its key", "\n[ari]\n", "2: ari.password is missing"),
    _file("a key outside of its section", f'listen = "x:1"\n{OK}', "1: listen is not known. It belongs under [http]"),
    _file("a section nobody knows", f"{OK}[statistics]\n", "3: statistics is not known"),
    _file("a section with a typing mistake", f"{OK}[cals]\n", "3: cals is not known. Did you mean calls?"),
    _file("a section that is a value", f"http = 1\n{OK}", "1: http is not a section"),
    _file("a section that is a list", f"{OK}[[http]]\nlisten = 'x:1'\n", "3: http is not a section"),
    _file("a key with a typing mistake", f"{OK}pasword = '{SECRET}'\n", "3: ari.pasword is not known. Did you mean password"),
    _file("a key that is quoted", f'{OK}"pol" = 3\n', "3: ari.pol is not known"),
    _file("a key with dots", f"{OK}pool.size = 3\n", "3: ari.pool is a table"),
    _file("a key in an inline table", f"log = {{level = 'loud'}}\n{OK}", "1: log.level is 'loud'"),
    _file("a key after a text of many lines", f'{OK}app = """\nx\n"""\npol = 1\n', "3: ari.app is", "6: ari.pol is not known"),
    _file("a table where a value should be", f"{OK}[calls.ring_timeout]\nseconds = 3\n", "3: calls.ring_timeout is a table"),
    # [ari]
    _file("an empty password", '[ari]\npassword = ""\n', "2: ari.password is empty"),
    _file("a password that is a number", "[ari]\npassword = 1234567\n", "2: ari.password is a number"),
    _file("a password in a list", f"[ari]\npassword = ['{SECRET}']\n", "2: ari.password is an array"),
    _file("a password with a line break", f'[ari]\npassword = "{SECRET}\\n"\n', "2: ari.password has a form"),
    _value("ari", "url", '"127.0.0.1:8088"', "has a form which is not understood"),
    _value("ari", "url", '"http://"', "has a form which is not understood"),
    _value("ari", "url", '"http://:8088"', "is not a complete URL"),
    _value("ari", "url", '"http://h:99999"', "is not a complete URL"),
    _value("ari", "url", f'"http://c2c:{SECRET}@h:8088"', "holds more than an address"),
    _value("ari", "url", f'"http://h:8088/?api_key=c2c:{SECRET}"', "holds more than an address"),
    _value("ari", "url", f'"{SECRET}"', "has a form which is not understood"),
    _value("ari", "username", f'"c2c:{SECRET}"', "has a form which is not understood"),
    _value("ari", "app", '"my app"', "is 'my app' which is not understood"),
    _value("ari", "app", f'"c2c:{SECRET}@h"', "has a form which is not understood"),
    _value("ari", "request_timeout", '"3"', "is a text and must be a number"),
    _value("ari", "request_timeout", "0", "is 0, which is out of range"),
    _value("ari", "request_timeout", "nan", "is nan, which is out of range"),
    _value("ari", "pool", "33", "is 33, which is out of range"),
    _value("ari", "pool", "2.5", "is 2.5 and must be a whole number"),
    _value("ari", "pool", "true", "is true or false and must be a number"),
    _value("ari", "pool", "1" + "0" * 400, "is 1"),
    _value("ari", "log", '"ari-log"', "is 'ari-log' which is not understood. Give the whole path of a folder"),
    # [http], [database], [log]
    _value("http", "listen", '"8080"', "is '8080' which is not understood"),
    _value("http", "listen", "8080", "is a number and must be a text"),
    _value("http", "listen", '"h:65536"', "names port 65536"),
    _value("http", "listen", '"[:::::]:80"', "names no IPv6 address"),
    _value("http", "listen", f'"http://u:{SECRET}@h:80"', "has a form which is not understood"),
    _value("database", "url", f'"postgres:/c2c:{SECRET}@h/c2c"', "is no database URL"),
    _value("database", "url", f'"c2c:{SECRET}@h/c2c"', "is no database URL"),
    _value("database", "url", f'"c2c:{SECRET}@h://c2c"', "is no database URL"),
    _value("ari", "url", '"http://127.0.0.1:8088/pbx"', "names a path"),
    _value("database", "url", f'"postgresql://c2c:{SECRET}@h/c2c"', "names the database 'postgresql'"),
    _value("database", "url", '"sqlite://"', "names no file"),
    _value("database", "url", '"c2c.db"', "is no database URL"),
    _value("log", "level", '"INFO"', "is 'INFO' which is not understood"),
    _value("log", "level", "3", "is a number and must be a text"),
    _value("log", "format", '"xml"', "is 'xml' which is not understood"),
    _value("log", "format", "2026-11-23", "is a date or time and must be a text"),
    # [calls]
    _value("calls", "ring_timeout", "121", "is 121, which is out of range"),
    _value("calls", "ring_timeout", "-1", "is -1, which is out of range"),
    _value("calls", "answer_timeout", "inf", "is inf, which is out of range"),
    _value("calls", "max_duration", '"4h"', "is a text and must be a number"),
    _value("calls", "max_calls_per_user", "0", "is 0, which is out of range"),
    _value("calls", "max_calls_per_user", "[2]", "is an array and must be a number"),
    _value("calls", "tone_seconds", "false", "is true or false and must be a number"),
    # [policy], [user_limits], [account_limits], [key_limits]
    _value("policy", "allow_regions", '"CA, UK"', "names 'UK', which is no country. Write ISO 3166-1 codes of two letters: GB"),
    _value("policy", "allow_regions", '"Canada"', "names 'CANADA', which is no country"),
    _value("policy", "allow_regions", '"+44"', "is '+44' which is not understood"),
    _value("policy", "allow_types", '"premium"', "names 'premium', which is no such type. Known are premium_rate, shared_cost"),
    _value("policy", "allow_prefixes", '"44"', "names '44', which is no beginning of a number"),
    _value("policy", "deny_prefixes", '"+0"', "names '+0', which is no beginning of a number"),
    _value("policy", "deny_prefixes", '"+44*"', "is '+44*' which is not understood"),
    _value("policy", "strict_numbers", '"no"', "is a text and must be true or false"),
    _value("user_limits", "starts_per_second", "-1", "is -1, which is out of range. Give a number from 0 to 1000 calls, "
        'without quotes, or write "unlimited"'),
    _value("user_limits", "burst", "0", "is 0, which is out of range"),
    _value("account_limits", "calls_at_a_time", '"none"', "is a text and must be a number"),
    _value("account_limits", "minutes_per_day", "1.5", "is 1.5 and must be a whole number"),
    _value("account_limits", "spend_per_day", "20", "stands there without rate_file. Set rate_file under [policy] too"),
    _value("key_limits", "international_per_hour", "inf", "is inf and must be a whole number"),
    # [[trunks]]
    _file("trunks that are one section", f"{OK}[trunks]\nname = 'a'\n", "3: trunks is not a list of trunks"),
    _file("trunks that are numbers", f"trunks = [1]\n{OK}", "1: trunks is not a list of trunks"),
    _file("a trunk without anything", f"{OK}[[trunks]]\n", "3: trunks[0].name is missing", "3: trunks[0].endpoint is missing"),
    _file("two trunks of one name", OK + TRUNK * 2, "7: trunks[1].name is 'a', like another trunk"),
    _file("a trunk with a typing mistake", f"{OK}{TRUNK}fromat = '00'\n", "6: trunks[0].fromat is not known"),
    _file("a trunk in one line", f"trunks = [\n {{name = 'a b', endpoint = 'PJSIP/{{number}}@a'}},\n]\n{OK}",
        "2: trunks[0].name is 'a b'"),
    _trunk("name", '"a/b"', "is 'a/b' which is not understood"),
    _trunk("endpoint", '"PJSIP/carrier"', "is 'PJSIP/carrier' which is not understood"),
    _trunk("endpoint", '"Local/{number}@from-internal"', "is 'Local/{number}@from-internal' which is not understood"),
    _trunk("endpoint", '"PJSIP/{number}@a/sip:evil@h"', "has a form which is not understood"),
    _trunk("endpoint", f'"PJSIP/{{number}}@c2c:{SECRET}@carrier"', "has a form which is not understood"),
    _trunk("format", '"E164"', "is 'E164' which is not understood"),
    _trunk("prefix", '"9"', 'cannot stand before a number that begins with "+"'),
    _trunk("prefix", '"12345678"', "is '12345678' which is not understood"),
    _trunk("emergency", '"yes"', "is a text and must be true or false"),
    _trunk("test", "1", "is a number and must be true or false"),
    # The environment.
    _environment("C2C_CALLS__RING_TIMEOUT", "soon", "C2C_CALLS__RING_TIMEOUT is a text and must be a number"),
    _environment("C2C_CALLS__RINGTIMEOUT", "5", "C2C_CALLS__RINGTIMEOUT is not known. Did you mean C2C_CALLS__RING_TIMEOUT?"),
    _environment("C2C_CALL__RING_TIMEOUT", "5", "C2C_CALL__RING_TIMEOUT names no section. Did you mean C2C_CALLS?"),
    _environment("C2C_ARI__PASWORD", SECRET, "C2C_ARI__PASWORD is not known. Did you mean C2C_ARI__PASSWORD?"),
    _environment("C2C_ARI__PASSWORD", f"{SECRET}\n", "C2C_ARI__PASSWORD has a form which is not understood"),
    _environment("C2C_ARI__URL", f"http://c2c:{SECRET}@h", "C2C_ARI__URL holds more than an address"),
    _environment("C2C_TRUNKS__NAME", "a", "C2C_TRUNKS__NAME does not say which trunk it means"),
    _environment("C2C_TRUNKS__1__NAME", "a", "C2C_TRUNKS__1__NAME leaves a gap in the list of trunks"),
    _environment("C2C_TRUNKS__0__EMERGENCY", "maybe", "C2C_TRUNKS__0__EMERGENCY is a text and must be true or false",
        text=OK + TRUNK),
    Broken("a trunk of the environment that is not whole", OK + TRUNK, ("environment: C2C_TRUNKS__1__ENDPOINT is missing",),
        {"C2C_TRUNKS__1__NAME": "b"}),
    # Several at once: nobody has to correct one to hear of the next.
    Broken("a file that is none, and an environment that is none either", "[ari\n", ("c2c.toml:1 is not TOML",
        "environment: C2C_ARI__PASWORD is not known", "environment: C2C_CALLS__RING_TIMEOUT is a text"),
        {"C2C_ARI__PASWORD": SECRET, "C2C_CALLS__RING_TIMEOUT": "soon", "C2C_TRUNKS__7__NAME": "a"}),
    Broken("a file that is not there, and an environment that is wrong", b"", ("c2c.toml cannot be read",
        "environment: C2C_LOG__LEVEL is 'loud'"), {"C2C_LOG__LEVEL": "loud"}),
    Broken("something wrong everywhere",
        'listen = "x"\n[http]\nlisten = 5\n[ari]\nurl = "ftp://x"\npool = 0\n[calls]\nring_timeout = "30"\n'
        'tone_seconds = 31\n[[trunks]]\nname = "a b"\n[[trunks]]\nname = "b"\nendpoint = "b"\n[log]\nlevel = "loud"\n',
        ("c2c.toml:1: listen is not known", "c2c.toml:3: http.listen is a number", "c2c.toml:4: ari.password is missing",
         "c2c.toml:5: ari.url has a form", "c2c.toml:6: ari.pool is 0", "c2c.toml:8: calls.ring_timeout is a text",
         "c2c.toml:9: calls.tone_seconds is 31", "c2c.toml:10: trunks[0].endpoint is missing",
         "c2c.toml:11: trunks[0].name is 'a b'", "c2c.toml:14: trunks[1].endpoint is 'b'", "c2c.toml:16: log.level is 'loud'",
         "environment: C2C_DATABASE__URL names the database", "environment: C2C_HTTPS__LISTEN names no section"),
        {"C2C_DATABASE__URL": f"mysql://c2c:{SECRET}@h/c2c", "C2C_HTTPS__LISTEN": "x:1"}),
)  # fmt: skip
