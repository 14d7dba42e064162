"""Corrects a generator for the average difference between requested and obtained properties.

A generator that was trained on few glasses follows a target only in part: for a requested value a, its glasses have
b + c a on average. With b and c, the model file turns a target t into the request (t - b) / c. Network and statistics
of the training data use properties only relative to their mean and spread, so that it suffices to shift and scale
these.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from vitrify.amshortcut.models.base import AMShortcut
from vitrify.core.errors import VitrifyError, did_you_mean
from vitrify.training.run import LoadedRun


@dataclass(frozen=True)
class Response:
    """The average of a property is `intercept` (its unit) + `slope` (dimensionless) times the requested value.

    Raises VitrifyError for numbers that are not finite, and for a slope that no request can make up for.
    """

    intercept: float
    slope: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.intercept) and math.isfinite(self.slope) and self.slope > 0.05):
            raise VitrifyError(
                f"a response of {self.intercept:g} + {self.slope:g} x does not follow what is asked for: train longer, "
                "or on glasses that differ more"
            )


def parse_responses(texts: Sequence[str]) -> dict[str, Response]:
    """Responses by property, from texts such as "ring_size=3.1,0.5"; VitrifyError for other texts."""
    found = {}
    for text in texts:
        name, _, numbers = text.partition("=")
        try:
            intercept, slope = (float(number) for number in numbers.split(","))
        except ValueError:
            raise VitrifyError(f"--response {text!r}: wanted NAME=INTERCEPT,SLOPE, as in ring_size=3.1,0.5") from None
        found[name.strip()] = Response(intercept, slope)
    return found


def adjust(run: LoadedRun, texts: Sequence[str]) -> None:
    """Calls `apply_responses` for texts such as "ring_size=3.1,0.5"."""
    apply_responses(run, parse_responses(texts))


def apply_responses(run: LoadedRun, responses: Mapping[str, Response]) -> None:
    """Changes the model of a run and its statistics, so that targets are turned into requests that reach them.

    Raises VitrifyError for a property that the model does not have.
    """
    names = [found["name"] for found in run.info.get("properties", ())]
    for name in responses:
        if name not in names:
            known = f"it has {', '.join(names)}" if names else "it has none"
            raise VitrifyError(f"the model has no property {name!r}{did_you_mean(name, names)}: {known}")
    assert isinstance(run.model, AMShortcut)
    condition = run.model.condition
    statistics = run.info["statistics"]
    with torch.no_grad():
        for name, response in responses.items():
            place = names.index(name)
            condition.property_mean[place] = response.intercept + response.slope * condition.property_mean[place]
            condition.property_scale[place] *= response.slope
            _stretch(statistics, statistics["names"].index(name), response)


def _stretch(statistics: dict[str, list], place: int, response: Response) -> None:  # type: ignore[type-arg]
    """Shifts and scales one variable of a mean and covariance."""
    statistics["mean"][place] = response.intercept + response.slope * statistics["mean"][place]
    covariance = statistics["covariance"]
    for other in range(len(covariance)):
        covariance[place][other] *= response.slope
        covariance[other][place] *= response.slope
