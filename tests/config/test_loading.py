"""A configuration is right as a whole, or everything that is wrong with it is said at once."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from c2c_stasis.config import (
    Address,
    Calls,
    Config,
    ConfigError,
    Database,
    LogFormat,
    Networks,
    NumberFormat,
    OnStop,
    Origins,
    Ports,
    Problem,
    Process,
    RouteRule,
    Trunk,
    Words,
    load,
)

MINIMAL = '[ari]\npassword = "pw"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "c2c.toml"


def read(file: Path, text: str, **environ: str) -> Config:
    file.write_text(text)
    return load(file, environ)


def problems(file: Path, text: str, **environ: str) -> list[tuple[str, str]]:
    """Where and which key, of every problem, without the folder of the file."""
    with pytest.raises(ConfigError) as caught:
        read(file, text, **environ)
    return [(problem.where.replace(f"{file.parent}/", ""), problem.key) for problem in caught.value.problems]


def only(file: Path, text: str, **environ: str) -> Problem:
    with pytest.raises(ConfigError) as caught:
        read(file, text, **environ)
    (problem,) = caught.value.problems
    return problem


def test_where_webhooks_may_go_is_a_list_of_networks_and_of_ports(file: Path) -> None:
    webhooks = read(
        file, MINIMAL + '[webhooks]\nports = "80, 4443 80"\nallow_subnets = "10.0.0.0/8, fd00::/64"\n'
    ).webhooks
    assert webhooks.ports == Ports((80, 4443))
    assert webhooks.allow_subnets == Networks((ip_network("10.0.0.0/8"), ip_network("fd00::/64")))
    assert str(webhooks.allow_subnets) == "10.0.0.0/8, fd00::/64"


def test_what_may_be_dialled_is_written_in_lists_and_how_often_in_numbers_or_a_word(file: Path) -> None:
    config = read(
        file,
        MINIMAL
        + '[policy]\nallow_regions = "ca, MX CA"\nallow_types = "pager"\ndeny_prefixes = "+1900, +1976"\n'
        + 'rate_file = "rates.csv"\n[account_limits]\nspend_per_day = 20\nminutes_per_day = "unlimited"\n',
        C2C_USER_LIMITS__STARTS_PER_SECOND="unlimited",
        C2C_KEY_LIMITS__CALLS_AT_A_TIME="7",
    )
    assert config.policy.allow_regions == Words(("CA", "MX"))
    assert str(config.policy.deny_prefixes) == "+1900, +1976"
    assert config.policy.allow_types.words == ("pager",)
    assert (config.account_limits.spend_per_day, config.account_limits.minutes_per_day) == (20.0, "unlimited")
    assert (config.user_limits.starts_per_second, config.key_limits.calls_at_a_time) == ("unlimited", 7)


def test_all_regions_are_one_sign(file: Path) -> None:
    assert read(file, MINIMAL + '[policy]\nallow_regions = "US, *"\n').policy.allow_regions == Words(("*",))


def test_what_is_not_limited_needs_no_prices(file: Path) -> None:
    config = read(file, MINIMAL + '[key_limits]\nspend_per_day = "unlimited"\n')
    assert config.key_limits.spend_per_day == "unlimited"


def test_a_password_is_enough(file: Path) -> None:
    config = read(file, MINIMAL)
    assert config.ari.password == "pw"
    assert (config.ari.url, config.ari.username, config.ari.app) == (
        "http://127.0.0.1:8088",
        "c2c-stasis",
        "c2c-stasis",
    )
    assert config.http.listen == Address("127.0.0.1", 8080)
    assert config.database == Database("sqlite+aiosqlite:///c2c.db")
    assert config.calls == Calls(30.0, 60.0, 14_400.0, 2, 4.0)
    assert config.calls.attempt_timeout == 12.0
    assert (config.trunks, config.routes) == ((), ())
    assert (config.log.level, config.log.format) == ("info", LogFormat.TEXT)


def test_every_key(file: Path) -> None:
    config = read(
        file,
        """
        [http]
        listen = "[::1]:0"
        [ari]
        url = "https://pbx.example:8089/ari/"
        username = "u"
        password = "p w"
        app = "my-app"
        request_timeout = 1
        pool = 32
        [database]
        url = "sqlite:////var/lib/c2c.db"
        [[trunks]]
        name = "one"
        endpoint = "PJSIP/{number}@carrier.one"
        [[trunks]]
        name = "two"
        endpoint = "PJSIP/{number}@two"
        format = "00"
        prefix = "77"
        emergency = true
        [[trunks]]
        name = "three"
        endpoint = "PJSIP/{number}@three"
        test = true
        trusted = true
        [[routes]]
        trunks = "two, one"
        numbers = "International, +44"
        accounts = "acct_01h2xcejqtf2nbrexx3vqjhp41"
        [[routes]]
        trunks = "one"
        [calls]
        ring_timeout = 1
        answer_timeout = 1.5
        max_duration = 1
        max_calls_per_user = 1
        tone_seconds = 0
        attempt_timeout = 31
        [log]
        level = "debug"
        format = "json"
        [service]
        on_stop = "wait"
        grace = 20
        """,
    )
    assert config.http.listen == Address("::1", 0)
    assert str(config.http.listen) == "[::1]:0"
    assert config.ari.url == "https://pbx.example:8089"
    assert config.ari.request_timeout == 1.0
    assert config.database.url == "sqlite+aiosqlite:////var/lib/c2c.db"
    assert config.trunks == (
        Trunk("one", "PJSIP/{number}@carrier.one"),
        Trunk("two", "PJSIP/{number}@two", NumberFormat.ZERO_ZERO, "77", emergency=True),
        Trunk("three", "PJSIP/{number}@three", test=True, trusted=True),
    )
    assert config.routes == (
        RouteRule(Words(("two", "one")), Words(("international", "+44")), Words(("acct_01h2xcejqtf2nbrexx3vqjhp41",))),
        RouteRule(Words(("one",))),
    )
    assert config.calls == Calls(1.0, 1.5, 1.0, 1, 0.0, attempt_timeout=31.0)
    assert (config.log.level, config.log.format) == ("debug", LogFormat.JSON)
    assert config.service == Process(OnStop.WAIT, 20.0)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ()),
        ("https://app.example.com", ("https://app.example.com",)),
        ("https://App.Example.com:443, http://localhost:3000", ("https://app.example.com", "http://localhost:3000")),
        ("http://a.example:80 http://a.example http://[::1]:8080", ("http://a.example", "http://[::1]:8080")),
    ],
)
def test_origins_are_kept_as_browsers_write_them(file: Path, text: str, names: tuple[str, ...]) -> None:
    assert read(file, MINIMAL + f'[http]\ncors_origins = "{text}"\n').http.cors_origins == Origins(names)
    assert read(file, MINIMAL, C2C_HTTP__CORS_ORIGINS=text).http.cors_origins == Origins(names)


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "app.example.com",
        "ftp://a.example",
        "https://",
        "https://u:p@a.example",
        "https://a.example:65536",
        "https://*.a",
    ],
)
def test_what_no_browser_sends_is_no_origin(file: Path, origin: str) -> None:
    problem = only(file, MINIMAL + f'[http]\ncors_origins = "https://good.example, {origin}"\n')
    assert problem.what.endswith("no origin")
    assert "u:p" not in str(problem)


def test_everything_wrong_is_listed_with_its_line_and_in_order(file: Path) -> None:
    text = """listen = "127.0.0.1:1"
[ari]
urk = "x"
url = "ftp://x"
[calls]
ring_timeout = "30"   # in quotes
answer_timeout = 181
max_duration = inf
max_calls_per_user = 1.5
tone_seconds = true
[[trunks]]
name = "a b"
endpoint = "Local/{number}@x"
[[trunks]]
endpoint = "PJSIP/{number}@x"
[databse]
"""
    assert problems(file, text, C2C_LOG__LEVEL="loud", C2C_LOG__LEVLE="info", C2C_LOGS__LEVEL="info") == [
        ("c2c.toml:1", "listen"),
        ("c2c.toml:2", "ari.password"),
        ("c2c.toml:3", "ari.urk"),
        ("c2c.toml:4", "ari.url"),
        ("c2c.toml:6", "calls.ring_timeout"),
        ("c2c.toml:7", "calls.answer_timeout"),
        ("c2c.toml:8", "calls.max_duration"),
        ("c2c.toml:9", "calls.max_calls_per_user"),
        ("c2c.toml:10", "calls.tone_seconds"),
        ("c2c.toml:12", "trunks[0].name"),
        ("c2c.toml:13", "trunks[0].endpoint"),
        ("c2c.toml:14", "trunks[1].name"),
        ("c2c.toml:16", "databse"),
        ("environment", "C2C_LOG__LEVEL"),
        ("environment", "C2C_LOG__LEVLE"),
        ("environment", "C2C_LOGS__LEVEL"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('listen = "x:1"\n' + MINIMAL, "1: listen is not known. It belongs under [http]"),
        ("[htp]\n" + MINIMAL, "1: htp is not known. Did you mean http?"),
        (
            "zzz = 1\n" + MINIMAL,
            "1: zzz is not known. Known are http, ari, database, trunks, routes, emergency, calls, policy, user_limits, "
            "account_limits, key_limits, sip, retention, metrics, webhooks, log, service",
        ),
        ("http = 1\n" + MINIMAL, "1: http is not a section. Begin it with a line [http]"),
        ("[trunks]\n" + MINIMAL, "1: trunks is not a list of trunks. Begin each trunk with a line [[trunks]]"),
        ("trunks = [1]\n" + MINIMAL, "1: trunks is not a list of trunks. Begin each trunk with a line [[trunks]]"),
        (MINIMAL + "pol = 3\n", "3: ari.pol is not known. Did you mean pool?"),
        (MINIMAL + 'pool = "3"\n', "3: ari.pool is a text and must be a number. "
            "Give a whole number from 1 to 32 connections, without quotes"),
        (MINIMAL + "pool = 0\n", "3: ari.pool is 0, which is out of range. "
            "Give a whole number from 1 to 32 connections, without quotes"),
        (MINIMAL + "app = 3\n", "3: ari.app is a number and must be a text. "
            "Give the Stasis application a name of letters, digits, _ and -, in quotes"),
        (MINIMAL + 'app = ""\n', "3: ari.app is empty. Give the Stasis application a name of letters, digits, _ and -"),
        (MINIMAL + "app = []\n", "3: ari.app is an array and must be a text. "
            "Give the Stasis application a name of letters, digits, _ and -, in quotes"),
        (MINIMAL + "app = 2026-11-23\n", "3: ari.app is a date or time and must be a text. "
            "Give the Stasis application a name of letters, digits, _ and -, in quotes"),
        (MINIMAL + "app = {}\n", "3: ari.app is a table and must be a text. "
            "Give the Stasis application a name of letters, digits, _ and -, in quotes"),
        (MINIMAL + '[http]\nlisten = "8080"\n', "4: http.listen is '8080' which is not understood. "
            'Write it as listen = "127.0.0.1:8080"'),
        (MINIMAL + '[http]\nlisten = "x:65536"\n', "4: http.listen names port 65536, which does not exist. "
            "Ports go from 0 (any free one) to 65535"),
        (MINIMAL + '[webhooks]\nports = "80, 65536"\n', "4: webhooks.ports names a port that does not exist. "
            'Write it as ports = "4443, 9443"'),
        (MINIMAL + '[webhooks]\nallow_subnets = "10.1.2.3/8"\n', "4: webhooks.allow_subnets names '10.1.2.3/8', which is no "
            'network. Write it as allow_subnets = "10.1.2.0/24, fd00:1::/64"'),
        (MINIMAL + '[http]\ncors_origins = "*"\n', "4: http.cors_origins names '*', which is no origin. "
            'Write each as the browser does, without a path: cors_origins = "https://app.example.com"'),
        (MINIMAL + '[http]\ncors_origins = "https://a.example/app"\n', "4: http.cors_origins names 'https://a.example/app', "
            'which is no origin. Write each as the browser does, without a path: cors_origins = "https://app.example.com"'),
        (MINIMAL + '[http]\ncors_origins = ["https://a.example"]\n', "4: http.cors_origins is an array and must be a text. "
            'Write each as the browser does, without a path: cors_origins = "https://app.example.com", in quotes'),
        (MINIMAL + 'url = "http://:80"\n', "3: ari.url is not a complete URL. "
            'Write it as url = "http://127.0.0.1:8088"'),
        (MINIMAL + 'url = "http://[x"\n', "3: ari.url is not a complete URL. "
            'Write it as url = "http://127.0.0.1:8088"'),
        (MINIMAL + '[log]\nlevel = "INFO"\n', "4: log.level is 'INFO' which is not understood. "
            'Write one of "debug", "info", "warning", "error"'),
        (MINIMAL + '[database]\nurl = "postgresql://u:topsecret@h/d"\n', "4: database.url names the database 'postgresql'. "
            'This version keeps its records in SQLite: "sqlite+aiosqlite:///c2c.db"'),
        (MINIMAL + '[database]\nurl = "sqlite://"\n', "4: database.url names no file. "
            'Write "sqlite+aiosqlite:///c2c.db", or four slashes for an absolute path'),
        (MINIMAL + '[[trunks]]\nname = "a"\nendpoint = "PJSIP/x@a"\n', "5: trunks[0].endpoint is 'PJSIP/x@a' which is not "
            'understood. Write it as endpoint = "PJSIP/{number}@carrier", where carrier is a PJSIP endpoint'),
        (MINIMAL + '[[trunks]]\nname = "a"\nendpoint = "PJSIP/{number}@a"\nemergency = 1\n',
            "6: trunks[0].emergency is a number and must be true or false. Write true or false, without quotes"),
        (MINIMAL + '[[trunks]]\nname = "a"\nendpoint = "PJSIP/{number}@a"\nprefix = "9"\n', "6: trunks[0].prefix "
            'cannot stand before a number that begins with "+". Use format = "e164-no-plus", or leave the prefix out'),
        (MINIMAL + '[[trunks]]\nname = "a"\nendpoint = "PJSIP/{number}@a"\n' * 2, "7: trunks[1].name is 'a', like another "
            "trunk. Give every trunk its own name"),
    ],
)  # fmt: skip
def test_each_problem_says_what_is_wrong_and_what_to_write(file: Path, text: str, message: str) -> None:
    assert str(only(file, text)) == f"{file}:{message}"


@pytest.mark.parametrize(
    "text",
    ['[ari]\npassword = "to\\u0000psecret"\n', '[ari]\npassword = "x"\nurl = "http://u:topsecret@h"\n',
     '[ari]\npassword = "x"\nurl = "topsecret"\n', '[ari]\npassword = ["topsecret"]\n'],
)  # fmt: skip
def test_a_secret_is_never_quoted(file: Path, text: str) -> None:
    assert "psecret" not in str(only(file, text))


def test_the_password_is_not_shown(file: Path) -> None:
    assert "topsecret" not in repr(read(file, '[ari]\npassword = "topsecret"\n'))


def test_the_environment_wins(file: Path) -> None:
    config = read(
        file,
        MINIMAL + "[calls]\nring_timeout = 500\n[[trunks]]\nname = 'a'\nendpoint = 'PJSIP/{number}@a'\n",
        C2C_ARI__PASSWORD="other",
        C2C_ARI__REQUEST_TIMEOUT="0.5",
        C2C_CALLS__RING_TIMEOUT="20",
        C2C_CALLS__MAX_CALLS_PER_USER="3",
        C2C_TRUNKS__0__EMERGENCY="Yes",
        C2C_TRUNKS__1__NAME="b",
        C2C_TRUNKS__1__ENDPOINT="PJSIP/{number}@b",
        C2C_TRUNKS__1__TEST="off",
        C2C_LOG__LEVEL="",  # set and empty counts as not set
        C2C_BASE_URL="http://elsewhere",  # one underscore: not ours
        C2C_API_KEY="sk_live_x",
        HOME="/root",
    )
    assert config.ari.password == "other"
    assert config.ari.request_timeout == 0.5
    assert config.calls.ring_timeout == 20.0
    assert config.calls.max_calls_per_user == 3
    assert config.trunks == (
        Trunk("a", "PJSIP/{number}@a", emergency=True),
        Trunk("b", "PJSIP/{number}@b"),
    )
    assert config.log.level == "info"


def test_no_file_is_needed() -> None:
    assert load(None, {"C2C_ARI__PASSWORD": "pw"}).ari.password == "pw"
    with pytest.raises(ConfigError, match="C2C_ARI__PASSWORD in the environment") as caught:
        load(None, {})
    assert [problem.where for problem in caught.value.problems] == ["environment"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("C2C_CALLS__RING_TIMEOUT", "soon", "C2C_CALLS__RING_TIMEOUT is a text and must be a number"),
        ("C2C_CALLS__RING_TIMEOUT", "nan", "C2C_CALLS__RING_TIMEOUT is nan, which is out of range"),
        (
            "C2C_CALLS__RING_TIMEOUTS",
            "3",
            "C2C_CALLS__RING_TIMEOUTS is not known. Did you mean C2C_CALLS__RING_TIMEOUT?",
        ),
        ("C2C_CALL__RING_TIMEOUT", "3", "C2C_CALL__RING_TIMEOUT names no section. Did you mean C2C_CALLS?"),
        ("C2C_ARI__A__B", "3", "C2C_ARI__A__B is not known"),
        ("C2C_TRUNKS__NAME", "x", "C2C_TRUNKS__NAME does not say which trunk it means"),
        ("C2C_TRUNKS__CARRIER__NAME", "x", "C2C_TRUNKS__CARRIER__NAME does not say which trunk it means"),
        ("C2C_TRUNKS__1__NAME", "x", "C2C_TRUNKS__1__NAME leaves a gap in the list of trunks"),
    ],
)
def test_a_variable_that_looks_like_configuration_must_be_right(name: str, value: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, {"C2C_ARI__PASSWORD": "pw", name: value})
    (problem,) = caught.value.problems
    assert str(problem).startswith(f"environment: {message}")


def test_a_trunk_from_the_environment_must_be_complete() -> None:
    with pytest.raises(ConfigError, match=r"environment: C2C_TRUNKS__0__ENDPOINT is missing"):
        load(None, {"C2C_ARI__PASSWORD": "pw", "C2C_TRUNKS__0__NAME": "a"})


def test_files_that_are_no_configuration(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"c2c\.toml cannot be read.*c2c-stasis init"):
        load(file, {})
    with pytest.raises(ConfigError, match=r"cannot be read: Is a directory\. Check its permissions"):
        load(file.parent, {})
    assert only(file, "[ari]\npassword = pw\n").where == f"{file}:2"
    file.write_bytes(b"[ari]\n\n# caf\xe9\n")
    with pytest.raises(ConfigError, match=r"c2c\.toml:3 is not UTF-8"):
        load(file, {})
    file.write_bytes(b"#" * 2_000_000)
    with pytest.raises(ConfigError, match="far too large"):
        load(file, {})


def test_a_byte_order_mark_is_forgiven(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + MINIMAL.encode())
    assert load(file, {}).ari.password == "pw"


def test_lines_are_found_in_unusual_forms(file: Path) -> None:
    text = 'ari.password = "pw"\nari.pol = 1\n[ "calls" ] # here\n  ring_timeouts = 2\n[[ trunks ]]\nnam = 1\n'
    assert problems(file, text) == [
        ("c2c.toml:2", "ari.pol"),
        ("c2c.toml:4", "calls.ring_timeouts"),
        ("c2c.toml:5", "trunks[0].name"),
        ("c2c.toml:5", "trunks[0].endpoint"),
        ("c2c.toml:6", "trunks[0].nam"),
    ]
