"""A workflow that another one calls, as if it were a step."""

import couler_jobs as cj


@cj.step
def extract(table: str) -> list[int]:
    return [len(table), 2, 3]


@cj.step
def add_up(rows: list[int]) -> int:
    return sum(rows)


@cj.workflow
def one_table(table: str) -> int:
    return add_up(extract(table))


@cj.step
def report(sales: int, stock: int) -> str:
    return f"sales {sales}, stock {stock}"


@cj.workflow
def sub_workflow() -> str:
    return report(one_table("sales"), one_table("stock"))


if __name__ == "__main__":
    print(cj.to_yaml(sub_workflow.compile()), end="")
