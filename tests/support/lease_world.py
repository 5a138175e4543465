"""A small world of processes that share a database, driven one step at a time: for test_lease_protocol.

The database is real: the store's own statements, on SQLite in memory, with a clock that steps set. Everything
happens in one transaction that is undone at the end, so that thousands of worlds a minute come and go.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from hector_store import NEVER, NOW, Claim, NewEvent, NewRun, RunChanges, Worker, claiming, leases, signals
from hector_store.appending import Append, Besides, append_all
from hector_store.claiming import Seen
from hector_store.creating import Creation, create_all
from hector_store.errors import LeaseOver, RunFenced
from hector_store.fairness import Candidate, Turns
from hector_store.schema import metadata
from hector_store.sqlite import writer_engine
from hector_store.url import Place, parse
from hector_store.values import Appended

LEASE_S = 15.0
LEASE_US = 15_000_000
START_US = 1_700_000_000_000_000
PROCESSES = 3
MOST_RUNS = 6


class Clock:
    """The database's clock."""

    def __init__(self) -> None:
        self.time_us = START_US

    def julianday(self, *_: object) -> float:
        """What SQLite makes its time of."""
        return 2440587.5 + self.time_us / 86_400_000_000


@dataclass
class Process:
    """What one process believes. It may be stalled: then it does nothing, and does not notice time."""

    worker: str = ""
    renewed_us: int = 0
    """By its own clock, which nobody sets."""
    is_stalled: bool = False
    is_late: bool = False
    """It was stalled, and has not looked at its clock since."""
    held: dict[str, int] = field(default_factory=dict)
    """Epochs of the runs that it works on."""
    seen: Seen | None = None
    doubts: list[Candidate] = field(default_factory=list)
    """What it was about to take when the answer was lost."""
    turns: Turns = field(default_factory=Turns)

    def forget(self) -> None:
        """Be as new."""
        self.worker, self.held, self.seen, self.doubts = "", {}, None, []


@dataclass
class Run:
    """What is true of a run."""

    epoch: int
    owner: str
    events: list[bytes]
    finished: bool = False
    signals: set[int] = field(default_factory=set)
    """Not consumed."""


class World:
    """Processes, runs, and what must hold whatever they do; each step is named by a number."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._db, self._clock = connection, clock
        self.processes = [Process() for _ in range(PROCESSES)]
        self.runs: dict[str, Run] = {}
        self.ghosts: list[tuple[str, str, int]] = []
        """Writes that are still under way from who is gone, or has been told to stop: worker, run, epoch."""
        self.ended: set[str] = set()
        """Workers whose lease somebody has seen to be over, or that were released."""
        self.own_us = 0
        """What clocks show that only count."""
        self.latest_us = START_US
        self.clock_was_set = False
        self.joined = self.written = 0
        self.story: list[str] = []
        self.happened: Counter[str] = Counter()
        for process in self.processes:
            self.join(process, 0)
            self.create(process, 1)

    # What processes do

    def join(self, process: Process, _: int) -> None:
        if not process.worker:
            self.joined += 1
            process.worker = f"w{self.joined}"
            leases.join(self._db, Worker(process.worker, parent=f"p{self.joined}"), LEASE_US)
            process.renewed_us = self.own_us

    def renew(self, process: Process, _: int) -> None:
        if process.worker and not leases.renew(self._db, process.worker, LEASE_US):
            self._stop(process)
        elif process.worker:
            assert process.worker not in self.ended, "a lease that was over was renewed"
            process.renewed_us = self.own_us

    def create(self, process: Process, argument: int) -> None:
        if len(self.runs) >= MOST_RUNS:
            return
        worker = process.worker if argument % 3 else ""
        due = NEVER if worker else (NOW, self._clock.time_us + 5_000_000)[argument // 3 % 2]
        run_id = f"r{len(self.runs)}"
        new = NewRun(app="ab"[argument // 8 % 2], owner="", agent="g", worker=worker, due_us=due)
        event = self._event(worker)
        (created,) = create_all(self._db, [Creation(new, run_id, (event,))])
        assert not isinstance(created, Exception)
        self.runs[run_id] = Run(1, worker, [event.payload])
        if worker:
            process.held[run_id] = 1

    def look(self, process: Process, argument: int) -> None:
        if process.worker:
            process.seen = claiming.look(self._db, Claim(limit=1 + argument % 4))

    def take(self, process: Process, argument: int) -> None:
        """Take what was seen, be it long ago; one in four answers is lost."""
        seen, process.seen = process.seen, None
        if not process.worker or seen is None:
            return
        if argument % 8 == 0:
            claiming.forget(self._db, seen.forgettable)
        claim = Claim(limit=3)
        chosen = claiming.choose(seen, claim, process.turns)
        self._take(process, claim, chosen, is_lost=argument % 4 == 3, when_due=True)

    def claim(self, process: Process, argument: int) -> None:
        self.look(process, argument)
        self.take(process, argument)

    def take_by_name(self, process: Process, argument: int) -> None:
        if process.worker and self.runs:
            candidate = claiming.find(self._db, self._any_run(argument))
            if candidate is not None:
                self._take(process, Claim(limit=1), [candidate], is_lost=False, when_due=False)

    def settle(self, process: Process, _: int) -> None:
        """Find out what was taken when the answer was lost."""
        doubts, process.doubts = process.doubts, []
        for found in claiming.taken(self._db, process.worker, doubts):
            process.held[found.row.id] = found.row.epoch

    def append(self, process: Process, argument: int) -> None:
        run_id = self._any_held(process, argument)
        if run_id:
            self._append(process, run_id, RunChanges())

    def consume(self, process: Process, argument: int) -> None:
        run_id = self._any_held(process, argument)
        if run_id:
            self._append(process, run_id, RunChanges(), consume=frozenset(self.runs[run_id].signals))

    def park(self, process: Process, argument: int) -> None:
        run_id = self._any_held(process, argument)
        if run_id:
            due = (NEVER, NEVER, NOW, self._clock.time_us + 3_000_000)[argument % 4]
            self._append(process, run_id, RunChanges(state="RUN_STATE_WAITING", worker="", due_us=due))

    def finish(self, process: Process, argument: int) -> None:
        run_id = self._any_held(process, argument)
        if run_id and argument % 2:
            self._append(process, run_id, RunChanges(state="RUN_STATE_COMPLETED"))

    def leave(self, process: Process, _: int) -> None:
        """Drain: let go of everything."""
        if process.worker:
            self._release(process.worker)
            self._stop(process)

    def stall(self, process: Process, _: int) -> None:
        process.is_stalled = process.is_late = True

    # What happens to them

    def go_on(self, process: Process, _: int) -> None:
        process.is_stalled = False

    def die(self, process: Process, argument: int) -> None:
        """Be killed, and started anew; half of the parents tell that at once."""
        worker = process.worker
        self._leave_ghosts(process)
        process.forget()
        process.is_stalled = process.is_late = False
        if worker and argument % 2:
            self._release(worker)

    def haunt(self, _: Process, argument: int) -> None:
        """What was under way from who is gone arrives."""
        if self.ghosts:
            worker, run_id, epoch = ghost = self.ghosts[argument % len(self.ghosts)]
            if not self._write(worker, run_id, epoch, RunChanges(), frozenset()):
                self.ghosts.remove(ghost)

    def signal(self, _: Process, argument: int) -> None:
        if self.runs:
            run_id = self._any_run(argument)
            [[app]] = self._rows("SELECT app FROM runs WHERE id = ?", run_id)
            sent = signals.send(self._db, app, run_id, "go", b"")
            self.runs[run_id].signals.add(sent.id)

    def pass_time(self, _: Process, argument: int) -> None:
        passed_us = (100_000, 2_000_000, 4_900_000, 16_000_000)[argument % 4]
        self.own_us += passed_us
        self._set_clock(self._clock.time_us + passed_us)
        for process in self.processes:
            if not process.is_stalled:
                process.is_late = False
                if process.worker and self.own_us - process.renewed_us >= LEASE_US * 2 // 3:
                    self._stop(process)

    def set_clock(self, _: Process, argument: int) -> None:
        """As an administrator may, or another machine that becomes the database's primary."""
        self.clock_was_set = True
        self._set_clock(self._clock.time_us + (-20_000_000, -1_000_000, 1_000_000, 20_000_000)[argument % 4])

    # How

    def step(self, code: int, argument: int) -> None:
        """Do something, and see that all is well."""
        name = STEPS[code % len(STEPS)]
        process = self.processes[argument // 16 % PROCESSES]
        if process.is_stalled and name in OWN_STEPS:
            return
        self.story.append(f"{name}({argument // 16 % PROCESSES}, {argument})")
        self.happened[name] += 1
        getattr(self, name)(process, argument)
        self.check()

    def _take(
        self, process: Process, claim: Claim, chosen: list[Candidate], *, is_lost: bool, when_due: bool
    ) -> None:
        had_lease = self._leases()
        try:
            taken = claiming.take(self._db, process.worker, "", claim, chosen, when_due=when_due)
        except LeaseOver:
            self._stop(process)
            return
        assert not taken or had_lease[process.worker] >= self._clock.time_us, "who has no lease has claimed"
        for found in taken:
            run, epoch = self.runs[found.row.id], found.row.epoch
            assert not run.finished, "a run that is over was claimed"
            assert epoch == run.epoch + 1, "an epoch was left out or given twice"
            assert found.before == run.owner, "whose it was is told wrongly"
            if run.owner:
                lease_until = had_lease.get(run.owner, 0)
                assert lease_until < self._clock.time_us, "a run was taken from who had its lease"
                self._check_orphan(run.owner, found.row.id)
                self.ended.add(run.owner)
            run.epoch, run.owner = epoch, process.worker
            self.happened["orphaned" if found.before else "due"] += 1
            if not is_lost:
                process.held[found.row.id] = epoch
        if is_lost:
            process.doubts += chosen

    def _check_orphan(self, owner: str, run_id: str) -> None:
        for process in self.processes:
            if process.worker == owner and not process.is_late and not self.clock_was_set:
                assert run_id not in process.held, "a run was taken from who was at work on it, and awake"

    def _append(
        self, process: Process, run_id: str, changes: RunChanges, consume: frozenset[int] = frozenset()
    ) -> None:
        is_written = self._write(process.worker, run_id, process.held[run_id], changes, consume)
        if not is_written or changes.state is not None:
            del process.held[run_id]

    def _write(
        self, worker: str, run_id: str, epoch: int, changes: RunChanges, consume: frozenset[int]
    ) -> bool:
        event, run = self._event(worker), self.runs[run_id]
        append = Append(run_id, epoch, (event,), changes, Besides(consume=consume))
        (outcome,) = append_all(self._db, [append])
        if isinstance(outcome, RunFenced):
            assert epoch < run.epoch, "an owner was refused"
            self.happened["fenced"] += 1
            return False
        assert isinstance(outcome, Appended)
        assert epoch == run.epoch, "somebody wrote who is not the owner any more"
        run.events.append(event.payload)
        assert outcome.last_seq == len(run.events)
        run.signals -= consume
        if changes.worker == "":
            run.owner = ""
        run.finished = run.finished or changes.state == "RUN_STATE_COMPLETED"
        return True

    def _event(self, worker: str) -> NewEvent:
        self.written += 1
        return NewEvent("e", f"{worker} {self.written}".encode())

    def _release(self, worker: str) -> None:
        freed = leases.release(self._db, [worker])
        mine = {run_id: run for run_id, run in self.runs.items() if run.owner == worker and not run.finished}
        assert freed == len(mine)
        for run_id, run in mine.items():
            run.owner = ""
            [[due]] = self._rows("SELECT due FROM runs WHERE id = ?", run_id)
            assert due <= self._clock.time_us, "a run that was let go cannot be claimed at once"
        self.ended.add(worker)

    def _stop(self, process: Process) -> None:
        """Stop working without writing; what is under way may still arrive."""
        self._leave_ghosts(process)
        process.forget()

    def _leave_ghosts(self, process: Process) -> None:
        self.ghosts += [(process.worker, run_id, epoch) for run_id, epoch in process.held.items()]

    def _set_clock(self, time_us: int) -> None:
        self._clock.time_us = time_us
        self.latest_us = max(self.latest_us, time_us)

    def _any_run(self, argument: int) -> str:
        return f"r{argument % len(self.runs)}"

    def _any_held(self, process: Process, argument: int) -> str:
        held = sorted(process.held)
        return held[argument % len(held)] if held else ""

    def _leases(self) -> dict[str, int]:
        return dict(self._rows("SELECT id, lease_until FROM workers"))

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        driver: Any = self._db.connection.driver_connection  # half of the time would go to SQLAlchemy
        found: list[tuple[Any, ...]] = driver.execute(sql, values).fetchall()
        return found

    # What must hold

    def check(self) -> None:
        """See that the database says what is true, and that nothing is out of everybody's reach."""
        leases_now = self._leases()
        for worker in self.ended & leases_now.keys():
            assert leases_now[worker] == 0, "what was seen as over may come to life again"
        of = {process.worker: process for process in self.processes if process.worker}
        rows = self._rows("SELECT id, epoch, worker, finished, due FROM runs")
        for run_id, epoch, worker, finished, due in rows:
            run = self.runs[run_id]
            assert (epoch, worker, bool(finished)) == (run.epoch, run.owner, run.finished)
            if finished:
                continue
            if not worker:
                assert not run.signals or due <= self.latest_us, "a signal waits, and nobody will come"
            elif worker in of and leases_now.get(worker, 0) >= self._clock.time_us:
                process = of[worker]
                in_doubt = any(one.run_id == run_id for one in process.doubts)
                assert run_id in process.held or in_doubt, "its worker lives, and does not know of it"

    def end(self) -> None:
        """Let everybody die, and see that whoever comes finds all there is to do, and no event is amiss."""
        for process in self.processes:
            process.forget()
        self._set_clock(self.latest_us + LEASE_US + 1_000_000)
        waiting = "SELECT id FROM runs WHERE finished = 0 AND worker = '' AND due > ?"
        waits = {run_id for (run_id,) in self._rows(waiting, self._clock.time_us)}
        assert not any(self.runs[run_id].signals for run_id in waits)
        self._claim_all({run_id for run_id, run in self.runs.items() if not run.finished} - waits)
        for run_id, run in self.runs.items():
            rows = self._rows("SELECT seq, payload FROM run_events WHERE run_id = ? ORDER BY seq", run_id)
            assert [seq for seq, _ in rows] == list(range(1, len(run.events) + 1))
            assert [payload for _, payload in rows] == run.events, "an event was lost, doubled or changed"

    def _claim_all(self, wanted: set[str]) -> None:
        heir = self.processes[0]
        self.join(heir, 0)
        while heir.held.keys() < wanted:
            before = len(heir.held)
            heir.seen = claiming.look(self._db, Claim(limit=3))
            self.take(heir, 0)
            assert len(heir.held) > before, f"out of everybody's reach: {wanted - heir.held.keys()}"
        assert heir.held.keys() == wanted


OWN_STEPS = (
    *("join", "join", "renew", "renew", "create", "create", "look", "take", "take", "claim", "claim"),
    *("take_by_name", "settle", "append", "append", "append", "consume", "park", "finish", "leave", "stall"),
)
"""What a stalled process does not do."""

STEPS = (
    *OWN_STEPS,
    *("go_on", "die", "die", "haunt", "haunt", "haunt", "signal", "signal", "set_clock", *("pass_time",) * 4),
)


@contextmanager
def laboratory() -> Iterator[Callable[[bytes], World]]:
    """Give what lives through a world: pairs of bytes are its steps."""
    place = parse("inmemory")
    assert isinstance(place, Place)
    engine = writer_engine(place, 1.0)
    with engine.connect() as connection:
        clock = Clock()
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.create_function("julianday", -1, clock.julianday)
        with connection.begin():
            metadata.create_all(connection)

        def live(steps: bytes) -> World:
            clock.time_us = START_US
            transaction = connection.begin()
            try:
                world = World(connection, clock)
                try:
                    for code, argument in zip(steps[::2], steps[1::2], strict=False):
                        world.step(code, argument)
                    world.end()
                except AssertionError as error:
                    raise AssertionError("\n".join([str(error), *world.story])) from error
                return world
            finally:
                transaction.rollback()

        yield live
    engine.dispose()
