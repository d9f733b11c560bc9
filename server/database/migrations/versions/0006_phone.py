"""Telephone calls, numbers, who is not called again, campaigns; when words were said."""

import sqlalchemy as sa
from alembic import op

from server.database.tables import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    _create_campaigns()
    _create_calls()
    op.create_table(
        "phone_numbers",
        sa.Column("number", sa.String(40), nullable=False),
        sa.Column("account_id", sa.String(40), nullable=False),
        sa.Column("agent_id", sa.String(64), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_phone_numbers"),
        _account("phone_numbers"),
    )
    op.create_index("ix_phone_numbers_account_id", "phone_numbers", ["account_id"])
    op.create_table(
        "do_not_call",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("account_id", sa.String(40), nullable=False),
        sa.Column("number", sa.String(40), nullable=False),
        sa.Column("source", sa.String(10), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_do_not_call"),
        sa.UniqueConstraint("account_id", "number", name="uq_do_not_call_account_id"),
        _account("do_not_call"),
    )
    op.add_column("turns", sa.Column("words", sa.JSON()))


def _create_campaigns() -> None:
    op.create_table(
        "campaigns",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("account_id", sa.String(40), nullable=False),
        sa.Column("agent_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("reason", sa.String(200)),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("updated", UtcDateTime(), nullable=False),
        sa.Column("finished", UtcDateTime()),
        sa.PrimaryKeyConstraint("id", name="pk_campaigns"),
        _account("campaigns"),
    )
    op.create_index("ix_campaigns_account_id_created", "campaigns", ["account_id", "created"])
    op.create_index("ix_campaigns_status", "campaigns", ["status"])
    op.create_table(
        "campaign_contacts",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("campaign_id", sa.String(40), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(40), nullable=False),
        sa.Column("variables", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due", UtcDateTime(), nullable=False),
        sa.Column("outcome", sa.String(40)),
        sa.Column("call_id", sa.String(64)),
        sa.Column("updated", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_campaign_contacts"),
        sa.UniqueConstraint("campaign_id", "number", name="uq_campaign_contacts_campaign_id"),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name="fk_campaign_contacts_campaign_id_campaigns", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_campaign_contacts_campaign_id_status", "campaign_contacts", ["campaign_id", "status", "due"])


def _create_calls() -> None:
    op.create_table(
        "phone_calls",
        sa.Column("call_id", sa.String(64), nullable=False),
        sa.Column("account_id", sa.String(40), nullable=False),
        sa.Column("direction", sa.String(8), nullable=False),
        sa.Column("carrier", sa.String(10), nullable=False),
        sa.Column("sid", sa.String(100)),
        sa.Column("own_number", sa.String(40), nullable=False),
        sa.Column("peer", sa.String(200), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("updated", UtcDateTime(), nullable=False),
        sa.Column("asked", UtcDateTime()),
        sa.Column("answered", UtcDateTime()),
        sa.Column("seconds", sa.Integer()),
        sa.Column("minute_price", sa.Integer(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("next_minute", UtcDateTime()),
        sa.Column("billed", sa.Boolean(), nullable=False),
        sa.Column("cost", sa.Integer(), nullable=False),
        sa.Column("answered_by", sa.String(10)),
        sa.Column("outcome", sa.String(40)),
        sa.Column("error", sa.String(500)),
        sa.Column("recording", sa.String(300)),
        sa.Column("variables", sa.JSON(), nullable=False),
        sa.Column("contact_id", sa.Integer()),
        sa.PrimaryKeyConstraint("call_id", name="pk_phone_calls"),
        sa.UniqueConstraint("sid", name="uq_phone_calls_sid"),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name="fk_phone_calls_call_id_calls", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["contact_id"],
            ["campaign_contacts.id"],
            name="fk_phone_calls_contact_id_campaign_contacts",
            ondelete="SET NULL",
        ),
        _account("phone_calls"),
    )
    op.create_index("ix_phone_calls_account_id_created", "phone_calls", ["account_id", "created"])
    op.create_index("ix_phone_calls_peer_created", "phone_calls", ["peer", "created"])
    for column in ("state", "next_minute", "contact_id"):
        op.create_index(f"ix_phone_calls_{column}", "phone_calls", [column])


def _account(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["account_id"], ["accounts.id"], name=f"fk_{table}_account_id_accounts", ondelete="CASCADE"
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_column("turns", "words")
    for table in ("phone_calls", "do_not_call", "phone_numbers", "campaign_contacts", "campaigns"):
        op.drop_table(table)
