"""What the helper process may still do once hostile bytes are before it: compute, and write its result.

Resource limits hold on every Unix; the limit of processes is not among them, since it counts threads too, and those of
the user's other programs. On Linux a system call filter (seccomp, a list of what is allowed) forbids the rest besides:
opening files, sockets, starting processes, signals to others.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
import sys
from pathlib import Path

_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_ALLOW, _REFUSE, _MISSING = 0x7FFF0000, 0x00050000 | 1, 0x00050000 | 38  # EPERM, ENOSYS
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_THREAD = 0x00010000  # CLONE_THREAD
_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}

_CALLS: dict[str, tuple[int, ...]] = {  # numbers on x86-64 and on AArch64
    "read": (0, 63), "write": (1, 64), "readv": (19, 65), "writev": (20, 66), "pread64": (17, 67),
    "pwrite64": (18, 68), "lseek": (8, 62), "close": (3, 57), "fstat": (5, 80), "newfstatat": (262, 79),
    "ioctl": (16, 29), "fcntl": (72, 25), "dup": (32, 23), "poll": (7,), "ppoll": (271, 73),
    "mmap": (9, 222), "munmap": (11, 215), "mremap": (25, 216), "mprotect": (10, 226), "madvise": (28, 233),
    "mincore": (27, 232), "msync": (26, 227), "brk": (12, 214), "futex": (202, 98), "membarrier": (324, 283),
    "rseq": (334, 293), "set_robust_list": (273, 99), "restart_syscall": (219, 128), "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123), "exit": (60, 93), "exit_group": (231, 94), "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "sigaltstack": (131, 132), "sendto": (44, 206),
    "recvfrom": (45, 207), "shutdown": (48, 210), "getrandom": (318, 278), "clock_gettime": (228, 113),
    "clock_getres": (229, 114), "clock_nanosleep": (230, 115), "nanosleep": (35, 101), "gettimeofday": (96, 169),
    "getpid": (39, 172), "gettid": (186, 178), "getppid": (110, 173), "getuid": (102, 174), "geteuid": (107, 175),
    "getgid": (104, 176), "getegid": (108, 177), "getrusage": (98, 165), "times": (100, 153), "uname": (63, 160),
    "sysinfo": (99, 179),
}  # fmt: skip
_CLONE, _CLONE3 = (56, 220), (435, 435)


def limit_resources(*, memory: int, cpu_s: int, file_bytes: int) -> None:
    """Lower this process's limits for good: address space beyond today's, seconds of processor, bytes of any file."""
    limits = {
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_FSIZE: file_bytes,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 16,
    }
    if sys.platform == "linux":  # elsewhere it is not enforced
        limits[resource.RLIMIT_AS] = _address_space() + memory
    for kind, most in limits.items():
        _, hard = resource.getrlimit(kind)
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (bound, bound))


def forbid_system_calls() -> bool:
    """Install the filter, for good; whether this system has it (Linux on x86-64 or AArch64)."""
    machine = _ARCHITECTURES.get(platform.machine())
    if sys.platform != "linux" or machine is None:
        return False
    code = _program(*machine)
    library = ctypes.CDLL(None, use_errno=True)
    instructions = ctypes.create_string_buffer(code, len(code))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    program = Program(len(code) // 8, ctypes.cast(instructions, ctypes.c_void_p))
    if library.prctl(_NO_NEW_PRIVILEGES, ctypes.c_ulong(1), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)):
        return False
    return bool(library.prctl(_SET_SECCOMP, ctypes.c_ulong(_FILTER), ctypes.byref(program)) == 0)


def _program(architecture: int, column: int) -> bytes:
    """The filter as classic BPF: what is not listed fails, and so does clone() of anything but a thread."""

    def instruction(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
        return struct.pack("=HBBI", code, then, otherwise, value)

    numbers = sorted({column_of[column] for column_of in _CALLS.values() if len(column_of) > column})
    lines = [
        instruction(_LOAD, 4),  # offsets in struct seccomp_data: number 0, architecture 4, arguments from 16
        instruction(_EQUAL, architecture, then=1),
        instruction(_RETURN, _REFUSE),
        instruction(_LOAD, 0),
        instruction(_EQUAL, _CLONE3[column], otherwise=1),
        instruction(_RETURN, _MISSING),  # the C library then takes clone(), whose flags can be looked at
        instruction(_EQUAL, _CLONE[column], otherwise=4),
        instruction(_LOAD, 16),
        instruction(_ANY_BIT, _THREAD, then=1),
        instruction(_RETURN, _REFUSE),
        instruction(_RETURN, _ALLOW),
    ]
    for number in numbers:
        lines += [instruction(_EQUAL, number, otherwise=1), instruction(_RETURN, _ALLOW)]
    lines.append(instruction(_RETURN, _REFUSE))
    return b"".join(lines)


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_bytes().split()[0])
    return pages * os.sysconf("SC_PAGE_SIZE")
