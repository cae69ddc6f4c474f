"""reports: what organizers learn from results, by what that was computed from"""

import sqlalchemy as sa
from alembic import op
from backend.db import now

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('report',
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('challenge_id', sa.String(length=40), nullable=False),
    sa.Column('claimed_until', sa.Float(), nullable=False),
    sa.Column('computed_at', sa.Float(), nullable=True),
    sa.Column('failure', sa.Text(), nullable=True),
    sa.Column('document', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('cases', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('created_at', sa.Float(), server_default=now(), nullable=False),
    sa.ForeignKeyConstraint(['challenge_id'], ['challenge.id'], name=op.f('fk_report_challenge_id_challenge')),
    sa.PrimaryKeyConstraint('digest', name=op.f('pk_report'))
    )
    op.create_index(op.f('ix_report_challenge_id'), 'report', ['challenge_id'], unique=False)


def downgrade() -> None:
    op.drop_index(op.f('ix_report_challenge_id'), table_name='report')
    op.drop_table('report')
