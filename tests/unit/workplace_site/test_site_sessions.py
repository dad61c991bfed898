import pytest

from crowdsight.workplace.sessions import (
    INVITATION_AGE_S,
    MAX_NAME_CHARACTERS,
    SESSION_AGE_S,
    WORKER_ID,
    ExpiredToken,
    InvalidToken,
    Role,
    Sessions,
)
from tests.conftest import StoppedClock


def test_an_invitation_names_a_new_worker_each_time_unless_given_one(sessions: Sessions) -> None:
    first = sessions.read_invitation(sessions.invite_worker("Ada"))
    second = sessions.read_invitation(sessions.invite_worker("Ada"))
    again = sessions.read_invitation(sessions.invite_worker("Ada", first.worker_id))

    assert WORKER_ID.fullmatch(first.worker_id)
    assert first.worker_id != second.worker_id
    assert again.worker_id == first.worker_id


def test_a_name_keeps_any_language_and_loses_spaces_around_it(sessions: Sessions) -> None:
    assert sessions.read_invitation(sessions.invite_worker("  Адa Ловлейс 🙂 ")).name == "Адa Ловлейс 🙂"


@pytest.mark.parametrize("name", ["", "   ", "x" * (MAX_NAME_CHARACTERS + 1), "a\x00b", "a\nb", "\ud800", "\u202eadA"])
def test_a_name_that_is_empty_too_long_or_not_printable_is_refused(sessions: Sessions, name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        sessions.invite_worker(name)


@pytest.mark.parametrize("worker_id", ["", "A123", "B" + "0" * 13, "a" + "0" * 13, "A" + "0" * 13 + "\n"])
def test_an_id_that_no_worker_has_is_refused(sessions: Sessions, worker_id: str) -> None:
    with pytest.raises(ValueError, match="id"):
        sessions.invite_worker("Ada", worker_id)


def test_the_longest_name_makes_tokens_that_can_be_read(sessions: Sessions) -> None:
    name = "".join(chr(0x1F300 + index) for index in range(MAX_NAME_CHARACTERS))
    invitation = sessions.read_invitation(sessions.invite_worker(name))
    assert sessions.start(invitation).name == invitation.name


def test_invitations_and_sessions_end_after_thirty_days(sessions: Sessions, clock: StoppedClock) -> None:
    token = sessions.invite_worker("Ada")
    session = sessions.start(sessions.read_invitation(token))
    clock.move(SESSION_AGE_S - 1)
    assert sessions.read_session(session.token).name == "Ada"
    clock.move(1)
    with pytest.raises(ExpiredToken):
        sessions.read_session(session.token)
    assert INVITATION_AGE_S == SESSION_AGE_S == 30 * 24 * 60 * 60
    with pytest.raises(ExpiredToken):
        sessions.read_invitation(token)


def test_one_kind_of_token_never_passes_for_another(sessions: Sessions) -> None:
    token = sessions.invite_worker("Ada")
    session = sessions.start(sessions.read_invitation(token))
    with pytest.raises(InvalidToken):
        sessions.read_session(token)
    with pytest.raises(InvalidToken):
        sessions.read_invitation(session.token)
    with pytest.raises(InvalidToken):
        sessions.read_session(sessions.form_token(session.token))


def test_another_key_signs_other_tokens(sessions: Sessions, clock: StoppedClock) -> None:
    with pytest.raises(InvalidToken):
        Sessions(lambda: ["another key"], clock).read_invitation(sessions.invite_worker("Ada"))


@pytest.mark.parametrize("token", ["", ".", "x", "a.b", "é", "\ud800", "\x00", "A" * 100_000, "bnVsbA.x"])
def test_what_is_no_token_is_invalid(sessions: Sessions, token: str) -> None:
    with pytest.raises(InvalidToken):
        sessions.read_session(token)


def test_every_changed_character_makes_a_token_invalid(sessions: Sessions) -> None:
    token = sessions.invite_worker("Ada")
    # The last character of unpadded base64 holds spare bits, which decoders ignore.
    for index in range(len(token) - 1):
        changed = token[:index] + ("A" if token[index] != "A" else "B") + token[index + 1 :]
        with pytest.raises(InvalidToken):
            sessions.read_invitation(changed)


def test_a_form_token_is_good_for_its_own_session_only(sessions: Sessions) -> None:
    invitation = sessions.read_invitation(sessions.invite_worker("Ada"))
    first, second = sessions.start(invitation), sessions.start(invitation)
    assert sessions.is_form_token(sessions.form_token(first.token), first.token)
    assert not sessions.is_form_token(sessions.form_token(first.token), second.token)
    assert not sessions.is_form_token("", first.token)
    assert not sessions.is_form_token("é\x00", first.token)


def test_a_requesters_staff_have_a_role_and_ids_of_their_own(sessions: Sessions) -> None:
    invitation = sessions.read_invitation(sessions.invite_staff("Rita", "A1CROWDSIGHT00"))
    session = sessions.start(invitation)
    assert (session.role, session.requester_id, session.name) == (Role.REQUESTER, "A1CROWDSIGHT00", "Rita")
    assert session.worker_id.startswith("S")
    worker = sessions.start(sessions.read_invitation(sessions.invite_worker("Ada")))
    assert (worker.role, worker.requester_id) == (Role.WORKER, "")


@pytest.mark.parametrize("requester_id", ["", "B1", "A", "A" + "0" * 30, "a1", "A1\n"])
def test_staff_belong_to_what_can_be_a_requester(sessions: Sessions, requester_id: str) -> None:
    with pytest.raises(ValueError, match="id"):
        sessions.invite_staff("Rita", requester_id)
