"""standings: how sure the places of boards are, by what that was computed from"""

import sqlalchemy as sa
from alembic import op
from backend.db import now

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('standing',
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('challenge_id', sa.String(length=40), nullable=False),
    sa.Column('task', sa.String(length=40), nullable=False),
    sa.Column('claimed_until', sa.Float(), nullable=False),
    sa.Column('found', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('created_at', sa.Float(), server_default=now(), nullable=False),
    sa.ForeignKeyConstraint(['challenge_id'], ['challenge.id'], name=op.f('fk_standing_challenge_id_challenge')),
    sa.PrimaryKeyConstraint('digest', name=op.f('pk_standing'))
    )
    op.create_index(op.f('ix_standing_challenge_id'), 'standing', ['challenge_id'], unique=False)


def downgrade() -> None:
    op.drop_index(op.f('ix_standing_challenge_id'), table_name='standing')
    op.drop_table('standing')
