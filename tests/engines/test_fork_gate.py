"""The gate between predictions and forks: a fork comes through, however busy the other threads are."""

from __future__ import annotations

import threading
import time

from vitrify.engines.forks import _Gate


def test_a_fork_comes_through_while_threads_predict_without_a_pause() -> None:
    gate, stop, shut = _Gate(), threading.Event(), threading.Event()

    def predict() -> None:
        while not stop.is_set():
            gate.enter()
            gate.enter()  # a prediction within another one
            time.sleep(0.002)
            gate.leave()
            gate.leave()

    def fork() -> None:
        for _ in range(3):
            gate.shut()
            assert gate._running == 0
            gate.open()
        shut.set()

    threads = [threading.Thread(target=target, daemon=True) for target in (predict, predict, predict, fork)]
    for thread in threads:
        thread.start()
    assert shut.wait(20)
    stop.set()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
