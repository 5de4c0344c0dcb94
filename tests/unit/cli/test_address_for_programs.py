"""What a program reads of `equipoise view` and `equipoise play`: the address, on the first line."""

import json
import webbrowser

import pytest

from equipoise.live import server


@pytest.mark.parametrize("command", ["view", "play"])
def test_json_gives_the_address_and_opens_no_browser(equipoise, command, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("equipoise.cli.view.open_browser", opened.append)
    monkeypatch.setattr(server, "serve", lambda app, listening, announce: (announce(), listening.close()))
    arguments = [tmp_path] if command == "view" else []
    outcome = equipoise(command, *arguments, "--port", 0, "--json")
    found = json.loads(outcome.out.splitlines()[0])
    assert outcome.code == 0 and opened == []
    assert found["address"].startswith(f"http://127.0.0.1:{found['port']}/") and "?token=" in found["address"]


def test_without_json_the_first_line_is_the_address_and_the_browser_opens(equipoise, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("equipoise.cli.view.open_browser", opened.append)
    monkeypatch.setattr(server, "serve", lambda app, listening, announce: (announce(), listening.close()))
    outcome = equipoise("view", tmp_path, "--port", 0)
    assert opened == [outcome.out.splitlines()[0]]


@pytest.mark.parametrize("how", ["none is registered", "it does not start"])
def test_where_there_is_no_browser_the_address_stays_and_it_is_said(equipoise, tmp_path, monkeypatch, how):
    def without(address):
        if how == "it does not start":
            raise webbrowser.Error("could not locate runnable browser")
        return False

    monkeypatch.setattr(webbrowser, "open", without)
    monkeypatch.setattr(server, "serve", lambda app, listening, announce: (announce(), listening.close()))
    monkeypatch.setattr("threading.Thread", AtOnce)
    outcome = equipoise("view", tmp_path, "--port", 0)
    assert outcome.code == 0
    assert outcome.out.startswith("http://127.0.0.1:")
    assert "no browser was found here: open the address above in one." in outcome.err


class AtOnce:
    """A thread that runs before it is waited for."""

    def __init__(self, target, daemon):
        self.start = target
