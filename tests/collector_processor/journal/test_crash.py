from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from collector_processor.journal.segments import SegmentJournal

if TYPE_CHECKING:
    from pathlib import Path

FULL_DISK = """
import resource, sys
from pathlib import Path
from collector_processor.errors import JournalError
from collector_processor.journal.segments import SegmentJournal
from collector_processor.model import Frame, Signal
journal = SegmentJournal(Path(sys.argv[1]))
def put(size):
    frame = Frame(signal=Signal.TRACES, received_ns=1, body=bytes(size))
    try:
        return journal.submit(frame).result(10)
    except JournalError as error:
        return error
before = put(1000)
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))
failed = put(5000)
again = put(5000)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
after = put(2000)
sizes = [len(stored.frame.body) for stored in journal.read(0)]
journal.close()
print(before, type(failed).__name__, type(again).__name__, after, sizes)
"""


def test_what_the_disk_refuses_is_not_acknowledged_and_not_read(tmp_path: Path) -> None:
    result = run_script(FULL_DISK, tmp_path)
    assert result.stdout.split(maxsplit=4)[:4] == ["0", "JournalError", "JournalError", "1032"]
    assert result.stdout.strip().endswith("[1000, 2000]")
    journal = SegmentJournal(tmp_path)
    assert [len(stored.frame.body) for stored in journal.read(0)] == [1000, 2000]
    journal.close()


READ_ONLY = """
import os, sys
from pathlib import Path
from collector_processor.errors import JournalError
from collector_processor.journal.segments import SegmentJournal
if os.geteuid() == 0:
    os.setuid(65534)
try:
    SegmentJournal(Path(sys.argv[1]))
except JournalError as error:
    print(error)
"""


def test_a_directory_that_may_not_be_written_is_refused_with_a_remedy(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    result = run_script(READ_ONLY, tmp_path)
    tmp_path.chmod(0o755)
    assert "cannot be used: Permission denied. Let the collector's user write" in result.stdout


ACKNOWLEDGE = """
import sys
from pathlib import Path
from collector_processor.journal.segments import SegmentJournal
from collector_processor.model import Frame, Signal
journal = SegmentJournal(Path(sys.argv[1]), segment_bytes=20_000)
number = 0
while True:
    group = range(number, number + 7)
    futures = [
        journal.submit(Frame(signal=Signal.TRACES, received_ns=n, body=b"%d" % n * 50))
        for n in group
    ]
    for n, future in zip(group, futures):
        future.result()
        print(n, flush=True)
    number += 7
"""


def test_every_acknowledged_frame_survives_a_kill(tmp_path: Path) -> None:
    acknowledged: list[int] = []
    with subprocess.Popen(
        [sys.executable, "-c", ACKNOWLEDGE, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            acknowledged.append(int(line))
            if len(acknowledged) == 500:
                process.send_signal(signal.SIGKILL)
                break
        acknowledged += [int(line) for line in process.stdout if line.endswith("\n")]
    journal = SegmentJournal(tmp_path)
    numbers = [stored.frame.received_ns for stored in journal.read(0)]
    assert acknowledged == list(range(len(acknowledged)))
    assert numbers == list(range(len(numbers)))
    assert set(acknowledged) <= set(numbers)
    journal.close()


def run_script(script: str, path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    )
