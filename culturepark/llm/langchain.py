"""Any LangChain chat model as a ``ChatClient``; the only file that touches langchain."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from culturepark.errors import CallError, ConfigError, CultureParkError, MissingPartError
from culturepark.llm.base import Finish, Reply, Request, Usage
from culturepark.llm.faults import UnreachableError, clean_message, error_for, read_fault
from culturepark.llm.wire import hide_secrets, join_text, response_format

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

_FINISHES: dict[Finish, tuple[str, ...]] = {
    "stop": ("", "stop", "end_turn", "stop_sequence", "complete", "eos"),
    "length": ("length", "max_tokens", "model_length"),
    "filter": ("content_filter", "safety", "refusal", "blocklist", "prohibited_content"),
}
_CUTS: dict[str, Finish] = {"LengthFinishReasonError": "length", "ContentFilterFinishReasonError": "filter"}
_NETWORK = {"APIConnectionError", "TransportError", "ConnectionError", "ClientError"}
_UNREADABLE = {"JSONDecodeError", "APIResponseValidationError", "APIError"}
# How chat models of several makers call the same settings, as fields of the model object.
_FIELDS = {
    "temperature": ("temperature",),
    "top_p": ("top_p",),
    "max_tokens": ("max_tokens", "max_output_tokens", "num_predict"),
    "seed": ("seed",),
}


def turn_tracing_off() -> None:
    """Keep prompts from LangSmith, whatever the environment says, unless CULTUREPARK_TRACING=1."""
    if os.environ.get("CULTUREPARK_TRACING") != "1":
        for prefix in ("LANGSMITH", "LANGCHAIN"):
            os.environ[f"{prefix}_TRACING"] = "false"
            os.environ[f"{prefix}_TRACING_V2"] = "false"
        _forget_tracing_settings()


def _forget_tracing_settings() -> None:
    """langsmith reads the environment once; make it look again when it already has."""
    import sys

    if settings := sys.modules.get("langsmith.utils"):
        settings.get_env_var.cache_clear()


def open_langchain(spec: str, **settings: Any) -> LangChainClient:
    """A client for ``provider:model``; ``settings`` go to the model's class (``api_key``, ``base_url``)."""
    provider, _, model = spec.partition(":")
    if not provider or not model:
        raise ConfigError(f"{spec!r} must be written provider:model, for example openai:gpt-4o-mini")
    turn_tracing_off()
    try:
        return LangChainClient(_make_model(provider, model, settings))
    except ImportError as error:
        package = f"langchain-{provider.replace('_', '-')}"
        parts = package if provider == "openai" else f"langchain {package}"
        raise MissingPartError(f"{spec} needs more packages: pip install {parts}") from error


def _make_model(provider: str, model: str, settings: Mapping[str, Any]) -> BaseChatModel:
    try:
        if provider == "openai":
            from langchain_openai import ChatOpenAI

            return ChatOpenAI(model=model, **{"max_retries": 0, "use_responses_api": False, **settings})
        from langchain.chat_models import init_chat_model  # type: ignore[import-not-found, unused-ignore]

        made: BaseChatModel = init_chat_model(model, model_provider=provider, **settings)
        return made
    except ImportError:
        raise
    except Exception as error:  # each maker refuses bad settings with a class of its own
        secrets = [value for value in settings.values() if isinstance(value, str)]
        told = clean_message(str(error), secrets)
        raise ConfigError(f"{provider}:{model} cannot be opened: {told}") from None


class LangChainClient:
    """Asks a LangChain chat model; the model decides which model name is used, not the request.

    Models of the OpenAI family get every setting and the schema. For others the settings they have
    fields for are set, ``stop`` is passed, and the prompt's words must do for the schema.
    """

    def __init__(self, chat_model: BaseChatModel) -> None:
        turn_tracing_off()
        self._model = chat_model
        self._name = type(chat_model).__name__
        self._secrets = _find_secrets(chat_model)
        self._credentials = [secret for secret in self._secrets if len(secret) >= 8]
        self._is_openai = any(kind.__name__ == "BaseChatOpenAI" for kind in type(chat_model).__mro__)

    def __repr__(self) -> str:
        return f"LangChainClient({self._name})"

    async def reply(self, request: Request) -> Reply:
        """Answer one request."""
        model, settings = self._prepare(request)
        try:
            message = await model.ainvoke([dict(message) for message in request.messages], **settings)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # every maker has its own tree of errors
            cut = _read_cut_completion(error)
            if cut is None:
                raise self._translate(error) from None
            return hide_secrets(cut, self._credentials)
        return hide_secrets(_read_message(message), self._credentials)

    async def close(self) -> None:
        """Close the model's connections where it has a way to."""
        root = getattr(self._model, "root_async_client", None)
        if root is not None:
            await root.close()

    def _prepare(self, request: Request) -> tuple[Any, dict[str, Any]]:
        sampling = request.sampling
        values = {name: getattr(sampling, name) for name in _FIELDS if getattr(sampling, name) is not None}
        settings: dict[str, Any] = {"stop": list(sampling.stop)} if sampling.stop else {}
        if self._is_openai:
            if sampling.extra:
                settings["extra_body"] = dict(sampling.extra)
            if request.schema is not None:
                settings["response_format"] = response_format(request)
            return self._model, values | settings
        fields = getattr(type(self._model), "model_fields", {})
        found = {field: value for name, value in values.items() for field in _FIELDS[name] if field in fields}
        return (self._model.model_copy(update=found) if found else self._model), settings

    def _translate(self, error: Exception) -> CultureParkError:
        """The error of ours that says the same, without secrets."""
        where = f"the server behind {self._name}"
        status = getattr(error, "status_code", None)
        if isinstance(status, int):
            response = getattr(error, "response", None)
            headers = getattr(response, "headers", None) or {}
            body = getattr(error, "body", None)
            body = body if isinstance(body, (dict, list)) else {"message": _first_line(error)}
            return error_for(read_fault(status, body, headers, self._secrets), where)
        names = {kind.__name__ for kind in type(error).__mro__}
        told = clean_message(f"{type(error).__name__}: {error}", self._secrets)
        if any("Timeout" in name for name in names):
            return CallError(f"{where} gave no answer in time ({told})", "timeout")
        if any(_is_refusal_to_connect(cause) for cause in _causes(error)):
            return UnreachableError(f"cannot connect to {where}")
        if names & _NETWORK:
            return CallError(f"the connection to {where} broke ({told})", "network")
        if names & _UNREADABLE or "value for 'choices'" in str(error):
            return CallError(f"{where} answered without a usable reply ({told})", "server")
        return CallError(f"{self._name} cannot answer this request ({told})", "request")


def _find_secrets(chat_model: Any) -> tuple[str, ...]:
    values = vars(chat_model).values() if hasattr(chat_model, "__dict__") else ()
    return tuple(value.get_secret_value() for value in values if hasattr(value, "get_secret_value"))


def _causes(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and len(chain) < 10:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    return chain


def _is_refusal_to_connect(cause: BaseException) -> bool:
    return type(cause).__name__ == "ConnectError" or isinstance(cause, ConnectionRefusedError)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else ""


def _read_cut_completion(error: Exception) -> Reply | None:
    """The reply inside the errors that openai raises for a schema reply cut by length or filter."""
    finish = _CUTS.get(type(error).__name__)
    if finish is None:
        return None
    completion = getattr(error, "completion", None)
    if completion is None:
        return Reply("", finish)
    usage = completion.usage
    details = getattr(usage, "prompt_tokens_details", None)
    cached = getattr(details, "cached_tokens", None) or 0
    counted = Usage(usage.prompt_tokens, cached, usage.completion_tokens) if usage else Usage()
    return Reply(completion.choices[0].message.content or "", finish, counted, completion.model)


def _read_message(message: Any) -> Reply:
    usage = getattr(message, "usage_metadata", None) or {}
    details = usage.get("input_token_details") or {}
    about = getattr(message, "response_metadata", None) or {}
    why = str(about.get("finish_reason") or about.get("stop_reason") or about.get("done_reason") or "")
    return Reply(
        text=join_text(message.content),
        finish=next((finish for finish, words in _FINISHES.items() if why.lower() in words), "other"),
        usage=Usage(
            input=usage.get("input_tokens") or 0,
            cached=details.get("cache_read") or 0,
            output=usage.get("output_tokens") or 0,
        ),
        model=str(about.get("model_name") or about.get("model") or ""),
        refusal=str((getattr(message, "additional_kwargs", None) or {}).get("refusal") or ""),
    )
