"""What the checks of all templates share: which there are, what is known, who calls whom."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Generator, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from couler_jobs.compiler.lint.fields import Bag, Walked
from couler_jobs.compiler.lint.report import Report, shown
from couler_jobs.compiler.lint.shallow import check_shallow, check_timeout
from couler_jobs.compiler.lint.tags import UNCLOSED, Scope, filled, substitute, tags_in
from couler_jobs.compiler.lint.template import Template, is_parameter_tag
from couler_jobs.nearest import nearest
from couler_jobs.spec.manifest import Path
from couler_jobs.spec.versions import V3_5

# Checks of templates call each other as deep as templates are nested, so they are generators that
# yield the check they wait for, and one loop runs them all: no nesting hits a recursion limit.
Checking: TypeAlias = "Generator[Checking, None, None]"

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(eq=False)
class Context:
    """What the checks of all templates share."""

    report: Report
    deeper: Callable[[Context, Template], Checking]
    """Checks a template's inside; handed in, since steps and tasks lead back to it."""
    walked: Walked
    spec: dict[str, Any]
    path: Path
    of_template: bool = False
    """Whether a WorkflowTemplate is checked: its parameters may come from whoever uses it."""
    of_cluster: bool = False
    """Whether a ClusterWorkflowTemplate is checked."""
    values_may_lack: bool = False
    """Whether the workflow's own arguments may still get values when it is submitted."""
    of_cron: bool = False
    """Whether a CronWorkflow is checked."""
    values: dict[str, str] = field(default_factory=dict)
    """The `workflow.*` tags, with their value or the placeholder."""
    any_output_artifact: bool = False
    seen: set[str] = field(default_factory=set)
    fetched: set[str] = field(default_factory=set)
    """The names of templates that came from elsewhere: Argo then knows them by name alone, too."""
    _shallow: set[int] = field(default_factory=set)
    _inline: dict[int, Template] = field(default_factory=dict)

    @cached_property
    def placeholder(self) -> str:
        """What Argo puts where a value is not known yet."""
        return self.report.target.placeholder

    @cached_property
    def templates(self) -> Mapping[str, Template]:
        """The templates by name; of two with one name Argo takes the first."""
        found: dict[str, Template] = {}
        for index, body in enumerate(self.spec.get("templates", [])):
            template = Template(body, ((self.path, "templates"), index))
            found.setdefault(template.name, template)
        return found

    @property
    def all_templates(self) -> Iterator[Template]:
        """The templates, and those that have no name and have been looked at."""
        return chain(self.templates.values(), self._inline.values())

    @cached_property
    def pod_metadata(self) -> Bag:
        """The tagged strings of the spec's pod metadata, which Argo adds to each named template."""
        path = (self.path, "podMetadata")
        return [
            (((path, word), key), text)
            for word in ("annotations", "labels")
            for key, value in self.spec.get("podMetadata", {}).get(word, {}).items()
            for text in (key, value)
            if "{{" in text
        ]

    def bag(self, part: dict[str, Any]) -> Bag:
        """The tagged strings of a template, step, task or outputs."""
        return self.walked.bags.get(id(part), [])

    def own_bag(self, template: Template, arguments: dict[str, Any] | None) -> Bag:
        """The tagged strings of a template without those that its caller's arguments replace."""
        bag = self.bag(template.body)
        if not bag or "inputs" not in template.body:
            return bag
        replaced = _replaced(template, arguments)
        return [(path, text) for path, text in bag if not _is_replaced(path, replaced)]

    def resolve(
        self, holder: dict[str, Any], path: Path, name: str, env: Mapping[str, str] = _NOTHING
    ) -> Template | None:
        """The template that a step, task or hook calls; None for one that is not in this manifest.

        What is wrong with the reference is reported, and the template itself is looked at once.
        """
        if "templateRef" in holder:
            self._referenced(holder["templateRef"], path, name, env)
            return None
        template = self.templates.get(name)
        if name and template is None:
            if name in self.fetched:
                self._known_by_chance(name, (path, "template"))
                return None
            self._undefined(name, (path, "template"))
            return None
        if "inline" in holder:
            template = self._inlined(holder["inline"], (path, "inline"))
        if template is None:
            said = "Nothing says which template to run."
            self.report.error("no-template", path, said, "Write `template`.")
            return None
        if id(template) not in self._shallow:
            self._shallow.add(id(template))
            check_shallow(template, self.report)
        return template

    def _inlined(self, body: dict[str, Any], path: Path) -> Template:
        return self._inline.setdefault(id(body), Template(body, path))

    def _referenced(
        self, reference: dict[str, Any], path: Path, name: str, env: Mapping[str, str]
    ) -> None:
        where = (path, "templateRef")
        if name:
            said = "`template` and `templateRef` exclude each other."
            self.report.error("no-template", where, said)
        for word in ("name", "template"):
            if not reference.get(word):
                said = f"The reference to a template needs `{word}`."
                self.report.error("required", (where, word), said)
        resource, wanted = _filled(reference, env)
        tagged = bool(tags_in(resource) or tags_in(wanted))
        early = self.report.target <= V3_5 and (tagged or self.placeholder in wanted)
        if early or (self.placeholder in resource and not tagged):
            said = "Argo wants what is referred to known when the workflow is created."
            self.report.error("unknown-template", where, said, "Write the names out.")
        if not tagged:
            self.check_cluster(reference, where)
            self.fetched.add(wanted)

    def check_cluster(self, reference: dict[str, Any], path: Path) -> None:
        """Argo Server breaks on what a ClusterWorkflowTemplate takes from a namespace (500)."""
        if self.of_cluster and reference.get("clusterScope") is not True:
            said = "A ClusterWorkflowTemplate can refer to another one only."
            fix = "Write `clusterScope: true`, or make it a WorkflowTemplate."
            self.report.error("template-ref", path, said, fix)

    def is_elsewhere(self, holder: dict[str, Any], name: str, env: Mapping[str, str]) -> bool:
        """Whether what a step, task or hook calls is not in this manifest, and yet may be there.

        Not if a tag says which template it is: of that one Argo knows no outputs.
        """
        if "templateRef" in holder:
            resource, wanted = _filled(holder["templateRef"], env)
            return not (tags_in(resource) or tags_in(wanted) or self.placeholder in wanted)
        return name in self.fetched and name not in self.templates

    def _known_by_chance(self, name: str, path: Path) -> None:
        said = f"{shown(name)} is found only because an earlier `templateRef` names it."
        self.report.warning("unknown-template", path, said, "Write the `templateRef` here, too.")

    def _undefined(self, name: str, path: Path) -> None:
        if self.placeholder in name:
            said = "Argo wants a template's name to be known when the workflow is created."
            self.report.error("unknown-template", path, said, "Write the name out.")
            return
        near = nearest(name, self.templates)
        fix = f"Did you mean `{near}`?" if near else ""
        said = f"There is no template named {shown(name)}."
        self.report.error("unknown-template", path, said, fix)

    def advise_template(self, name: str, path: Path) -> None:
        """Warn about a template that will be looked for only when it is needed."""
        if "{{" not in name and name not in self.templates:
            said = f"There is no template named {shown(name)}, which is noticed when it should run."
            self.report.warning("unknown-template", path, said)

    def check_supplied(
        self, template: Template, arguments: dict[str, Any], path: Path, env: Mapping[str, str]
    ) -> None:
        """Whether a caller gives what a template needs."""
        given = arguments.get("parameters", ())
        names = set()
        for parameter in given:
            names.add(parameter.get("name", ""))
            if "value" not in parameter and not (self.values_may_lack and path is self.path):
                self._valueless(template, parameter, path)
        if not template.needed_parameters <= names:
            for lacking in sorted(template.needed_parameters - names):
                said = f"The template {shown(template.name)} needs the parameter {shown(lacking)}."
                self.report.error("missing-argument", (path, "arguments"), said)
        if template.needed_artifacts:
            self._check_artifacts(template, arguments, path)
        timeout = template.body.get("timeout", "")
        if "{{" in timeout:
            values = {
                name: substitute(value, env)
                for name, value in self.environment(template, arguments).items()
            }
            check_timeout(substitute(timeout, values), self.report, path)

    def _valueless(self, template: Template, parameter: dict[str, Any], path: Path) -> None:
        name = parameter.get("name", "")
        if any(own.get("name") == name for own in template.parameters) and (
            "configMapKeyRef" not in parameter.get("valueFrom", {})
        ):
            said = f"The argument {shown(name)} has no value when the step starts."
            self.report.error("missing-argument", (path, "arguments"), said)

    def _check_artifacts(self, template: Template, arguments: dict[str, Any], path: Path) -> None:
        given = {artifact.get("name", "") for artifact in arguments.get("artifacts", [])}
        for lacking in sorted(template.needed_artifacts - given):
            said = f"The template {shown(template.name)} needs the artifact {shown(lacking)}."
            self.report.error("missing-argument", (path, "arguments"), said)

    def scope_of(self, template: Template) -> Scope:
        """What the tags of a template may name at its beginning."""
        return Scope(
            shared=self.values,
            names=set(template.input_tags),
            any_workflow_parameter=self.of_template,
            any_output_artifact=self.any_output_artifact,
        )

    def environment(
        self, template: Template, arguments: dict[str, Any] | None
    ) -> MutableMapping[str, str]:
        """The values that Argo puts in for tags while it checks; None stands for any arguments."""
        given = {
            parameter.get("name", ""): parameter.get("value")
            for parameter in (arguments or {}).get("parameters", [])
        }
        env = {"inputs.parameters": "[{}]" if template.parameters else "null", **template.paths}
        for parameter in template.parameters:
            name = parameter.get("name", "")
            own = parameter.get("value", parameter.get("default"))
            value = self.placeholder if arguments is None else given.get(name, own)
            if value is not None:  # a value from a config map is not known yet
                env[f"inputs.parameters.{name}"] = substitute(value, self.values)
        # A plain dict is quicker to ask, and a chain quicker to make where values are many.
        return {**self.values, **env} if len(self.values) < 100 else ChainMap(env, self.values)

    def check_tags(self, bag: Bag, scope: Scope, env: Mapping[str, str]) -> None:
        """Every tag of some strings must resolve."""
        for path, text in bag:
            for tag in tags_in(text):
                if not scope.resolves(tag) and not scope.resolves(filled(tag, env)):
                    self._unresolved(tag, scope, path)
                elif "{{" in (value := env.get(tag, "")):
                    for inner in tags_in(value):
                        if not scope.resolves(inner):
                            self._unresolved(inner, scope, path)

    def _unresolved(self, tag: str, scope: Scope, path: Path) -> None:
        name = tag.removesuffix(UNCLOSED)
        said = f"Nothing is known as {{{{{shown(name)[1:-1]}}}}} here."
        if name != tag:
            said = f"The tag {{{{{shown(name)[1:-1]} is not closed."
        self.report.error("unresolved-tag", path, said, _hint(name, scope))

    def export(self, template: Template, scope: Scope) -> None:
        """Make the global outputs of a called template known."""
        outputs = template.body.get("outputs")
        if not outputs:
            return
        for word in ("parameters", "artifacts"):
            for item in outputs.get(word, []):
                if name := item.get("globalName"):
                    if not is_parameter_tag(name):
                        self.values[f"workflow.outputs.{word}.{name}"] = self.placeholder
                    elif word == "parameters":
                        scope.any_output_parameter = True
                    else:
                        scope.any_output_artifact = True


def _filled(reference: dict[str, Any], env: Mapping[str, str]) -> tuple[str, str]:
    """The name of the resource and of the template that a `templateRef` means."""
    name, template = reference.get("name", ""), reference.get("template", "")
    return substitute(name, env), substitute(template, env)


def _replaced(template: Template, arguments: dict[str, Any] | None) -> frozenset[Path]:
    """The inputs that are given by the caller; any arguments give all."""
    given: dict[str, set[str]] = {
        word: {item.get("name", "") for item in (arguments or {}).get(word, [])}
        for word in ("parameters", "artifacts")
    }
    inputs = (template.path, "inputs")
    return frozenset(
        ((inputs, word), index)
        for word, items in (("parameters", template.parameters), ("artifacts", template.artifacts))
        for index, item in enumerate(items)
        if arguments is None or item.get("name", "") in given[word]
    )


def _is_replaced(path: Path, replaced: frozenset[Path]) -> bool:
    """Whether a path lies in the value of a given parameter, or in a given artifact."""
    while path is not None:
        parent, key = path
        if parent in replaced:
            assert parent is not None  # noqa: S101  the root is not an input
            of_artifact = parent[0] is not None and parent[0][1] == "artifacts"
            return key not in ("name", "path") if of_artifact else key in ("value", "valueFrom")
        path = parent
    return False


def _hint(tag: str, scope: Scope) -> str:
    known = list(scope.names | scope.items | set(scope.shared))[:2000]
    for name, fields in list(scope.nodes.items())[:500]:
        known.extend(f"{scope.node_prefix}.{name}.{what}" for what in fields)
    near = nearest(tag, known, cutoff=0.75)
    return f"Did you mean {{{{{near}}}}}?" if near else ""


def run(checking: Checking) -> None:
    """Run a check and all it waits for, without nesting calls."""
    stack = [checking]
    while stack:
        try:
            stack.append(next(stack[-1]))
        except StopIteration:
            stack.pop()
