-- What the HTTP service does with a paid checkout, without HTTP and signature.
\set org random(100000000001, 100000100000)
\set payment random(1000000000000000000, 9000000000000000000)
select wallet.process_stripe_event(
    '{"id": "evt_:payment", "type": "checkout.session.completed", "livemode": false, "data": {"object": {
        "id": "cs_:payment", "object": "checkout.session", "payment_status": "paid", "amount_total": 5000,
        "currency": "gbp", "payment_intent": "pi_:payment", "customer": "cus_:org",
        "client_reference_id": "00000000-0000-0000-0000-:org",
        "metadata": {"type": "wallet_topup", "org_id": "00000000-0000-0000-0000-:org", "amount_pence": "5000"}
    }}}'
);
