"""What stages write and read: the contracts between them."""
