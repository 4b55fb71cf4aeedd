"""The difference of the vectors of the same token before and after tuning."""
