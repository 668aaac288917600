// An OpenID Connect provider for tests: everybody who types a name is let in, with the groups "developers" and the own name.
//
//   node provider.mjs PORT REDIRECT KEY
//
// KEY names the key that it signs with: another run with another KEY is a rotation.
import { createHash, createPrivateKey } from 'node:crypto';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [port, redirect, key] = process.argv.slice(2);
const require = createRequire(`${process.env.OPENID_MODULES}/x.js`);
const { default: Provider } = await import(pathToFileURL(require.resolve('oidc-provider')).href);

if (!existsSync(key)) {
	const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
	writeFileSync(key, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
}
const jwk = createPrivateKey(readFileSync(key)).export({ format: 'jwk' });
jwk.kid = createHash('sha256').update(jwk.n).digest('base64url').slice(0, 8);
jwk.use = 'sig';

const person = (id) => ({
	sub: `id-of-${id}`, preferred_username: id, given_name: 'Given', family_name: 'Family', email: `${id}@example.org`, groups: ['developers', id],
});
const api = 'urn:depot';
const provider = new Provider(`http://127.0.0.1:${port}`, {
	clients: [
		{ client_id: 'depot', client_secret: 'a secret & more', redirect_uris: [redirect], post_logout_redirect_uris: [new URL('/', redirect).href] },
		{ client_id: 'ci', client_secret: 'ci', redirect_uris: [], response_types: [], grant_types: ['client_credentials'] },
	],
	jwks: { keys: [jwk] },
	cookies: { keys: ['not secret'] },
	claims: { openid: ['sub'], profile: ['preferred_username', 'given_name', 'family_name', 'groups'], email: ['email'] },
	conformIdTokenClaims: false,
	findAccount: (_, id) => ({ accountId: id, claims: () => ({ ...person(id), sub: id }) }),
	extraTokenClaims: (_, token) => (token.kind === 'ClientCredentials' ? { preferred_username: 'robot', groups: ['developers'] } : undefined),
	features: {
		clientCredentials: { enabled: true },
		resourceIndicators: {
			enabled: true,
			getResourceServerInfo: () => ({ scope: 'publish', audience: 'depot', accessTokenFormat: 'jwt', accessTokenTTL: 300, jwt: { sign: { alg: 'RS256' } } }),
			useGrantedResource: () => true,
			defaultResource: (ctx) => (ctx.oidc.client?.clientId === 'ci' ? api : undefined),
		},
	},
});
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
