-- The least that charging one wallet can cost: every client updates the same row.
update pgbench_accounts
set abalance = abalance + 1
where aid = 1;
