"""What the machine offers."""

from __future__ import annotations

from equipoise.cli.doctor import PURPOSE_OF_EXTRA, extras, lines, requirements


def test_doctor_states_versions_devices_threads_memory_and_disk(equipoise):
    found = equipoise("doctor", "--json").json
    assert found["packages"]["torch"].startswith("2.")
    assert found["devices"][-1]["name"] == "cpu"
    assert found["threads"]["torch"] >= 1
    assert found["disk_bytes_free"] > 0
    assert set(found["extras"]) == set(extras())


def test_doctor_in_words_names_how_to_install_what_is_missing(equipoise):
    found = equipoise("doctor", "--json").json
    found["extras"]["data"] = {
        "purpose": "data sets",
        "installed": False,
        "missing": ["mlxtend"],
        "install": "pip install 'equipoise[data]'",
    }
    assert "extra      data (data sets): missing mlxtend: pip install 'equipoise[data]'" in lines(found)


def test_every_extra_says_what_it_is_for():
    assert set(extras()) <= set(PURPOSE_OF_EXTRA)


def test_requirements_are_told_apart_by_extra():
    assert "torch" in requirements("") and "mlxtend" not in requirements("")
    assert "mlxtend" in requirements("data")
