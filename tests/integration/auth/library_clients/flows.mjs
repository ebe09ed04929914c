// Use auth with openid-client: `flows.mjs AUTH_URL`. The JSON on stdin has an account and a program, with their secrets.
import { text } from 'node:stream/consumers'
import * as client from 'openid-client'

const url = new URL(process.argv[2])
const given = JSON.parse(await text(process.stdin))
const options = { algorithm: 'oauth2', execute: [client.allowInsecureRequests] }

const refusal = async (call) => {
  try {
    await call()
  } catch (error) {
    // The client reads the challenge of a 401 instead of its body.
    return error.error ?? error.cause?.map((challenge) => challenge.scheme).join()
  }
  throw new Error('accepted')
}

const app = await client.discovery(url, 'shop', undefined, client.None(), options)
const login = await client.genericGrantRequest(app, 'password', { username: given.username, password: given.password })
const refreshed = await client.refreshTokenGrant(app, login.refresh_token)
await client.tokenRevocation(app, refreshed.access_token, { token_type_hint: 'access_token' })
const ended = await refusal(() => client.refreshTokenGrant(app, refreshed.refresh_token))
if (ended !== 'invalid_grant') throw new Error(ended)

for (const method of [client.ClientSecretPost, client.ClientSecretBasic]) {
  const program = await client.discovery(url, given.client_id, undefined, method(given.client_secret), options)
  const token = await client.clientCredentialsGrant(program)
  if (token.scope !== 'orders:read') throw new Error(token.scope)
}
const wrong = await client.discovery(url, given.client_id, undefined, client.ClientSecretPost('wrong'), options)
const refused = await refusal(() => client.clientCredentialsGrant(wrong))
if (refused !== 'basic') throw new Error(refused)
console.log('done')
