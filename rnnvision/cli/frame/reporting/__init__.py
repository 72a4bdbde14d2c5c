"""Reports: what `report` and `train report=true` share."""
