"""Run by alembic: migrations happen on the connection, and in the transaction, that server.database hands over."""

from alembic import context

from server.database.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite alters tables by copying them
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
