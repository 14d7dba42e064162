"""`vitrify evaluate` for models of a property of each atom: predictions against labels."""

from vitrify.report.evaluation import Evaluation
from vitrify.symgnn.evaluate.settings import Settings

EVALUATION = Evaluation(
    Settings,
    open="vitrify.symgnn.evaluate.measure:open_model",
    measure="vitrify.symgnn.evaluate.measure:measure",
    report="vitrify.symgnn.evaluate.report:make_report",
    summary="vitrify.symgnn.evaluate.summary:summarise",
    remedy="give glasses that were kept apart",
)
