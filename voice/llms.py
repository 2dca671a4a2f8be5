"""Which language models answer, by the settings."""

from __future__ import annotations

from collections.abc import Callable

from chat.providers import ProviderOptions
from chat.providers.config import read_providers
from chat.providers.pool import Pool, load_pool, single_pool
from voice.settings import Settings


def loader(settings: Settings) -> tuple[str, Callable[[], Pool]]:
    """The names of the language models, and the blocking call that loads them."""
    if settings.providers_file is None:
        options, kind = provider_options(settings), provider_name(settings)
        return f"{kind} {options.model}".strip(), lambda: single_pool(kind, options)
    file = read_providers(settings.providers_file)
    return ", ".join(file.providers), lambda: load_pool(
        file, weights=settings.weights, device=settings.device, threads=settings.llm.threads
    )


def fitted(settings: Settings) -> Settings:
    """The settings, with the context of the model that the voice uses."""
    if settings.providers_file is None:
        return settings
    file = read_providers(settings.providers_file)
    tokens = file.providers[file.first].context_tokens
    llm = settings.llm.model_copy(update={"context_tokens": tokens})
    return settings.model_copy(update={"llm": llm})


def provider_name(settings: Settings) -> str:
    """The provider that `auto` stands for."""
    if settings.llm.provider != "auto":
        return settings.llm.provider
    return "openai-compatible" if settings.llm.base_url else "llama-cpp"


def provider_options(settings: Settings) -> ProviderOptions:
    """What the language model's provider is told."""
    llm = settings.llm
    return ProviderOptions(
        weights=settings.weights,
        model=llm.model,
        base_url=llm.base_url,
        api_key=llm.api_key.get_secret_value(),
        device=settings.device,
        threads=llm.threads,
        context_tokens=llm.context_tokens,
        connect_timeout=llm.connect_timeout,
        first_token_timeout=llm.first_token_timeout,
        between_tokens_timeout=llm.between_tokens_timeout,
    )
