"""Tools of an operator: doctor, metrics, alerts, the operator page, the import."""
