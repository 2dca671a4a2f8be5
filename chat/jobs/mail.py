"""The job `e-mail`: sends a message through a configured server. Off until there is one."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate, parseaddr
from typing import Literal

from chat.errors import ChatError
from chat.jobs import Hopeless, Result, Run
from chat.storage.records import Job

MAX_BODY = 200_000


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed over. `security`: `tls` from the first byte (usually port 465),
    `starttls` (587; refused if the server cannot), or `none`, for a server on this machine.
    """

    host: str
    port: int
    sender: str
    security: Literal["tls", "starttls", "none"] = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)
    timeout: float = 30.0


def make_mail(server: MailServer, *, context: ssl.SSLContext | None = None) -> Run:
    """The job `e-mail`, payload `{"to", "subject", "text"}`. `context` is for tests.

    What the server refuses for good (5xx) is not tried again, all else is. A retry after the
    server took it sends a message with the same Message-ID, which mail programs show once.
    """

    async def run(job: Job) -> Result:
        message = compose(server.sender, job)
        await asyncio.to_thread(_send, server, message, context or ssl.create_default_context())
        return {"to": message["To"]}

    return run


def compose(sender: str, job: Job) -> EmailMessage:
    """The message of a job. Raises `Hopeless` if its addresses or texts cannot be mailed."""
    to, subject, text = (str(job.payload.get(name, "")) for name in ("to", "subject", "text"))
    if len(text) > MAX_BODY:
        raise Hopeless("the text is too long")
    domain = parseaddr(sender)[1].rpartition("@")[2]
    message = EmailMessage()
    try:
        # One recipient, and no address that means something else to a server than to us.
        name, address = parseaddr(to)
        if name or address != to or address.count("@") != 1 or not address.isascii():
            raise ValueError
        message["From"] = sender
        message["To"] = address
        message["Subject"] = subject
        message["Date"] = formatdate(job.created_at.timestamp())
        message["Message-ID"] = f"<{job.id}@{domain or 'localhost'}>"
        message.set_content(text)
    except (ValueError, IndexError):
        raise Hopeless("the address or the subject cannot be used") from None
    return message


def _send(server: MailServer, message: EmailMessage, context: ssl.SSLContext) -> None:
    try:
        if server.security == "tls":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=server.timeout, context=context
            )
        else:
            smtp = smtplib.SMTP(server.host, server.port, timeout=server.timeout)
        try:
            if server.security == "starttls":
                smtp.starttls(context=context)
            if server.user:
                smtp.login(server.user, server.password)
            smtp.send_message(message)
        finally:
            # It has the message, or will not take it: how it says goodbye changes nothing.
            with suppress(smtplib.SMTPException, OSError):
                smtp.quit()
            smtp.close()
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        if all(code >= 500 for code in codes):
            raise Hopeless("the mail server refuses the recipient") from None
        raise ChatError("mail_failed", "the mail server refuses the recipient now") from None
    except smtplib.SMTPResponseException as error:
        if error.smtp_code >= 500:
            raise Hopeless(f"the mail server refuses ({error.smtp_code})") from None
        raise ChatError("mail_failed", f"the mail server said {error.smtp_code}") from None
    except (smtplib.SMTPException, OSError) as error:
        raise ChatError(
            "mail_failed", f"the mail server cannot be used: {type(error).__name__}"
        ) from None
