-- One call charged to a wallet drawn from 100,000.
\set org random(100000000001, 100000100000)
\set call random(1000000000000000000, 9000000000000000000)
select wallet.deduct_call_credits('00000000-0000-0000-0000-:org', 'call_:call', 'vapi_:call', 40, 60, 64);
