"""What Stripe answers instead of the object that was asked for."""

from __future__ import annotations

from typing import Any


class StripeError(Exception):
    """Ends a request with Stripe's error body. Nothing of the request remains."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        **fields: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        # Then the request was never executed, and may come again corrected.
        self.is_about_a_parameter = param is not None
        error = {"code": code, "message": message, "param": param, "type": kind, **fields}
        if code:
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"
        self.body = {"error": {name: value for name, value in error.items() if value is not None}}


class CardError(StripeError):
    """The card said no. What was made of the payment so far remains, and so does this answer."""

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__(message, status=402, kind="card_error", **fields)


def missing_object(kind: str, object_id: str, param: str = "id") -> StripeError:
    """404 for the object of the path, 400 for one that a parameter names."""
    return StripeError(
        f"No such {kind}: '{object_id}'",
        status=404 if param == "id" else 400,
        code="resource_missing",
        param=param,
    )


def missing_parameter(param: str) -> StripeError:
    return StripeError(f"Missing required param: {param}.", code="parameter_missing", param=param)
