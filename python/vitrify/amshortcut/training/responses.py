"""How a generator answers its targets, and a model that knows it.

A generator that was trained on few glasses follows a target only in part: asked for a value a, its glasses have
b + c a on average. A model file that is told b and c reads a target t as the request (t - b) / c. As the network and
the statistics of the training data see properties only relative to their mean and spread, telling them so means to move
and stretch these: nothing else knows of it.
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
    """A property is `intercept` + `slope` times what was asked for, on average."""

    intercept: float
    slope: float

    def __post_init__(self) -> None:
        """Raises VitrifyError for a slope that no request can make up for."""
        if not (math.isfinite(self.intercept) and math.isfinite(self.slope) and self.slope > 0.05):
            raise VitrifyError(
                f"a response of {self.intercept:g} + {self.slope:g} x does not follow what is asked for: train longer, "
                "or on glasses that differ more"
            )


def parse_responses(texts: Sequence[str]) -> dict[str, Response]:
    """Responses by property, from texts such as "ring_size=3.1,0.5"."""
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
    """`apply_responses` for texts such as "ring_size=3.1,0.5"."""
    apply_responses(run, parse_responses(texts))


def apply_responses(run: LoadedRun, responses: Mapping[str, Response]) -> None:
    """Makes the model of a run, and its statistics, read targets as requests that bring them.

    Raises VitrifyError for a model that has no properties, or not this one.
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
    """Moves and stretches one variable of a mean and covariance."""
    statistics["mean"][place] = response.intercept + response.slope * statistics["mean"][place]
    covariance = statistics["covariance"]
    for other in range(len(covariance)):
        covariance[place][other] *= response.slope
        covariance[other][place] *= response.slope
