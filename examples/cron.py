"""A workflow that runs every night, one run at a time."""

import couler_jobs as cj


@cj.step
def tidy(days: int) -> str:
    return f"nothing is older than {days} days"


@cj.workflow(schedule="0 2 * * *", timezone="Europe/Paris", ttl="7d")
def cron(days: int = 30) -> str:
    return tidy(days)


if __name__ == "__main__":
    print(cj.to_yaml(cron.compile()), end="")
