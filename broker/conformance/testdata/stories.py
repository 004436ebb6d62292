"""Acceptance stories of the published Python SDK (agentwrit 0.3.0), against a broker.

Each story is what a developer or an operator does with a broker, from the first
call to the last. Environment: BROKER_URL, ADMIN_SECRET, CLIENT_ID and CLIENT_SECRET
of an app with the ceiling read:data:*, write:data:*, read:logs:*; STRICT is "true"
for a broker that keeps the embedded broker's stricter rules. Prints a line for each
story, and ends with "all stories told"; an assertion that fails ends it with a
traceback.
"""

import base64
import hashlib
import json
import os
import secrets
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import agentwrit
from agentwrit import Agent, AgentWritApp, scope_is_subset, validate
from cryptography.hazmat.primitives.asymmetric import ed25519

URL = os.environ["BROKER_URL"]
STRICT = os.environ["STRICT"] == "true"
CLIENT = os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"]


def refused(kind, call, status=None):
    try:
        call()
    except kind as e:
        assert status is None or e.status_code == status, e
        return e
    raise AssertionError(f"no {kind.__name__}")


def request(method, path, body=None, token=None):
    """Calls the broker as an operator's tool does."""
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = "Bearer " + token
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(URL + path, data, headers, method=method), timeout=10) as answer:
        return json.load(answer)


app = AgentWritApp(URL, *CLIENT)
admin = request("POST", "/v1/admin/auth", {"secret": os.environ["ADMIN_SECRET"]})["access_token"]


def revoke(level, target):
    return request("POST", "/v1/revoke", {"level": level, "target": target}, admin)


def events(task):
    return request("GET", "/v1/audit/events?limit=1000&task_id=" + task, token=admin)["events"]


def task():
    return "task-" + secrets.token_hex(6)


def agent_of(task_id, *scope, **options):
    return app.create_agent("stories", task_id, list(scope), **options)


def holder(agent, token, scope):
    """Returns the delegate as an agent that acts with a delegated token."""
    return Agent(app, agent.agent_id, token.access_token, token.expires_in, scope, agent.task_id, agent.orch_id)


def valid(token):
    return validate(URL, token).valid


def an_agent_lives_for_one_task():
    agent = agent_of(task(), "read:data:customers")
    assert agent.bearer_header == {"Authorization": "Bearer " + agent.access_token}
    assert valid(agent.access_token)
    assert agent.release() is None
    assert not valid(agent.access_token)


def an_agent_gets_what_it_asks_for_and_no_more():
    agent = agent_of(task(), "read:data:customers")
    assert app.validate(agent.access_token).claims.scope == ["read:data:customers"]
    for tool, allowed in (("read:data:customers", True), ("read:data:*", False), ("write:data:customers", False), ("read:data:orders", False)):
        assert scope_is_subset([tool], agent.scope) == allowed, tool
    agent.release()


def the_operators_ceiling_holds():
    for scope in (["read:secrets:x"], ["read:data:x", "delete:data:x"], ["write:logs:x"]):
        e = refused(agentwrit.AuthorizationError, lambda: agent_of(task(), *scope), 403)
        assert e.problem.error_code == "forbidden" and e.problem.detail, e.problem


def every_agent_has_its_own_identity():
    shared = task()
    agents = [agent_of(shared, "read:data:a") for _ in range(3)]
    assert len({a.agent_id for a in agents}) == len({a.access_token for a in agents}) == 3
    key = ed25519.Ed25519PrivateKey.generate()
    twins = [agent_of(shared, "read:data:a", private_key=key) for _ in range(2)]
    assert twins[0].agent_id != twins[1].agent_id
    for a in agents + twins:
        assert a.agent_id.startswith(f"spiffe://agentwrit.local/agent/stories/{shared}/"), a.agent_id
        a.release()


def agents_of_a_pipeline_hold_different_scopes():
    shared = task()
    reader = agent_of(shared, "read:data:in", label="reader")
    writer = agent_of(shared, "write:data:out", label="writer")
    claims = [validate(URL, a.access_token).claims for a in (reader, writer)]
    assert [c.scope for c in claims] == [["read:data:in"], ["write:data:out"]]
    assert {c.task_id for c in claims} == {shared} and {c.orch_id for c in claims} == {"stories"}
    reader.release()
    assert valid(writer.access_token), "releasing one agent leaves the other"
    writer.release()


def identifiers_may_have_colons():
    agent = agent_of(task(), "read:data:acme-corp:reports:2026", "read:logs:eu:west")
    assert validate(URL, agent.access_token).claims.scope == ["read:data:acme-corp:reports:2026", "read:logs:eu:west"]
    assert scope_is_subset(["read:data:acme-corp:reports:2026"], agent.scope)
    agent.release()


def an_agent_delegates_a_part_of_its_authority():
    boss, worker = agent_of(task(), "read:data:a", "write:data:a"), agent_of(task(), "read:logs:a")
    token = boss.delegate(worker.agent_id, ["read:data:a"], ttl=45)
    assert token.expires_in == 45
    claims = validate(URL, token.access_token).claims
    assert claims.sub == worker.agent_id and claims.scope == ["read:data:a"] and claims.task_id == boss.task_id
    assert [hop.agent for hop in claims.delegation_chain] == [boss.agent_id] and claims.chain_hash
    assert validate(URL, worker.access_token).claims.scope == ["read:logs:a"], "its own token is as before"
    boss.release()
    worker.release()


def delegation_never_widens():
    boss, worker = agent_of(task(), "read:data:a"), agent_of(task(), "read:data:b")
    for scope in (["write:data:a"], ["read:data:*"], ["read:data:b"], ["read:data:a", "read:data:b"]):
        e = refused(agentwrit.AuthorizationError, lambda: boss.delegate(worker.agent_id, scope), 403)
        assert e.problem.error_code == "scope_violation", e.problem
    boss.delegate(worker.agent_id, ["read:data:a"])  # the same scope is allowed
    boss.release()
    worker.release()


def authority_travels_two_hops():
    first, second, third = (agent_of(task(), "read:data:a", "read:data:b") for _ in range(3))
    one = first.delegate(second.agent_id, ["read:data:a", "read:data:b"], ttl=60)
    two = holder(second, one, ["read:data:a", "read:data:b"]).delegate(third.agent_id, ["read:data:a"], ttl=30)
    claims = validate(URL, two.access_token).claims
    assert claims.sub == third.agent_id and claims.scope == ["read:data:a"]
    assert [hop.agent for hop in claims.delegation_chain] == [first.agent_id, second.agent_id]
    assert claims.delegation_chain[0].scope == ["read:data:a", "read:data:b"]
    refused(agentwrit.AuthorizationError, lambda: holder(third, two, ["read:data:a"]).delegate(first.agent_id, ["read:data:b"]), 403)
    for a in (first, second, third):
        a.release()


def delegation_ends_at_five_hops():
    agents = [agent_of(task(), "read:data:a") for _ in range(2)]
    current = agents[0]
    for hop in range(5):
        to = agents[(hop + 1) % 2]
        current = holder(to, current.delegate(to.agent_id, ["read:data:a"], ttl=120), ["read:data:a"])
    e = refused(agentwrit.AuthorizationError, lambda: current.delegate(agents[0].agent_id, ["read:data:a"]), 403)
    assert e.problem.error_code == "scope_violation" and "depth" in e.problem.detail, e.problem
    for a in agents:
        a.release()


def a_delegate_must_exist():
    agent = agent_of(task(), "read:data:a")
    refused(agentwrit.ProblemResponseError, lambda: agent.delegate("spiffe://agentwrit.local/agent/o/t/" + "0" * 16, ["read:data:a"]))
    assert valid(agent.access_token)
    agent.release()


def a_long_task_renews():
    agent = agent_of(task(), "read:data:a", max_ttl=120)
    name, seen = agent.agent_id, []
    for _ in range(4):
        seen.append(agent.access_token)
        agent.renew()
        assert agent.agent_id == name and agent.expires_in == 120
        claims = validate(URL, agent.access_token).claims
        assert claims.sub == name and claims.scope == ["read:data:a"]
    assert not any(map(valid, seen)) and valid(agent.access_token)
    agent.release()


def a_short_life_ends_by_itself():
    agent = agent_of(task(), "read:data:a", max_ttl=2)
    assert agent.expires_in == 2 and valid(agent.access_token)
    expires = validate(URL, agent.access_token).claims.exp
    time.sleep(max(0, expires + 1.1 - time.time()))  # the reference broker accepts the last second
    assert not valid(agent.access_token)
    refused(agentwrit.AgentWritError, agent.renew)


def release_is_final_and_idempotent():
    agent, other = agent_of(task(), "read:data:a"), agent_of(task(), "read:data:a")
    agent.release()
    agent.release()
    refused(agentwrit.AgentWritError, agent.renew)
    refused(agentwrit.AgentWritError, lambda: agent.delegate(other.agent_id, ["read:data:a"]))
    copy = holder(agent, agentwrit.DelegatedToken(agent.access_token, 60, []), ["read:data:a"])
    refused(agentwrit.AuthenticationError, copy.renew, 401)
    other.release()


def the_operator_stops_one_agent():
    stopped, other = agent_of(task(), "read:data:a"), agent_of(task(), "read:data:a")
    assert revoke("agent", stopped.agent_id)["revoked"]
    assert not valid(stopped.access_token) and valid(other.access_token)
    refused(agentwrit.ProblemResponseError, stopped.renew)
    other.release()


def the_operator_stops_a_task():
    shared = task()
    stopped, other = [agent_of(shared, "read:data:a") for _ in range(3)], agent_of(task(), "read:data:a")
    answer = revoke("task", shared)
    assert answer["level"] == "task" and answer["target"] == shared and answer["count"] >= 1, answer
    assert not any(valid(a.access_token) for a in stopped) and valid(other.access_token)
    other.release()


def the_operator_stops_one_token():
    agent = agent_of(task(), "read:data:a")
    revoke("token", validate(URL, agent.access_token).claims.jti)
    assert not valid(agent.access_token)
    again = agent_of(agent.task_id, "read:data:a")
    assert valid(again.access_token), "a new agent of the task is not stopped"
    again.release()


def the_operator_stops_what_was_delegated():
    boss, worker = agent_of(task(), "read:data:a"), agent_of(task(), "read:logs:a")
    token = boss.delegate(worker.agent_id, ["read:data:a"])
    revoke("chain", boss.agent_id)
    assert not valid(token.access_token) and valid(boss.access_token) and valid(worker.access_token)
    boss.release()
    worker.release()


def a_forged_token_is_invalid():
    agent = agent_of(task(), "read:data:a")
    head, body, signature = agent.access_token.split(".")

    def part(text, **changes):
        claims = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))) | changes
        return base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()

    for forged in (
        f"{head}.{part(body, scope=['read:data:*'])}.{signature}",
        f"{part(head, alg='none')}.{body}.",
        f"{part(head, alg='HS256')}.{body}.{signature}",
        f"{head}.{body}.{signature[:-4]}AAAA",
        agent.access_token + ".x",
    ):
        result = validate(URL, forged)
        assert not result.valid and result.claims is None and result.error, forged
    assert valid(agent.access_token)
    agent.release()


def the_audit_log_has_every_step():
    boss, worker = agent_of(task(), "read:data:a"), agent_of(task(), "read:logs:a")
    boss.delegate(worker.agent_id, ["read:data:a"])
    boss.renew()
    boss.release()
    worker.release()
    log = events(boss.task_id)
    kinds = [e["event_type"] for e in log]
    for kind in ("agent_registered", "delegation_created", "token_renewed", "token_released"):
        assert kind in kinds, kinds
    for e in log:
        fields = [e["prev_hash"], e["id"], e["timestamp"], e["event_type"], e.get("agent_id", ""), e.get("task_id", ""), e.get("orch_id", ""),
                  e.get("detail", ""), e.get("resource", ""), e.get("outcome", ""), str(e.get("deleg_depth", 0)), e.get("deleg_chain_hash", ""), str(e.get("bytes_transferred", 0))]
        assert e["hash"] == hashlib.sha256("|".join(fields).encode()).hexdigest(), e
        for secret in (boss.access_token, worker.access_token, CLIENT[1], os.environ["ADMIN_SECRET"]):
            assert secret not in json.dumps(e), e["event_type"]


def errors_explain_the_failure():
    wrong = AgentWritApp(URL, CLIENT[0] + "-unknown", "0" * 64)
    e = refused(agentwrit.AuthenticationError, lambda: wrong.create_agent("o", "t", ["read:data:a"]), 401)
    p = e.problem
    assert p.type == "urn:agentwrit:error:unauthorized" and p.status == 401 and p.title == "Unauthorized", p
    assert p.instance == "/v1/app/auth" and p.request_id and p.detail and "0" * 64 not in str(e), p
    wrong.close()
    nobody = AgentWritApp("http://127.0.0.1:1", *CLIENT, timeout=2.0)
    refused(agentwrit.TransportError, nobody.health)
    refused(agentwrit.TransportError, lambda: nobody.create_agent("o", "t", ["read:data:a"]))
    nobody.close()


def health_needs_no_credentials():
    anybody = AgentWritApp(URL, "nobody", "nothing")
    health = anybody.health()
    assert health.status == "ok" and health.db_connected and health.version and health.uptime >= 0
    before = health.audit_events_count
    agent_of(task(), "read:data:a").release()
    assert anybody.health().audit_events_count > before
    anybody.close()


def threads_share_an_app():
    def work(n):
        for _ in range(20):
            try:
                agent = agent_of(task(), f"read:data:{n}")
                break
            except agentwrit.AuthorizationError as e:  # the reference broker's store was locked
                assert not STRICT and "app not found" in e.problem.detail, e.problem
                time.sleep(0.05 * (n + 1))
        claims = validate(URL, agent.access_token).claims
        agent.release()
        return claims.scope == [f"read:data:{n}"] and not valid(agent.access_token)

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(work, range(16)))


def a_deleted_app_is_refused():
    made = request("POST", "/v1/admin/apps", {"name": "gone-" + secrets.token_hex(4), "scopes": ["read:data:*"]}, admin)
    gone = AgentWritApp(URL, made["client_id"], made["client_secret"])
    agent = gone.create_agent("stories", task(), ["read:data:a"])
    assert request("DELETE", "/v1/admin/apps/" + made["app_id"], token=admin)["status"] == "inactive"
    assert valid(agent.access_token) != STRICT, "its agents"
    late = AgentWritApp(URL, made["client_id"], made["client_secret"])
    refused(agentwrit.ProblemResponseError, lambda: late.create_agent("stories", task(), ["read:data:a"]))
    late.close()
    gone.close()


stories = [
    an_agent_lives_for_one_task, an_agent_gets_what_it_asks_for_and_no_more, the_operators_ceiling_holds, every_agent_has_its_own_identity,
    agents_of_a_pipeline_hold_different_scopes, identifiers_may_have_colons, an_agent_delegates_a_part_of_its_authority, delegation_never_widens,
    authority_travels_two_hops, delegation_ends_at_five_hops, a_delegate_must_exist, a_long_task_renews, a_short_life_ends_by_itself,
    release_is_final_and_idempotent, the_operator_stops_one_agent, the_operator_stops_a_task, the_operator_stops_one_token,
    the_operator_stops_what_was_delegated, a_forged_token_is_invalid, the_audit_log_has_every_step, errors_explain_the_failure,
    health_needs_no_credentials, threads_share_an_app, a_deleted_app_is_refused,
]
for number, story in enumerate(stories, 1):
    story()
    print(f"{number:2} {story.__name__.replace('_', ' ')}")
app.close()
print("all stories told")
