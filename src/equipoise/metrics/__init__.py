"""Scores with no confidence attached: modes, histograms against known densities, neighbours."""
