"""What a process and its children have used, from /proc."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_PARENT, _USER, _SYSTEM, _REAPED_USER, _REAPED_SYSTEM = 1, 11, 12, 13, 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a process tree has used so far.

    Attributes:
        cpu_s: user and system time, of children that have ended too.
        rss_mib: resident memory now.
        peak_mib: the sum of each process's highest.
    """

    cpu_s: float
    rss_mib: float
    peak_mib: float


def usage(root: int) -> Usage:
    """Return what the process `root` and all below it have used."""
    processes = _tree(root)
    ticks = sum(
        int(fields[place])
        for fields in processes.values()
        for place in (_USER, _SYSTEM, _REAPED_USER, _REAPED_SYSTEM)
    )
    return Usage(
        cpu_s=ticks / _TICKS_A_SECOND,
        rss_mib=sum(_memory(pid, "VmRSS:") for pid in processes),
        peak_mib=sum(_memory(pid, "VmHWM:") for pid in processes),
    )


def _tree(root: int) -> dict[int, list[str]]:
    """Return the fields after the name in /proc/PID/stat, of `root` and its descendants."""
    alive = {int(entry.name): _stat(entry) for entry in Path("/proc").iterdir() if _is_pid(entry)}
    found: dict[int, list[str]] = {}
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        fields = alive.get(pid)
        if fields:
            found[pid] = fields
            waiting += [child for child, of in alive.items() if of and int(of[_PARENT]) == pid]
    return found


def _is_pid(entry: Path) -> bool:
    return entry.name.isdigit()


def _stat(entry: Path) -> list[str]:
    try:
        return (entry / "stat").read_text().rpartition(")")[2].split()
    except OSError:  # it ended meanwhile
        return []


def _memory(pid: int, key: str) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith(key))
