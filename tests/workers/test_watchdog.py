"""When a worker counts as hung."""

import os

from workers.watchdog import Liveness


def test_a_file_that_is_not_renewed_counts_by_looks(tmp_path):
    path = tmp_path / "alive"
    path.touch()
    liveness = Liveness(path)
    for _ in range(4):
        liveness.look()
    assert liveness.same_looks == 3
    os.utime(path, ns=(1, 1))
    liveness.look()
    assert liveness.same_looks == 0


def test_a_file_that_is_not_there_says_nothing(tmp_path):
    liveness = Liveness(tmp_path / "alive")
    for _ in range(3):
        liveness.look()
    assert liveness.same_looks == 0
