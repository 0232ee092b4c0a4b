"""`orders-sync apply` sends the orders of a plan that `plan --save` has kept, and no others."""
