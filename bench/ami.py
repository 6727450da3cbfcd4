"""The old way: one Originate over AMI a call, and a dialplan that does the rest inside Asterisk.

Local channel, `Dial` of both phones at once, then `Dial` of the carrier. Nobody follows the call: there is no record, and who
asked is not told what became of it.
"""

import asyncio

from bench.orders import CALLER, devices_of, settings, take_orders

MANAGER = """\
[general]
enabled = yes
bindaddr = 127.0.0.1
port = {port}
[bench]
secret = {secret}
write = originate
"""

MODULE = "app_dial.so"


def dialplan(pairs: int) -> str:
    """What is added to extensions.conf."""
    lines = ["", "[bench-phones]"]
    for pair in range(pairs):
        first, second = devices_of(pair)
        lines.append(f"exten => {pair},1,Dial(PJSIP/{first}&PJSIP/{second},60)")
    lines += ["[bench-carrier]", f"exten => _+X.,1,Set(CALLERID(all)={CALLER})"]
    return "\n".join([*lines, "same => n,Dial(PJSIP/${EXTEN}@carrier,60)", ""])


async def main() -> None:
    """Serve until killed."""
    ami = settings()
    reader, writer = await asyncio.open_connection("127.0.0.1", ami["port"])
    await reader.readline()  # its name and version
    writer.write(f"Action: Login\r\nUsername: bench\r\nSecret: {ami['secret']}\r\nEvents: off\r\n\r\n".encode())
    answer = await reader.readuntil(b"\r\n\r\n")
    if b"Success" not in answer:
        raise SystemExit(answer.decode())

    def place(number: str, pair: int) -> None:
        writer.write(
            f"Action: Originate\r\nChannel: Local/{pair}@bench-phones\r\nContext: bench-carrier\r\nExten: {number}\r\n"
            f"Priority: 1\r\nCallerID: <{number}>\r\nTimeout: 60000\r\nAsync: true\r\n\r\n".encode()
        )

    await take_orders(place)
    while await reader.read(65536):
        pass


if __name__ == "__main__":
    asyncio.run(main())
