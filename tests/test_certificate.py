"""The certificate: used if it can be, and what browsers would find wrong with it is said before they do."""

from datetime import timedelta
from pathlib import Path

import pytest

from livemon.certificate import CertificateError, check_pair, examine_certificate
from livemon.finding import Finding, Grade
from livemon.settings import Settings
from tests.certificates import make_certificate


def examined(pair: dict[str, str], **more: str) -> list[Finding]:
    given = {name.removeprefix("LIVEMON_").lower(): value for name, value in pair.items()}
    return examine_certificate(Settings(**given, **more))


def test_a_good_pair_is_fine(tmp_path):
    pair = make_certificate(tmp_path, "calls.example.com")
    check_pair(*map(Path, pair.values()))
    assert [each.grade for each in examined(pair)] == [Grade.OK]


def test_without_one_there_is_nothing_to_find():
    assert examine_certificate(Settings()) == []


@pytest.mark.parametrize(
    ("begins", "ends", "grade", "says"),
    [
        (-30, -1, Grade.PROBLEM, "has expired on"),
        (1, 30, Grade.PROBLEM, "is good from"),
        (-30, 10, Grade.WARNING, "expires in 9 days"),
        (-30, 20, Grade.OK, "is good until"),
    ],
)
def test_its_time_is_looked_at(tmp_path, begins, ends, grade, says):
    (found,) = examined(make_certificate(tmp_path, begins=timedelta(days=begins), ends=timedelta(days=ends)))
    assert (found.grade, says in found.what) == (grade, True), found
    assert bool(found.advice) == (grade is not Grade.OK)


@pytest.mark.parametrize(
    ("names", "host", "good"),
    [
        (["calls.example.com"], "calls.example.com", True),
        (["Calls.Example.com"], "calls.example.com", True),
        (["*.example.com"], "calls.example.com", True),
        (["192.0.2.7"], "192.0.2.7", True),
        (["*.example.com"], "a.calls.example.com", False),
        (["example.com", "www.example.com"], "calls.example.com", False),
        ([], "calls.example.com", False),
    ],
)
def test_it_has_to_be_for_the_name_that_people_open(tmp_path, names, host, good):
    *_, found = examined(make_certificate(tmp_path, *names), public_url=f"https://{host}:8443")
    assert (found.grade is Grade.OK) == good, found
    assert all(name.lower() in found.what.lower() for name in names) or good


def test_a_key_of_another_certificate_is_refused(tmp_path):
    pair = make_certificate(tmp_path / "a")
    pair["LIVEMON_TLS_KEY"] = make_certificate(tmp_path / "b")["LIVEMON_TLS_KEY"]
    (found,) = examined(pair)
    assert found.grade is Grade.PROBLEM
    assert "belong to each other" in found.advice
    with pytest.raises(CertificateError, match="LIVEMON_TLS_CERT and LIVEMON_TLS_KEY"):
        check_pair(*map(Path, pair.values()))


def test_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(tmp_path):
    (found,) = examined(make_certificate(tmp_path, password=b"secret"))
    assert found.grade is Grade.PROBLEM
    assert "without a password" in found.advice


def test_a_file_that_is_no_certificate_is_refused(tmp_path):
    pair = make_certificate(tmp_path)
    Path(pair["LIVEMON_TLS_CERT"]).write_text("nonsense")
    (found,) = examined(pair)
    assert (found.grade, "cannot be used" in found.what) == (Grade.PROBLEM, True)
