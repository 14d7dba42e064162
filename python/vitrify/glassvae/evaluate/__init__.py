"""`vitrify evaluate` for latent models: energies and forces, the latent vector, and structures made from it."""

from vitrify.glassvae.evaluate.settings import Settings
from vitrify.report.evaluation import Evaluation

EVALUATION = Evaluation(
    Settings,
    open="vitrify.glassvae.evaluate.measure:open_model",
    measure="vitrify.glassvae.evaluate.measure:measure",
    report="vitrify.glassvae.evaluate.report:make_report",
    summary="vitrify.glassvae.evaluate.summary:summarise",
    remedy="give frames of other simulations",
)
