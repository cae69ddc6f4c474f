"""The answers to the questions about results in a sentence each."""

from collections.abc import Callable, Mapping
from typing import Any

from backend.results.questions.panel import Told, names_of
from scoring.report.cases import disputed, hardest

Cases = Mapping[str, Any]


def in_short(question: str, told: Told, cases: Cases) -> str:
    """One or two sentences; empty where there is nothing to say."""
    if len(told["entrants"]) < 2:
        return (
            "With a single team there is nothing to compare." if question != "cases" else _cases(told, cases)
        )
    return _ANSWERS[question](told, cases)


def _stability(told: Told, cases: Cases) -> str:
    whole = told["uncertainty"]["consensus"]
    if whole["undefined"] is not None:
        return f"The places cannot be redrawn: {whole['undefined']}."
    spans = [last - first for first, last in whole["intervals"]]
    sure, widest = spans.count(0), spans.index(max(spans))
    first, last = whole["intervals"][widest]
    text = f"{sure} of {len(spans)} teams keep one place in {told['uncertainty']['level']:.0%} of the draws."
    if first == last:
        return text
    return f"{text} The least certain is {names_of(told)[widest]}, between place {first} and {last}."


def _significance(told: Told, cases: Cases) -> str:
    parts = []
    for name, found in told["uncertainty"]["datasets"].items():
        tests = found["tests"]
        if tests["undefined"] is None:
            pairs = len(names_of(told)) * (len(names_of(told)) - 1) // 2
            parts.append(f"{sum(map(sum, tests['significant']))} of {pairs} pairs on {name}")
    return f"Told apart beyond chance: {', '.join(parts)}." if parts else "Nothing can be tested."


def _methods(told: Told, cases: Cases) -> str:
    ways = [way for way in told["ranking"]["methods"] if way["places"] is not None]
    counts, others = ways[0]["places"], ways[1:]
    same = sum(way["places"] == counts for way in others)
    text = f"{same} of {len(others)} other ways to rank give the same places."
    moved = {way["title"]: sum(a != b for a, b in zip(counts, way["places"], strict=True)) for way in others}
    if not any(moved.values()):
        return text
    most = max(moved, key=lambda title: moved[title])
    teams = "team has" if moved[most] == 1 else "teams have"
    return f"{text} By “{most}” {moved[most]} {teams} another place."


def _categories(told: Told, cases: Cases) -> str:
    parts = []
    for name, groupings in told["groups"].items():
        found = {
            group["name"]: group["average_precision"]["median"]
            for group in groupings["kind"]["groups"]
            if group["average_precision"]["median"] is not None
        }
        if found:
            hard, easy = min(found, key=lambda kind: found[kind]), max(found, key=lambda kind: found[kind])
            text = f"{name}: {hard} is hardest (AP {found[hard]:.2f} by the median team)"
            parts.append(text if hard == easy else f"{text}, {easy} easiest ({found[easy]:.2f})")
    return f"{'; '.join(parts)}." if parts else "No kinds of anomaly are known."


def _curves(told: Told, cases: Cases) -> str:
    parts = []
    for name, groupings in told["groups"].items():
        for grouping in ("size", "contrast"):
            medians = [one["average_precision"]["median"] for one in groupings[grouping]["groups"]]
            known = [value for value in medians if value is not None]
            if len(known) > 1:
                parts.append(f"by {grouping} on {name} from {known[0]:.2f} to {known[-1]:.2f}")
    return f"The median team's average precision goes {', '.join(parts)}." if parts else "No sizes are known."


def _others(told: Told, cases: Cases) -> str:
    found = {
        f"toy cases of {name}": tau["value"] for name, tau in told["ranking"]["toy_against_test"].items()
    }
    for name, sets in told["analysis"]["datasets"].items():
        if sets.get("proxy", {}).get("against_test"):
            found[f"proxies of {name}"] = sets["proxy"]["against_test"]["value"]
    parts = [f"{name} {value:.2f}" for name, value in found.items() if value is not None]
    return (
        f"τ-b with the test cases: {', '.join(parts)}."
        if parts
        else "There is no other ranking to compare with."
    )


def _cases(told: Told, cases: Cases) -> str:
    parts = []
    for name, found in cases["datasets"].items():
        hard, odd = hardest(found["cases"], 1), disputed(found["cases"], 1)
        if hard:
            parts.append(f"{name}: {hard[0]['id']} is hardest (mean {hard[0]['mean']:.2f})")
        if odd:
            parts.append(f"{odd[0]['id']} most disputed (spread {odd[0]['spread']:.2f})")
    return f"{'; '.join(parts)}." if parts else "No case has a figure."


_ANSWERS: dict[str, Callable[[Told, Cases], str]] = {
    "stability": _stability,
    "significance": _significance,
    "methods": _methods,
    "categories": _categories,
    "curves": _curves,
    "others": _others,
    "cases": _cases,
}
