"""Where each line of what Gatehouse requires of itself (docs/security.md) is proven.

A proof is `file::name`, a class or a test of this tree. `test_proofs.py` fails for one that is not there.
"""

from collections.abc import Mapping

MATRIX = "tests/security/test_route_matrix.py"
AUTH = "tests/gatehouse/auth"
SERVING = "tests/gatehouse/http"

REQUIREMENTS: Mapping[str, tuple[str, ...]] = {
    "1 default deny": (
        f"{MATRIX}::test_the_matrix_lists_every_route",
        f"{MATRIX}::TestWithoutCredential",
        f"{AUTH}/test_authenticate.py::TestWithoutCredential",
    ),
    "2 one credential": (
        f"{MATRIX}::TestWithABadCredential",
        f"{MATRIX}::TestWithTooLittle",
        f"{AUTH}/test_authenticate.py::TestTwoCredentials",
        f"{AUTH}/test_credential_routes.py::TestTicket",
    ),
    "3 JWT": (f"{AUTH}/test_jwt.py::TestHeader", f"{AUTH}/test_jwt.py::TestClaims"),
    "4 JWKS": (
        f"{AUTH}/test_jwk_set.py::TestKeysFromJwks",
        f"{AUTH}/test_key_source.py::TestLoadKeys",
        f"{AUTH}/test_jwks.py::TestKnownKey",
        f"{AUTH}/test_jwks.py::TestUnknownKey",
        f"{AUTH}/test_jwks.py::TestRefresh",
        f"{AUTH}/test_oidc_live.py::TestRotation",
    ),
    "5 API keys": (
        f"{AUTH}/test_api_keys.py::TestVerify",
        f"{AUTH}/test_api_keys.py::TestPepperRotation",
        f"{AUTH}/test_key_upkeep.py::TestLastUse",
        f"{AUTH}/test_key_routes.py::TestOtherTenants",
        "tests/security/test_tickets_and_revocation.py::TestRevocation",
    ),
    "6 browser": (
        f"{AUTH}/test_signin.py::TestCookie",
        f"{AUTH}/test_signin.py::TestRotation",
        f"{AUTH}/test_authenticate.py::TestForgery",
        f"{AUTH}/test_websocket_handshake.py::TestHandshakeWithCookie",
        f"{AUTH}/test_tickets.py::TestRedeem",
        f"{AUTH}/test_oidc_live.py::TestSignIn",
        f"{AUTH}/test_oidc_live.py::TestCallback",
        f"{AUTH}/test_oidc_live.py::TestBackChannelLogout",
        "tests/security/test_tickets_and_revocation.py::TestTicket",
    ),
    "7 long streams": (
        "tests/gatehouse/runs/test_run_credentials.py::TestExpiry",
        "tests/gatehouse/runs/test_run_credentials.py::TestRevocation",
        "tests/gatehouse/runs/test_run_credentials.py::TestToolsThatAct",
        f"{SERVING}/test_websocket.py::TestCredential",
        f"{SERVING}/test_viewer_credential.py::TestWhileHeld",
    ),
    "8 configurable": (
        f"{SERVING}/test_langserve_identity.py::TestForgery",
        "tests/tools/test_tools_in_agent.py::TestIdentity",
    ),
    "9 rows": (
        "tests/gatehouse/storage/test_row_level_security.py::TestPolicies",
        "tests/gatehouse/audit/test_audit.py::TestAppendOnly",
        "tests/gatehouse/threads/test_thread_store.py::TestStrangers",
        "tests/gatehouse/threads/test_thread_routes.py::TestStrangers",
    ),
    "10 scopes": (
        f"{SERVING}/test_audit_routes.py::TestReading",
        f"{MATRIX}::TestWithTooLittle",
        f"{MATRIX}::TestWithAGoodCredential",
        f"{AUTH}/test_key_routes.py::test_grants_nothing_that_the_maker_lacks",
        f"{SERVING}/test_offered.py::test_its_routes_answer_as_if_there_were_none",
    ),
    "11 human messages only": (f"{SERVING}/test_bodies.py::TestMessages",),
    "12 sizes and times": (
        "tests/gatehouse/middleware/test_body_limit.py::TestBodyLimit",
        "tests/gatehouse/process/test_protocol.py::TestSize",
        "tests/gatehouse/process/test_protocol.py::TestTime",
        f"{SERVING}/test_bodies.py::TestSize",
        f"{SERVING}/test_langserve_streams.py::TestSlowReader",
        f"{SERVING}/test_limited.py::TestStreams",
    ),
    "13 requests, runs and tokens": (
        f"{SERVING}/test_limited.py::TestRequests",
        f"{SERVING}/test_limited.py::TestRuns",
        f"{SERVING}/test_limited.py::TestSignIns",
        f"{SERVING}/test_limited.py::TestWithoutRedis",
        "tests/gatehouse/limits/test_limits_processes.py::test_requests_are_counted_exactly",
        "tests/gatehouse/limits/test_limits_processes.py::test_runs_are_counted_exactly",
        "tests/gatehouse/limits/test_limits_processes.py::test_tokens_are_counted_exactly",
        "tests/gatehouse/limits/test_limits_processes.py::test_killed_process_frees_what_it_held_within_its_lease",
    ),
    "14 nothing secret is shown": (
        "tests/gatehouse/telemetry/test_redaction.py::TestRedact",
        "tests/gatehouse/telemetry/test_logs.py::TestOurOwn",
        f"{SERVING}/test_traces.py::TestSpans",
        f"{SERVING}/test_metrics.py::TestRequests",
        f"{SERVING}/test_langserve_errors.py::TestWholeAnswers",
        "tests/gatehouse/runs/test_run_streaming_agent.py::TestToolFailures",
    ),
    "15 headers": (
        "tests/gatehouse/middleware/test_security_headers.py::TestSecurityHeaders",
        f"{SERVING}/test_cors.py::TestDefault",
    ),
}

CASES: Mapping[str, tuple[str, ...]] = {
    "no credential, on every route and method": (f"{MATRIX}::TestWithoutCredential",),
    "alg none in any spelling; HS256 signed with the public key": (
        f"{AUTH}/test_jwt.py::TestHeader",
        f"{AUTH}/test_jwt.py::TestAsymmetricKeys",
    ),
    "kid unknown, a path, SQL, an array, 10 kB": (
        f"{AUTH}/test_jwt.py::TestAsymmetricKeys",
        f"{AUTH}/test_jwks.py::TestUnknownKey",
    ),
    "key rotated; removed; JWKS down, slow, 500, redirecting, 1 GB, HTML": (
        f"{AUTH}/test_oidc_live.py::TestRotation",
        f"{AUTH}/test_jwks.py::TestIssuerThat",
        f"{AUTH}/test_jwks.py::TestRefresh",
    ),
    "exp missing, null, NaN, …; nbf or iat in the future; ten years": (f"{AUTH}/test_jwt.py::TestClaims",),
    "aud and issuer": (f"{AUTH}/test_jwt.py::TestClaims",),
    "key with bad checksum, revoked, expired, in overlap": (
        f"{AUTH}/test_api_keys.py::test_refuses_garbage_without_the_database",
        f"{AUTH}/test_api_keys.py::TestRevoke",
        f"{AUTH}/test_api_keys.py::TestRotate",
        "tests/security/test_tickets_and_revocation.py::TestRevocation",
    ),
    "configurable with user_id, tenant, scopes, __x": (f"{SERVING}/test_langserve_identity.py::TestForgery",),
    "two users interleaved 1,000 times": (
        "tests/security/test_cross_talk.py::test_no_answer_tool_result_or_thread_crosses",
    ),
    "thread, run, ticket of another user": (
        "tests/gatehouse/threads/test_thread_routes.py::TestStrangers",
        f"{SERVING}/test_api.py::TestRunState",
        "tests/security/test_tickets_and_revocation.py::TestTicket",
    ),
    "system, tool or AI messages; an lc dict anywhere": (
        f"{SERVING}/test_bodies.py::TestMessages",
        f"{SERVING}/test_bodies.py::TestSerialisedObjects",
    ),
    "text/plain or cross-site POST with a cookie; WebSocket with a foreign Origin": (
        f"{AUTH}/test_authenticate.py::TestForgery",
        f"{AUTH}/test_websocket_handshake.py::TestHandshakeWithCookie",
    ),
    "ticket replayed, expired, on another route, raced on two replicas": (
        f"{AUTH}/test_tickets.py::TestRedeem",
        "tests/security/test_tickets_and_revocation.py::TestTicket",
    ),
    "bad UTF-8, surrogates, deep JSON, huge integers, …": (
        f"{SERVING}/test_bodies.py::TestNoJson",
        f"{SERVING}/test_bodies.py::TestShape",
        "tests/security/test_openapi.py::test_no_request_gets_an_undocumented_answer",
    ),
    "body over the limit; batch of 5,000; N+1 streams": (
        "tests/gatehouse/middleware/test_body_limit.py::TestBodyLimit",
        f"{SERVING}/test_bodies.py::TestSize",
        f"{SERVING}/test_limited.py::TestStreams",
    ),
    "a tool raises with a secret in its text": (
        f"{SERVING}/test_langserve_errors.py::TestAgentThatContainsItsTools",
        "tests/gatehouse/runs/test_run_streaming_agent.py::TestToolFailures",
    ),
}
