"""Avatars and agents that people make."""

import sqlalchemy as sa
from alembic import op

from server.database.tables import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "avatars",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("account_id", sa.String(40)),
        sa.Column("visitor", sa.String(40)),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("warnings", sa.JSON(), nullable=False),
        sa.Column("source_hash", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("preview_key", sa.String(200)),
        sa.Column("voice", sa.String(200)),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("expires", UtcDateTime()),
        sa.PrimaryKeyConstraint("id", name="pk_avatars"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_avatars_account_id_accounts", ondelete="CASCADE"
        ),
    )
    for column in ("account_id", "visitor", "created", "expires"):
        op.create_index(f"ix_avatars_{column}", "avatars", [column])
    op.create_table(
        "agents",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("account_id", sa.String(40)),
        sa.Column("visitor", sa.String(40)),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("definition", sa.JSON(), nullable=False),
        sa.Column("based_on", sa.String(64)),
        sa.Column("avatar_id", sa.String(40)),
        sa.Column("voice", sa.String(200)),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("error_message", sa.Text()),
        sa.Column("source", sa.JSON(), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("updated", UtcDateTime(), nullable=False),
        sa.Column("expires", UtcDateTime()),
        sa.PrimaryKeyConstraint("id", name="pk_agents"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_agents_account_id_accounts", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["avatar_id"], ["avatars.id"], name="fk_agents_avatar_id_avatars", ondelete="SET NULL"),
    )
    for column in ("account_id", "visitor", "avatar_id", "status", "created", "expires"):
        op.create_index(f"ix_agents_{column}", "agents", [column])


def downgrade() -> None:
    """Drop them."""
    for table in ("agents", "avatars"):
        op.drop_table(table)
