"""The plot of a load test: the queue, the cores and the memory of every process over time."""

from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.load_watch import Look


def draw_load(looks: list[Look], *, file: Path) -> None:
    """Draw three panels over the same seconds."""
    if not looks:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    seconds = [look.seconds for look in looks]
    figure = Figure(figsize=(9, 9), layout="constrained")
    queue, cores, memory = figure.subplots(3, sharex=True)
    queue.plot(seconds, [look.waiting for look in looks], label="waiting")
    queue.plot(seconds, [look.running for look in looks], label="running")
    queue.set_ylabel("transcode jobs")
    for name in looks[-1].cores:
        cores.plot(seconds, [look.cores.get(name, 0) for look in looks], label=name)
        memory.plot(seconds, [look.megabytes.get(name, 0) for look in looks], label=name)
    cores.set_ylabel("cores")
    memory.set_ylabel("MB of its own")
    memory.set_xlabel("seconds")
    for panel in (queue, cores, memory):
        panel.legend(loc="upper left", fontsize="small")
        panel.grid(visible=True, alpha=0.3)
    figure.savefig(file)
