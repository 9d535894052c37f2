"""The figures as pages, plots and CSV files."""
