"""Hostile clients of the API: what a well-behaved client notices, and how long they are served."""

import resource

from api.stack.local import LocalStack
from benchmarks.hostile_clients import HEADINGS, Target, effects


def test_hostile_clients_keep_nobody_waiting(stack: LocalStack, is_measuring: bool) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    seconds, lives_at_most = (10.0, 100.0) if is_measuring else (0.5, 2.0)
    print(f"\n{HEADINGS}")
    for effect in effects(Target(stack.url), seconds=seconds, lives_at_most=lives_at_most):
        print(effect.row())
        assert effect.failed == 0, effect.attack
        if is_measuring:
            assert not effect.note.startswith("open"), effect.attack
