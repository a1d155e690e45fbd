// An OpenID provider for the tests: npm oidc-provider over HTTPS, told what to be by a JSON file.
//
//   node provider.mjs SETTINGS
//
// SETTINGS: { port, issuer, certificate, key, people, clients, jwks }; `people` names a JSON file
// of claims by login, read anew at each sign-in.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { Provider } from 'oidc-provider';

const settings = JSON.parse(readFileSync(process.argv[2]));

function person(login) {
  const claims = JSON.parse(readFileSync(settings.people))[login];
  return claims && { accountId: claims.sub, claims: () => claims };
}

function bySubject(subject) {
  const people = JSON.parse(readFileSync(settings.people));
  const claims = Object.values(people).find((one) => one.sub === subject);
  return claims && { accountId: subject, claims: () => claims };
}

const provider = new Provider(settings.issuer, {
  clients: settings.clients,
  jwks: settings.jwks,
  conformIdTokenClaims: false,
  claims: {
    openid: ['sub'],
    profile: ['name', 'preferred_username', 'groups', 'realm'],
    email: ['email', 'email_verified'],
  },
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519', 'HS256'] },
  acrValues: ['weak', 'strong'],
  cookies: { keys: ['keys of the tests'] },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, id) => bySubject(id),
  renderError: (context, out) => { context.type = 'json'; context.body = out; },
});

// The page where somebody signs in: its one field is a name, and consent is given with it.
async function interaction(request, response) {
  const details = await provider.interactionDetails(request, response);
  if (request.method === 'GET') {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end(`<!doctype html><title>Provider</title><h1>Test provider</h1>
      <form method="post"><label>Login <input name="login" autofocus></label>
      <button type="submit">Sign in</button></form>`);
    return;
  }
  let body = '';
  for await (const part of request) body += part;
  const login = new URLSearchParams(body).get('login');
  const found = person(login);
  if (!found) {
    await provider.interactionFinished(request, response, { error: 'access_denied' });
    return;
  }
  const grant = new provider.Grant({ accountId: found.accountId, clientId: details.params.client_id });
  grant.addOIDCScope(details.params.scope);
  await provider.interactionFinished(request, response, {
    login: { accountId: found.accountId, acr: found.claims().acr },
    consent: { grantId: await grant.save() },
  });
}

const inner = provider.callback();
const files = { cert: readFileSync(settings.certificate), key: readFileSync(settings.key) };
createServer(files, (request, response) => {
  if (request.url.startsWith('/interaction/')) {
    interaction(request, response).catch((error) => {
      response.writeHead(500);
      response.end(String(error));
    });
  } else {
    inner(request, response);
  }
}).listen(settings.port, '127.0.0.1', () => console.log('ready'));
