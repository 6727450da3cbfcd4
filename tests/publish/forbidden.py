"""URLs that lead where no webhook may go, or are none; each by itself is refused when it is saved."""

PRIVATE = (
    *(
        "https://127.0.0.1/",
        "https://127.0.0.2/hooks",
        "https://127.255.255.254/",
        "https://0.0.0.0/",
        "https://0.1.2.3/",
    ),
    *("https://10.0.0.1/", "https://10.255.255.255/", "https://172.16.0.1/", "https://172.31.255.255/"),
    *("https://192.168.0.1/", "https://192.168.255.255/", "https://100.64.0.1/", "https://100.127.255.254/"),
    *("https://169.254.169.254/latest/meta-data/", "https://169.254.0.1/", "https://100.100.100.200/latest/"),
    *("https://168.63.129.16/", "https://192.0.0.192/opc/v2/", "https://192.0.0.9/", "https://192.0.2.1/"),
    *("https://198.18.0.1/", "https://198.19.255.255/", "https://198.51.100.7/", "https://203.0.113.9/"),
    *("https://192.88.99.1/", "https://224.0.0.1/", "https://239.255.255.250/", "https://240.0.0.1/"),
    *("https://255.255.255.255/", "https://127.0.0.1:8443/", "https://127.0.0.1./"),
)
PRIVATE_6 = (
    *("https://[::1]/", "https://[::]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:10.0.0.1]/"),
    *("https://[::ffff:7f00:1]/", "https://[::127.0.0.1]/", "https://[0:0:0:0:0:ffff:a9fe:a9fe]/"),
    *("https://[64:ff9b::7f00:1]/", "https://[64:ff9b::169.254.169.254]/", "https://[64:ff9b:1::1]/"),
    *("https://[2002:7f00:1::]/", "https://[2002:a00:1::1]/", "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/"),
    *("https://[2001:db8::1]/", "https://[2001:20::1]/", "https://[3fff::1]/", "https://[5f00::1]/"),
    *("https://[fc00::1]/", "https://[fd00:ec2::254]/latest/", "https://[fe80::1]/", "https://[fec0::1]/"),
    *("https://[ff02::1]/", "https://[100::1]/", "https://[2606:4700::5efe:127.0.0.1]/"),
    *("https://[2606:4700::200:5efe:a00:1]/", "https://[4000::1]/", "https://[::ffff:0:127.0.0.1]/"),
)
ISATAP = (  # the form of a tunnel to 8.8.8.8 or another address of the internet, inside a network that is not of it
    *("https://[fd00:ec2::5efe:808:808]/", "https://[fe80::5efe:808:808]/", "https://[fd00::200:5efe:5db8:d822]/"),
    *("https://[::5efe:808:808]/", "https://[ff02::5efe:808:808]/", "https://[2001:db8::5efe:808:808]/"),
)
DISGUISED = (
    *("https://2130706433/", "https://0x7f000001/", "https://0x7f.0.0.1/", "https://0177.0.0.1/", "https://127.1/"),
    *(
        "https://127.0.1/",
        "https://017700000001/",
        "https://0/",
        "https://0x/",
        "https://1.2.3.4.5/",
        "https://256.1.1.1/",
    ),
    *(
        "https://00000177.1/",
        "https://127.0.0.0x1/",
        "https://３.example.１/",
        "https://１２７.０.０.１/",
        "https://①②⑦.0.0.1/",
    ),
    *("https://127。0。0。1/", "https://[::1%25eth0]/", "https://[fe80::1%25lo]/", "https://%31%32%37.0.0.1/"),
    *("https://127.0.0.1%2f@example.com/", "https://example.com@127.0.0.1/", "https://user:secret@example.com/"),
    *("https://@example.com/", "https://example.com\\@127.0.0.1/", "https://example.com#@127.0.0.1/"),
    *(
        "https://127.0.0.1#.example.com/",
        "https://127.0.0.1\t.example.com/",
        "https://exam\nple.com/",
        " https://127.0.0.1/",
    ),
    *("https://example.com\u200b/", "https://example.com\x00.evil.example/", "https://example.com /"),
)
NAMES = (
    *("https://localhost/", "https://LOCALHOST/", "https://localhost./", "https://foo.localhost/", "https://asterisk/"),
    *("https://metadata.google.internal/computeMetadata/v1/", "https://metadata.goog/", "https://instance-data/"),
    *("https://-a.example/", "https://a..example/", "https://.example.com/", f"https://{'a' * 64}.example/"),
    f"https://{'a.' * 130}example/",
)
NO_HTTPS = (
    *(
        "http://example.com/",
        "HTTP://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_",
    ),
    *(
        "javascript:alert(1)",
        "//example.com/",
        "example.com",
        "",
        "https:",
        "https:///hooks",
        "https://",
        "https:example.com",
    ),
    *("unix:///var/run/docker.sock", "data:text/plain,hi", "ws://example.com/"),
)
PORTS = (
    *("https://example.com:22/", "https://example.com:80/", "https://example.com:5038/", "https://example.com:8088/"),
    *("https://example.com:6379/", "https://example.com:0/", "https://example.com:65536/", "https://example.com:-443/"),
    *("https://example.com:443443/", "https://example.com:port/"),
)
FORBIDDEN = (*PRIVATE, *PRIVATE_6, *ISATAP, *DISGUISED, *NAMES, *NO_HTTPS, *PORTS, "https://example.com/" + "a" * 2048)
