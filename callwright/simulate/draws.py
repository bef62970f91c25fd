"""Durations as a scenario writes them, and as they are drawn. All in seconds."""

from __future__ import annotations

from math import log, sqrt
from random import Random
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Seconds = Annotated[float, Field(ge=0, le=604_800)]


class Strict(BaseModel):
    """Whatever is not known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Constant(Strict):
    """Always the same."""

    kind: Literal["constant"]
    s: Seconds

    def draw(self, chance: Random) -> float:
        """One of them, in seconds."""
        return self.s


class Exponential(Strict):
    """Without memory: how much is left doesn't depend on how much has passed. What Erlang's formulas assume."""

    kind: Literal["exponential"]
    mean_s: Annotated[float, Field(gt=0, le=604_800)]

    def draw(self, chance: Random) -> float:
        """One of them, in seconds."""
        return chance.expovariate(1 / self.mean_s)


class Lognormal(Strict):
    """What handling times usually look like: most are short, a few very long."""

    kind: Literal["lognormal"]
    mean_s: Annotated[float, Field(gt=0, le=604_800)]
    sd_s: Annotated[float, Field(gt=0, le=604_800)]

    def draw(self, chance: Random) -> float:
        """One of them, in seconds."""
        spread = log(1 + (self.sd_s / self.mean_s) ** 2)
        return chance.lognormvariate(log(self.mean_s) - spread / 2, sqrt(spread))


class Uniform(Strict):
    """Anything between two bounds."""

    kind: Literal["uniform"]
    from_s: Seconds
    to_s: Seconds

    @model_validator(mode="after")
    def _in_order(self) -> Uniform:
        if self.to_s < self.from_s:
            raise ValueError("to_s must not be less than from_s")
        return self

    def draw(self, chance: Random) -> float:
        """One of them, in seconds."""
        return chance.uniform(self.from_s, self.to_s)


class Values(Strict):
    """One of these, each as likely: measured times."""

    kind: Literal["values"]
    s: Annotated[tuple[Seconds, ...], Field(min_length=1)]

    def draw(self, chance: Random) -> float:
        """One of them, in seconds."""
        return chance.choice(self.s)


Distribution = Annotated[Constant | Exponential | Lognormal | Uniform | Values, Field(discriminator="kind")]
