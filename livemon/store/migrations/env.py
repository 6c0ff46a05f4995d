"""Alembic's entry: runs the steps on the connection, and in the transaction, that `livemon.store.schema` has opened."""

from alembic import context

from livemon.store.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    render_as_batch=True,  # SQLite changes a column by copying the table
)
with context.begin_transaction():
    context.run_migrations()
