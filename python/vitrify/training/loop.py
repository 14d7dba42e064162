"""The training loop.

Lightning Fabric handles devices, precision and DDP. The loop itself is simple, so that a run can stop after any step
and continue as if it had not stopped: batches depend on the number of the step alone, and everything else that changes
is in the checkpoint.
"""

from __future__ import annotations

import copy
import math
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any, Self

import torch
from lightning.fabric import Fabric
from torch import Tensor, distributed, nn
from torch.utils.data import DataLoader

from vitrify.core.errors import VitrifyError
from vitrify.core.files import own_content
from vitrify.core.progress import Meter, say
from vitrify.core.signals import ENDING, hear, is_usual, raise_stopped
from vitrify.training.checkpoint import BEST, CHECKPOINT, LAST, LOG, Log, Progress, load_checkpoint, save_checkpoint
from vitrify.training.config import TrainingConfig
from vitrify.training.schedule import StepBatches, fraction_done, learning_rate
from vitrify.training.task import Prepared, Task


class Averaged:
    """Exponential moving average of a task's weights; its memory is short at first, to forget the random start."""

    def __init__(self, task: Task, decay: float) -> None:
        self.decay = decay
        self.task = copy.deepcopy(task).requires_grad_(False) if decay else task

    @torch.no_grad()
    def update(self, task: nn.Module, step: int) -> None:
        """Adds the weights after `step` steps to the average; buffers are copied."""
        if not self.decay:
            return
        decay = min(self.decay, (1.0 + step) / (10.0 + step))
        torch._foreach_lerp_(list(self.task.parameters()), list(task.parameters()), 1.0 - decay)
        for mine, theirs in zip(self.task.buffers(), task.buffers(), strict=True):
            mine.copy_(theirs)


class StopSignal:
    """Turns the first Ctrl-C, SIGTERM or SIGHUP into a flag, so that the current step ends; a second one interrupts it.

    number: of the signal that came; None before.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        wanted = [number for number in (signal.SIGINT, *ENDING) if is_usual(number)]
        self._previous = {number: signal.signal(number, self._receive) for number in wanted}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.number is not None:
            raise_stopped(number, frame)
            return
        hear()
        self.number = number


class Fit:
    """One run in one folder, new or continued; `run` trains until the end, early stopping or a signal.

    prepared: the task, its data, and the info that checkpoints hold. stop: what listens to signals.
    """

    def __init__(
        self, fabric: Fabric, prepared: Prepared, config: TrainingConfig, folder: Path, stop: StopSignal | None = None
    ) -> None:
        self.fabric, self.config, self.folder, self.info = fabric, config, folder, prepared.info
        self.stop = stop or StopSignal()
        task = prepared.task
        self.progress = Progress()
        self.mark = (0, 0.0)  # step and time of the last validation
        self.task, self.averaged = task, Averaged(task, config.ema)
        self.averaged.task.to(fabric.device)
        forward: Any = torch.compile(task, dynamic=True) if config.compile else task
        self.wrapped, self.optimizer = fabric.setup(forward, _optimizer(task, config))
        # Sum and number of losses since the last validation; they are read only then, so that a GPU need not wait.
        self.losses = torch.zeros(2, dtype=torch.float64, device=fabric.device)
        if (folder / LAST).is_file():
            self._restore(folder / LAST)
        rank, ranks = fabric.global_rank, fabric.world_size
        batches = StepBatches(len(prepared.train), config.batch_size, config.seed, self.progress.step, rank, ranks)
        self.train_batches = self._loader(prepared.train, batches)
        chosen = prepared.validate_on[rank::ranks]
        self.validation_batches = self._loader(prepared.validation, [[(int(index), 0)] for index in chosen])

    def run(self) -> bool:
        """Trains; True if the run is finished, False if a signal stopped it, to be continued."""
        config, progress = self.config, self.progress
        log = Log(self.folder / LOG, progress.step) if self.fabric.is_global_zero else None
        clock = time.process_time if config.clock == "cpu" else time.monotonic
        start, saved = clock() - progress.seconds, time.monotonic()
        self.mark = (progress.step, time.monotonic())
        batches = iter(self.train_batches)
        with self.stop, self._bar() as bar:
            while True:
                seconds, stopped = self._agreed(clock() - start, self.stop.number is not None)
                progress.seconds = seconds
                fraction = fraction_done(progress, config)
                over = fraction >= 1.0 or (
                    config.patience is not None and progress.validations_without_improvement >= config.patience
                )
                if stopped or over:
                    break
                rate = learning_rate(fraction, config)
                self._step(next(batches), rate)
                bar.reach(min(1.0, fraction))
                due = progress.step % config.validate_every == 0
                if due:
                    self._validate(log, rate)
                if due or time.monotonic() - saved > config.save_every:
                    self._save(LAST)
                    saved = time.monotonic()
            if over and self.mark[0] != progress.step:
                self._validate(log, rate)
        self._save(LAST)
        return over

    def _step(self, batch: Any, rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        loss = self.wrapped(batch)
        self.fabric.backward(loss)
        if self.config.clip is not None:
            self.fabric.clip_gradients(
                self.wrapped, self.optimizer, max_norm=self.config.clip, error_if_nonfinite=False
            )
        self.optimizer.step()
        self.progress.step += 1
        self.averaged.update(self.task, self.progress.step)
        self.losses += torch.stack([loss.detach().double(), self.losses.new_ones(())])

    def _validate(self, log: Log | None, rate: float) -> None:
        """Validates the averaged weights, saves them if they are the best, and writes a row of the log.

        Raises VitrifyError if the loss is not finite.
        """
        progress = self.progress
        speed = (progress.step - self.mark[0]) / (time.monotonic() - self.mark[1])
        loss, count = self._summed(self.losses).tolist()
        self.losses.zero_()
        metrics = self.evaluate()
        if not math.isfinite(loss + metrics["val_loss"]):
            raise VitrifyError(
                f"the loss is not finite after {progress.step} steps; lower training.learning_rate and start "
                "again with --restart, or look for broken configurations in the data"
            )
        progress.validations_without_improvement = (
            0 if metrics["val_loss"] < progress.best_loss else progress.validations_without_improvement + 1
        )
        if progress.validations_without_improvement == 0:
            progress.best_loss, progress.metrics = metrics["val_loss"], metrics
            self._save(BEST)
        if log:
            row = {"step": progress.step, "seconds": progress.seconds, "lr": rate, "loss": loss / count}
            say(log.append({**row, **metrics, "steps_per_second": speed}))
        self.mark = (progress.step, time.monotonic())

    def evaluate(self) -> dict[str, float]:
        """Figures of the averaged weights on the validation samples, by name."""
        task = self.averaged.task
        task.eval()
        total = torch.zeros(task.n_statistics + 1, dtype=torch.float64, device=self.fabric.device)
        for batch in self.validation_batches:
            total[:-1] += task.statistics(batch).double()
            total[-1] += 1.0
        task.train()
        total = self._summed(total)
        return task.metrics(total[:-1] / total[-1])

    def _save(self, name: str) -> None:
        if not self.fabric.is_global_zero:
            return
        content: dict[str, Any] = {"averaged": self.averaged.task.state_dict()}
        if name == LAST:
            content["task"] = self.task.state_dict()
            content["optimizer"] = self.optimizer.state_dict()
            content["loss"] = self.losses
        save_checkpoint(self.folder / name, self.progress, content, self.info)

    def _restore(self, path: Path) -> None:
        self.progress, content = load_checkpoint(path)
        with own_content(path, CHECKPOINT):
            self._take_on(content)

    def _take_on(self, content: dict[str, Any]) -> None:
        self.task.load_state_dict(content["task"])
        self.averaged.task.load_state_dict(content["averaged"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.losses.copy_(content["loss"])

    def _loader(self, data: Any, batches: Any) -> Any:
        loader = DataLoader(data, batch_sampler=batches, collate_fn=self.task.collate, num_workers=self.config.workers)
        return self.fabric.setup_dataloaders(loader, use_distributed_sampler=False)

    def _agreed(self, seconds: float, stopped: bool) -> tuple[float, bool]:
        """Seconds of the run, and whether to stop: the largest values of all ranks."""
        if self.fabric.world_size == 1:
            return seconds, stopped
        seen = torch.tensor([seconds, float(stopped)], dtype=torch.float64, device=self.fabric.device)
        distributed.all_reduce(seen, distributed.ReduceOp.MAX)
        return float(seen[0]), bool(seen[1] > 0)

    def _summed(self, values: Tensor) -> Tensor:
        """The sum over all ranks."""
        total = values.clone()
        if self.fabric.world_size > 1:
            distributed.all_reduce(total)
        return total

    def _bar(self) -> Meter:
        return Meter(
            1.0, "training", show=self.fabric.is_global_zero, done=min(1.0, fraction_done(self.progress, self.config))
        )


def _optimizer(task: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind(task.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, amsgrad=config.amsgrad)
