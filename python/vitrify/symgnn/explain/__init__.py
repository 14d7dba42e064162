"""`vitrify explain`: which edges a prediction needs, and whether their lengths alone would say the same."""

from vitrify.report.evaluation import Evaluation
from vitrify.symgnn.explain.settings import Settings

EXPLANATION = Evaluation(
    Settings,
    open="vitrify.symgnn.explain.measure:open_model",
    measure="vitrify.symgnn.explain.measure:measure",
    report="vitrify.symgnn.explain.report:make_report",
    summary="vitrify.symgnn.explain.summary:summarise",
    resumes=True,
    command="explain",
)
