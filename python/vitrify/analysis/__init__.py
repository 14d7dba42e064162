"""Observables of trajectories, as pure functions of numpy arrays."""

from vitrify.analysis.dynamics import diffusion_coefficient, msd, velocity_autocorrelation
from vitrify.analysis.structure import RDF, coordination_number, first_peak, partial_rdf, rdf_difference
from vitrify.analysis.thermodynamics import energy_drift, species_temperatures

__all__ = [
    "RDF",
    "coordination_number",
    "diffusion_coefficient",
    "energy_drift",
    "first_peak",
    "msd",
    "partial_rdf",
    "rdf_difference",
    "species_temperatures",
    "velocity_autocorrelation",
]
