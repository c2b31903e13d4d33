// The issuer of the tests: oidc-provider on loopback. Prints its URL when it listens.
// POST /test/setup {"gatehouse": URL, "keys": [kid, ...], "narrow": bool} says whom it serves, its keys, of which the
// first one signs, and whether tokens are for the resource alone that was asked for.
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { Provider } from "oidc-provider";

const privateKeys = new Map();
let provider;
let issuer;
let jwksRequests = 0;
let narrow = false; // whether a token is for the resource alone that was asked for (RFC 8707)

function key(kid) {
  if (!privateKeys.has(kid)) {
    const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
    privateKeys.set(kid, { ...pair.privateKey.export({ format: "jwk" }), kid, use: "sig", alg: "RS256" });
  }
  return privateKeys.get(kid);
}

const browser = (gatehouse, client_id, more) => ({
  client_id,
  redirect_uris: [`${gatehouse}/auth/callback`],
  post_logout_redirect_uris: [`${gatehouse}/signin`],
  backchannel_logout_uri: `${gatehouse}/auth/backchannel-logout`,
  backchannel_logout_session_required: true,
  ...more,
});

const clients = (gatehouse) => [
  browser(gatehouse, "web", { client_secret: "the web client's secret: 100 %" }),
  browser(gatehouse, "public", { token_endpoint_auth_method: "none" }),
  {
    client_id: "robot",
    client_secret: "the robot's secret",
    grant_types: ["client_credentials"],
    redirect_uris: [],
    response_types: [],
  },
];

const configuration = {
  claims: { openid: ["sub"], profile: ["name", "https://gatehouse.test/tenant", "gatehouse"] },
  scopes: ["openid", "offline_access", "runnable:chat", "runnable:agent"],
  conformIdTokenClaims: false,
  cookies: { keys: ["a key that signs the provider's own cookies"] },
  pkce: { required: () => true },
  findAccount: (_ctx, id) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      name: id[0].toUpperCase() + id.slice(1),
      "https://gatehouse.test/tenant": id === "bob" ? "beta" : "acme",
      gatehouse: { roles: ["runnable:chat"] },
    }),
  }),
  features: {
    devInteractions: { enabled: true },
    backchannelLogout: { enabled: true },
    clientCredentials: { enabled: true },
    registration: { enabled: true }, // as clients of MCP register themselves
    rpInitiatedLogout: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => "https://gatehouse.test",
      useGrantedResource: () => true,
      getResourceServerInfo: (_ctx, resource) => ({
        scope: "runnable:chat runnable:agent",
        audience: narrow && resource.endsWith("/mcp") ? resource : "gatehouse",
        accessTokenFormat: "jwt",
        accessTokenTTL: 3600,
      }),
    },
  },
  extraTokenClaims: () => ({ "https://gatehouse.test/tenant": "acme", gatehouse: { roles: ["runnable:chat"] } }),
  fetch: (url, { dispatcher: _, ...options }) => fetch(url, options), // its own refuses loopback
};

function setUp({ gatehouse, keys, ...more }) {
  narrow = Boolean(more.narrow);
  provider = new Provider(issuer, { ...configuration, clients: clients(gatehouse), jwks: { keys: keys.map(key) } });
}

async function body(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString();
}

const server = createServer(async (request, response) => {
  if (request.url === "/test/setup") {
    setUp(JSON.parse(await body(request)));
    response.end();
    return;
  }
  if (request.url === "/test/jwks-requests") {
    response.end(String(jwksRequests));
    return;
  }
  if (request.url === "/jwks") jwksRequests += 1;
  provider.callback()(request, response);
});

server.listen(0, "127.0.0.1", () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  setUp({ gatehouse: "http://127.0.0.1:9", keys: ["first"] });
  console.log(issuer);
});
