"""The providers file: what it says, and what it says when it is wrong."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from chat.errors import ChatError
from chat.providers import PROVIDERS
from chat.providers.config import key_of, parse_providers, read_providers, shown
from chat.providers.pool import load_chain, load_pool
from chat.usage import Caps, Price
from tests.providers.servers import KEY

EXAMPLE = Path(__file__).parents[2] / "docs" / "providers.example.toml"
OLLAMA = '[providers.a]\nkind = "openai-compatible"\nbase_url = "http://127.0.0.1:11434/v1"\n'


def mistakes(text: str) -> str:
    with pytest.raises(ChatError) as caught:
        parse_providers(text)
    assert caught.value.code == "providers_file"
    return caught.value.message


def test_the_example_is_valid_and_shows_every_kind_and_field() -> None:
    file = read_providers(EXAMPLE)
    assert {entry.kind for entry in file.providers.values()} == set(PROVIDERS)
    text = EXAMPLE.read_text()
    for model in (file, file.providers["openai"], file.caps, file.tools, file.mcp["files"]):
        for field in type(model).model_fields:
            assert f"{field} =" in text or f"[{field}" in text, field
    assert file.caps.caps() == Caps(2_000_000, Decimal("5.00"))
    assert file.providers["claude"].price.price() == Price(Decimal("3.00"), Decimal("15.00"))


def test_what_is_not_said_has_defaults() -> None:
    file = parse_providers(OLLAMA)
    entry = file.providers["a"]
    assert (file.first, entry.tier, entry.retries, entry.fallback) == ("a", "standard", 1, ())
    assert entry.price.price() == Price()
    assert file.caps.caps() == Caps()
    assert not file.mcp


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[providers", "is no TOML"),
        ("", "providers: Field required"),
        ("[providers]", "providers: Dictionary should have at least 1 item"),
        ('[providers."A b"]\nkind = "llama-cpp"', "providers.A b: String should match pattern"),
        ("[providers.a]", "providers.a.kind: Field required"),
        ('[providers.a]\nkind = "gpt"', "providers.a.kind: Input should be 'llama-cpp', "),
        ('[providers.a]\nkind = "openai-compatible"', "providers.a: base_url is missing"),
        ('[providers.a]\nkind = "anthropic"', "providers.a: model is missing"),
        ('[providers.a]\nkind = "llama-cpp"\nkey_env = "K"', "providers.a: llama-cpp runs in this"),
        (
            '[providers.a]\nkind = "llama-cpp"\nsees_images = true',
            "providers.a: llama-cpp models see no images here",
        ),
        (OLLAMA + "api_key = 5", "providers.a.api_key: there is no such field"),
        (OLLAMA + "retries = 9", "providers.a.retries: Input should be less than or equal to 5"),
        (OLLAMA + "price.input = -1", "providers.a.price.input: Input should be greater than"),
        (OLLAMA + "timeouts.connect = 0", "providers.a.timeouts.connect: Input should be greater"),
        (OLLAMA + 'fallback = ["b"]', "providers.a.fallback: there is no other 'b'"),
        (OLLAMA + 'fallback = ["a"]', "providers.a.fallback: there is no other 'a'"),
        ('default = "b"\n' + OLLAMA, "default: there is no provider 'b'"),
        (OLLAMA + "[caps]\nmoney_per_day = -1", "caps.money_per_day: Input should be greater"),
        (OLLAMA + "[mcp.x]", "mcp.x: give either command or url"),
        (
            OLLAMA + '[mcp.x]\ncommand = ["x"]\nkey_env = "K"',
            "mcp.x: key_env is for url; a command gets its keys by pass_env",
        ),
        (
            OLLAMA + '[mcp.x]\nurl = "http://x"\npass_env = ["K"]',
            "mcp.x: pass_env is for command; a url gets its key by key_env",
        ),
    ],
)
def test_mistakes_are_told_with_their_place(text: str, told: str) -> None:
    assert told in mistakes(text)


def test_all_mistakes_are_told_at_once() -> None:
    message = mistakes(OLLAMA + "retries = 9\ncontext_tokens = 1")
    assert message.startswith("providers.toml: ")
    assert "retries" in message
    assert "context_tokens" in message


@pytest.mark.parametrize(
    "address",
    [f"https://user:{KEY}@host/v1", f"https://host/v1?key={KEY}", f"https://host/#{KEY}"],
)
def test_keys_have_no_place_in_an_address(address: str) -> None:
    message = mistakes(f'[providers.a]\nkind = "openai-compatible"\nbase_url = "{address}"')
    assert "providers.a.base_url" in message
    assert KEY not in message


def test_a_key_in_place_of_its_variables_name_is_not_repeated() -> None:
    message = mistakes(OLLAMA + f'key_env = "{KEY}"')
    assert "providers.a.key_env" in message
    assert KEY not in message


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    for name in ("missing.toml", "binary.toml"):
        with pytest.raises(ChatError) as caught:
            read_providers(tmp_path / name)
        assert caught.value.message == f"{name} cannot be read"


def test_the_client_sees_names_and_tiers() -> None:
    file = read_providers(EXAMPLE)
    seen = shown(file)
    assert [each.name for each in seen] == list(file.providers)
    assert [each.name for each in seen if each.default] == ["local"]
    assert {each.tier for each in seen} == {"free", "fast", "best"}
    told = repr(seen)
    for entry in file.providers.values():
        for secret in (entry.base_url, entry.key_env, entry.model):
            assert not secret or secret not in told


def test_keys_come_from_the_environment() -> None:
    assert key_of(None, {}, "x") == ""
    assert key_of("K", {"K": " secret\n"}, "x") == "secret"
    for environment in ({}, {"K": " "}):
        with pytest.raises(ChatError, match="the environment has no K"):
            key_of("K", environment, "providers.a.key_env")


def test_a_missing_key_is_told_before_anything_is_loaded() -> None:
    file = parse_providers('[providers.l]\nkind = "llama-cpp"\n' + OLLAMA + 'key_env = "K"')
    with pytest.raises(ChatError) as caught:
        load_pool(file, weights=Path("nowhere"), environment={})
    assert caught.value.message == "providers.a.key_env: the environment has no K"


async def test_a_chain_loads_only_what_it_asks() -> None:
    file = parse_providers(
        '[providers.l]\nkind = "llama-cpp"\n'
        + OLLAMA
        + 'model = "x"\nfallback = ["b"]\n'
        + OLLAMA.replace("providers.a", "providers.b")
        + 'fallback = ["l"]'
    )
    chain = load_chain(file, weights=Path("nowhere"), name="a", environment={})
    assert chain.name == "x"
    await chain.close()
    for load in (load_chain, load_pool):
        with pytest.raises(ChatError) as caught:
            load(file, weights=Path("nowhere"), environment={})
        assert caught.value.code == "llm_unreachable"
    with pytest.raises(ChatError) as caught:
        load_chain(file, weights=Path("nowhere"), name="nobody", environment={})
    assert caught.value.code == "llm_unknown"
