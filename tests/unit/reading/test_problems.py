import pytest

from remediator.reading.problems import MAX_SHOWN, InputError, Problem, did_you_mean, names_secret


def test_a_problem_shows_its_line_and_points_into_it() -> None:
    problem = Problem(file="f.yml", line=3, column=5, message="no", source="    abc: 1")
    assert str(problem) == "f.yml:3:5: no\n        abc: 1\n        ^"


def test_a_problem_of_a_whole_file_has_no_place() -> None:
    assert str(Problem(file="f.yml", message="cannot be read")) == "f.yml: cannot be read"
    assert str(Problem(file="f.yml", line=2, message="never used")) == "f.yml:2: never used"


def test_a_problem_may_be_told_as_a_warning() -> None:
    problem = Problem(file="f.yml", line=3, column=1, message="hm", source="abc: 1")
    assert problem.told("warning") == "f.yml:3:1: warning: hm\n    abc: 1\n    ^"


def test_a_long_line_is_cut_around_the_place() -> None:
    source = "x" * 1000 + "!" + "y" * 1000
    _, shown, caret = str(Problem(file="f", line=1, column=1001, message="m", source=source)).split("\n")
    assert len(shown) == 4 + MAX_SHOWN
    assert shown[caret.index("^")] == "!"


def test_what_cannot_be_seen_is_shown_as_an_escape() -> None:
    problem = Problem(file="f", line=1, column=1, message="bad `\u202e`", source="a: \u202e\x1b[31m")
    assert str(problem) == "f:1:1: bad `\\u202e`\n    a: \\u202e\\x1b[31m\n    ^"


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("  token: hunter2", "  token: ***"),
        ("  {api_token: hunter2, x: 1}", "  {api_token: ***"),
        ('  "client_secret": hunter2', '  "client_secret": ***'),
        ("  url: http://me:hunter2@host:1/", "  url: http://***@host:1/"),
        ("  url: https://hooks.example.com/T0/hunter2", "  url: https://hooks.example.com/***"),
        ("  token_file: secrets/token", "  token_file: secrets/token"),
        ("  host: unix:///var/run/docker.sock", "  host: unix:///var/run/docker.sock"),
    ],
)
def test_a_line_is_shown_without_its_secrets(source: str, shown: str) -> None:
    assert (
        str(Problem(file="f", line=1, column=3, message="m", source=source)).split("\n")[1] == f"    {shown}"
    )


def test_keys_of_secrets_are_known_and_those_of_their_files_are_not_secret() -> None:
    assert all(map(names_secret, ("token", "tokens", "Password", "signing_secret")))
    assert not any(map(names_secret, ("token_file", "secret_file", "name", "services")))


def test_the_nearest_word_is_offered_if_one_is_near() -> None:
    assert did_you_mean("restrat", ["restart", "command"]) == "; did you mean `restart`?"
    assert did_you_mean("xyz", ["restart", "command"]) == ""


def test_an_input_error_carries_and_tells_all_problems() -> None:
    error = InputError(Problem(file="f", line=line, column=1, message="m") for line in (1, 2))
    assert len(error.problems) == 2
    assert str(error) == "f:1:1: m\nf:2:1: m"
