"""Prints results of hone bench train -json and of its peers beside each other.

    python bench/peers/table.py RESULTS

RESULTS has one JSON object a line. What differs is told by the first: how many times
as fast it is, and how far the others' first loss and gradient norm are from its own.
"""
import json
import sys


def memory(result):
    """What the program takes itself: the plan, beside it the driver's context, or the allocator's peak."""
    if "plan_bytes" not in result:
        return f"{result.get('peak_bytes', 0) / 2**30:.2f}"
    context = sum(m["bytes"] for m in result["memory"] if m["category"] == "context")
    return f"{(result['plan_bytes'] - context) / 2**30:.2f} (+ {context / 2**30:.2f})"


def row(result, first):
    if "error" in result or "error" in first:
        return [result["program"], result.get("error", f"{result.get('tokens_per_second', 0):,.0f}"), "", memory(result), "", ""]
    numbers = []
    for name in ("loss", "grad_norm"):
        mine, theirs = first["first"][name], result["first"][name]
        numbers.append(f"{theirs:.4f} ({100 * (theirs / mine - 1):+.2f} %)" if mine and theirs else "not finite")
    ratio = first["tokens_per_second"] / result["tokens_per_second"]
    return [result["program"], f"{result['tokens_per_second']:,.0f}", f"{ratio:.2f}", memory(result), *numbers]


def main():
    with open(sys.argv[1]) as f:
        results = [json.loads(line) for line in f if line.startswith("{")]  # peers print more than that
    first = results[0]
    print(f"{first['model']}, {first['tokens']} tokens a step in documents of {first['length']}, {first['precision']}, on {first['device']}")
    if "achieved" in first:
        best = max(first["ceilings"]["flops_per_second"].values())
        print(f"achieved: {100 * first['achieved']:.1f} % of what the card's own ceilings allow (products {best / 1e12:.0f} TFLOP/s at best, copies {first['ceilings']['bytes_per_second'] / 1e12:.2f} TB/s)")
    print()
    rows = [["program", "tok/s", f"{first['program']} is x times as fast", "GiB (+ context)", "first loss", "first gradient norm"], ["---"] * 6]
    rows += [row(r, first) for r in results]
    for cells in rows:
        print("| " + " | ".join(cells) + " |")


main()
