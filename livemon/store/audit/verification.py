"""Reads the whole log in one snapshot and has it examined; and seals it anew where its key is lost."""

from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import insert
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from livemon.store.instants import Now, to_ms, utc_now
from livemon.store.store import Store
from livemon.store.tables import AuditCheckpoint, AuditEntry

from .acts import Act, Action, Outcome
from .errors import KeyUnusable
from .examination import REASON_KEY, Examination, Kind, Problem, Report
from .key import AuditKey, make_key, read_key
from .ledger import append, end_of, lock, put_end
from .witness import Witness

AT_ONCE = 1_000
TIMEOUT_S = 3_600.0


async def verify(store: Store, key: AuditKey | None, witnesses: Iterable[Witness] = ()) -> Report:
    """Examine all there is; also while nodes write. Raises `StoreError`."""
    async with store.snapshot(timeout=TIMEOUT_S) as session:
        checkpoints = (await session.exec(select(AuditCheckpoint).order_by(col(AuditCheckpoint.id)))).all()
        examination = Examination(key, await end_of(session), checkpoints, witnesses)
        seq = -(2**63)
        while True:
            following = select(AuditEntry).where(col(AuditEntry.seq) > seq).order_by(col(AuditEntry.seq)).limit(AT_ONCE)
            entries = (await session.exec(following)).all()
            for entry in entries:
                examination.see(entry)
            if len(entries) < AT_ONCE:
                return examination.finish()
            seq = entries[-1].seq
            session.expunge_all()


async def renew_key(store: Store, path: Path, *, now: Now = utc_now) -> bool:
    """Seal the log as it stands with a new key, and record that; False if the key there is the right one.

    What it cannot do is vouch for what stands in the log already. Raises `KeyUnusable`, `StoreError`.
    """
    key = read_key(path)
    async with store.session() as session:
        end = await lock(session)
        if key is not None and (not end.seal or key.id == end.key_id):
            return False
        if key is not None:
            raise KeyUnusable.other(path)  # it may be another database's: nobody's file is overwritten
        key = make_key(path)
        at, gone = to_ms(now()), await _gone(session)
        seal = key.seal_checkpoint(REASON_KEY, end.seq, end.hash, gone, at)
        said = {"reason": REASON_KEY, "seq": end.seq, "hash": end.hash, "gone": gone, "at": at}
        await session.exec(insert(AuditCheckpoint).values(**said, key_id=key.id, seal=seal))
        await put_end(session, key, Witness(end.seq, end.hash))
        await append(session, key, Act(Action.NEW_KEY, Outcome.DONE), at=at)
        await session.commit()
    return True


async def _gone(session: AsyncSession) -> int:
    newest = select(func.coalesce(func.max(AuditCheckpoint.gone), 0))
    return (await session.exec(newest)).one()


def told(report: Report) -> list[str]:
    """The report in lines for a person."""
    lines = [_told(problem) for problem in report.problems]
    if report.unlisted:
        lines.append(f"and {report.unlisted} more findings")
    if report.whole:
        gone = f", from number {report.gone + 1} on (older ones were removed for their age)" if report.gone else ""
        lines.append(f"The audit log is whole: {report.entries} entries{gone}.")
        if report.end is not None:
            lines.append(f"Its end is {report.end}")
            lines.append(
                "Keep that line elsewhere: with --witness it shows whether the log was put back to an older one."
            )
    else:
        lines.append(f"The audit log was tampered with, or damaged; {report.entries} entries were read.")
    return lines


def _told(problem: Problem) -> str:
    which = f"entry {problem.first}" if problem.first == problem.last else f"entries {problem.first} to {problem.last}"
    return _WORDS[problem.kind].format(which=which, other=problem.other, seq=problem.last)


_WORDS = {
    Kind.CHANGED: "changed: {which} does not say what was recorded",
    Kind.FOREIGN: "inserted: {which} was not written by livemon, or was rewritten and hashed anew",
    Kind.MISSING: "deleted: {which} missing",
    Kind.MOVED: "reordered: {which} was recorded as number {other}",
    Kind.UNCHAINED: "reordered: {which} is genuine, but does not follow the one before it",
    Kind.TRUNCATED: "truncated: {which} missing at the end",
    Kind.BEYOND: "truncated or put back: {which} behind the recorded end of the log",
    Kind.END: "end: the record of where the log ends (at {which}) was changed or removed",
    Kind.CHECKPOINT: "checkpoint: the one at {which} was not written by livemon; what it should explain is not explained",
    Kind.WITNESS: "witness: another log was seen before, up to number {seq}; this one differs from {which} on",
    Kind.KEY: "key: the file audit.key is missing or another one, so that seals cannot be checked; the chain itself was",
}
