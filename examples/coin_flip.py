"""A workflow that calls itself until the coin shows heads."""

import couler_jobs as cj


@cj.step
def toss(flips: int) -> str:
    import random

    return random.choice(["heads", "tails"]) if flips < 5 else "heads"


@cj.step
def one_more(flips: int) -> int:
    return flips + 1


@cj.workflow
def coin_flip(flips: int = 0) -> int:
    side = toss(flips)
    count = one_more(flips)
    with cj.when(side == "tails"):
        again = coin_flip(count)
    return cj.either(again, count)


if __name__ == "__main__":
    print(cj.to_yaml(coin_flip.compile()), end="")
