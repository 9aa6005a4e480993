-- What Vapi tells of calls, whole, as its server messages and its list have it; every id is made up. Included with
-- \ir after ../support.sql.

-- The ids that Vapi gives: one call's from its name.
create function pg_temp.vapi(p_name text) returns text
language sql immutable
return md5('vapi ' || p_name)::uuid::text;

create function pg_temp.iso(p_at timestamptz) returns text
language sql stable
return to_char(p_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');

-- A Call object, as GET /call lists it, of a call that took p_seconds and was created 1.5 s before it started.
-- p_changes replaces keys of it.
create function pg_temp.call(
    p_name text,
    p_seconds numeric default 91,
    p_changes jsonb default '{}',
    p_started_at timestamptz default '2026-03-02 10:15:03.740Z'
) returns jsonb
language sql
as $$
    select jsonb_build_object(
        'id', pg_temp.vapi(p_name),
        'orgId', '5f0c7c3e-6a5b-4d39-9a2b-0c7a2f1f8a10',
        'createdAt', pg_temp.iso(p_started_at - interval '1.5 seconds'),
        'updatedAt', pg_temp.iso(p_started_at + make_interval(secs => p_seconds::float8 + 9)),
        'type', 'outboundPhoneCall',
        'phoneCallProvider', 'twilio',
        'phoneCallProviderId', 'CA2f0c1a55b1d84a0f8c3e9d7b6a5f4e3d',
        'phoneCallTransport', 'pstn',
        'status', 'ended',
        'endedReason', 'customer-ended-call',
        'startedAt', pg_temp.iso(p_started_at),
        'endedAt', pg_temp.iso(p_started_at + make_interval(secs => p_seconds::float8)),
        'cost', 0.1931,
        'costBreakdown',
        '{
            "transport": 0.0143, "stt": 0.0217, "llm": 0.0061, "tts": 0.0447, "vapi": 0.1063, "total": 0.1931,
            "llmPromptTokens": 3401, "llmCompletionTokens": 212, "ttsCharacters": 1184,
            "analysisCostBreakdown": {"summary": 0.0004, "summaryPromptTokens": 611, "summaryCompletionTokens": 48}
        }'::jsonb,
        'costs',
        '[
            {"type": "transport", "provider": "twilio", "minutes": 1.52, "cost": 0.0143},
            {"type": "transcriber", "transcriber": {"provider": "deepgram", "model": "nova-3"}, "minutes": 1.6,
             "cost": 0.0217},
            {"type": "vapi", "subType": "normal", "minutes": 1.52, "cost": 0.1063}
        ]'::jsonb,
        'assistantId', pg_temp.vapi('assistant'),
        'assistantOverrides', '{"variableValues": {"name": "Mr. Secretive"}, "clientMessages": ["transcript"]}'::jsonb,
        'phoneNumberId', pg_temp.vapi('number'),
        'customer', '{"number": "+442071838750", "name": "Mr. Secretive"}'::jsonb,
        'transcript', 'AI: Hello, this is Anna.\nUser: My card number is 4242.\n',
        'summary', 'The customer told a secret.',
        'recordingUrl', 'https://storage.vapi.example/recording-mono.wav',
        'stereoRecordingUrl', 'https://storage.vapi.example/recording-stereo.wav',
        'messages',
        '[
            {"role": "system", "message": "You are Anna. Never tell a secret.", "time": 1772446503740,
             "secondsFromStart": 0},
            {"role": "bot", "message": "Hello, this is Anna.", "time": 1772446505100, "endTime": 1772446506900,
             "secondsFromStart": 1.36, "duration": 1800, "source": ""},
            {"role": "user", "message": "My card number is 4242.", "time": 1772446508000, "endTime": 1772446511000,
             "secondsFromStart": 4.26, "duration": 3000}
        ]'::jsonb,
        'analysis',
        '{
            "summary": "The customer told a secret.", "successEvaluation": "true",
            "structuredData": {"secret": "4242"}
        }'::jsonb,
        'artifact',
        '{
            "transcript": "AI: Hello, this is Anna.\nUser: My card number is 4242.\n",
            "messages": [{"role": "user", "message": "My card number is 4242."}],
            "messagesOpenAIFormatted": [{"role": "user", "content": "My card number is 4242."}],
            "recordingUrl": "https://storage.vapi.example/recording-mono.wav",
            "recording": {"mono": {"combinedUrl": "https://storage.vapi.example/recording-mono.wav"}},
            "logUrl": "https://storage.vapi.example/call.log"
        }'::jsonb,
        'monitor',
        '{"listenUrl": "wss://phone.vapi.example/listen", "controlUrl": "https://phone.vapi.example/control"}'::jsonb,
        'transport',
        '{
            "provider": "twilio", "callSid": "CA2f0c1a55b1d84a0f8c3e9d7b6a5f4e3d", "assistantVideoEnabled": false
        }'::jsonb
    ) || p_changes
$$;

-- The server message that a call's end sends. Its call is as it was when it was queued: what became of it stands
-- beside. p_changes replaces keys of the message, p_call those of the call in it.
create function pg_temp.report(
    p_name text,
    p_seconds numeric default 91,
    p_call jsonb default '{}',
    p_changes jsonb default '{}',
    p_started_at timestamptz default '2026-03-02 10:15:03.740Z'
) returns jsonb
language sql
as $$
    with told as (select pg_temp.call(p_name, p_seconds, '{}', p_started_at) as call)

    select jsonb_build_object(
        'message',
        jsonb_build_object(
            'timestamp', floor(extract(epoch from p_started_at) * 1000) + p_seconds * 1000 + 9000,
            'type', 'end-of-call-report',
            'startedAt', call -> 'startedAt',
            'endedAt', call -> 'endedAt',
            'endedReason', call -> 'endedReason',
            'cost', call -> 'cost',
            'costBreakdown', call -> 'costBreakdown',
            'costs', call -> 'costs',
            'durationMs', p_seconds * 1000,
            'durationSeconds', p_seconds,
            'durationMinutes', round(p_seconds / 60, 4),
            'analysis', call -> 'analysis',
            'artifact', call -> 'artifact',
            'messages', call -> 'messages',
            'transcript', call -> 'transcript',
            'summary', call -> 'summary',
            'recordingUrl', call -> 'recordingUrl',
            'stereoRecordingUrl', call -> 'stereoRecordingUrl',
            'call',
            call - array[
                'startedAt', 'endedAt', 'endedReason', 'cost', 'costBreakdown', 'costs', 'analysis', 'artifact',
                'messages', 'transcript', 'summary', 'recordingUrl', 'stereoRecordingUrl'
            ] || '{"status": "queued"}' || p_call,
            'customer', call -> 'customer',
            'phoneNumber',
            jsonb_build_object(
                'id', call -> 'phoneNumberId', 'orgId', call -> 'orgId', 'number', '+442071838751',
                'provider', 'twilio', 'name', 'Front desk', 'status', 'active'
            ),
            'assistant',
            jsonb_build_object(
                'id', call -> 'assistantId', 'orgId', call -> 'orgId', 'name', 'Anna',
                'firstMessage', 'Hello, this is Anna.', 'maxDurationSeconds', 600,
                'model',
                '{
                    "provider": "openai", "model": "gpt-4o",
                    "messages": [{"role": "system", "content": "You are Anna."}]
                }'::jsonb
            )
        ) || p_changes
    )
    from told
$$;

-- Metadata that say whose call it is.
create function pg_temp.metadata(p_org text, p_call_id text default null) returns jsonb
language sql
return jsonb_build_object(
    'metadata', jsonb_strip_nulls(jsonb_build_object('org_id', pg_temp.org(p_org), 'call_id', p_call_id))
);

create function pg_temp.read(p_report jsonb) returns jsonb
language sql
return to_jsonb(wallet.read_call_report(p_report));

-- A call as it is recorded, by its Vapi id's name.
create function pg_temp.recorded(p_name text) returns jsonb
language sql stable
return (select to_jsonb(c) from wallet.calls as c where vapi_call_id = pg_temp.vapi(p_name));

create function pg_temp.unbilled(p_name text) returns jsonb
language sql stable
return (select to_jsonb(u) from wallet.unbilled_calls as u where vapi_call_id = pg_temp.vapi(p_name));

create function pg_temp.told(p_topic text) returns bigint
language sql stable
return (select count(*) from wallet.outbox_messages where topic = p_topic);

-- The roles that may call a function.
create function pg_temp.callers(p_signature text) returns text[]
language sql stable
return (
    select array_agg(role order by role)
    from unnest(array['anon', 'authenticated', 'service_role', 'wallet_webhook', 'wallet_worker']) as role
    where has_function_privilege(role, p_signature, 'execute')
);
