"""What goes over the wire about people, tokens and teams."""

from pydantic import BaseModel, Field, SecretStr

from backend.models.team import Team
from backend.models.user import ApiToken, User


class NewAccount(BaseModel):
    name: str = Field(max_length=100)
    email: str = Field(max_length=300)
    password: SecretStr = Field(max_length=2000)


class Account(BaseModel):
    """A person, as shown to themselves."""

    id: str
    name: str
    email: str
    role: str

    @classmethod
    def of(cls, user: User) -> "Account":
        return cls(id=user.id, name=user.name, email=user.email, role=user.role)


class NewToken(BaseModel):
    name: str = Field(max_length=300, description="Name or mail address of the user.")
    password: SecretStr = Field(max_length=2000)
    token_name: str = Field(default="moodarena", max_length=100)


class IssuedToken(BaseModel):
    """A token's secret, shown this once."""

    id: str
    token: str


class Token(BaseModel):
    id: str
    name: str
    created_at: float
    last_used_at: float | None

    @classmethod
    def of(cls, token: ApiToken) -> "Token":
        return cls(id=token.id, name=token.name, created_at=token.created_at, last_used_at=token.last_used_at)


class NewTeam(BaseModel):
    name: str = Field(max_length=200)


class Member(BaseModel):
    name: str


class TeamView(BaseModel):
    """A team, as shown to its members and to organizers."""

    id: str
    challenge: str
    name: str
    approved: bool
    baseline: bool
    members: list[Member]

    @classmethod
    def of(cls, team: Team) -> "TeamView":
        return cls(
            id=team.id,
            challenge=team.challenge_id,
            name=team.name,
            approved=team.approved_at is not None,
            baseline=team.baseline,
            members=[Member(name=membership.user.name) for membership in team.members],
        )


class InvitationView(BaseModel):
    """A secret that admits one person, shown this once."""

    token: str
    expires_at: float


class OpenInvitation(BaseModel):
    """An invitation that still admits somebody; the secret itself is not kept."""

    id: str
    made_by: str
    created_at: float
    expires_at: float


class Joining(BaseModel):
    token: str = Field(max_length=200)
