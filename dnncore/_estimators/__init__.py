"""What the classifier and the regressor share: rows, targets, parameters, fit."""
