"""The process behind a site's address."""

from urllib.parse import urlsplit

import psutil


def process_at(site: str) -> psutil.Process:
    """The web process that listens on a site's port."""
    port = urlsplit(site).port
    (pid,) = {
        each.pid
        for each in psutil.net_connections("tcp")
        if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == port and each.pid
    }
    return psutil.Process(pid)


def resident_mib(process: psutil.Process) -> float:
    """What a process holds in memory."""
    return float(process.memory_info().rss) / 2**20
