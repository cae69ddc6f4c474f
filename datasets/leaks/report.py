"""An audit as a section of a page: verdicts first, then figures, tables and what any method has to beat.

The markup needs no script and no style of its own, so that the page of a dataset's gallery can take it in.
"""

import json
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

from datasets.leaks.findings import AuditReport, CrossTable, Finding
from datasets.volume import write_bytes
from scoring.report.figures.axes import BELOW, Scale, along, label, rows, ticks
from scoring.report.figures.canvas import WIDTH, Canvas

_ORDER = {"leak": 0, "note": 1, "ok": 2}
_HEADS = ("dataset", "tried", "kind", "verdict", "AUC", "p", "p (Holm)", "")
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Leak audit</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}}
table{{border-collapse:collapse;margin:1rem 0}}td,th{{padding:.2rem .6rem;text-align:left;
border-bottom:1px solid #8884}}.leak{{color:#b00020;font-weight:bold}}svg{{max-width:44rem}}</style>
{section}
</html>
"""


def write(report: AuditReport, folder: Path) -> list[Path]:
    """Write `audit.json` and `audit.html` into `folder`, and say where."""
    told = json.dumps(report.as_json(), indent=1, ensure_ascii=False) + "\n"
    paths = {folder / "audit.json": told, folder / "audit.html": _PAGE.format(section=section(report))}
    for path, text in paths.items():
        write_bytes(path, text.encode())
    return list(paths)


def section(report: AuditReport) -> str:
    """The report as one `<section>` of HTML."""
    figures = "".join(f"<h3>{escape(name)}</h3>{figure(report, name)}" for name in sorted(report.cases))
    return (
        f'<section class="leak-audit"><h2>Leak audit</h2><p>{escape(_verdict(report))}</p>'
        f"{_findings(report.findings)}{figures}"
        f"<h3>What any method has to beat</h3>{_baselines(report)}"
        f"{''.join(map(_table, report.tables))}</section>"
    )


def figure(report: AuditReport, dataset: str) -> str:
    """The AUC of everything that has one, as SVG; filled dots are leaks."""
    shown = [one for one in report.findings if one.dataset == dataset and one.auc is not None]
    frame = rows([one.name for one in shown], top=8, height=18, most=260)
    title = f"What tells normal from abnormal cases of {dataset}"
    desc = "; ".join(f"{one.name}: {one.auc:.2f}, {one.verdict}" for one in shown)
    prefix = "leaks-" + re.sub(r"[^A-Za-z0-9]", "-", dataset)
    canvas = Canvas(frame.bottom + BELOW, prefix=prefix, kind="leaks", title=title, desc=desc)
    scale = Scale(0, 1, frame.left, WIDTH - 16)
    along(canvas, scale, ticks(0, 1), frame.top, frame.bottom, "AUC; 0.5 is chance")
    label(canvas, frame, [one.name for one in shown])
    canvas.line(scale(0.5), frame.top, scale(0.5), frame.bottom, width=1.5)
    for index, one in enumerate(shown):
        filled = "currentColor" if one.verdict == "leak" else "none"
        canvas.add(
            "circle", None, f"{one.name}: {one.auc:.3f}, {one.verdict}",
            cx=scale(one.auc or 0.0), cy=frame.middle(index), r=4.5, fill=filled, stroke="currentColor",
            class_=one.verdict,
        )  # fmt: skip
    return canvas.svg()


def _verdict(report: AuditReport) -> str:
    cases = ", ".join(f"{count} of {name}" for name, count in sorted(report.cases.items()))
    tried = f"{len(report.findings)} things were tried on the hidden cases ({cases})"
    rule = f"family-wise error {report.alpha:g}, {report.rounds} permutations"
    if not report.leaks:
        return f"No leak: {tried}; {rule}."
    return f"{len(report.leaks)} leaks: {tried}; {rule}. Mend them and build again before anybody submits."


def _findings(findings: Sequence[Finding]) -> str:
    ordered = sorted(findings, key=lambda one: _ORDER[one.verdict])
    body = "".join(
        f'<tr class="{one.verdict}">' + "".join(f"<td>{escape(cell)}</td>" for cell in _cells(one)) + "</tr>"
        for one in ordered
    )
    return f"<table><thead><tr>{_row('th', _HEADS)}</tr></thead><tbody>{body}</tbody></table>"


def _cells(one: Finding) -> list[str]:
    numbers = ["–" if value is None else f"{value:.3g}" for value in (one.auc, one.p, one.p_holm)]
    return [one.dataset, one.name, one.kind, one.verdict, *numbers, one.sentence]


def _baselines(report: AuditReport) -> str:
    told = [
        (b.dataset, b.level, b.score, f"{b.average_precision:.3f}", f"{b.prevalence:.3g}")
        for b in report.baselines
    ]
    lines = "".join(f"<tr>{_row('td', row)}</tr>" for row in told)
    heads = _row("th", ("dataset", "level", "score", "AP", "AP by chance"))
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>"


def _table(table: CrossTable) -> str:
    lines = "".join(
        f"<tr>{_row('td', (kind, *map(str, counts)))}</tr>" for kind, counts in table.counts.items()
    )
    heads = _row("th", (f"{table.dataset}, {table.property}", *table.columns))
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>"


def _row(tag: str, cells: Sequence[str]) -> str:
    return "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells)
