"""Sections are found in their folders, not listed."""

from une_ray.report.collect import sections


def test_sections_are_found_in_their_folders_and_have_places_of_their_own():
    places = [order for order, _ in sections()]
    modules = {section.__module__ for _, section in sections()}
    assert places == sorted(set(places))
    assert {"une_ray.report.sections.rejects", "une_ray.studies.probes.agreement"} <= modules
