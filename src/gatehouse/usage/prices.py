"""What models' tokens cost, out of a file of the operator's: prices change, and contracts differ."""

from codecs import BOM_UTF8
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

TOKENS = 1_000_000  # that a price is for
MOST_FAULTS = 5  # of a file that are told

Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class BadPrices(Exception):
    """The file of prices cannot be used; the message says why."""


class ModelPrice(BaseModel):
    """Prices of a million tokens; those read from a cache cost as much as others unless it is said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: Price
    output: Price
    cached_input: Price | None = None

    def of(self, input_tokens: int, output_tokens: int, cached_tokens: int) -> float:
        """Return what so many tokens cost; the cached ones are among the input's."""
        cached = min(cached_tokens, input_tokens)
        cheaper = self.input if self.cached_input is None else self.cached_input
        fresh = (input_tokens - cached) * self.input
        return (fresh + cached * cheaper + output_tokens * self.output) / TOKENS


class Prices(BaseModel):
    """Prices by the models' names, as the providers tell them. A name is also that of its dated versions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    currency: str = Field("USD", min_length=1, max_length=16)
    models: dict[str, ModelPrice] = {}

    @classmethod
    def read(cls, file: Path | None) -> Self:
        """Return the prices of a file, none without one. Raises BadPrices."""
        if file is None:
            return cls()
        try:
            return cls.model_validate_json(file.read_bytes().removeprefix(BOM_UTF8))  # which Windows writes
        except OSError as error:
            raise BadPrices(f"{file} cannot be read ({type(error).__name__})") from None
        except ValidationError as error:
            faults = error.errors(include_url=False, include_input=False, include_context=False)
            told = [f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg']}" for fault in faults]
            raise BadPrices(f"{file}: {'; '.join(told[:MOST_FAULTS])}") from None

    def of(self, model: str) -> ModelPrice | None:
        """Return a model's price, or that of the longest name that its own begins with; None without one."""
        names = [name for name in self.models if model == name or model.startswith(f"{name}-")]
        return self.models[max(names, key=len)] if names else None
