"""Where every test comes from: the servers, the SQL tests and the browser of the whole project."""

import os

pytest_plugins = ["service.tests.plugin", "service.tests.browsers"]


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: now and then a test waits for a process or a lock."""
    return min(4, (os.cpu_count() or 1) + 1)
