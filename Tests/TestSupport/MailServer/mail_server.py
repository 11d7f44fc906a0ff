"""A mail server (aiosmtpd) for tests: on loopback, with TLS and logins if asked for, and with one fault.

Prints one JSON object per line: first its port and certificate, then each message as Python's email package reads it.
Ends with its standard input."""
import argparse
import asyncio
import base64
import email
import email.policy
import itertools
import json
import os
import ssl
import subprocess
import sys
import threading

from aiosmtpd.smtp import SMTP, AuthResult

FOREVER = 3600


def say(**fact):
    print(json.dumps(fact), flush=True)


def parts(message, kind):
    part = message.get_body((kind,))
    return part.get_content() if part else None


def received(session, envelope, transport):
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)
    sender = message["From"].addresses[0] if message["From"] else None
    say(
        raw=base64.b64encode(envelope.content).decode(),
        sender=envelope.mail_from,
        recipients=envelope.rcpt_tos,
        tls=transport.get_extra_info("ssl_object") is not None,
        user=session.auth_data.login.decode() if session.authenticated else None,
        subject=message["Subject"],
        fromName=sender.display_name if sender else None,
        fromAddress=sender.addr_spec if sender else None,
        to=[address.addr_spec for address in message["To"].addresses] if message["To"] else [],
        headers=[name for name in message.keys()],
        date=message["Date"].datetime.isoformat() if message["Date"] else None,
        messageID=message["Message-ID"],
        references=message["References"],
        text=parts(message, "plain"),
        html=parts(message, "html"),
        defects=[str(defect) for part in message.walk() for defect in part.defects],
    )


class Server(SMTP):
    """Refuses one command, or leaves in the middle of it."""

    def __init__(self, *arguments, fault, faults, **options):
        self.fault_at, _, self.fault = fault.partition(" ")
        self.faults = faults
        super().__init__(*arguments, **options)

    async def fails(self, command, detail="", answers=True):
        if self.fault_at not in (command, f"{command}:{detail}") or next(self.faults, None) is None:
            return False
        if self.fault == "drop":
            self.transport.abort()
            await asyncio.sleep(FOREVER)
        if self.fault == "hang":
            await asyncio.sleep(FOREVER)
        if answers:
            await self.push(self.fault)
        return True

    async def smtp_EHLO(self, argument):
        if not await self.fails("EHLO"):
            await super().smtp_EHLO(argument)

    async def smtp_MAIL(self, argument):
        if not await self.fails("MAIL"):
            await super().smtp_MAIL(argument)

    async def smtp_RCPT(self, argument):
        if not await self.fails("RCPT", argument.partition("<")[2].partition(">")[0]):
            await super().smtp_RCPT(argument)

    async def smtp_DATA(self, argument):
        if self.fault_at == "inside":
            await self.push("354 go on")
        if not await self.fails("DATA") and not await self.fails("inside"):
            await super().smtp_DATA(argument)

    async def smtp_QUIT(self, argument):
        if not await self.fails("QUIT"):
            await super().smtp_QUIT(argument)


class Handler:
    async def handle_DATA(self, server, session, envelope):
        refuses = server.fault not in ("drop", "hang")
        if refuses and await server.fails("message", answers=False):
            return server.fault
        received(session, envelope, server.transport)
        if not refuses:
            await server.fails("message")
        return "250 2.0.0 Ok: queued"


def authenticator(options):
    def check(server, session, envelope, mechanism, data):
        if data.login.decode() == options.user and data.password.decode() == options.password:
            return AuthResult(success=True, auth_data=data)
        if options.echo:  # What no server should do.
            plain = base64.b64encode(b"\0" + data.login + b"\0" + data.password).decode()
            words = f"535 5.7.8 no {data.login.decode()} {data.password.decode()} {plain}"
            return AuthResult(success=False, handled=False, message=words)
        return AuthResult(success=False, handled=False)
    return check


def certificate(folder):
    key, certificate = os.path.join(folder, "key.pem"), os.path.join(folder, "certificate.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out",
         certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate


async def greet(fault, reader, writer):
    """Comes no further than its greeting."""
    if fault == "hang":
        await reader.read()
    elif fault != "drop":
        writer.write(f"{fault}\r\n".encode())
    writer.close()


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", help="for key and certificate")
    parser.add_argument("--tls", choices=["none", "starttls", "implicit"], default="none")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--echo", action="store_true")
    parser.add_argument("--fault", default="", help="PLACE REPLY|drop|hang")
    parser.add_argument("--times", type=int, help="how often it fails before it no longer does; without: always")
    options = parser.parse_args()
    context, path = (None, None) if options.tls == "none" else certificate(options.folder)
    # One count for all connections.
    faults = itertools.repeat(True) if options.times is None else iter([True] * options.times)
    settings = {"fault": options.fault, "faults": faults, "hostname": "localhost", "enable_SMTPUTF8": False}
    if options.tls == "starttls":
        settings |= {"tls_context": context, "require_starttls": True}
    if options.user:
        settings |= {"authenticator": authenticator(options), "auth_required": True,
                     "auth_require_tls": options.tls == "starttls"}
    loop = asyncio.get_running_loop()
    place, _, fault = options.fault.partition(" ")

    def protocol():
        if place == "greeting" and next(faults, None):
            reader = asyncio.StreamReader()
            return asyncio.StreamReaderProtocol(reader, lambda *ends: greet(fault, *ends))
        return Server(Handler(), **settings)

    server = await loop.create_server(
        protocol, "127.0.0.1", 0, ssl=context if options.tls == "implicit" else None)
    say(port=server.sockets[0].getsockname()[1], certificate=path)
    async with server:
        await server.serve_forever()


def end_with_parent():
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=end_with_parent, daemon=True).start()
asyncio.run(main())
