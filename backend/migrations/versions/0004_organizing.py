"""organizing: the audit log, settings that were changed, frozen boards, aliases, working samples"""

import sqlalchemy as sa
from alembic import op
from backend.db import now
from backend.models.team import new_alias

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None

team = sa.table('team', sa.column('id', sa.String), sa.column('alias', sa.String))


def upgrade() -> None:
    op.create_table('audit_entry',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('actor', sa.String(length=60), nullable=False),
    sa.Column('action', sa.String(length=40), nullable=False),
    sa.Column('challenge_id', sa.String(length=40), nullable=True),
    sa.Column('subject', sa.String(length=60), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('details', sa.JSON(), nullable=False),
    sa.Column('created_at', sa.Float(), server_default=now(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_entry'))
    )
    op.create_index(op.f('ix_audit_entry_action'), 'audit_entry', ['action'], unique=False)
    op.create_index(op.f('ix_audit_entry_challenge_id'), 'audit_entry', ['challenge_id'], unique=False)
    _refuse_changes()
    op.create_table('frozen_board',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('challenge_id', sa.String(length=40), nullable=False),
    sa.Column('scoring_version_id', sa.Integer(), nullable=False),
    sa.Column('entries', sa.JSON(), nullable=False),
    sa.Column('published_at', sa.Float(), nullable=True),
    sa.Column('released_at', sa.Float(), nullable=True),
    sa.Column('created_at', sa.Float(), server_default=now(), nullable=False),
    sa.ForeignKeyConstraint(['challenge_id'], ['challenge.id'], name=op.f('fk_frozen_board_challenge_id_challenge')),
    sa.ForeignKeyConstraint(['scoring_version_id'], ['scoring_version.id'], name=op.f('fk_frozen_board_scoring_version_id_scoring_version')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_frozen_board'))
    )
    op.create_index(op.f('ix_frozen_board_challenge_id'), 'frozen_board', ['challenge_id'], unique=False)
    op.create_index('ix_frozen_board_in_force', 'frozen_board', ['challenge_id'], unique=True, sqlite_where=sa.text('released_at IS NULL'), postgresql_where=sa.text('released_at IS NULL'))
    op.create_table('working_sample',
    sa.Column('challenge_id', sa.String(length=40), nullable=False),
    sa.Column('title', sa.String(length=200), nullable=False),
    sa.Column('archive_sha256', sa.String(length=64), nullable=False),
    sa.Column('archive_size', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.Float(), server_default=now(), nullable=False),
    sa.ForeignKeyConstraint(['challenge_id'], ['challenge.id'], name=op.f('fk_working_sample_challenge_id_challenge')),
    sa.PrimaryKeyConstraint('challenge_id', name=op.f('pk_working_sample'))
    )
    # No batch, which would drop tables that rows of others point to.
    op.add_column('challenge', sa.Column('settings', sa.JSON(), server_default='{}', nullable=False))
    op.add_column('team', sa.Column('alias', sa.String(length=60), nullable=True))
    _give_aliases()
    op.create_index('ix_team_alias', 'team', ['challenge_id', 'alias'], unique=True)


def _refuse_changes() -> None:
    """Have the database itself keep the audit log as it was written."""
    if op.get_bind().dialect.name == 'postgresql':
        op.execute(
            "CREATE FUNCTION audit_entry_stays() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$"
        )
        op.execute(
            'CREATE TRIGGER audit_entry_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry '
            'FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_stays()'
        )
        return
    for deed in ('UPDATE', 'DELETE'):
        op.execute(
            f'CREATE TRIGGER audit_entry_no_{deed.lower()} BEFORE {deed} ON audit_entry '
            "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
        )


def _give_aliases() -> None:
    session = op.get_bind()
    for (name,) in session.execute(sa.select(team.c.id)).all():
        session.execute(team.update().where(team.c.id == name).values(alias=new_alias()))


def downgrade() -> None:
    op.drop_index('ix_team_alias', table_name='team')
    op.drop_column('team', 'alias')
    op.drop_column('challenge', 'settings')
    op.drop_table('working_sample')
    op.drop_index('ix_frozen_board_in_force', table_name='frozen_board')
    op.drop_index(op.f('ix_frozen_board_challenge_id'), table_name='frozen_board')
    op.drop_table('frozen_board')
    op.drop_index(op.f('ix_audit_entry_challenge_id'), table_name='audit_entry')
    op.drop_index(op.f('ix_audit_entry_action'), table_name='audit_entry')
    op.drop_table('audit_entry')
    if op.get_bind().dialect.name == 'postgresql':
        op.execute('DROP FUNCTION audit_entry_stays()')
