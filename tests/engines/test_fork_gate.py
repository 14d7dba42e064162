"""The gate between predictions and forks: a fork comes through, however busy the other threads are."""

from __future__ import annotations

import subprocess
import sys
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


# Past the gate: the compiled model alone, with a team of two threads that are not in the children.
AMID = """
import gc, os, threading, time
import numpy as np
from vitrify import open_model
held = [open_model("kalj.ogn.pt", "native")._model]
rng = np.random.default_rng(1)
system = rng.random((4000, 3)) * 15, rng.normal(size=(4000, 3)), 15.0 * np.eye(3), np.zeros(4000, np.int32)
def work():
    while True:
        held[0].predict(*system)
threading.Thread(target=work, daemon=True).start()
for number in range(5):
    time.sleep(0.1)
    child = os.fork()
    if child == 0:
        held.clear()
        gc.collect()
        os._exit(7)
    end = time.monotonic() + 60
    while (done := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < end:
        time.sleep(0.01)
    assert done[0] and os.waitstatus_to_exitcode(done[1]) == 7, done
os._exit(0)
"""


def test_a_child_that_is_forked_amid_a_prediction_lets_the_model_go() -> None:
    done = subprocess.run([sys.executable, "-c", AMID], capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
