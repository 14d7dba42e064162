"""The evaluation of a model of any kind: open it, refuse data that it has seen, measure, write numbers and a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from vitrify.core.errors import VitrifyError
from vitrify.core.files import sha256
from vitrify.core.locks import claim_folder
from vitrify.data.readers.formats import files_of
from vitrify.kinds import load
from vitrify.report.metrics_file import ModelFile, write_metrics
from vitrify.report.verdicts import verdict_table

REPORT = "report.html"


class EvaluationData:
    """The files of an evaluation, given by their names, patterns or folders.

    sources: name and SHA-256 of each file that exists, for metrics.json.
    """

    def __init__(self, files: Sequence[str | Path]) -> None:
        self.files = files_of(list(files))
        self._hashes = {file: sha256(file) for file in self.files if file.is_file()}
        here = [file for file in self.files if file in self._hashes]
        self.sources = [{"name": file.name, "sha256": self._hashes[file]} for file in here]

    def seen_by(self, model: ModelFile) -> list[Path]:
        """The files that the model was trained on."""
        known = {entry.get("sha256") for entry in model.metadata.provenance.data}
        return [file for file, digest in self._hashes.items() if digest in known]


class EvaluationResults(Protocol):
    """All that was measured; `metrics` goes to metrics.json."""

    @property
    def metrics(self) -> Mapping[str, Any]: ...


S = TypeVar("S")


@dataclass(frozen=True)
class Evaluation(Generic[S]):
    """How models of one kind are evaluated, or explained; its functions, "module:function", are imported when it runs.

    settings: frozen dataclass that makes sense without arguments; its fields made by `vitrify.core.options.option` are
    the options of the command.
    open: (model file or name, settings) -> opened model, with path and metadata.
    measure: (opened model, EvaluationData, settings, folder, progress) -> EvaluationResults. `folder` is where
    intermediate files may go.
    report: (results, folder) -> Report; its figures go to `folder`.
    remedy: the end of the error for data that the model was trained on, which says what to do: text, or a function of
    the file. None: such data are accepted.
    summary: results -> rows of the table that the command prints at its end; "": none.
    command: of vitrify that runs it, in the name of the default folder, out/MODEL.COMMAND.
    resumes: whether it goes on where it was stopped, if it is run again with the same folder.
    """

    settings: type[S]
    open: str
    measure: str
    report: str
    remedy: str | Callable[[Path], str] | None = None
    summary: str = ""
    command: str = "evaluate"
    resumes: bool = False

    def run(
        self,
        model: str | Path | ModelFile,
        data: str | Path | Sequence[str | Path],
        out: str | Path | None = None,
        settings: S | None = None,
        progress: bool = True,
        say: Callable[[str], None] | None = None,
    ) -> Path:
        """Evaluates a model; writes metrics.json, figures and report.html into `out`, returns the path of the report.

        Args:
            model: file, name of a shipped model, or an opened model.
            data: files that the model has not seen.
            out: folder; default: out/MODEL.COMMAND.
            progress: whether to show how far it is. say: prints the table of verdicts; None: nothing does.

        Raises:
            VitrifyError: a model of another kind, data that it was trained on, a folder that cannot be written or
                that another process writes, and errors of `measure`.
        """
        settings = settings or self.settings()
        opened = load(self.open)(model, settings) if isinstance(model, str | Path) else model
        files = EvaluationData([data] if isinstance(data, str | Path) else data)
        self.refuse_seen(files, opened)
        folder = Path(out) if out else Path("out") / f"{opened.path.name.removesuffix('.pt')}.{self.command}"
        with claim_folder(folder, f"vitrify {self.command}"):
            results = load(self.measure)(opened, files, settings, folder, progress)
            path = self.write(results, folder)
        if say is not None and self.summary and (table := verdict_table(load(self.summary)(results))):
            say(table)
        return path

    def refuse_seen(self, data: EvaluationData, model: ModelFile) -> None:
        """VitrifyError for files that the model was trained on, unless they are accepted."""
        for file in data.seen_by(model) if self.remedy is not None else []:
            advice = self.remedy(file) if callable(self.remedy) else self.remedy
            raise VitrifyError(f"{file} was used to train this model, so it says nothing about it: {advice}")

    def write(self, results: EvaluationResults, folder: Path) -> Path:
        """Writes metrics.json, figures and report.html into `folder`, returns the path of the report."""
        write_metrics(folder, results.metrics)
        path = folder / REPORT
        load(self.report)(results, folder).write(path)
        return path
