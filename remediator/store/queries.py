"""What may be asked of the store: by decisions, by the engine's loops and by people.

A reader sees one consistent moment: the engine's decisions read inside the write transaction that
they end in, everybody else inside a read transaction that no writer disturbs.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import exists, func, select, union_all

from remediator.model.alert import Episode
from remediator.model.run import Attempt, Incident, Message, Run, Timer
from remediator.model.snapshot import KEYS, Snapshot
from remediator.model.words import AT_WORK, AttemptStatus, Reason, RunStatus, Severity
from remediator.store.codec import text_time, time_text
from remediator.store.listings import Listings
from remediator.store.records import Counts, Notification
from remediator.store.snapshots import load_snapshot
from remediator.store.sql import Query, Statement, each_text, listed, param, served_by
from remediator.store.tables import (
    FIRING,
    OPEN,
    PENDING,
    TABLES,
    UNFINISHED,
    UNPROCESSED,
    WAITING,
    literal,
    notifications,
)

E = TypeVar("E")


def _by_key(kind: type[Any]) -> Query[Any]:
    table = TABLES[kind]
    return Query(kind, select(table).where(*[table.c[name] == param(name) for name in KEYS[kind]]))


_EPISODES, _INCIDENTS, _RUNS = TABLES[Episode], TABLES[Incident], TABLES[Run]
_ATTEMPTS, _TIMERS, _MESSAGES = TABLES[Attempt], TABLES[Timer], TABLES[Message]
_BY_KEY = {kind: _by_key(kind) for kind in KEYS}

_PENDING_NOTIFICATIONS = Statement(
    select(
        notifications.c.id,
        notifications.c.received_at,
        notifications.c.source,
        notifications.c.body,
        notifications.c.sha256,
    )
    .where(UNPROCESSED)
    .order_by(notifications.c.id)
    .limit(param("limit"))
)
_UNFINISHED_RUNS = Query(
    Run, served_by("one_unfinished_run", select(_RUNS).where(UNFINISHED).order_by(_RUNS.c.id))
)
_HELD_RUNS = Query(
    Run,
    select(_RUNS)
    .where(_RUNS.c.status == literal(RunStatus.HELD), _RUNS.c.hold_reason == param("reason"))
    .order_by(_RUNS.c.id),
)
_FIRING_EPISODES = Query(
    Episode, served_by("one_firing_episode", select(_EPISODES).where(FIRING).order_by(_EPISODES.c.id))
)
_FIRING_OF = Query(
    Episode,
    served_by(
        "firing_episodes_of_incident",
        select(_EPISODES)
        .where(_EPISODES.c.incident_id == param("incident"), _EPISODES.c.rule == param("rule"), FIRING)
        .order_by(_EPISODES.c.id)
        .limit(param("limit")),
    ),
)
_FINGERPRINTS = Statement(
    select(_EPISODES.c.fingerprint)
    .where(_EPISODES.c.incident_id == param("incident"), _EPISODES.c.rule == param("rule"))
    .distinct()
)
_SOME_FIRING = (
    select(_EPISODES.c.id)
    .where(_EPISODES.c.incident_id == param("incident"), FIRING)
    .with_hint(_EPISODES, "INDEXED BY firing_episodes_of_incident", "sqlite")
    .limit(param("most"))
    .subquery()
)
_COUNT_FIRING = Statement(select(func.count()).select_from(_SOME_FIRING))
_HISTORY = Query(
    Attempt,
    select(_ATTEMPTS)
    .where(_ATTEMPTS.c.service == param("service"), _ATTEMPTS.c.intent_at >= param("since"))
    .order_by(_ATTEMPTS.c.intent_at, _ATTEMPTS.c.id),
)
# An index finds the oldest of each status at once. From its run on, an object has few attempts, however
# many runs are at work and however long its history is.
_OLDEST_AT_WORK = union_all(
    *(select(func.min(_RUNS.c.id).label("id")).where(_RUNS.c.status == literal(status)) for status in AT_WORK)
).subquery("oldest")
_AT_WORK = Query(
    Attempt,
    select(_ATTEMPTS)
    .where(
        _ATTEMPTS.c.object_id.in_(each_text("objects")),
        _ATTEMPTS.c.run_id >= select(func.min(_OLDEST_AT_WORK.c.id)).scalar_subquery(),
        _ATTEMPTS.c.run_id != param("but"),
        _ATTEMPTS.c.status != literal(AttemptStatus.NOT_APPLIED),
        exists()
        .where(_RUNS.c.id == _ATTEMPTS.c.run_id, _RUNS.c.status.in_([literal(status) for status in AT_WORK]))
        .correlate(_ATTEMPTS),
    )
    .order_by(_ATTEMPTS.c.id),
)
_DUE_TIMERS = Query(
    Timer,
    select(_TIMERS)
    .where(_TIMERS.c.due_at <= param("now"))
    .order_by(_TIMERS.c.due_at, _TIMERS.c.key)
    .limit(param("limit")),
)
_NEXT_TIMER = Statement(select(func.min(_TIMERS.c.due_at)))
_WAITING_CHANNELS = Statement(
    select(_MESSAGES.c.channel).where(WAITING).distinct().order_by(_MESSAGES.c.channel)
)
_NEXT_MESSAGES = Query(
    Message,
    select(_MESSAGES)
    .where(
        _MESSAGES.c.id.in_(
            select(func.min(_MESSAGES.c.id))
            .where(WAITING, _MESSAGES.c.channel == param("channel"))
            .group_by(_MESSAGES.c.incident_id)
        )
    )
    .order_by(_MESSAGES.c.next_at, _MESSAGES.c.id)
    .limit(param("limit")),
)
_INCIDENTS_OPEN = Statement(
    select(_INCIDENTS.c.severity, func.count()).where(OPEN).group_by(_INCIDENTS.c.severity)
)
_LEVELS = Statement(
    select(
        select(func.count()).where(PENDING).scalar_subquery(),
        select(func.count()).where(UNPROCESSED).scalar_subquery(),
        select(func.min(_MESSAGES.c.created_at)).where(WAITING).scalar_subquery(),
    )
)


class Reader(Listings):
    """The store at one moment. Its methods are short, and read only what they are asked for."""

    def snapshot(
        self,
        *,
        fingerprints: Iterable[str] = (),
        keys: Iterable[str] = (),
        incidents: Iterable[int] = (),
        runs: Iterable[int] = (),
    ) -> Snapshot:
        """Everything that a decision about these looks at.

        These are the latest episode of each fingerprint, and the incidents: the given ones, those of
        the episodes, the open ones with these correlation keys, and those of the runs. For each open
        or given incident its unfinished runs, and whether more of it fires, for each run and in all
        (`fires_beyond`): who wants to end episodes names them. For each run, these and the given
        ones, its present plan with operations, its attempts, and its approvals with what people said;
        the lock on its service, and who else is unfinished there. And all controls.
        """
        return load_snapshot(
            self._connection,
            fingerprints=fingerprints,
            keys=keys,
            incidents=incidents,
            runs=runs,
            next_id=None,
        )

    def get(self, kind: type[E], *key: int | str) -> E | None:
        """The entity with this key, or None."""
        query: Query[E] = _BY_KEY[kind]
        return query.first(self._connection, **dict(zip(KEYS[kind], key, strict=True)))

    def pending_notifications(self, limit: int, most_bytes: int = 16_000_000) -> list[Notification]:
        """The oldest notifications that are not processed yet: one, or as many as fit into `most_bytes`."""
        found: list[Notification] = []
        room = most_bytes
        for number, at, source, body, sha256 in _PENDING_NOTIFICATIONS.run(self._connection, limit=limit):
            room -= len(body)
            if found and room < 0:
                break
            found.append(
                Notification(id=number, received_at=text_time(at), source=source, body=body, sha256=sha256)
            )
        return found

    def unfinished_runs(self) -> list[Run]:
        """Every run that is not finished, oldest first."""
        return _UNFINISHED_RUNS.all(self._connection)

    def held_runs(self, reason: Reason) -> list[Run]:
        """The runs that are held for this reason, oldest first."""
        return _HELD_RUNS.all(self._connection, reason=reason.value)

    def firing_episodes(self) -> list[Episode]:
        """Every open episode, oldest first."""
        return _FIRING_EPISODES.all(self._connection)

    def firing_of(self, incident: int, rule: str, limit: int) -> list[Episode]:
        """The open episodes of an incident for which a rule is used, oldest first."""
        return _FIRING_OF.all(self._connection, incident=incident, rule=rule, limit=limit)

    def fingerprints_of(self, incident: int, rule: str) -> frozenset[str]:
        """The alerts of an incident for which a rule was ever used, whether they still fire or not."""
        rows = _FINGERPRINTS.run(self._connection, incident=incident, rule=rule)
        return frozenset(fingerprint for (fingerprint,) in rows)

    def count_firing(self, incident: int, most: int) -> int:
        """How many episodes of an incident are open; `most` where there are that many or more."""
        ((count,),) = _COUNT_FIRING.run(self._connection, incident=incident, most=most)
        return int(count)

    def history(self, service: str, since: datetime) -> list[Attempt]:
        """The attempts on a service with an intent at or after `since`, oldest first."""
        return _HISTORY.all(self._connection, service=service, since=time_text(since))

    def at_work_on(self, objects: Iterable[str], *, but: int) -> list[Attempt]:
        """The attempts on these objects of runs that act or watch what became of it, oldest first.

        Whatever service they are for; the run `but` is left out.
        """
        return _AT_WORK.all(self._connection, objects=listed(objects), but=but)

    def due_timers(self, now: datetime, limit: int = 100) -> list[Timer]:
        """The timers that have come due, the most overdue first."""
        return _DUE_TIMERS.all(self._connection, now=time_text(now), limit=limit)

    def next_timer(self) -> datetime | None:
        """When the next timer comes due; None if none is set."""
        at = _NEXT_TIMER.run(self._connection).fetchone()[0]
        return None if at is None else text_time(at)

    def next_messages(self, limit: int) -> list[Message]:
        """The oldest waiting message of each channel and incident; those to be tried first come first.

        No more than `limit` of each channel, so that what waits for one never hides what waits for
        another. A channel is one that messages wait for, whether or not it is still configured.
        """
        channels = [channel for (channel,) in _WAITING_CHANNELS.run(self._connection)]
        found = [
            message
            for channel in channels
            for message in _NEXT_MESSAGES.all(self._connection, channel=channel, limit=limit)
        ]
        return sorted(found, key=lambda message: (message.next_at, message.id))

    def counts(self) -> Counts:
        """The levels that metrics show."""
        approvals, waiting, oldest = _LEVELS.run(self._connection).fetchone()
        return Counts(
            incidents_open={
                Severity(severity): number for severity, number in _INCIDENTS_OPEN.run(self._connection)
            },
            approvals_pending=approvals,
            notifications_pending=waiting,
            oldest_message=None if oldest is None else text_time(oldest),
        )
