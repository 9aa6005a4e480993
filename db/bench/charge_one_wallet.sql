-- One call charged to the one wallet that every client charges.
\set call random(1000000000000000000, 9000000000000000000)
select wallet.deduct_call_credits('00000000-0000-0000-0000-100000000001', 'call_:call', 'vapi_:call', 40, 60, 64);
