"""Plans, the credit ledger, idempotent answers."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from server.database.tables import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

FIRST_CREDITS = 100_000
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables; accounts from before there were plans are their operator's own."""
    with op.batch_alter_table("accounts") as accounts:
        accounts.add_column(sa.Column("plan", sa.String(20), nullable=False, server_default="free"))
        accounts.add_column(sa.Column("webhook_url", sa.String(2048)))
        accounts.add_column(sa.Column("webhook_secret", sa.String(100)))
    balances = op.create_table(
        "credit_balances",
        sa.Column("account_id", sa.String(40), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_credit_balances"),
        _of_account("credit_balances"),
        sa.CheckConstraint("balance >= 0", name="ck_credit_balances_balance"),
    )
    op.create_table(
        "credit_reservations",
        sa.Column("job_id", sa.String(80), nullable=False),
        sa.Column("account_id", sa.String(40), nullable=False),
        sa.Column("item", sa.String(40), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("charged", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", name="pk_credit_reservations"),
        _of_account("credit_reservations"),
    )
    op.create_index("ix_credit_reservations_account_id_created", "credit_reservations", ["account_id", "created"])
    entries = op.create_table(
        "credit_entries",
        sa.Column("id", ROW_ID, nullable=False, autoincrement=True),
        sa.Column("account_id", sa.String(40), nullable=False),
        sa.Column("job_id", sa.String(80)),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_credit_entries"),
        sa.UniqueConstraint("job_id", "kind", name="uq_credit_entries_job_id"),
        _of_account("credit_entries"),
    )
    op.create_index("ix_credit_entries_account_id_day", "credit_entries", ["account_id", "day"])
    op.create_table(
        "idempotent_answers",
        sa.Column("account_id", sa.String(40), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("request", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("expires", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "key", name="pk_idempotent_answers"),
        _of_account("idempotent_answers"),
    )
    op.create_index("ix_idempotent_answers_account_id_expires", "idempotent_answers", ["account_id", "expires"])
    _endow(balances, entries)


def downgrade() -> None:
    """Drop them."""
    for table in ("idempotent_answers", "credit_entries", "credit_reservations", "credit_balances"):
        op.drop_table(table)
    with op.batch_alter_table("accounts") as accounts:
        for column in ("webhook_secret", "webhook_url", "plan"):
            accounts.drop_column(column)


def _of_account(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["account_id"], ["accounts.id"], name=f"fk_{table}_account_id_accounts", ondelete="CASCADE"
    )


def _endow(balances: sa.Table, entries: sa.Table) -> None:
    connection = op.get_bind()
    accounts = sa.table("accounts", sa.column("id", sa.String), sa.column("plan", sa.String))
    known = list(connection.scalars(sa.select(accounts.c.id)))
    if not known:
        return
    now = datetime.now(UTC)
    connection.execute(sa.update(accounts).values(plan="enterprise"))
    connection.execute(sa.insert(balances), [{"account_id": account, "balance": FIRST_CREDITS} for account in known])
    entry = {"kind": "grant", "change": FIRST_CREDITS, "balance": FIRST_CREDITS, "reason": "first account"}
    connection.execute(
        sa.insert(entries), [{"account_id": account, "created": now, "day": now.date(), **entry} for account in known]
    )
