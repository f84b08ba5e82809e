"""Where the web listens: no further than it must, unless an operator says so by name."""

import argparse
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, load_command_class
from pytest_django import Settings

from al_engine.supervision.supervisor import Supervisor
from annotator_site.argument_types import address
from annotator_site.management.commands.up import site_options
from annotator_site.running import EVERY_NETWORK, RunningSite, _await_web, listen

HERE, EVERYWHERE = "127.0.0.1", EVERY_NETWORK
WARNING = "past the proxy can name any address as theirs"


@pytest.mark.parametrize(
    ("this_machine_only", "proxies", "bind", "bound"),
    [
        (True, 0, None, HERE),
        (True, 1, None, HERE),
        (False, 1, None, HERE),
        (False, 2, None, HERE),
        (False, 0, None, EVERYWHERE),
        (False, 1, EVERYWHERE, EVERYWHERE),
        (False, 1, "127.0.0.3", "127.0.0.3"),
        (False, 0, HERE, HERE),
        (True, 0, EVERYWHERE, EVERYWHERE),
    ],
)
def test_behind_a_proxy_it_listens_on_this_machine_alone(
    this_machine_only: bool, proxies: int, bind: str | None, bound: str, settings: Settings
) -> None:
    settings.THIS_MACHINE_ONLY, settings.BEHIND_PROXY = this_machine_only, proxies
    with closing(listen(0, bind)) as listener:
        assert listener.getsockname()[0] == bound


def test_an_address_of_another_machine_is_told() -> None:
    with pytest.raises(CommandError, match=r"203\.0\.113\.1 is no address of this machine"):
        listen(0, "203.0.113.1")


@pytest.mark.parametrize("text", ["", "localhost", "::1", "127.0.0.1:8000", "0", "10.0.0.0/8"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no IPv4 address"):
        address(text)


@pytest.mark.parametrize("name", ["up", "demo"])
def test_an_operator_names_another_address(name: str) -> None:
    command = load_command_class("annotator_site", name)
    parser = command.create_parser("manage.py", name)
    assert site_options(vars(parser.parse_args([]))).bind is None
    assert site_options(vars(parser.parse_args(["--bind", EVERYWHERE]))).bind == EVERYWHERE


@pytest.mark.parametrize(
    ("proxies", "bound", "warned"),
    [(1, EVERYWHERE, True), (1, HERE, False), (0, EVERYWHERE, False)],
)
def test_who_lets_others_past_the_proxy_is_warned(
    proxies: int,
    bound: str,
    warned: bool,
    live_site: str,
    settings: Settings,
    capfd: pytest.CaptureFixture[str],
) -> None:
    settings.BEHIND_PROXY = proxies
    ready: list[RunningSite] = []
    port = urlsplit(live_site).port
    assert port
    _await_web(Supervisor(), bound, port, ready.append)
    assert (WARNING in capfd.readouterr().err) == warned
    # Programs of this machine find it all the same.
    assert (ready[0].host, ready[0].port) == (HERE, port)
