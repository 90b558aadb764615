"""The command line."""

from __future__ import annotations

import json

import pytest

from skdeep.__main__ import main


def test_demo_prints_a_report_and_saves_a_plot(capsys, tmp_path, monkeypatch):
    import skdeep.demo as demo
    from skdeep import registry

    monkeypatch.setattr(demo, "LEARNING_RATES", demo.LEARNING_RATES[[4]])
    monkeypatch.setattr(registry, "_local", {})
    png = tmp_path / "curves.png"
    assert main(["demo", "--png", str(png)]) == 0
    out = capsys.readouterr().out
    assert "training programs compiled: 2" in out
    accuracy = float(out.split("Test accuracy: ")[1].split()[0])
    assert accuracy > 0.95
    assert png.read_bytes().startswith(b"\x89PNG")


def test_versions(capsys):
    assert main(["versions"]) == 0
    assert "skdeep-flax" in capsys.readouterr().out


def test_versions_without_a_device(capsys, monkeypatch):
    def fail():
        raise RuntimeError("no backend")

    monkeypatch.setattr("jax.devices", fail)
    assert main(["versions", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["devices"] == ["none: no backend"]


def test_a_call_without_command_exits_with_an_error(capsys):
    with pytest.raises(SystemExit):
        main([])
    assert "COMMAND" in capsys.readouterr().err
