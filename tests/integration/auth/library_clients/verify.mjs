// Verify access tokens with jose: `verify.mjs JWKS_URL ISSUER AUDIENCE`. One token on each line of stdin.
// Prints one line for each token: a JSON object with the error of the client if it refused it.
import { createInterface } from 'node:readline'
import { createRemoteJWKSet, jwtVerify } from 'jose'

const [url, issuer, audience] = process.argv.slice(2)
const keys = createRemoteJWKSet(new URL(url))

for await (const token of createInterface({ input: process.stdin })) {
  const errors = {}
  try {
    await jwtVerify(token, keys, { issuer, audience, typ: 'at+jwt' })
  } catch (error) {
    errors.jose = `${error.code}: ${error.message}`
  }
  console.log(JSON.stringify(errors))
}
