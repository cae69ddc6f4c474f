"""scoring versions: every challenge gets the first, to which the scores there are belong"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from backend.db import now
from ruamel.yaml import YAML

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

challenge = sa.table('challenge', sa.column('id', sa.String), sa.column('spec_text', sa.Text), sa.column('created_at', sa.Float))
scoring_version = sa.table(
    'scoring_version',
    sa.column('id', sa.Integer),
    sa.column('challenge_id', sa.String),
    sa.column('number', sa.Integer),
    sa.column('policy', sa.JSON),
    sa.column('reason', sa.Text),
    sa.column('created_by', sa.String),
    sa.column('current', sa.Boolean),
    sa.column('current_since', sa.Float),
    sa.column('created_at', sa.Float),
)
score = sa.table('score', sa.column('submission_id', sa.String), sa.column('scoring_version_id', sa.Integer))
submission = sa.table('submission', sa.column('id', sa.String), sa.column('challenge_id', sa.String))


def upgrade() -> None:
    op.create_table('scoring_version',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('challenge_id', sa.String(length=40), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('policy', sa.JSON(), nullable=False),
    sa.Column('arrangements', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('arrangement_seed', sa.BigInteger(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('created_by', sa.String(length=60), nullable=False),
    sa.Column('current', sa.Boolean(), nullable=False),
    sa.Column('current_since', sa.Float(), nullable=True),
    sa.Column('created_at', sa.Float(), server_default=now(), nullable=False),
    sa.ForeignKeyConstraint(['challenge_id'], ['challenge.id'], name=op.f('fk_scoring_version_challenge_id_challenge')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_scoring_version')),
    sa.UniqueConstraint('challenge_id', 'number', name=op.f('uq_scoring_version_challenge_id_number'))
    )
    op.create_index('ix_scoring_version_current', 'scoring_version', ['challenge_id'], unique=True, sqlite_where=sa.text('current'), postgresql_where=sa.text('current'))
    with op.batch_alter_table('case_result', schema=None) as batch_op:
        batch_op.add_column(sa.Column('figures', sa.JSON(), server_default='{}', nullable=False))

    with op.batch_alter_table('score', schema=None) as batch_op:
        batch_op.add_column(sa.Column('scoring_version_id', sa.Integer(), nullable=True))
        batch_op.drop_constraint(batch_op.f('uq_score_run_id_stage_task_dataset'), type_='unique')
        batch_op.drop_constraint(batch_op.f('uq_score_submission_id_stage_task_dataset'), type_='unique')

    _give_first_versions()
    with op.batch_alter_table('score', schema=None) as batch_op:
        batch_op.alter_column('scoring_version_id', existing_type=sa.Integer(), nullable=False)
        batch_op.create_foreign_key(batch_op.f('fk_score_scoring_version_id_scoring_version'), 'scoring_version', ['scoring_version_id'], ['id'])
        batch_op.create_unique_constraint(batch_op.f('uq_score_submission_id_scoring_version_id_stage_task_dataset'), ['submission_id', 'scoring_version_id', 'stage', 'task', 'dataset'])
        batch_op.create_index(batch_op.f('ix_score_scoring_version_id'), ['scoring_version_id'], unique=False)


def _give_first_versions() -> None:
    connection = op.get_bind()
    for row in connection.execute(sa.select(challenge)).all():
        values = {
            'challenge_id': row.id,
            'number': 1,
            'policy': _policy(row.spec_text),
            'reason': 'as registered',
            'created_by': 'registration',
            'current': True,
            'current_since': row.created_at,
            'created_at': row.created_at,
        }
        connection.execute(sa.insert(scoring_version).values(values))
    first = (
        sa.select(scoring_version.c.id)
        .join(submission, submission.c.challenge_id == scoring_version.c.challenge_id)
        .where(submission.c.id == score.c.submission_id)
        .scalar_subquery()
    )
    connection.execute(sa.update(score).values(scoring_version_id=first))


def _policy(spec_text: str) -> dict[str, Any]:
    # What the YAML left out meant this when it was registered; what was meant must not change with defaults.
    implied = {'batch_size': None, 'arrangements': 1, 'short_last_batch': 'keep', 'objects': None}
    tasks = YAML(typ='safe').load(spec_text)['tasks']
    return {
        name: {'missing': task.get('missing', 'worst'), 'metric': implied | task['metric']}
        for name, task in tasks.items()
    }


def downgrade() -> None:
    # Only the figures of the public version have a place in the older tables.
    public = sa.select(scoring_version.c.id).where(scoring_version.c.current)
    op.execute(sa.delete(score).where(score.c.scoring_version_id.not_in(public)))
    with op.batch_alter_table('score', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_score_scoring_version_id'))
        batch_op.drop_constraint(batch_op.f('uq_score_submission_id_scoring_version_id_stage_task_dataset'), type_='unique')
        batch_op.drop_constraint(batch_op.f('fk_score_scoring_version_id_scoring_version'), type_='foreignkey')
        batch_op.drop_column('scoring_version_id')
        batch_op.create_unique_constraint(batch_op.f('uq_score_submission_id_stage_task_dataset'), ['submission_id', 'stage', 'task', 'dataset'])
        batch_op.create_unique_constraint(batch_op.f('uq_score_run_id_stage_task_dataset'), ['run_id', 'stage', 'task', 'dataset'])

    with op.batch_alter_table('case_result', schema=None) as batch_op:
        batch_op.drop_column('figures')

    op.drop_index('ix_scoring_version_current', table_name='scoring_version')
    op.drop_table('scoring_version')
