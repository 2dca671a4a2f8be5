"""The table of all kinds of job, and the schedule of those that are repeated."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from chat.attachments import Limits
from chat.jobs import Kind, Kinds, Repeated
from chat.jobs.backups import make_backups
from chat.jobs.cleaning import Keeping, make_cleaning
from chat.jobs.mail import MailServer, make_mail
from chat.jobs.summaries import make_summaries
from chat.jobs.titles import Ask, Changed, make_titles
from chat.jobs.transfers import make_exports, make_imports
from chat.storage import Storage
from chat.talk import FindAnswerer
from chat.transfer.archives import ImportLimits

_LONG = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Backups:
    """Where scheduled backups go, how many are kept, how often and when they are made.

    `at` is the time into each period, in UTC.
    """

    folder: Path
    keep: int = 7
    every: timedelta = timedelta(days=1)
    at: timedelta = timedelta(hours=3)
    passphrase: str | None = None


def all_kinds(
    storage: Storage,
    data_dir: Path,
    ask: Ask,
    *,
    strict_titles: bool,
    title_changed: Changed | None = None,
    find_answerer: FindAnswerer | None = None,
    keeping: Keeping | None = None,
    backups: Backups | None = None,
    mail: MailServer | None = None,
    import_limits: ImportLimits | None = None,
    attachment_limits: Limits | None = None,
) -> Kinds:
    """What each kind of job does. Without `find_answerer`, `backups`, `mail` there are no
    summaries, backups, e-mail.

    `strict_titles`: for a small model; see `titles.choose_title`.
    """
    imports = make_imports(
        storage, data_dir, limits=import_limits, attachment_limits=attachment_limits
    )
    kinds = {
        "title": Kind(
            make_titles(storage, ask, strict=strict_titles, changed=title_changed),
            attempts=3,
            timeout=timedelta(minutes=2),
        ),
        "export": Kind(make_exports(storage, data_dir), attempts=3, timeout=_LONG),
        "import": Kind(imports, attempts=3, timeout=_LONG),
        "clean-up": Kind(make_cleaning(storage, data_dir, keeping), timeout=_LONG),
    }
    if find_answerer is not None:
        summaries = make_summaries(storage, find_answerer)
        kinds["summary"] = Kind(summaries, attempts=3, timeout=timedelta(minutes=5))
    if backups is not None:
        run = make_backups(
            storage, backups.folder, keep=backups.keep, passphrase=backups.passphrase
        )
        kinds["backup"] = Kind(run, timeout=_LONG)
    if mail is not None:
        # Over a day, as mail servers do: 2 s, 4 s, ... and then every 10 minutes.
        kinds["e-mail"] = Kind(make_mail(mail), attempts=150, timeout=timedelta(minutes=2))
    return kinds


def all_repeated(backups: Backups | None = None) -> tuple[Repeated, ...]:
    """Cleaning up every hour, and the backups."""
    hourly = Repeated("clean-up", timedelta(hours=1), timedelta(minutes=17))
    if backups is None:
        return (hourly,)
    return (hourly, Repeated("backup", backups.every, backups.at))
