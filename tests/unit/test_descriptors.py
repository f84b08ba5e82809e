"""A web process may have as many files and connections open as the machine allows it."""

import subprocess
import sys

PROGRAM = """
import logging, resource
logging.basicConfig(level=logging.INFO, format="%(message)s")
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
from annotator_site.network import descriptors
print(descriptors.raise_limit(), hard)
"""


def test_the_number_of_open_files_is_raised_and_reported() -> None:
    """In a process of its own: the limit is one of the whole process."""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    raised, hard = ran.stdout.split()
    assert raised == hard
    assert f"Up to {hard} files" in ran.stderr
    assert "it was 256" in ran.stderr
