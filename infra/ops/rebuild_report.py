"""What a rebuild did, for people and for programs."""

from collections.abc import Sequence
from dataclasses import asdict

from infra.ops.rebuild_compare import Compared
from infra.ops.rebuild_run import Report
from infra.roles import OLD_SUFFIX


def as_json(reports: Sequence[Report]) -> dict[str, object]:
    """The stable form; `docs/runbooks/rebuild.md` describes it. Fields are added, never changed."""
    return {
        "equal": all(report.equal for report in reports),
        "projections": [_projection(report) for report in reports],
    }


def _projection(report: Report) -> dict[str, object]:
    return {
        "projection": report.projection,
        "equal": report.equal,
        "swapped": report.swapped,
        "records": report.records,
        "seconds": round(report.seconds, 3),
        "per_second": round(report.records / report.seconds) if report.seconds else 0,
        "held_seconds": round(report.held_seconds, 3),
        "dead": report.dead,
        "behind": report.behind,
        "stopped": report.stopped,
        "tables": [asdict(table) | {"differing": table.differing} for table in report.tables],
    }


def as_text(report: Report) -> str:
    """Some lines."""
    name, rate = report.projection, report.records / report.seconds if report.seconds else 0
    lines = [f"{name}: {report.records:,} records in {report.seconds:.1f} s ({rate:,.0f}/s)"]
    if report.dead:
        lines.append(
            f"{name}: {report.dead} records could not be applied; ./pickly dead list, after the swap"
        )
    lines += [f"{name} stood still: {reason}" for reason in report.stopped]
    if report.behind:
        lines.append(
            f"{name} was {sum(report.behind.values()):,} offsets behind on {len(report.behind)} partitions,"
            " which may be all that differs"
        )
    for table in report.tables:
        lines += _table(table)
    if report.swapped:
        lines.append(
            f"{name}: swapped; the live one stood still for {report.held_seconds:.2f} s. The old one is"
            f" kept as {name}{OLD_SUFFIX} until ./pickly rebuild {name} --drop-old"
        )
    else:
        lines.append(f"{name}: nothing was changed")
    return "\n".join(lines)


def _table(table: Compared) -> list[str]:
    if not table.differing:
        return [f"  {table.name:<16} {table.next_rows:>12,} rows, equal"]
    lines = [
        f"  {table.name:<16} {table.next_rows:>12,} rows, {table.differing:,} DIFFER: {table.changed:,}"
        f" changed, {table.missing:,} only in the new one, {table.extra:,} only in the live one"
    ]
    for example in table.examples:
        key = ", ".join(f"{name}={value}" for name, value in example.key.items())
        columns = f": {', '.join(example.columns)}" if example.columns else ""
        lines.append(f"    {example.kind:<8} {key}{columns}")
    return lines
