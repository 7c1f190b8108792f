"""A step that is tried again, with a longer wait each time, and never runs longer than it may."""

import couler_jobs as cj


@cj.step(retries=3, backoff={"duration": "1s", "factor": 2, "max": "1m"}, timeout="30s")
def fetch(url: str) -> str:
    if not url.startswith("https:"):
        raise ConnectionError(f"{url} does not answer")
    return f"what is at {url}"


@cj.workflow(timeout="10m")
def retries_and_timeouts(url: str = "https://example.org") -> str:
    return fetch(url)


if __name__ == "__main__":
    print(cj.to_yaml(retries_and_timeouts.compile()), end="")
