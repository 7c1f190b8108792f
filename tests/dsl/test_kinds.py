"""Steps that run no program: pauses, Kubernetes objects, requests, stored templates."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

import couler_jobs as cj
from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.errors import DeclarationError
from couler_jobs.spec.wire import decode
from tests.dsl.manifests import TARGETS, compiled, task, template
from tests.dsl.running import local, run_locally


@cj.step
def same(value: Any) -> Any:
    return value


# --- pauses


@pytest.mark.parametrize("target", TARGETS)
def test_a_pause_is_a_step_that_others_follow(target: str) -> None:
    @cj.workflow
    def flow() -> Any:
        approved = cj.suspend(answers={"who": "nobody", "why": None}, name="approve", after=same(1))
        same(2, after=cj.suspend("10m", after=approved))
        return same(approved["who"])

    manifest = compiled(flow, target)
    assert template(manifest, "approve") == {
        "name": "approve",
        "suspend": {},
        "outputs": {
            "parameters": [
                {"name": "who", "valueFrom": {"supplied": {}, "default": "nobody"}},
                {"name": "why", "valueFrom": {"supplied": {}}},
            ]
        },
    }
    assert template(manifest, "suspend") == {"name": "suspend", "suspend": {"duration": "600"}}
    assert task(manifest, "approve")["depends"] == "same"
    assert task(manifest, "suspend")["depends"] == "approve"
    assert task(manifest, "same-2")["depends"] == "suspend"
    assert task(manifest, "same-3")["depends"] == "approve"


def test_a_pause_of_some_time_ends_by_itself(tmp_path: Path) -> None:
    @cj.workflow
    def flow() -> Any:
        return same(2, after=cj.suspend(1))

    assert run_locally(flow, tmp_path) == 2


def test_a_pause_waits_until_it_is_resumed(tmp_path: Path) -> None:
    @cj.workflow
    def flow() -> Any:
        approved = cj.suspend(answers={"who": "nobody"}, name="approve")
        return same(approved["who"])

    backend = LocalBackend(tmp_path)
    run = cj.submit(local(flow.compile()), backend=backend)
    _wait_for_a_pause(run)
    run.resume("approve")
    run.wait(timeout=60)
    (found,) = backend.get(run.name).outputs["parameters"].values()
    assert decode(found) == "nobody"


def test_an_answer_is_the_text_that_was_typed_where_a_text_is_asked_for(tmp_path: Path) -> None:
    @cj.step
    def both(text: str, value: Any) -> list[Any]:
        return [text, value]

    @cj.workflow
    def flow() -> Any:
        asked = cj.suspend(answers={"version": None}, name="approve")
        return both(asked["version"], asked["version"])

    backend = LocalBackend(tmp_path)
    run = cj.submit(local(flow.compile()), backend=backend)
    _wait_for_a_pause(run)
    run.resume("approve", answers={"version": "3.10"})
    run.wait(timeout=60)
    (found,) = backend.get(run.name).outputs["parameters"].values()
    assert decode(found) == ["3.10", 3.1]


def _wait_for_a_pause(run: cj.Run) -> None:
    deadline = time.monotonic() + 60
    while not any(node.type == "Suspend" for node in run.refresh().nodes.values()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"duration": "soon"}, "duration='soon': it is a number of seconds"),
        ({"answers": {"who": 5}}, "it is a text, or None"),
        ({"image": "x"}, "cj.suspend has no option 'image'"),
        ({"answers": {"who": None}}, "has no value of its own.*: who"),
    ],
)
def test_what_makes_no_sense_of_a_pause_is_refused(options: Any, words: str) -> None:
    @cj.workflow
    def flow() -> None:
        same(cj.suspend(**options))

    with pytest.raises(DeclarationError, match=words):
        flow.compile()


# --- Kubernetes objects


def _object(manifest: dict[str, Any], name: str = "resource") -> dict[str, Any]:
    found: dict[str, Any] = template(manifest, name)["resource"]
    return found


@pytest.mark.parametrize("target", TARGETS)
def test_an_object_is_made_with_the_values_of_steps_in_it(target: str) -> None:
    @cj.workflow
    def flow(day: str = "x") -> Any:
        printed = cj.container("alpine:3", command="date", name="date")
        data = {"day": day, "rows": [same(1), 5], "printed": printed, "text": "{{a}} $(b)"}
        made = cj.resource(
            "create",
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data},
            success_condition="status.done == true",
            failure_condition="status.failed > 0",
            outputs={"uid": "{.metadata.uid}", "whole": "."},
            owned=True,
            flags=["--validate=false"],
            timeout="10m",
        )
        return same(made["uid"])

    manifest = compiled(flow, target)
    found = _object(manifest)
    text = found.pop("manifest")
    assert text == (
        '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": '
        '{"day": {{inputs.parameters.value-1}}, "rows": [{{inputs.parameters.value-2}}, 5], '
        "\"printed\": {{=toJson(inputs.parameters['value-3'])}}, "
        '"text": "\\u007b\\u007ba}} \\u0024(b)"}}'
    )
    assert found == {
        "action": "create",
        "successCondition": "status.done == true",
        "failureCondition": "status.failed > 0",
        "setOwnerReference": True,
        "flags": ["--validate=false"],
    }
    assert template(manifest, "resource")["outputs"]["parameters"] == [
        {"name": "uid", "valueFrom": {"jsonPath": "{.metadata.uid}"}},
        {"name": "whole", "valueFrom": {"jqFilter": "."}},
    ]
    assert template(manifest, "resource")["activeDeadlineSeconds"] == 600
    assert task(manifest, "resource")["depends"] == "same && date"


@pytest.mark.parametrize("target", TARGETS)
def test_an_object_as_yaml_stays_as_it_is(target: str) -> None:
    text = "kind: Job\nmetadata: {name: a}\n"

    @cj.workflow
    def flow() -> None:
        cj.resource("patch", text, merge_strategy="merge", name="change")

    assert _object(compiled(flow, target), "change") == {
        "action": "patch",
        "manifest": text,
        "mergeStrategy": "merge",
    }


@pytest.mark.parametrize(
    ("action", "manifest", "outputs", "words"),
    [
        ("make", {"kind": "Job"}, {}, "action='make': it is one of get, create"),
        ("create", "", {}, "it is an object, as a mapping or YAML"),
        ("create", "a: {{b}}", {}, "manifest holds '{{'"),
        ("create", {"kind": "Job"}, {"a": 5}, "it is such as"),
        ("create", {"kind": {1}}, {}, "cannot travel as JSON"),
    ],
)
def test_what_makes_no_sense_of_an_object_is_refused(
    action: Any, manifest: Any, outputs: Any, words: str
) -> None:
    @cj.workflow
    def flow() -> None:
        cj.resource(action, manifest, outputs=outputs)

    with pytest.raises(DeclarationError, match=words):
        flow.compile()


# --- requests


@pytest.mark.parametrize("target", TARGETS)
def test_a_request_is_sent_with_the_values_of_steps(target: str) -> None:
    @cj.workflow
    def flow(day: str = "x") -> Any:
        found = cj.http(
            same("https://example.org"),
            method="POST",
            headers={"Authorization": cj.secret("api", "token"), "X-Day": day, "Accept": "*/*"},
            body={"day": day},
            success_condition="response.statusCode == 201",
            insecure=True,
            timeout="1m",
        )
        return same(found)

    manifest = compiled(flow, target)
    found = template(manifest, "http")["http"]
    url, headers = found.pop("url"), found.pop("headers")
    assert found == {
        "method": "POST",
        "body": '{"day": {{inputs.parameters.value-3}}}',
        "successCondition": "response.statusCode == 201",
        "insecureSkipVerify": True,
        "timeoutSeconds": 60,
    }
    assert url.startswith("{{=inputs.parameters['url'] startsWith")
    assert headers[0]["valueFrom"] == {"secretKeyRef": {"name": "api", "key": "token"}}
    assert headers[1]["value"].startswith("{{=inputs.parameters['header-X-Day'] startsWith")
    assert headers[2] == {"name": "Accept", "value": "*/*"}
    (given,) = task(manifest, "same-2")["arguments"]["parameters"]
    assert given["value"] == "{{tasks.http.outputs.result}}"


def test_a_reply_is_the_address_of_another_request() -> None:
    @cj.workflow
    def flow() -> None:
        cj.http(cj.http("https://example.org/next"), name="next")

    assert template(compiled(flow), "next")["http"]["url"] == "{{inputs.parameters.url}}"


def test_a_plain_request_says_no_more_than_its_address() -> None:
    @cj.workflow
    def flow() -> None:
        cj.http("https://example.org/$(a)")

    assert template(compiled(flow), "http")["http"] == {
        "url": "https://example.org/$(a)",
        "method": "GET",
    }


@pytest.mark.parametrize(
    ("url", "options", "words"),
    [
        ("https://{{a}}", {}, "url holds '{{'"),
        (5, {}, "url is 5: it is a text"),
        ("https://a", {"body": "{{a}}"}, "body holds '{{'"),
        ("https://a", {"headers": {"A": cj.config_key("c", "k")}}, "A takes cj.secret"),
    ],
)
def test_what_makes_no_sense_of_a_request_is_refused(url: Any, options: Any, words: str) -> None:
    @cj.workflow
    def flow() -> None:
        cj.http(url, **options)

    with pytest.raises(DeclarationError, match=words):
        flow.compile()


# --- executor plugins


@pytest.mark.parametrize("target", TARGETS)
def test_a_plugin_is_given_the_values_of_steps_as_texts(target: str) -> None:
    @cj.workflow
    def flow(day: str = "x") -> Any:
        date = cj.container("alpine:3", command="date", name="date")
        sent = cj.plugin(
            "slack",
            {"text": date, "blocks": [{"day": day}, 5, True], "to": "all"},
            outputs=["id"],
            retries=1,
        )
        same(sent["id"])
        return same(sent)

    manifest = compiled(flow, target)
    found = template(manifest, "slack")
    fields = found["plugin"]["slack"]
    assert fields.pop("text") == "{{inputs.parameters.value-1}}"
    assert fields["blocks"][0].pop("day").startswith("{{=inputs.parameters['value-2'] startsWith")
    assert fields == {"blocks": [{}, 5, True], "to": "all"}
    assert found["outputs"]["parameters"] == [{"name": "id", "valueFrom": {"supplied": {}}}]
    assert found["retryStrategy"]["limit"] == "1"
    given = [task(manifest, name)["arguments"]["parameters"][0] for name in ("same", "same-2")]
    assert [one["value"] for one in given] == [
        "{{tasks.slack.outputs.parameters.id}}",
        "{{tasks.slack.outputs.result}}",
    ]
    assert cj.lint(manifest, target) == []


def test_a_plugin_without_fields_is_called_all_the_same() -> None:
    @cj.workflow
    def flow() -> None:
        cj.plugin("hello", name="greet")

    assert template(compiled(flow), "greet") == {"name": "greet", "plugin": {"hello": {}}}


@pytest.mark.parametrize(
    ("name", "fields", "options", "words"),
    [
        ("", {}, {}, "takes a plugin's name"),
        ("hello", {"a": ["{{b}}"]}, {}, r"A field of hello holds '\{\{'"),
        ("hello", {"{{b}}": 1}, {}, r"A field of hello holds '\{\{'"),
        ("hello", {"a": {1}}, {}, "are no JSON"),
        ("hello", {}, {"timeout": "5m"}, "cj.plugin has no timeout"),
        ("hello", {}, {"image": "x"}, "cj.plugin has no option 'image'"),
    ],
)
def test_what_makes_no_sense_of_a_plugin_is_refused(
    name: str, fields: Any, options: Any, words: str
) -> None:
    @cj.workflow
    def flow() -> None:
        cj.plugin(name, fields, **options)

    with pytest.raises(DeclarationError, match=words):
        flow.compile()


# --- stored templates


@pytest.mark.parametrize("target", TARGETS)
def test_a_stored_template_is_called_by_reference(target: str) -> None:
    @cj.workflow
    def flow() -> Any:
        found = cj.stored(
            "tools",
            "word_count",
            {"text": "a b", "rows": same(1), "most": 5},
            cluster=True,
            files={"table": cj.raw("a,b")},
            outputs=["count"],
            name="count",
        )
        return same(found["count"])

    found = task(compiled(flow, target), "count")
    assert found == {
        "name": "count",
        "templateRef": {"name": "tools", "template": "word_count", "clusterScope": True},
        "depends": "same",
        "arguments": {
            "parameters": [
                {"name": "text", "value": "a b"},
                {"name": "rows", "value": "{{tasks.same.outputs.parameters.value}}"},
                {"name": "most", "value": "5"},
            ],
            "artifacts": [{"name": "table", "raw": {"data": "a,b"}}],
        },
    }


def test_a_stored_template_runs_as_a_step(tmp_path: Path) -> None:
    @cj.workflow(kind="WorkflowTemplate", name="tools")
    def doubled(text: str = "") -> Any:
        return same(text)

    @cj.workflow
    def flow() -> Any:
        return same(
            cj.stored("tools", "tools", {"text": same("a $(b)")}, outputs=["value"])["value"]
        )

    LocalBackend(tmp_path).apply_template(local(doubled.compile()))
    assert run_locally(flow, tmp_path) == "a $(b)"


def test_an_argument_that_argo_would_expand_is_refused() -> None:
    @cj.workflow
    def flow() -> None:
        cj.stored("tools", "wc", {"text": "{{a}}"})

    with pytest.raises(DeclarationError, match=r"text holds '{{'"):
        flow.compile()


# --- lists of what is stored, daemons


@pytest.mark.parametrize("target", TARGETS)
def test_what_lies_in_a_store_is_listed_and_looped_over(target: str) -> None:
    @cj.workflow
    def flow() -> Any:
        keys = cj.data(cj.s3("days/", bucket="b"), 'filter(data, {# endsWith ".csv"})')
        cj.data(cj.gcs("all/"), name="everything", after=keys)
        return cj.map(same, keys)

    manifest = compiled(flow, target)
    assert template(manifest, "data")["data"] == {
        "source": {"artifactPaths": {"name": "data", "s3": {"key": "days/", "bucket": "b"}}},
        "transformation": [{"expression": 'filter(data, {# endsWith ".csv"})'}],
    }
    everything = template(manifest, "everything")["data"]
    assert everything["transformation"] == [{"expression": "data"}]
    given = task(manifest, "same-map")["arguments"]["parameters"]
    assert given == [{"name": "loop-items", "value": "{{tasks.data.outputs.result}}"}]


@pytest.mark.parametrize("target", TARGETS)
def test_the_address_of_a_daemon_is_given_to_what_uses_it(target: str) -> None:
    @cj.step(daemon=True)
    def serve() -> None: ...

    @cj.workflow
    def flow() -> Any:
        server = serve()
        cj.container("curl", command=["curl", cj.ip(server)], env={"HOST": cj.ip(server)})
        same(cj.ip(server))
        return cj.http(["http://", cj.ip(server), ":80/", same("x")])

    manifest = compiled(flow, target)
    assert template(manifest, "http")["http"]["url"].startswith(
        "http://{{inputs.parameters.url-2}}:80/{{=inputs.parameters['url-4'] startsWith"
    )
    for name in ("curl", "same", "http"):
        found = task(manifest, name)
        assert found["arguments"]["parameters"][0]["value"] == "{{tasks.serve.ip}}"
        assert found["depends"].startswith("serve")
    with pytest.raises(DeclarationError, match="an address only as a daemon"):
        cj.run_here(flow)


def test_a_stored_template_leaves_files_too() -> None:
    @cj.step
    def read(table: Path, rows: Any) -> None: ...

    @cj.workflow
    def flow() -> None:
        found = cj.stored("tools", "make", outputs={"rows": str, "table": Path})
        read(found["table"], found["rows"])

    given = task(compiled(flow), "read")["arguments"]
    assert given["artifacts"] == [
        {"name": "table", "from": "{{tasks.make.outputs.artifacts.table}}"}
    ]
    assert given["parameters"][0]["value"] == "{{tasks.make.outputs.parameters.rows}}"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cj.data("days/"), "it takes where files lie"),
        (lambda: cj.data(cj.s3("x"), "{{x}}"), "An expression holds"),
        (lambda: cj.ip("server"), "what the call of a daemon returned"),
        (lambda: cj.stored("a", "b", outputs={"x": int}), "it is str, or Path for a file"),
    ],
)
def test_what_makes_no_sense_of_them_is_refused(call: Any, words: str) -> None:
    with pytest.raises(DeclarationError, match=words):
        cj.workflow(lambda: call()).compile()
