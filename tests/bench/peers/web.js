// What both peers share: Fastify without coercion, verified tokens kept, the headers that our gateway sends.
import { createPublicKey, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createVerifier } from "fast-jwt";
import Fastify from "fastify";

const KEPT = 10_000;
const FIXED = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "cross-origin",
  "strict-transport-security": "max-age=63072000; includeSubDomains",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "access-control-allow-origin": "*",
  "access-control-expose-headers":
    "Content-Location, ETag, Location, Pickly-Command, Preference-Applied, RateLimit, Retry-After, X-Request-Id",
};

/** An app whose requests have a random id of 32 hex digits, which is also the id of their trace. */
export function makeApp() {
  const app = Fastify({
    logger: false,
    bodyLimit: 256 * 1024,
    genReqId: () => randomBytes(16).toString("hex"),
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: true, allErrors: false } },
  });
  app.addHook("onRequest", (request, reply, done) => {
    reply.headers(FIXED).header("x-request-id", request.id);
    done();
  });
  app.get("/readyz", () => "ready");
  return app;
}

/** Checks ES256 access tokens against the key ring in `file`; verified ones are kept until they end. */
export function tokenCheck(file) {
  const [jwk] = JSON.parse(readFileSync(file, "utf8")).keys;
  const verify = createVerifier({
    key: createPublicKey({ key: jwk, format: "jwk" }).export({ type: "spki", format: "pem" }),
    algorithms: ["ES256"],
    checkTyp: "at+jwt",
    allowedIss: "pickly/auth",
    allowedAud: "pickly/gateway",
    requiredClaims: ["sub", "exp", "iat", "nbf", "jti", "sid"],
    clockTolerance: 30_000,
  });
  const verified = new Map();
  const claimsOf = (token) => {
    const known = verified.get(token);
    if (known !== undefined && known.exp * 1000 > Date.now()) return known;
    const claims = verify(token);
    if (verified.size >= KEPT) verified.delete(verified.keys().next().value);
    verified.set(token, claims);
    return claims;
  };
  return (request, reply, done) => {
    const header = request.headers.authorization;
    if (!header?.startsWith("Bearer ")) return void reply.code(401).send({ title: "Send an access token." });
    try {
      request.account = claimsOf(header.slice(7)).sub;
    } catch {
      return void reply.code(401).send({ title: "The access token was not accepted." });
    }
    done();
  };
}

/** Listens on loopback until SIGTERM. */
export async function serve(app, ...stops) {
  await app.listen({ host: "127.0.0.1", port: Number(process.env.PORT), backlog: 2048 });
  process.once("SIGTERM", async () => {
    await app.close();
    for (const stop of stops) await stop();
    process.exit(0);
  });
}
