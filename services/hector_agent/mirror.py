"""Keeps a run's feed true while another process works on the run: from its owner, and from the log.

The log is enough. What the owner adds is speed, and the text that is not committed yet.
"""

import asyncio
import logging
from contextlib import aclosing

from grpc.aio import AioRpcError

from hector.agent.v1 import AgentServiceStub, RunEvent, TailRequest
from hector_mesh import Call, HectorError, Mesh, Peers, Principal, can_dial, info_of, scope, streaming
from hector_store import RunLog, Standing, readable

from .feed import BATCH, Feed
from .growing import OpenText
from .ledger import KINDS
from .rows import event_of
from .view import FINAL
from .watching import Watch, Watched

logger = logging.getLogger(__name__)

SERVICE = "hector.agent.v1.AgentService"
DIAL_AGAIN_S, DIAL_AGAIN_MOST_S = 0.05, 2.0
"""When an owner is dialled again that could not be reached, or has let go of the run and is still named."""
TAIL_S = 3600.0
"""How long one tail may last; then the next one goes on."""
TROUBLE_S = 0.25


class Mirror:
    """Writes into one feed what becomes of its run, until that is over."""

    def __init__(self, log: RunLog, peers: Peers, watch: Watch, run: str, feed: Feed) -> None:
        self._log, self._peers, self._watch, self.run, self._feed = log, peers, watch, run, feed
        self._stopped = False
        self._owner: tuple[str, int] | None = None
        self._following: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """Write nothing more, from this moment on: somebody here writes, or nobody reads."""
        self._stopped = True
        if self._following is not None:
            self._following.cancel()

    async def keep(self) -> None:
        """Go on until the run is over or gone; cancel it where it was stopped."""
        with self._watch.watching(self.run) as watched:
            try:
                async with aclosing(watched.changes()) as changes:
                    async for standing in changes:
                        await self._seen(standing, watched)
                        if self._feed.over:
                            return
            finally:
                self.stop()
                if self._following is not None:
                    await asyncio.wait([self._following])

    async def _seen(self, standing: Standing | None, watched: Watched) -> None:
        if standing is None:  # it was deleted
            self._feed.end()
            return
        await self._read_up_to(standing)
        if self._stopped or self._feed.over:
            return
        if standing.finished:
            self._feed.end()
            return
        owner = None
        if standing.worker and can_dial(standing.target, standing.host):
            owner = standing.worker, standing.epoch
        if owner != self._owner:
            self._owner = owner
            await self._follow_no_more(watched)
            if owner is not None:
                self._following = asyncio.create_task(self._follow(standing, watched))

    async def _read_up_to(self, standing: Standing) -> None:
        """Show what the log has behind what was shown, as soon as it can be read."""
        while True:
            try:
                await self._catch_up(standing)
            except HectorError as error:
                if error.reason == "EVENT_NEEDS_NEWER_VERSION":
                    self._feed.end(error)
                    return
                facts = {"run": standing.run_id, "reason": error.reason}
                logger.warning("log of a run elsewhere was not read", extra=facts)
            else:
                return
            await asyncio.sleep(TROUBLE_S)

    async def _catch_up(self, standing: Standing) -> None:
        feed = self._feed
        while feed.next < standing.next_seq:
            after = feed.next - 1
            rows = await self._log.events(standing.app, standing.run_id, after=after, limit=BATCH)
            if self._stopped:
                return
            if not rows or rows[-1].seq != after + len(rows):
                feed.begin(standing.next_seq)  # not all is kept any more; readers are told as they come to it
                return
            readable(rows, KINDS)  # raises where one must not be left out; others keep their place
            events = [event_of(row) for row in rows if row.seq >= feed.next]  # the owner may have been faster
            if events:
                feed.publish(events)

    async def _follow(self, standing: Standing, watched: Watched) -> None:
        """Show what the owner shows, for as long as it is one."""
        pause_s = DIAL_AGAIN_S
        while not self._feed.over:
            try:
                if await self._tail(standing, watched):
                    pause_s = DIAL_AGAIN_S
            except (AioRpcError, HectorError) as error:
                reason = error.reason if isinstance(error, HectorError) else info_of(error).reason
                facts = {"run": standing.run_id, "worker": standing.worker, "reason": reason}
                logger.debug("owner of a run was not followed", extra=facts)
            watched.is_told = False
            watched.look()  # the run may be over, or somebody else's
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, DIAL_AGAIN_MOST_S)

    async def _tail(self, standing: Standing, watched: Watched) -> bool:
        """Show what comes, to its end, and say whether anything came."""
        feed, told = self._feed, False
        text = feed.open_text
        request = TailRequest(
            run=standing.run_id, after=feed.next - 1, offset=text.size if text else 0, mirror=True
        )
        call = Call(principal=Principal(standing.owner), app=standing.app)
        async with self._peers.channel(standing.target) as channel:
            with scope(call):
                agent = AgentServiceStub(Mesh({SERVICE: channel}, default_timeout_s=TAIL_S))
                async with streaming(agent.Tail(request)) as responses:
                    async for response in responses:
                        if self._stopped or feed.over or not self._took(response.event):
                            break
                        watched.is_told = told = True
        return told

    def _took(self, event: RunEvent) -> bool:
        """Show an event; False: it does not follow what was shown, and the owner must be asked anew."""
        feed = self._feed
        if event.seq < feed.next:
            return True
        if event.seq > feed.next:
            return False
        if not event.provisional:
            feed.publish([event])
            if event.WhichOneof("event") == "status_changed" and event.status_changed.state in FINAL:
                feed.end()
            return True
        text, more = feed.open_text, event.text_appended
        if event.offset != (text.size if text is not None else 0):
            return False
        if text is None:
            text = OpenText(more.artifact_id, append=more.append)
        text.add(more.text)
        feed.show(text)
        return True

    async def _follow_no_more(self, watched: Watched) -> None:
        following, self._following = self._following, None
        watched.is_told = False
        if following is not None:
            following.cancel()
            await asyncio.wait([following])
