"""`livemon doctor` beside a livemon that runs: it goes the browser's way in."""

from livemon.doctor import examine
from livemon.finding import Grade
from livemon.settings import Settings
from tests.certificates import make_certificate
from tests.conftest import free_port


def settings_of(running, **more) -> Settings:
    return Settings(_env_file=None, port=running.port, data_dir=running.folder / "data", **more)


def test_with_a_good_setup_there_is_nothing_to_do(running):
    code, said = running.run("doctor")
    assert code == 0, said
    assert f"livemon answers on 127.0.0.1:{running.port}" in said
    assert "Valkey " in said
    assert "WebSockets get through" in said
    assert said.endswith("Nothing to do.\n")


def test_with_a_problem_the_exit_code_is_1(own):
    own.settings["LIVEMON_REDIS_URL"] = f"redis://127.0.0.1:{free_port()}/0"
    code, said = own.run("doctor")
    assert code == 1, said
    assert "1 problem, " in said
    assert "Traceback" not in said


async def test_a_public_address_that_does_not_lead_here_is_a_problem(running):
    found = await examine(settings_of(running, public_url=f"http://localhost:{free_port()}"))
    (problem,) = [each for each in found if each.grade is Grade.PROBLEM]
    assert "does not lead here" in problem.what
    assert "LIVEMON_PUBLIC_URL" in problem.advice


async def test_a_public_address_by_another_name_of_this_machine_is_fine(running):
    """The Host that arrives is the public one, as with a proxy that passes it on."""
    found = await examine(settings_of(running, public_url=f"http://localhost:{running.port}"))
    assert {each.grade for each in found} == {Grade.OK}


async def test_a_server_that_is_none_of_ours_is_told_from_livemon(running, tmp_path):
    pair = make_certificate(tmp_path)
    found = await examine(settings_of(running, tls_cert=pair["LIVEMON_TLS_CERT"], tls_key=pair["LIVEMON_TLS_KEY"]))
    assert any("could not listen there" in each.what for each in found if each.grade is Grade.PROBLEM)
