"""The code shared by the classifier and the regressor: rows, targets, parameters, fit."""
