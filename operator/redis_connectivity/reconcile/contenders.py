"""Who else wants the same: every resource's claim, kept by what it is about, so that asking costs little."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

from pydantic import ValidationError

from redis_connectivity.api.spec import ProbeFrom, RedisConnectivitySpec
from redis_connectivity.core.conflict import Claim, Conflict, claim_of, losers
from redis_connectivity.core.desired import resolve
from redis_connectivity.core.identity import ResourceId
from redis_connectivity.core.lineage import successor_name
from redis_connectivity.core.observed import Sharer
from redis_connectivity.core.prober import prober_path
from redis_connectivity.reconcile.store import Body, Key, ResourceStore

__all__ = ["Contenders"]


@dataclass(frozen=True, slots=True)
class _Entry:
    uid: str
    generation: int
    deleting: bool
    claim: Claim | None
    spec: RedisConnectivitySpec | None

    @property
    def opinion(self) -> Hashable:
        """How the connector is to be scaled; None where the resource has no say (any more)."""
        if self.deleting or self.claim is None or self.spec is None or self.spec.connector is None:
            return None
        want = self.spec.connector
        return want.min_instances, want.max_instances, want.machine_type


_NOBODY = _Entry("", 0, deleting=True, claim=None, spec=None)


class Contenders:
    """Follows the store. `wake` is called with those whose conflicts may have changed.

    A resource that a policy forbids (`allowed` says no) claims nothing: else anybody could block anybody by declaring
    what they may not have. One that is suspended or being deleted does, for what it made is still there.
    """

    def __init__(
        self,
        cluster: str,
        store: ResourceStore,
        allowed: Callable[[str, RedisConnectivitySpec], bool],
        wake: Callable[[Iterable[Key]], None],
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._allowed = allowed
        self._wake = wake
        self._entries: dict[Key, _Entry] = {}
        #: Keys by each thing that two claims can dispute about. Ranges are /28, so those that overlap are equal.
        self._by_subject: dict[Hashable, set[Key]] = defaultdict(set)
        for key in store:
            self._changed(key)
        store.listen(self._changed)

    def conflict(self, key: Key) -> Conflict | None:
        """Whom the resource must give way to."""
        entry = self._entries.get(key, _NOBODY)
        if entry.claim is None:
            return None
        return losers(self._allowed_claims(self._circle(entry.claim))).get(entry.uid)

    def sharing(self, key: Key) -> tuple[ResourceId, ...]:
        """Other resources that want the same connector at the same place and are staying, oldest first."""
        claim = self._entries.get(key, _NOBODY).claim
        if claim is None:
            return ()
        others = [
            entry.claim
            for other in self._by_subject.get(claim.connector, ())
            if other != key
            and (entry := self._entries[other]).claim is not None
            and not entry.deleting
            and entry.claim.agrees_with(claim)
        ]
        return tuple(one.owner for one in sorted(others, key=lambda one: one.age))

    def on_connector(self, key: Key) -> tuple[Sharer, ...]:
        """Other resources that declare the same connector, wherever it is to be, and are staying, oldest first."""
        claim = self._entries.get(key, _NOBODY).claim
        if claim is None:
            return ()
        others = [
            (entry.claim, entry.spec)
            for other in self._by_subject.get(claim.connector, ())
            if other != key
            and (entry := self._entries[other]).claim is not None
            and entry.spec is not None
            and not entry.deleting
        ]
        return tuple(
            _sharer(theirs.owner, spec, older=theirs.age < claim.age)
            for theirs, spec in sorted(others, key=lambda one: one[0].age)
        )

    def needing_prober(self, service: str, key: Key) -> tuple[str, ...]:
        """Other resources that probe through a service of ours (by its full name), and are staying."""
        return tuple(
            str(other)
            for other, entry in self._entries.items()
            if other != key
            and not entry.deleting
            and entry.spec is not None
            and entry.spec.probe.from_ is ProbeFrom.CLOUD_RUN
            and prober_path(resolve(ResourceId(self._cluster, other.namespace, other.name, entry.uid), entry.spec))
            == service
        )

    def _changed(self, key: Key) -> None:
        body = self._store.get(key)
        before = self._entries.get(key, _NOBODY)
        after = _NOBODY if body is None else self._entry(key, body, before)
        if after is before:
            return
        disputed = self._disputing(before.claim) if before.claim != after.claim else set()
        for subject in _subjects(before.claim):
            self._by_subject[subject].discard(key)
            if not self._by_subject[subject]:
                del self._by_subject[subject]
        if body is None:
            self._entries.pop(key, None)
        else:
            self._entries[key] = after
            for subject in _subjects(after.claim):
                self._by_subject[subject].add(key)
        if before.claim != after.claim:
            disputed |= self._disputing(after.claim)
        disputed |= self._disagreeing(before, after)
        if before.claim != after.claim or disputed:
            self._wake(disputed - {key})

    def _disagreeing(self, before: _Entry, after: _Entry) -> set[Key]:
        """Those on the same connector who want it scaled otherwise than a resource did, or does now."""
        opinions = {one for one in (before.opinion, after.opinion) if one is not None}
        if before.opinion == after.opinion:
            return set()
        connectors = {one.claim.connector for one in (before, after) if one.claim is not None}
        return {
            other
            for connector in connectors
            for other in self._by_subject.get(connector, ())
            if (theirs := self._entries[other].opinion) is not None and opinions - {theirs}
        }

    def _entry(self, key: Key, body: Body, before: _Entry) -> _Entry:
        metadata = body["metadata"]
        uid, generation = str(metadata["uid"]), int(metadata.get("generation", 0))
        deleting = bool(metadata.get("deletionTimestamp"))
        if (before.uid, before.generation, before.deleting) == (uid, generation, deleting):
            return before
        try:
            spec = RedisConnectivitySpec.model_validate(body.get("spec") or {})
        except ValidationError:
            # It cannot be said what it wants, and its own condition says that it is unreadable.
            return _Entry(uid, generation, deleting, None, None)
        owner = ResourceId(self._cluster, key.namespace, key.name, uid)
        claim = claim_of(resolve(owner, spec), str(metadata.get("creationTimestamp", "")))
        return _Entry(uid, generation, deleting, claim, spec)

    def _allowed_claims(self, keys: Iterable[Key]) -> list[Claim]:
        return [
            entry.claim
            for key in keys
            if (entry := self._entries[key]).claim is not None
            and entry.spec is not None
            and (entry.deleting or self._allowed(key.namespace, entry.spec))
        ]

    def _disputing(self, claim: Claim | None) -> set[Key]:
        """All that a claim's coming or going can matter to: those it disputes with, and theirs in turn."""
        if claim is None:
            return set()
        circle = self._circle(claim)
        return circle if len(circle) > 1 else set()

    def _circle(self, claim: Claim) -> set[Key]:
        """Those that dispute with the claim, directly or over others; and itself, where it is known."""
        found: set[Key] = set()
        left = [claim]
        seen = {claim.owner.uid}
        while left:
            one = left.pop()
            for subject in _subjects(one):
                for key in self._by_subject.get(subject, ()):
                    other = self._entries[key].claim
                    if other is None:
                        continue
                    if other.owner.uid == claim.owner.uid:
                        found.add(key)
                    if other.owner.uid not in seen and one.dispute(other):
                        seen.add(other.owner.uid)
                        found.add(key)
                        left.append(other)
        return found


def _sharer(owner: ResourceId, spec: RedisConnectivitySpec, *, older: bool) -> Sharer:
    theirs = resolve(owner, spec)
    return Sharer(owner.key, theirs.connector, theirs.network.project, successor_name(theirs), older)


def _subjects(claim: Claim | None) -> tuple[Hashable, ...]:
    if claim is None:
        return ()
    place: Hashable = (claim.network, claim.ip_cidr_range)
    if claim.ip_cidr_range is None:
        place = (claim.network, claim.region, claim.subnet)
    return claim.connector, place
