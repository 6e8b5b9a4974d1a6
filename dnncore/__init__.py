"""Dense neural-network classifiers on a CPU, trained and served at the speed of the hardware."""
