"""The pytest plugin: what its fixtures give, and what the report of a failing test shows."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from native_support import PACKAGES

pytest_plugins = ["pytester"]

OPTIONS = ("-p", "no:cacheprovider", "-p", "no:trio_ports", "-p", "trio_ports.pytest_plugin", "-o", "trio_mode=true")


@pytest.fixture
def run(pytester: pytest.Pytester) -> object:
    """Run a test file in a pytest of its own."""

    def run_file(text: str) -> pytest.RunResult:
        pytester.makepyfile(text)
        return pytester.runpytest_inprocess(*OPTIONS)

    return run_file


def test_port_pair(run) -> None:
    """The two ends are connected, and a test that passes shows nothing."""
    result = run(
        """
        async def test_it(port_pair):
            opener, receiver = port_pair
            opener.post_message({"a": 1})
            assert await receiver.receive() == {"a": 1}
        """
    )
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*Ports*")


def test_a_failing_test_shows_the_conversation(run) -> None:
    """Each port has a column, and each thing that happened a line."""
    result = run(
        """
        async def test_it(port_pair):
            opener, receiver = port_pair
            opener.post_message({"a": 1})
            await receiver.receive()
            opener.disconnect()
            await receiver.wait_disconnected()
            assert False
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*Ports*",
            "1: opener*2: receiver*",
            '*posts {"a":1}*',
            '*gets {"a":1}*',
            "*disconnects*",
            "*is told of the end*",
        ]
    )


def test_browser_with_options(run) -> None:
    """The marker's arguments are those that the fixtures are opened with."""
    result = run(
        """
        import pytest

        @pytest.mark.trio_ports(dialect="firefox")
        async def test_it(port_browser):
            assert "firefox" in repr(port_browser)
        """
    )
    result.assert_outcomes(passed=1)


def test_fixtures_of_other_plugins(pytester: pytest.Pytester) -> None:
    """The fixture `browser` of another plugin, such as pytest-playwright, still reaches its users' tests."""
    pytester.syspathinsert()
    pytester.makepyfile(
        theirs="""
        import pytest

        @pytest.fixture
        def browser():
            return "theirs"
        """,
        test_theirs="""
        def test_it(browser):
            assert browser == "theirs"
        """,
    )
    pytester.runpytest_inprocess("-p", "theirs", *OPTIONS).assert_outcomes(passed=1)


def test_a_listener_that_raises_is_in_the_chart(run) -> None:
    """When a listener raises, the report shows at which port."""
    result = run(
        """
        async def test_it(port_pair):
            opener, receiver = port_pair
            receiver.on_message.add_listener(lambda message, port: message["no such key"])
            opener.post_message({})
            await opener.wait_disconnected()
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Ports*", "*a listener: KeyError"])


@pytest.mark.parametrize("fixture", ["port_pair", "port_browser"])
def test_a_sync_test(run, fixture: str) -> None:
    """A sync test fails with advice, and the tests after it are not affected."""
    result = run(
        f"""
        def test_sync({fixture}):
            pass

        async def test_async({fixture}):
            assert {fixture}

        def test_by_name(request):
            request.getfixturevalue("{fixture}")

        async def test_both(port_pair, port_browser):
            assert port_pair
        """
    )
    result.assert_outcomes(passed=2, failed=1, errors=1)
    result.stdout.fnmatch_lines(["*need Trio: make the test async (async def test_sync), *"])
    result.stdout.no_fnmatch_line("*AssertionError*")


@pytest.mark.parametrize("fixture", ["port_pair", "port_browser"])
def test_examples_of_hypothesis(run, fixture: str) -> None:
    """A fixture is made once and not for each example: the refusal says so, first of all @given, and what to do."""
    result = run(
        f"""
        from hypothesis import given, strategies

        @given(number=strategies.integers())
        async def test_it({fixture}, number):
            pass

        class TestIt:
            @given(number=strategies.integers())
            async def test_method(self, {fixture}, number):
                pass
        """
    )
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["@given runs a test for many examples, *open_port_pair(nursery)*"])


def test_a_recorder_as_a_listener(run) -> None:
    """It fails its test, and pytest goes on."""
    result = run(
        """
        async def test_it(port_pair, port_recorder):
            opener, receiver = port_pair
            receiver.on_disconnect.add_listener(port_recorder)
            opener.disconnect()

        async def test_next(port_pair):
            assert port_pair
        """
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*observer=recorder*", "*Ports*"])


def test_a_failing_test_without_a_conversation(run) -> None:
    """If nothing was recorded, the report shows nothing."""
    result = run(
        """
        def test_it(port_recorder):
            assert port_recorder.observations
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*Ports*")


def test_without_pytest_trio() -> None:
    """The plugin can be imported without pytest-trio, because every pytest in the environment imports it."""
    code = "import sys; sys.modules['pytest_trio'] = None; import trio_ports.pytest_plugin"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": PACKAGES})
