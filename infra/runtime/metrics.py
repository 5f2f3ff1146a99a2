"""The runtime's Prometheus metrics; every name stands here with what it tells."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

RECORDS: Final = Counter(
    "pickly_records_total",
    "Records that moved a position, by what became of them.",
    ["group", "topic", "fate"],
)
FENCED: Final = Counter(
    "pickly_fenced_total", "Transactions rolled back because another member owns the partition.", ["group"]
)
FAILED: Final = Counter(
    "pickly_failed_transactions_total", "Transactions that failed, by what it meant.", ["group", "fate"]
)
TRANSACTION: Final = Histogram(
    "pickly_transaction_seconds",
    "One poll's transaction, from BEGIN to COMMIT.",
    ["group"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
AGE: Final = Histogram(
    "pickly_message_age_seconds",
    "From a message's append to the end of the transaction that applied it.",
    ["group"],
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 60, 300, 1_800, 21_600),
)
STOPPED: Final = Gauge("pickly_stopped_partitions", "Partitions that stand still.", ["group"])
EFFECTS: Final = Counter("pickly_effects_total", "Effects run, by result.", ["group", "kind", "result"])
LETTERS: Final = Counter(
    "pickly_marked_letters_total",
    "Dead letters that ops had marked, by what became of them: replayed, failed again, dropped.",
    ["group", "result"],
)
