"""Names of what is tested and by which tests, as the command's table and the report have them."""

from __future__ import annotations

TESTS = ("anderson_darling", "dagostino_pearson", "shapiro_wilk")
UNITS = {"direction": "directions", "coordinate": "coordinates", "component": "components"}
LAGS = ("autocorrelation_0_1", "autocorrelation_1_0", "autocorrelation_1_1")
