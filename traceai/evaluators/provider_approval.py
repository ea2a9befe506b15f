"""Judge whether a call went to an approved provider and model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from traceai.evaluators.result import EvalResult

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from traceai.policy.inventory import Inventory, Ruling


class ProviderApproval:
    """Compare provider, models, host and classes of data of a call with the approved inventory.

    Args:
        inventory: who may be called, with which models and data, where and when.
    """

    name = "provider_approval"
    version = "1"

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory

    def evaluate(
        self,
        *,
        provider: str | None = None,
        request_model: str | None = None,
        response_model: str | None = None,
        server_address: str | None = None,
        data_classes: str | Collection[str] | None = None,
        at: datetime | None = None,
        **_ignored: Any,
    ) -> EvalResult:
        """Judge one call at the moment it was made.

        The requested and the served model are both judged: either may be unapproved. Without a
        provider, a model or the time there is no verdict, nor without the host or the classes of
        data where the approval is limited to some.
        """
        models = tuple(dict.fromkeys(model for model in (request_model, response_model) if model))
        missing = [
            name
            for name, value in (("provider", provider), ("model", models), ("time", at))
            if not value
        ]
        if missing or provider is None or at is None:
            return EvalResult(passed=None, reason=f"the call states no {' and no '.join(missing)}")
        classes = (data_classes,) if isinstance(data_classes, str) else data_classes or ()
        rulings = [
            self.inventory.find(
                provider=provider, model=model, host=server_address, data_classes=classes, at=at
            )
            for model in models
        ]
        return _combine(models, rulings)


def _combine(models: tuple[str, ...], rulings: list[Ruling]) -> EvalResult:
    """Pass when every model is approved; the reason names each that is refused, else unknown."""
    refused = [ruling.reason for ruling in rulings if ruling.judged and not ruling.approved]
    unknown = [ruling.reason for ruling in rulings if not ruling.judged]
    passed = False if refused else None if unknown else True
    evidence = {
        model: {
            "status": ruling.status.value,
            "reference": ruling.reference,
            **({"region": ruling.region} if ruling.region else {}),
        }
        for model, ruling in zip(models, rulings, strict=True)
    }
    return EvalResult(
        passed=passed,
        score=None if passed is None else float(passed),
        reason="; ".join(dict.fromkeys(refused or unknown)) or f"approved: {rulings[0].reason}",
        evidence=evidence,
    )
