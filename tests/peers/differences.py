"""The tests of LangServe that do not pass through Gatehouse, each with its reason; docs/migrating.md has them."""

SERVER = "test_server_client.py"
LINE_ENDS = (  # `python -m tests.peers` runs them again, with the lines that they look for: then they pass
    "passes but for the ends of lines: it looks for event streams' lines that end in CRLF, and ours end in LF, "
    "as docs/adr/0026-wires-are-projections-of-the-run-log.md says"
)

DIFFERENCES = {
    f"{SERVER}::test_server_bound_async": "a run's config holds who asked, where the test expects nothing",
    f"{SERVER}::test_path_dependencies": "wants `dependencies`; who may call is said by scopes",
    f"{SERVER}::test_passing_run_id_from_client": "a client's own run id could be that of another's run",
    f"{SERVER}::test_per_request_config_modifier_endpoints": "`per_req_config_modifier` reads what a client "
    "says; claims of its credential take its place",
    f"{SERVER}::test_feedback_succeeds_when_langsmith_enabled": "fails on LangServe too, with LangSmith's "
    "package of today; and gives feedback on a run that is nobody's",
    f"{SERVER}::test_token_feedback_included_in_responses": LINE_ENDS,
    f"{SERVER}::test_astream_log_allowlist": "`stream_log_name_allow_list` opens or shuts both logs as a whole: "
    "`disabled_endpoints` says that",
    f"{SERVER}::test_astream_events_with_serialization": "events name a value that JSON has no form for, by its "
    "type, in place of ending the stream",
    f"{SERVER}::test_server_async": LINE_ENDS,
    f"{SERVER}::test_server_astream_events": LINE_ENDS,
    f"{SERVER}::test_astream_events_with_prompt_model_parser_chain": "fails on LangServe too, with "
    "langchain-core 1.8",
    **dict.fromkeys(
        (
            "utils/test_fake_chat_model.py::test_generic_fake_chat_model_stream",
            "utils/test_fake_chat_model.py::test_generic_fake_chat_model_astream_log",
            "utils/test_fake_chat_model.py::test_callback_handlers",
        ),
        "fails on LangServe too, of LangChain's own fake model with langchain-core 1.8",
    ),
}
LINE_ENDED = [name for name, reason in DIFFERENCES.items() if reason == LINE_ENDS]
