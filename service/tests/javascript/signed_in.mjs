// What a signed-in user's browser asks Supabase, and each answer as a line of JSON.
import { createClient } from '@supabase/supabase-js'

const { SUPABASE_URL, SUPABASE_ANON_KEY, USER_TOKEN, QUESTIONS } = process.env
const supabase = createClient(SUPABASE_URL, SUPABASE_ANON_KEY, {
  db: { schema: 'wallet' },
  accessToken: async () => USER_TOKEN,
})

for (const { rpc, args, from, select } of JSON.parse(QUESTIONS)) {
  const question = rpc ? supabase.rpc(rpc, args) : supabase.from(from).select(select)
  const { data, error, status } = await question
  console.log(JSON.stringify({ data, code: error?.code ?? null, status }))
}
