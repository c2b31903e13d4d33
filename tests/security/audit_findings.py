"""What an audit of the running product and faults that were put into its code by hand found, and what proves each mended.

A proof is as in `proofs.py`. Chaos runs are programs (`make chaos`), of which the tests named here are small ones.
"""

from collections.abc import Mapping

RUNS = "tests/gatehouse/runs"
SERVING = "tests/gatehouse/http"
AUTH = "tests/gatehouse/auth"
STARTING = f"{RUNS}/test_run_starting.py"
OUTAGES = "tests/chaos/outages/test_outages.py::test_nothing_is_lost_run_twice_or_left_behind"

FINDINGS: Mapping[str, tuple[str, ...]] = {
    "1 chunked trailers": (
        "tests/gatehouse/process/test_protocol.py::TestTrailers",
        "tests/gatehouse/process/test_protocol.py::TestPipelining",
        "tests/gatehouse/process/test_protocol.py::TestHandshake",
        "tests/gatehouse/process/test_ambiguous_requests.py::test_whatever_is_sent_is_answered_or_hung_up_on",
        "tests/gatehouse/process/test_ambiguous_requests.py::test_what_is_hidden_in_an_ambiguous_request_is_not_asked",
    ),
    "2 a client that leaves while its run is created": (f"{STARTING}::TestCallerWhoLeaves", OUTAGES),
    "3 a slow reader": (
        "tests/security/test_slow_readers.py::test_they_hold_little_memory_and_are_cut",
        "tests/security/test_many_connections.py::TestAnswersThatNobodyTakes",
        "tests/security/test_many_connections.py::TestBodiesThatDoNotEnd",
        "tests/gatehouse/process/test_stalled.py::test_a_client_that_reads_nothing_is_cut",
        f"{SERVING}/test_langserve_streams.py::TestSlowReader",
        f"{SERVING}/test_websocket_flood.py::TestReaderOfNothing",
        f"{RUNS}/test_run_log_patches.py::test_it_makes_what_langchain_s_own_makes_of_far_fewer_bytes",
    ),
    "4 errors amplify": (
        f"{SERVING}/test_bounded_errors.py::test_of_a_large_request_is_small",
        f"{SERVING}/test_bounded_errors.py::test_of_twenty_faults_and_one_more_tells_twenty",
        f"{SERVING}/test_mcp.py::test_names_that_answers_repeat_are_short",
    ),
    "5 work over a WebSocket": (
        f"{SERVING}/test_websocket_flood.py::TestMessages",
        f"{SERVING}/test_websocket_flood.py::TestFrames",
    ),
    "6 an exception that is no Exception": (
        f"{RUNS}/test_run_containing.py::test_run_fails_and_others_go_on",
        f"{RUNS}/test_run_containing.py::test_server_lives_on_and_ends_when_it_is_told",
    ),
    "7 idle connections to the management port": (
        "tests/gatehouse/telemetry/test_management.py::TestOddClients",
    ),
    "8 a link starts a run": (
        f"{SERVING}/test_api_event_source.py::test_an_address_that_no_script_asks_for_starts_no_run",
        f"{SERVING}/test_api_event_source.py::test_of_an_old_browser_with_a_cookie_what_it_accepts_says_how_it_asks",
        f"{SERVING}/test_api_event_source.py::TestOtherSites",
    ),
    "9 checkpoints are unpickled": (
        f"{RUNS}/test_run_checkpoints.py::TestSerializer",
        f"{RUNS}/test_run_checkpoints.py::TestTenants",
    ),
    "10 runnables that are not offered": (
        f"{SERVING}/test_offered.py::test_pages_and_the_openapi_document_do_not_name_it",
        f"{SERVING}/test_offered.py::test_the_openapi_document_does_not_name_one_with_a_longer_path",
        f"{SERVING}/test_offered.py::TestLists",
    ),
    "11 revocation is lost with Redis' list": (
        f"{AUTH}/test_revoked_tokens.py::TestLostRedis",
        f"{AUTH}/test_jwt.py::test_without_jti_is_one_for_every_signature_of_its_token",
    ),
    "12 settings that open doors": ("tests/gatehouse/test_settings.py::TestDoors",),
    "13 RS, PS and ES 256, 384 and 512": (
        f"{AUTH}/test_jws_vectors.py::TestVectors",
        f"{AUTH}/test_jws_vectors.py::TestKeysThatAreTooWeak",
        f"{AUTH}/test_jwt.py::TestAlgorithms",
    ),
    "14 the operator's role, and scopes for one's own data": (
        "tests/gatehouse/storage/test_row_level_security.py::TestOperator",
        "tests/security/test_own_data.py::test_a_key_needs_the_scope",
        "tests/security/test_own_data.py::test_a_key_asks_about_a_file_that_it_may_read",
    ),
    "15 known advisories": (
        "tests/test_advisories.py::test_python_packages",
        "tests/test_advisories.py::test_node_packages",
        "tests/test_advisories.py::test_that_are_faulty_are_found",
    ),
    "16 the policy of /docs, and a user id without sub": (
        f"{SERVING}/test_docs.py::test_its_policy_lets_nothing_foreign_in",
        f"{AUTH}/test_claim_names.py::TestUserIdWithoutSub",
    ),
    "17 a refused start runs anyway": (
        f"{STARTING}::TestFrozenRedis",
        f"{STARTING}::TestIdempotencyKey",
        OUTAGES,
    ),
    "18 Redis trouble restarts healthy runs": (
        f"{STARTING}::TestRedisThatWasNotWell",
        f"{RUNS}/test_run_outages.py::TestAfterAnOutage",
    ),
    "19 failover": (
        "tests/gatehouse/storage/test_redis_pool.py::TestServerThatIsNoPrimaryAnyMore",
        "tests/gatehouse/storage/test_redis_pool.py::TestSentinel",
        f"{RUNS}/test_run_viewing.py::TestHole",
        f"{SERVING}/test_health.py::TestNotReady",
        OUTAGES,
    ),
    "20 stale connections": ("tests/gatehouse/storage/test_redis_pool.py::TestIdleConnection",),
    "21 PostgreSQL away": (f"{RUNS}/test_run_outages.py::TestThreadsAway",),
    "22 checkpoints leak": (f"{RUNS}/test_run_checkpoints.py::TestLeftovers",),
    "23 a second execution": (
        f"{RUNS}/test_run_credentials.py::test_do_nothing_in_an_attempt_that_another_process_has_followed",
        f"{RUNS}/test_run_kept_checkpoints.py::test_a_later_attempt_has_all_that_came_before_and_repeats_no_tool",
        "tests/chaos/effects/test_effects.py::test_nothing_is_paid_twice_or_lost_without_a_word",
    ),
    "24 a run without grace whose replica is killed": (
        f"{STARTING}::test_of_a_run_without_grace_does_nothing_but_end_it",
    ),
    "25 a runnable that only the dead replica had": (f"{STARTING}::TestRunnableThatOnlyTheDeadHad",),
    "26 draining replicas adopt, a zombie renews": (
        f"{STARTING}::test_is_left_to_others_by_a_replica_that_drains",
        f"{STARTING}::TestZombie",
    ),
    "27 keys, cursors, threads and surrogates": (
        f"{STARTING}::TestIdempotencyKey",
        f"{STARTING}::TestFrozenRedis",
        f"{RUNS}/test_run_viewing.py::TestCursorOfNoRecord",
        f"{RUNS}/test_run_viewing.py::test_half_a_character_leaves_no_hole",
    ),
    "28 the dev install": (
        "tests/deploy/test_image.py::TestDevOverlay",
        "tests/gatehouse/models/test_unloadable_packages.py::TestEngineOfTheEmbeddedModel",
    ),
    "29 SIGTERM in a pod's first half second": (
        "tests/gatehouse/cli/test_cli_serve.py::test_of_a_start_is_quiet",
        "tests/gatehouse/cli/test_cli_serve.py::test_of_the_first_process_of_a_container",
    ),
    "30 waiting for the migration, probes, and what Redis says": (
        "tests/gatehouse/storage/test_opening.py::test_waits_for_a_migration_that_is_at_work",
        "tests/gatehouse/middleware/test_context.py::test_a_probe_is_logged_when_it_fails",
        "tests/gatehouse/storage/test_multiplexed.py::TestWords",
    ),
    "31 from an empty cluster to an address": (
        "tests/deploy/test_without_operators.py::test_takes_nothing_that_an_operator_defines",
        "tests/deploy/test_kubernetes_schemas.py::test_objects_fit_the_schemas_of_kubernetes",
    ),
}

# What a later attack on items 9 to 31, by other ways, found beside them
RELATIVES: Mapping[str, tuple[str, ...]] = {
    "files of the server, and of its network, as files of a question": (
        f"{SERVING}/test_files_over_wires.py::test_a_file_of_the_server_is_no_file_of_a_question",
        "tests/gatehouse/registry/test_media.py::test_that_could_be_a_file_of_the_server_is_refused",
        "tests/gatehouse/models/test_models.py::TestOtherProviders",
    ),
    "a body that those who check cannot read": (
        f"{SERVING}/test_mcp_tools.py::test_in_a_body_that_few_can_read_is_not_made_without_the_scope",
    ),
    "addresses of many parameters": (
        "tests/gatehouse/process/test_protocol.py::test_so_is_an_address_of_many_parameters",
    ),
    "redirects that name a client's host": ("tests/gatehouse/test_main.py::TestRedirects",),
    "a header that says twice from where": (f"{AUTH}/test_origin.py::test_is_told_once",),
}

UNSEEN: Mapping[str, tuple[str, ...]] = {
    "cancel without the owner's check": (f"{SERVING}/test_api.py::TestRunState",),
    "a viewer whose own credential is revoked": (
        f"{SERVING}/test_viewer_credential.py::test_ends_the_stream_of_a_viewer_whose_own_credential_was_revoked",
    ),
    "a tool that acts in a cancelled or finished run": (
        f"{RUNS}/test_run_credentials.py::test_do_nothing_in_a_run_that_was_cancelled_or_has_ended",
    ),
    "a hold not dropped when a run is given up": (
        f"{RUNS}/test_run_holds.py::test_of_a_run_that_was_given_up_is_renewed_no_longer",
    ),
    "a hold not adopted on takeover": (
        f"{RUNS}/test_run_holds.py::test_is_renewed_by_the_replica_that_took_the_run_over",
    ),
    "lost does not override cancelled": (
        f"{RUNS}/test_run_execution.py::test_that_the_run_is_lost_counts_above_any_other",
    ),
    "a handover with two parallel tools": (f"{RUNS}/test_run_execution.py::TestClearPoint",),
    "emission past withheld records": (f"{RUNS}/test_run_execution.py::TestDoubtfulLease",),
    "a refund doubled": (
        "tests/gatehouse/limits/test_limits_small.py::test_are_counted_whatever_succeeds_in_between",
    ),
    "no heartbeat on SSE": (
        f"{SERVING}/test_viewer_credential.py::test_sends_a_comment_while_nothing_happens",
    ),
    "ready frames dropped before an error frame": (
        f"{SERVING}/test_viewer_credential.py::test_shows_what_was_ready_before_the_error",
        f"{RUNS}/test_run_execution.py::TestTap",
    ),
    "the same attempt answers twice in a thread": (
        "tests/gatehouse/threads/test_thread_history.py::test_of_the_same_attempt_is_stored_once",
    ),
    "SIGHUP that does not await its successor": ("tests/gatehouse/process/test_workers.py::TestReplacing",),
    "a nonce compared by its first characters": (f"{AUTH}/test_id_token.py::TestSignedIn",),
}
