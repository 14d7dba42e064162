"""The training loop. Lightning Fabric gives devices, precision and DDP; the loop itself is plain, so that a run can
stop after any step and continue as if it had not: batches depend on the step's number alone, and everything else that
changes is in the checkpoint."""

from __future__ import annotations

import copy
import math
import signal
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any, Self

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from vitrify.config import TrainingConfig
from vitrify.data.datasets import OGNPairs, Pair, collate, evenly_spread
from vitrify.errors import VitrifyError
from vitrify.training.checkpoint import BEST, LAST, LOG, Log, Progress, load_checkpoint, save_checkpoint
from vitrify.training.module import OGNTask, metrics_of
from vitrify.training.schedule import StepBatches, fraction_done, learning_rate


class Averaged:
    """Exponential moving average of a task's weights; short at first, so that the random start is soon forgotten."""

    def __init__(self, task: OGNTask, decay: float) -> None:
        self.decay = decay
        self.task = copy.deepcopy(task).requires_grad_(False) if decay else task

    @torch.no_grad()
    def update(self, task: nn.Module, step: int) -> None:
        """Takes in the weights after `step` steps; buffers are copied."""
        if not self.decay:
            return
        decay = min(self.decay, (1.0 + step) / (10.0 + step))
        torch._foreach_lerp_(list(self.task.parameters()), list(task.parameters()), 1.0 - decay)
        for mine, theirs in zip(self.task.buffers(), task.buffers(), strict=True):
            mine.copy_(theirs)


class StopSignal:
    """Turns the first SIGTERM or Ctrl-C into a flag, so that the loop ends after a whole step; a second one interrupts."""

    def __init__(self) -> None:
        self.received = False
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # Python allows handlers nowhere else
            self._previous = {s: signal.signal(s, self._receive) for s in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received:
            raise KeyboardInterrupt
        self.received = True


class Fit:
    """One run in one folder; `run` trains until the end, early stopping or a signal."""

    def __init__(
        self,
        fabric: Fabric,
        task: OGNTask,
        data: tuple[OGNPairs, OGNPairs],
        config: TrainingConfig,
        validation_pairs: int,
        folder: Path,
        info: str,
    ) -> None:
        self.fabric, self.config, self.folder, self.info = fabric, config, folder, info
        self.progress = Progress()
        self.task, self.averaged = task, Averaged(task, config.ema)
        self.averaged.task.to(fabric.device)
        forward = torch.compile(task, dynamic=True) if config.compile else task
        self.wrapped, self.optimizer = fabric.setup(forward, _optimizer(task, config))
        # Summed on the device and read once for each validation, so that a GPU is not held up at every step.
        self.loss_sum = torch.zeros(2, dtype=torch.float64, device=fabric.device)
        if (folder / LAST).is_file():
            self._restore(folder / LAST)
        train, validation = data
        batches = StepBatches(
            len(train),
            config.batch_size,
            config.seed,
            self.progress.step,
            fabric.global_rank,
            fabric.world_size,
        )
        self.train_batches = self._loader(train, batches)
        chosen = evenly_spread(validation.n_pairs, validation_pairs)[fabric.global_rank :: fabric.world_size]
        self.validation_batches = self._loader(validation, [[(int(index), 0)] for index in chosen])

    def run(self) -> bool:
        """Trains; True if the run is finished, False if a signal stopped it (the checkpoint then continues it)."""
        config, progress = self.config, self.progress
        log = Log(self.folder / LOG, progress.step) if self.fabric.is_global_zero else None
        clock, spent = time.monotonic(), progress.seconds
        saved, validated, mark = clock, progress.step, (progress.step, clock)
        batches = iter(self.train_batches)
        with StopSignal() as stop, self._bar() as bar:
            while True:
                progress.seconds, stopped = self._agree(spent + time.monotonic() - clock, stop.received)
                fraction = fraction_done(progress, config)
                over = fraction >= 1.0 or (config.patience is not None and progress.stale >= config.patience)
                if stopped or over:
                    break
                self._step(next(batches), learning_rate(fraction, config))
                _show(bar, fraction, progress)
                now = time.monotonic()
                if progress.step % config.validate_every == 0:
                    self._validate(log, fraction, mark)
                    validated, mark = progress.step, (progress.step, time.monotonic())
                if progress.step == validated or now - saved > config.save_every:
                    self._save(LAST)
                    saved = now
            if over and validated != progress.step:
                self._validate(log, fraction, mark)
        self._save(LAST)
        return over

    def _step(self, batch: Pair, rate: float) -> None:
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
        self.loss_sum += torch.stack([loss.detach().double(), torch.ones_like(self.loss_sum[0])])

    def _validate(self, log: Log | None, fraction: float, mark: tuple[int, float]) -> None:
        """Measures the averaged weights, keeps the best ones, writes a row of the log."""
        progress = self.progress
        speed = (progress.step - mark[0]) / max(time.monotonic() - mark[1], 1e-9)
        loss_sum, count = self._sum(self.loss_sum).tolist()
        self.loss_sum.zero_()
        metrics = self.evaluate()
        if not math.isfinite(loss_sum + metrics["val_loss"]):
            raise VitrifyError(
                f"the loss is not finite after {progress.step} steps; lower training.learning_rate and start again "
                f"(--restart), or look for broken configurations in the data"
            )
        progress.stale = 0 if metrics["val_loss"] < progress.best_loss else progress.stale + 1
        if progress.stale == 0:
            progress.best_loss, progress.metrics = metrics["val_loss"], metrics
            self._save(BEST)
        row = {"step": progress.step, "seconds": progress.seconds, "lr": learning_rate(fraction, self.config)}
        row |= {"loss": loss_sum / count, **metrics, "steps_per_second": speed}
        if log:
            log.append(row)
            tqdm.write(
                "  ".join(
                    f"{key} {value:.4g}" if key != "step" else f"step {value}" for key, value in row.items()
                )
            )

    def evaluate(self) -> dict[str, float]:
        """Figures of the averaged weights on the validation pairs."""
        task = self.averaged.task
        task.eval()
        total = torch.zeros(5, dtype=torch.float64, device=self.fabric.device)
        for batch in self.validation_batches:
            total[:4] += task.squared_errors(batch).double()
            total[4] += 1.0
        task.train()
        total = self._sum(total)
        return metrics_of(total[:4] / total[4])

    def _save(self, name: str) -> None:
        if not self.fabric.is_global_zero:
            return
        content: dict[str, Any] = {"averaged": self.averaged.task.state_dict()}
        if name == LAST:
            content |= {
                "task": self.task.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "loss": self.loss_sum,
            }
        save_checkpoint(self.folder / name, self.progress, content, self.info)

    def _restore(self, path: Path) -> None:
        self.progress, content = load_checkpoint(path)
        self.task.load_state_dict(content["task"])
        self.averaged.task.load_state_dict(content["averaged"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.loss_sum.copy_(content["loss"])

    def _loader(self, data: OGNPairs, batches: Any) -> Any:
        loader = DataLoader(data, batch_sampler=batches, collate_fn=collate, num_workers=self.config.workers)
        return self.fabric.setup_dataloaders(loader, use_distributed_sampler=False)

    def _agree(self, seconds: float, stopped: bool) -> tuple[float, bool]:
        """The same clock and the same decision to stop on all ranks."""
        if self.fabric.world_size == 1:
            return seconds, stopped
        mine = torch.tensor([seconds, float(stopped)], dtype=torch.float64, device=self.fabric.device)
        agreed = self.fabric.all_reduce(mine, reduce_op="max")
        return float(agreed[0]), bool(agreed[1] > 0)

    def _sum(self, values: Tensor) -> Tensor:
        return (
            self.fabric.all_reduce(values.clone(), reduce_op="sum")
            if self.fabric.world_size > 1
            else values.clone()
        )

    def _bar(self) -> Any:
        return tqdm(
            total=1.0,
            initial=fraction_done(self.progress, self.config),
            disable=None
            if self.fabric.is_global_zero
            else True,  # None: off where the output is not a terminal
            bar_format="{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}",
        )


def _show(bar: Any, fraction: float, progress: Progress) -> None:
    bar.set_postfix_str(f"step {progress.step}, best validation loss {progress.best_loss:.3g}", refresh=False)
    bar.update(fraction - bar.n)


def _optimizer(task: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind(
        task.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, amsgrad=config.amsgrad
    )
