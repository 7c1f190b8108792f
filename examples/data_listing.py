"""What a run has stored below a key: listed, sifted by an expression, and looped over.

Argo itself lists only where the source names its bucket too; this machine has keys only.
"""

import couler_jobs as cj
from couler_jobs.templates import call, container, steps, template, workflow

write = container(
    "write",
    "busybox",
    command=["sh", "-c"],
    args=["mkdir /tmp/day; echo 3 > /tmp/day/north.csv; echo 4 > /tmp/day/south.csv"],
    template={
        "outputs": {
            "artifacts": [
                {
                    "name": "day",
                    "path": "/tmp/day",
                    "archive": {"none": {}},
                    "s3": {"key": "{{workflow.name}}/day"},
                }
            ]
        }
    },
)

found = template(
    "found",
    data={
        "source": {"artifactPaths": {"name": "day", "s3": {"key": "{{workflow.name}}/day"}}},
        "transformation": [{"expression": 'filter(data, {# endsWith ".csv"})'}],
    },
)

show = container(
    "show",
    "busybox",
    command=["cat", "/tmp/table.csv"],
    template={"inputs": {"artifacts": [{"name": "table", "path": "/tmp/table.csv"}]}},
)

main = steps(
    "main",
    [call(write)],
    [call(found)],
    [
        call(
            show,
            over="{{steps.found.outputs.result}}",
            arguments={"artifacts": [{"name": "table", "s3": {"key": "{{item}}"}}]},
        )
    ],
)

data_listing = workflow(main, write, found, show, generate_name="data-listing-", entrypoint=main)

if __name__ == "__main__":
    print(cj.to_yaml(cj.compile(data_listing)), end="")
