"""The ledger's tables, as SQLite and PostgreSQL both keep them.

Errors are whole images with CHECKs, times come from the database (in UTC; leases as seconds since 1970), and JSON is text. Rows
of `result`, `late_result`, `claim`, `figure` and `fact` are written once: triggers refuse every UPDATE, DELETE, TRUNCATE and
REPLACE, whoever asks. A figure needs its claim, a result its trial and a trial its study, by foreign keys.
"""

from datetime import datetime

from sqlalchemy import (
    DDL,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
    func,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import SchemaItem
from sqlalchemy.sql.functions import FunctionElement

SCHEMA_VERSION = 3
WRITTEN_ONCE = {
    "result": ("trial_uid",),
    "late_result": ("trial_uid", "fence"),
    "claim": ("study_uid",),
    "figure": ("study_uid",),
    "fact": ("study_uid", "name"),
}

metadata = MetaData()


class database_seconds(FunctionElement[float]):
    """The seconds since 1970 by the database's clock: leases are counted by it, because the clocks of workers differ."""

    type = Float(53)
    inherit_cache = True


@compiles(database_seconds, "sqlite")
def _seconds_of_sqlite(element: object, compiler: object, **options: object) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(database_seconds, "postgresql")
def _seconds_of_postgresql(element: object, compiler: object, **options: object) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"


def _time_of_writing(name: str) -> Column[datetime]:
    return Column(name, DateTime(timezone=True), server_default=func.current_timestamp(), nullable=False)


schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True, autoincrement=False))

study = Table(
    "study",
    metadata,
    Column("uid", String(32), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("identity", Text, nullable=False),
    Column("wishes", Text, nullable=False, server_default="{}"),
    Column("parent_uid", ForeignKey("study.uid")),
    _time_of_writing("created_at"),
)

# A study is searched under one hold at a time. Its row stays when it is released, so that `fence` never goes back.
study_hold = Table(
    "study_hold",
    metadata,
    Column("study_uid", ForeignKey("study.uid"), primary_key=True),
    Column("fence", Integer, nullable=False),
    Column("owner", Text, nullable=False),
    Column("hold_until", Float(53), nullable=False),
    Column("call_key", String(32), nullable=False),
)

trial = Table(
    "trial",
    metadata,
    Column("trial_uid", String(64), primary_key=True),
    Column("study_uid", ForeignKey("study.uid"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("role", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("params", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("words", Text, nullable=False),
    Column("spec", Text, nullable=False),
    Column("budget_epochs", Integer, nullable=False),
    Column("point", String(64), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("owner", Text),
    Column("lease_until", Float(53)),
    Column("call_key", String(32)),
    Column("started_at", DateTime(timezone=True)),
    Column("progress_epoch", Integer),
    Column("progress_wrong", Integer),
    Column("progress_total", Integer),
    UniqueConstraint("study_uid", "number", name="one_trial_a_number"),
    UniqueConstraint("study_uid", "point", name="one_trial_a_point"),
    CheckConstraint("number >= 0", name="number_counts"),
    CheckConstraint("budget_epochs >= 0", name="budget_possible"),
    CheckConstraint(
        "role IN ('baseline', 'enqueued', 'trial', 'rehearsal', 'calibration', 'finalist', 'confirmation')", name="role_known"
    ),
    CheckConstraint("progress_total > 0 AND 0 <= progress_wrong AND progress_wrong <= progress_total", name="progress_possible"),
)


def _outcome(of: str) -> tuple[SchemaItem, ...]:
    """The columns of a result. `epochs`, `seconds` and `error` repeat what the body says, for tables of ten thousand trials.

    The bounds of log_loss_sum let no infinity through, and no NaN: PostgreSQL sorts it above all numbers, SQLite stores a NULL.
    """
    return (
        Column("status", Text, nullable=False),
        Column("wrong", Integer),
        Column("total", Integer),
        Column("log_loss_sum", Float(53)),
        Column("epochs", Integer, nullable=False, server_default="0"),
        Column("seconds", Float(53)),
        Column("error", Text),
        Column("body", Text, nullable=False),
        _time_of_writing("committed_at"),
        CheckConstraint(
            "(status = 'done' AND wrong IS NOT NULL AND total IS NOT NULL)"
            " OR (status = 'failed' AND wrong IS NULL AND total IS NULL AND log_loss_sum IS NULL)",
            name=f"{of}done_has_a_score",
        ),
        CheckConstraint("total > 0 AND 0 <= wrong AND wrong <= total", name=f"{of}wrong_possible"),
        CheckConstraint("log_loss_sum BETWEEN -1.7e308 AND 1.7e308", name=f"{of}log_loss_finite"),
    )


# `fence` is the attempt that it came from; NULL where the driver gave its word for a trial whose workers were lost.
result = Table(
    "result",
    metadata,
    Column("trial_uid", ForeignKey("trial.trial_uid"), primary_key=True),
    Column("fence", Integer),
    *_outcome(""),
)

# What an attempt brought that was no longer the trial's last, or came after the counted result: kept, never counted.
late_result = Table(
    "late_result",
    metadata,
    Column("trial_uid", ForeignKey("trial.trial_uid"), primary_key=True),
    Column("fence", Integer, primary_key=True, autoincrement=False),
    *_outcome("late_"),
)

claim = Table(
    "claim",
    metadata,
    Column("study_uid", ForeignKey("study.uid"), primary_key=True),
    Column("test_fingerprint", Text, nullable=False, index=True),
    Column("models", Text, nullable=False),
    Column("looks_before", Integer, nullable=False),
    _time_of_writing("claimed_at"),
)

# `scores` are those of the claim's models in their order, as JSON; `wrong` and `total` repeat what the first one's says.
figure = Table(
    "figure",
    metadata,
    Column("study_uid", ForeignKey("claim.study_uid"), primary_key=True),
    Column("wrong", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("scores", Text, nullable=False),
    _time_of_writing("committed_at"),
    CheckConstraint("total > 0 AND 0 <= wrong AND wrong <= total", name="figure_possible"),
)

# What a study found out once and goes by from then on: which strengths keep the labels, what its user was told and decided.
fact = Table(
    "fact",
    metadata,
    Column("study_uid", ForeignKey("study.uid"), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
    _time_of_writing("noted_at"),
)

mirrored = Table(
    "mirrored",
    metadata,
    Column("trial_uid", ForeignKey("trial.trial_uid"), primary_key=True),
    Column("target", Text, primary_key=True),
)


def _at_creation(dialect: str, statement: str) -> None:
    ddl = DDL(statement).execute_if(dialect=dialect)  # type: ignore[no-untyped-call]  # SQLAlchemy 2.1 leaves it untyped
    event.listen(metadata, "after_create", ddl)


def _guard_written_once() -> None:
    """Attach the triggers to the creation of the tables."""
    _at_creation(
        "postgresql",
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE EXCEPTION USING MESSAGE = 'rows of ' || TG_TABLE_NAME || ' are written once'; END $$",
    )
    for name, keys in WRITTEN_ONCE.items():
        _at_creation(
            "postgresql",
            f"CREATE TRIGGER {name}_written_once BEFORE UPDATE OR DELETE OR TRUNCATE ON {name}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
        )
        # SQLite's INSERT OR REPLACE deletes without a delete trigger, so that inserting over a row is refused as well.
        same = " AND ".join(f"{key} = NEW.{key}" for key in keys)
        over_a_row = f"INSERT ON {name} WHEN EXISTS (SELECT 1 FROM {name} WHERE {same})"
        for verb, when in (("update", f"UPDATE ON {name}"), ("delete", f"DELETE ON {name}"), ("replace", over_a_row)):
            refusal = f"BEGIN SELECT RAISE(ABORT, 'rows of {name} are written once'); END"
            _at_creation("sqlite", f"CREATE TRIGGER {name}_no_{verb} BEFORE {when} {refusal}")


_guard_written_once()
