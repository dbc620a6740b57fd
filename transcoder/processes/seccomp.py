"""seccomp: the system calls that a warm image process may make; the kernel refuses all others.

Rendering takes memory, threads and clocks, and writes to what is open. Everything else, such as
opening files, sockets, new processes and signals to others, fails with EPERM.
"""

import errno
import mmap
import os
from functools import cache
from typing import Final

import seccompy
from seccompy import Action, ArgCmp, CmpOp, Filter, FilterFlag

# Most frequent first: the kernel compares one after the other.
ALLOWED: Final = (
    "futex", "rt_sigprocmask", "madvise", "set_robust_list", "rseq", "exit", "write", "read",
    "munmap", "mremap", "brk", "getrusage", "gettid", "getpid", "sched_yield", "clock_gettime",
    "clock_nanosleep", "gettimeofday", "nanosleep", "getrandom", "getcpu", "sched_getaffinity",
    "sysinfo", "membarrier", "rt_sigaction", "rt_sigreturn", "sigaltstack", "restart_syscall",
    "close", "lseek", "fstat", "exit_group",
)  # fmt: skip
_REFUSED: Final = Action.ERRNO | errno.EPERM
_CLONE_THREAD: Final = 0x00010000
_PR_SET_NAME: Final = 15
_SELF: Final = 0


@cache
def is_available() -> bool:
    """Whether kernel and processor can filter system calls; ask before the process is confined."""
    try:
        seccompy.audit_arch()
        return seccompy.supported()
    except seccompy.SeccompError:
        return False


def allow_only_rendering() -> None:
    """Limit all threads of this process irrevocably; it can gain no privileges either.

    Raises:
        SeccompError: the kernel refuses.
    """
    rules = Filter(_REFUSED, flags=_all_threads())
    for name in ALLOWED:
        rules.allow(name)
    _allow_memory_without_code(rules)
    _allow_threads(rules)
    _allow_on_itself(rules)
    rules.load()


def _all_threads() -> FilterFlag:
    # Without the second, the kernel reports a thread that it cannot limit in a way that the
    # library takes for success.
    wanted = FilterFlag.TSYNC | FilterFlag.TSYNC_ESRCH
    return wanted if seccompy.flag_supported(wanted) else FilterFlag.TSYNC


def _allow_memory_without_code(rules: Filter) -> None:
    for name in ("mmap", "mprotect"):
        rules.allow(name, args=[ArgCmp(2, CmpOp.MASKED_EQ, 0, mask=mmap.PROT_EXEC)])


def _allow_threads(rules: Filter) -> None:
    rules.allow("clone", args=[ArgCmp(0, CmpOp.MASKED_EQ, _CLONE_THREAD, mask=_CLONE_THREAD)])
    # A filter cannot read its flags, which are in memory; glibc then uses clone.
    rules.errno("clone3", errno.ENOSYS)


def _allow_on_itself(rules: Filter) -> None:
    rules.allow("prlimit64", args={0: _SELF})
    rules.allow("setpriority", args={0: os.PRIO_PROCESS, 1: _SELF})
    rules.allow("prctl", args={0: _PR_SET_NAME})
    # abort() signals itself.
    rules.allow("tgkill", args={0: os.getpid()})
