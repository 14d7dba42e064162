"""`vitrify evaluate` for generators: structures against a reference ensemble, and MD at equal time."""

from vitrify.amshortcut.evaluate.settings import Settings
from vitrify.report.evaluation import Evaluation

# Training data are accepted, and the report says so.
EVALUATION = Evaluation(
    Settings,
    open="vitrify.amshortcut.evaluate.measure:open_model",
    measure="vitrify.amshortcut.evaluate.measure:measure",
    report="vitrify.amshortcut.evaluate.report:make_report",
    summary="vitrify.amshortcut.evaluate.summary:summarise",
    resumes=True,
)
