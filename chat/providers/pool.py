"""The loaded providers of a providers file, and the chains of them that answer.

A chain is made of small parts, from the inside out: the provider; what it costs (`Priced`); leaving
it alone when it fails (`Guarded`); asking again (`Retrying`); asking the next one (`Fallback`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

from chat.errors import ChatError
from chat.providers import Llm, ProviderOptions, load_provider
from chat.providers.blind import Blind
from chat.providers.config import Kind, ProviderEntry, ProvidersFile, key_of
from chat.providers.fallback import Fallback
from chat.providers.guarded import Circuit, Guarded
from chat.providers.priced import Priced
from chat.providers.retrying import Retrying


class Pool:
    """Every provider of the file by its name; chains share them and their connections."""

    def __init__(self, file: ProvidersFile, llms: Mapping[str, Llm]) -> None:
        self.file = file
        self._llms = dict(llms)

    def llm(self, name: str = "") -> Llm:
        """The chain that begins at the provider `name`, or at the file's first one.

        Raises `ChatError` `llm_unknown`. Closing a chain closes its providers: close the pool
        instead where several chains are in use.
        """
        return Fallback([self._llms[each] for each in self.order(name)])

    def order(self, name: str = "") -> tuple[str, ...]:
        """The names that are asked, in order."""
        name = name or self.file.first
        return (name, *dict.fromkeys(self.entry(name).fallback))

    def entry(self, name: str = "") -> ProviderEntry:
        """What the file says of it. Raises `ChatError` `llm_unknown`."""
        name = name or self.file.first
        if name not in self.file.providers:
            raise ChatError("llm_unknown", f"there is no provider {name!r}")
        return self.file.providers[name]

    def context_tokens(self, name: str = "") -> int:
        """The context that every model of the chain has: a prompt must fit the last one, too."""
        return min(self.entry(each).context_tokens for each in self.order(name))

    async def close(self) -> None:
        """Close all providers."""
        for llm in self._llms.values():
            await llm.close()


def load_pool(
    file: ProvidersFile,
    *,
    weights: Path,
    device: str = "auto",
    threads: int = 1,
    environment: Mapping[str, str] = os.environ,
) -> Pool:
    """Load all providers of the file (blocking where a model runs in this process).

    Raises `ChatError`: `providers_file` for a key that is missing, and what a provider raises.
    """
    keys = {
        name: key_of(entry.key_env, environment, f"providers.{name}.key_env")
        for name, entry in file.providers.items()
    }
    circuits: dict[tuple[str | None, str | None], Circuit] = {}
    llms: dict[str, Llm] = {}
    for name, entry in file.providers.items():
        options = ProviderOptions(
            weights=weights,
            model=entry.model,
            base_url=entry.base_url or "",
            api_key=keys[name],
            device=device,
            threads=threads,
            context_tokens=entry.context_tokens,
            connect_timeout=entry.timeouts.connect,
            first_token_timeout=entry.timeouts.first_token,
            between_tokens_timeout=entry.timeouts.between_tokens,
        )
        circuit = circuits.setdefault((entry.base_url, entry.key_env), Circuit())
        llms[name] = _load(name, entry, options, circuit)
    return Pool(file, llms)


def single_pool(
    kind: str, options: ProviderOptions, *, name: str = "default", tier: str = "standard"
) -> Pool:
    """A pool of one provider that no file describes (blocking). Raises what it raises."""
    entry = ProviderEntry.model_construct(
        kind=cast("Kind", kind),
        model=options.model,
        context_tokens=options.context_tokens,
        tier=tier,
    )
    file = ProvidersFile.model_construct(default=name, providers={name: entry})
    return Pool(file, {name: _load(name, entry, options, Circuit())})


def _load(name: str, entry: ProviderEntry, options: ProviderOptions, circuit: Circuit) -> Llm:
    """Load a provider and put the parts around it that are its own."""
    llm = load_provider(entry.kind, replace(options, retry=False))
    priced = Priced(llm if entry.sees_images else Blind(llm), name, entry.price.price())
    if entry.kind == "llama-cpp":  # it has its own queue, and no network that could fail
        return priced
    return Retrying(Guarded(priced, circuit), entry.retries)


def load_chain(
    file: ProvidersFile,
    *,
    weights: Path,
    name: str = "",
    device: str = "auto",
    threads: int = 1,
    environment: Mapping[str, str] = os.environ,
) -> Llm:
    """Only the providers of one chain, for where nothing else is asked; see `load_pool`."""
    start = name or file.first
    if start not in file.providers:
        raise ChatError("llm_unknown", f"there is no provider {start!r}")
    needed = {start, *file.providers[start].fallback}
    # The others' fallbacks are of no use here, and would name providers that are left out.
    entries = {
        each: entry if each == start else entry.model_copy(update={"fallback": ()})
        for each, entry in file.providers.items()
        if each in needed
    }
    part = file.model_copy(update={"providers": entries, "default": start})
    pool = load_pool(part, weights=weights, device=device, threads=threads, environment=environment)
    return pool.llm()
