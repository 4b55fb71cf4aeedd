"""The page: charts, captions and claims, written from numbers."""
