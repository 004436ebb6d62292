"""Every call of the published Python SDK (agentwrit 0.3.0), against a broker.

Environment: BROKER_URL, CLIENT_ID, CLIENT_SECRET of an app with the ceiling
read:data:*, write:data:*; STRICT is "true" for a broker that keeps the embedded
broker's stricter rules. Ends with "all calls done"; an assertion that fails
ends it with a traceback.
"""

import os
import re
import time

import agentwrit
from agentwrit import AgentWritApp, scope_is_subset, validate
from cryptography.hazmat.primitives.asymmetric import ed25519

URL = os.environ["BROKER_URL"]
STRICT = os.environ["STRICT"] == "true"
CLIENT = os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"]
SPIFFE = re.compile(r"spiffe://agentwrit\.local/agent/[^/]+/[^/]+/[0-9a-f]{16}")


def refused(kind, call, status=None, code=None):
    try:
        call()
    except kind as e:
        if status:
            assert e.status_code == status, e.status_code
        if code:
            assert e.problem.error_code == code, e.problem
            assert e.problem.request_id and e.problem.type == "urn:agentwrit:error:" + code
        return
    raise AssertionError(f"no {kind.__name__}")


app = AgentWritApp(URL, *CLIENT, timeout=10.0, user_agent="conformance/1")

health = app.health()
assert health.status == "ok" and health.db_connected and health.uptime >= 0, health
assert health.audit_events_count > 0 and health.version, health

# An agent with defaults, and one with a key, a life and a label of its own.
first = app.create_agent("pipeline", "task-1", ["read:data:a", "write:data:a"])
key = ed25519.Ed25519PrivateKey.generate()
second = app.create_agent("pipeline", "task-2", ["read:data:a"], private_key=key, max_ttl=120, label="worker")
for agent, task, life in (first, "task-1", 300), (second, "task-2", 120):
    assert SPIFFE.fullmatch(agent.agent_id), agent.agent_id
    assert agent.task_id == task and agent.orch_id == "pipeline"
    assert agent.expires_in == life, agent.expires_in
    assert agent.bearer_header == {"Authorization": "Bearer " + agent.access_token}
assert first.scope == ["read:data:a", "write:data:a"]

result = app.validate(first.access_token)
assert result.valid and result.error is None
claims = result.claims
assert claims.sub == first.agent_id and claims.scope == first.scope and claims.task_id == "task-1"
assert claims.exp - claims.iat == 300 and claims.nbf == claims.iat and len(claims.jti) == 32
assert abs(claims.iat - time.time()) < 60
assert validate(URL, first.access_token, timeout=5.0).valid
assert not validate(URL, "garbage").valid
assert validate(URL, "garbage").error == "token is invalid or expired"

# Delegation, and what is refused of it.
token = first.delegate(second.agent_id, ["read:data:a"], ttl=30)
assert token.expires_in == 30 and [hop.agent for hop in token.delegation_chain] == [first.agent_id]
assert token.delegation_chain[0].scope == first.scope and token.delegation_chain[0].delegated_at
delegated = validate(URL, token.access_token).claims
assert delegated.sub == second.agent_id and delegated.scope == ["read:data:a"] and delegated.chain_hash
assert delegated.delegation_chain[0].agent == first.agent_id
assert first.delegate(second.agent_id, ["read:data:a"]).expires_in == 60
refused(agentwrit.AuthorizationError, lambda: second.delegate(first.agent_id, ["write:data:a"]), 403, "scope_violation")
refused(agentwrit.ProblemResponseError,
        lambda: first.delegate("spiffe://agentwrit.local/agent/x/y/0123456789abcdef", ["read:data:a"]), 404, "not_found")

# Renewal kills the old token; the agent goes on with the new one.
old = first.access_token
first.renew()
assert first.access_token != old and first.expires_in == 300
assert not validate(URL, old).valid and validate(URL, first.access_token).valid
assert validate(URL, token.access_token).valid, "a renewal harms no descendant"

# Release is final, and harmless to repeat.
first.release()
first.release()
assert not validate(URL, first.access_token).valid
assert validate(URL, token.access_token).valid != STRICT, "a descendant of a released agent"
refused(agentwrit.AgentWritError, first.renew)
refused(agentwrit.AgentWritError, lambda: first.delegate(second.agent_id, ["read:data:a"]))
second.release()

refused(agentwrit.AuthorizationError, lambda: app.create_agent("o", "t", ["read:other:a"]), 403, "forbidden")
if STRICT:
    refused(agentwrit.ProblemResponseError, lambda: app.create_agent("../o", "t", ["read:data:a"]), 400, "invalid_request")

wrong = AgentWritApp(URL, CLIENT[0], "0" * 64)
refused(agentwrit.AuthenticationError, lambda: wrong.create_agent("o", "t", ["read:data:a"]), 401, "unauthorized")
wrong.close()
for _ in range(3):  # the burst for one client ID is 3
    again = AgentWritApp(URL, *CLIENT)
    try:
        again.create_agent("o", "t", ["read:data:a"])
    except agentwrit.RateLimitError as e:
        assert e.status_code == 429 and e.problem.error_code == "rate_limited"
        break
    finally:
        again.close()
else:
    raise AssertionError("never rate limited")

refused(agentwrit.TransportError, lambda: AgentWritApp("http://127.0.0.1:1", *CLIENT).health())
assert scope_is_subset(["read:data:a"], ["read:data:*"]) and not scope_is_subset(["read:data:*"], ["read:data:a"])
app.close()
print("all calls done")
