"""CPU time of processes, as the operating system counts it."""

import psutil


def spent(pid: int) -> float:
    """CPU seconds of one process so far, in user and in system mode."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def spent_by_family(pid: int) -> float:
    """CPU seconds of a process, its living descendants, and those children that have ended.

    PostgreSQL's backends come and go; who has ended counts as `children_*` of its parent.
    """
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return sum(sum(_times(process)) for process in family)


def _times(process: psutil.Process) -> tuple[float, ...]:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:  # counted with its parent from now on
        return ()
    return times.user, times.system, times.children_user, times.children_system
