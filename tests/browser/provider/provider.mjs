// A certified OpenID Connect provider with its own log-in form, which takes any name; `node provider.mjs PORT CALLBACK`.
import { Provider } from 'oidc-provider';

const [port, callback] = process.argv.slice(2);
const groupsOf = (name) => (name.startsWith('noc-') ? ['noc'] : ['guests']);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: 'board', client_secret: 'a-secret-that-only-this-test-knows', redirect_uris: [callback] }],
  claims: { profile: ['preferred_username', 'groups'] },
  conformIdTokenClaims: false, // in the ID token itself, as Keycloak and Entra give them
  findAccount: async (_, name) => ({
    accountId: name,
    claims: async () => ({ sub: name, preferred_username: name, groups: groupsOf(name) }),
  }),
});
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
